//! What can go wrong, by name. A fault is for one request and is used up by it.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};

use super::{TessSim, net::Cut, stream::StreamFault, world::World};

/// Bytes of one piece of an endless body.
const ENDLESS_PIECE: usize = 64 * 1024;

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// `POST /agents/{id}/execute`.
    Execute,
    /// `GET /agent-responses/{id}`.
    Poll,
    /// `GET /agents` and `GET /agents/{id}`.
    Agents,
    /// `POST /files`.
    Upload,
    /// `GET /files/{id}` and `DELETE /files/{id}`.
    File,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, and nothing runs.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body's type.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// A 429, and nothing runs.
    RateLimit {
        /// What it asks for, in seconds. The next request before that is a violation.
        retry_after: Option<f64>,
        /// Whether it asks in the header, as whole seconds, instead of the body.
        header: bool,
    },
    /// HTTP 200, succeeded, no output.
    Empty,
    /// HTTP 200, failed, with this `error`; `Value::Null` leaves the field out.
    Failed(Value),
    /// An unfinished answer at once, so many unfinished polls, then the end.
    Unfinished(usize),
    /// The answer has this status; polls have the true one.
    Status(String),
    /// `credits` is null.
    NullCredits,
    /// HTTP 524 in plain text while the execution goes on.
    Http524,
    /// Half of the JSON, then the connection is closed.
    Truncate,
    /// A body without end.
    EndlessBody,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer, after the execution has run.
    DropConnection,
    /// The right answer, late.
    Slow(Duration),
    /// The answer to a request for a stream is JSON, as if none had been asked for.
    PlainAnswer,
    /// A stream goes wrong.
    Stream {
        /// Pieces told before it.
        after: usize,
        /// What goes wrong.
        what: StreamFault,
    },
}

impl Fault {
    /// The answer of a fault that lets nothing run.
    pub(super) fn instead(&self) -> Option<Response> {
        match self {
            Self::Answer { status, content_type, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some((status, [(header::CONTENT_TYPE, *content_type)], body.clone()).into_response())
            }
            Self::RateLimit { retry_after, header } => Some(rate_limit(*retry_after, *header)),
            _ => None,
        }
    }

    /// Delivers `body` with what goes wrong on the way.
    pub(super) async fn deliver(fault: Option<&Self>, body: &Value, cut: Cut) -> Response {
        let json = [(header::CONTENT_TYPE, "application/json")];
        match fault {
            Some(Self::Http524) => http_524(),
            Some(Self::Truncate) => (json, truncated(body, cut)).into_response(),
            Some(Self::EndlessBody) => (json, endless(body)).into_response(),
            Some(Self::Hang) => std::future::pending().await,
            Some(Self::DropConnection) => {
                cut.cut();
                std::future::pending().await
            }
            Some(Self::Slow(delay)) => {
                tokio::time::sleep(*delay).await;
                (json, body.to_string()).into_response()
            }
            _ => (json, body.to_string()).into_response(),
        }
    }
}

/// A 429 as documented.
pub(super) fn rate_limit(retry_after: Option<f64>, in_header: bool) -> Response {
    let mut body = json!({"error": "Rate limit exceeded"});
    if let Some(seconds) = retry_after.filter(|_| !in_header) {
        body["retry_after"] = json!(seconds);
    }
    let mut response = (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response();
    if let Some(seconds) = retry_after.filter(|_| in_header) {
        // Whole seconds are never negative nor many here.
        response.headers_mut().insert(header::RETRY_AFTER, (seconds.ceil() as u64).into());
    }
    response
}

/// What Cloudflare says when the origin took too long.
pub(super) fn http_524() -> Response {
    let status = StatusCode::from_u16(524).unwrap_or(StatusCode::GATEWAY_TIMEOUT);
    (status, [(header::CONTENT_TYPE, "text/plain; charset=UTF-8")], "error code: 524").into_response()
}

fn truncated(body: &Value, cut: Cut) -> Body {
    let mut half = body.to_string().into_bytes();
    half.truncate(half.len() / 2);
    let pieces = stream::unfold(Some(half), move |half| {
        let cut = cut.clone();
        async move {
            if let Some(half) = half {
                return Some((Ok::<_, std::io::Error>(Bytes::from(half)), None));
            }
            // Gives the server the moment to send the first half.
            tokio::task::yield_now().await;
            cut.cut();
            std::future::pending().await
        }
    });
    Body::from_stream(pieces)
}

fn endless(body: &Value) -> Body {
    let mut start = body.to_string();
    start.truncate(1);
    let start = Bytes::from(start);
    let blanks = Bytes::from(vec![b' '; ENDLESS_PIECE]);
    let pieces = stream::unfold(start, move |piece| {
        let blanks = blanks.clone();
        async move { Some((Ok::<_, std::io::Error>(piece), blanks)) }
    });
    Body::from_stream(pieces)
}

impl TessSim {
    /// Queues any fault for a request of `route`.
    pub fn fault_on(&self, route: Route, fault: Fault) {
        self.shared.change(|world| world.faults.entry(route).or_default().push_back(fault));
    }

    fn fault(&self, fault: Fault) {
        self.fault_on(Route::Execute, fault);
    }

    /// This status and JSON; nothing runs.
    pub fn fail_next(&self, status: u16, body: &Value) {
        self.fault(Fault::Answer { status, content_type: "application/json", body: body.to_string() });
    }

    /// A page of a proxy with this status; nothing runs.
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

    /// The client is another process from now on, which knows of no pause that a 429 asked for.
    pub fn client_restarted(&self) {
        self.shared.change(World::forget_pause);
    }

    /// Takes back every fault that no request has met yet.
    pub fn end_faults(&self) {
        self.shared.change(|world| world.faults.clear());
    }

    /// An error that says so; no source records its status.
    pub fn no_credits_next(&self) {
        self.fail_next(400, &json!({"error": "user has no credits"}));
    }

    /// Stops listening and cuts every connection, or listens again, on the same port. Returns when it is so.
    pub async fn refuse_connections(&self, refuse: bool) {
        self.gate.refuse(refuse).await;
    }
}
