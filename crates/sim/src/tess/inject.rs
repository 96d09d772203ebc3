//! The faults that a test can inject.

use serde_json::{Value, json};

use super::{
    fault::{Fault, Route, StreamFault},
    sim::TessSim,
    world::World,
};

impl TessSim {
    /// Queues a fault for a request of `route`.
    pub fn fault_on(&self, route: Route, fault: Fault) {
        self.shared.change(|world| world.faults.entry(route).or_default().push_back(fault));
    }

    fn fault(&self, fault: Fault) {
        self.fault_on(Route::Execute, fault);
    }

    /// Responds with a status and JSON; nothing is executed.
    pub fn fail_next(&self, status: u16, body: &Value) {
        self.fault(Fault::Answer { status, content_type: "application/json", body: body.to_string() });
    }

    /// Responds with a status and a proxy's HTML page; nothing is executed.
    pub fn html_next(&self, status: u16) {
        let body = format!("<html><head><title>{status}</title></head><body><center>nginx</center></body></html>");
        self.fault(Fault::Answer { status, content_type: "text/html", body });
    }

    /// [`Fault::Empty`].
    pub fn succeed_empty_next(&self) {
        self.fault(Fault::Empty);
    }

    /// [`Fault::Failed`].
    pub fn fail_execution_next(&self, error: Value) {
        self.fault(Fault::Failed(error));
    }

    /// [`Fault::Unfinished`].
    pub fn unfinished_next(&self, polls: usize) {
        self.fault(Fault::Unfinished(polls));
    }

    /// [`Fault::Status`].
    pub fn status_next(&self, status: &str) {
        self.fault(Fault::Status(status.to_owned()));
    }

    /// [`Fault::NullCredits`].
    pub fn null_credits_next(&self) {
        self.fault(Fault::NullCredits);
    }

    /// [`Fault::RateLimit`].
    pub fn rate_limit_next(&self, retry_after: Option<f64>, header: bool) {
        self.fault(Fault::RateLimit { retry_after, header });
    }

    /// [`Fault::Http524`].
    pub fn plain_524_next(&self) {
        self.fault(Fault::Http524);
    }

    /// [`Fault::Truncate`].
    pub fn truncate_next(&self) {
        self.fault(Fault::Truncate);
    }

    /// [`Fault::EndlessBody`].
    pub fn endless_body_next(&self) {
        self.fault(Fault::EndlessBody);
    }

    /// [`Fault::Hang`].
    pub fn hang_next(&self) {
        self.fault(Fault::Hang);
    }

    /// [`Fault::DropConnection`].
    pub fn drop_connection_next(&self) {
        self.fault(Fault::DropConnection);
    }

    /// Records that the client restarted and does not know of the pause that a 429 demanded.
    pub fn forget_client(&self) {
        self.shared.change(World::forget_pause);
    }

    /// Removes the faults that met no request so far.
    pub fn clear_faults(&self) {
        self.shared.change(|world| world.faults.clear());
    }

    /// Responds that the user has no credits. The status is a guess: no source documents it.
    pub fn no_credits_next(&self) {
        self.fail_next(400, &json!({"error": "user has no credits"}));
    }

    /// Stops listening and closes every connection, or listens again on the same port. Returns when done.
    pub async fn refuse_connections(&self, refuse: bool) {
        self.gate.refuse(refuse).await;
    }

    /// Holds the next stream after this many events, until it is released.
    pub fn hold_stream_after(&self, pieces: usize) {
        self.shared.change(|world| world.hold_stream.push_back(pieces));
    }

    /// Disturbs the next stream after this many events. The first event tells the client the id of the execution.
    pub fn stream_fault_next(&self, after: usize, fault: StreamFault) {
        self.fault(Fault::Stream { after, fault });
    }

    /// [`StreamFault::Break`].
    pub fn break_stream_next(&self, after: usize) {
        self.stream_fault_next(after, StreamFault::Break);
    }

    /// [`StreamFault::Fail`].
    pub fn fail_stream_next(&self, after: usize, error: &str) {
        self.stream_fault_next(after, StreamFault::Fail(json!(error)));
    }

    /// [`Fault::NoStream`].
    pub fn no_stream_next(&self) {
        self.fault(Fault::NoStream);
    }
}
