//! The faults that a test can inject.

use std::{mem, time::Duration};

use serde_json::Value;

use super::{
    faults::{Effect, Fault, Faults, LostResponse, Target},
    limits::Scope,
    routes::Route,
    sessions::Step,
    sim::DiscordSim,
};

/// Faults of the gateway.
impl DiscordSim {
    /// Drops every connection without a close frame. Their sessions can be resumed.
    pub fn drop_connection(&self) {
        self.shared.change(|state| state.gateway.instruct_all(|| Step::Drop));
    }

    /// Closes every connection with a code. Some codes end the session.
    pub fn close_with(&self, code: u16) {
        self.shared.change(|state| state.gateway.instruct_all(|| Step::Close(code)));
    }

    /// Asks every client to reconnect (opcode 7).
    pub fn send_reconnect(&self) {
        self.shared.change(|state| state.gateway.instruct_all(|| Step::Send(r#"{"op":7,"d":null}"#.to_owned())));
    }

    /// Invalidates every session (opcode 9).
    pub fn send_invalid_session(&self, resumable: bool) {
        self.shared.change(|state| state.gateway.invalidate_all(resumable));
    }

    /// Ends the sessions of the next `n` RESUMEs and answers with opcode 9.
    pub fn refuse_resume(&self, n: usize) {
        self.shared.change(|state| state.gateway.resumes_to_refuse = n);
    }

    /// Answers the next `n` IDENTIFYs with opcode 9.
    pub fn refuse_identify(&self, n: usize) {
        self.shared.change(|state| state.gateway.identifies_to_refuse = n);
    }

    /// Sends the next `n` READYs with a user of `null`. Their sessions exist and can be resumed.
    pub fn malform_ready(&self, n: usize) {
        self.shared.change(|state| state.gateway.readies_to_malform = n);
    }

    /// While on, the gateway sends neither acknowledgements nor events.
    pub fn silence_gateway(&self, on: bool) {
        self.shared.change(|state| state.gateway.silent = on);
    }

    /// While on, new connections get no HELLO.
    pub fn withhold_hello(&self, on: bool) {
        self.shared.change(|state| state.gateway.withholds_hello = on);
    }

    /// While on, new connections are accepted and their upgrade is never answered.
    pub fn hang_new_connections(&self, on: bool) {
        self.shared.change(|state| state.gateway.hangs_new_connections = on);
    }

    /// While on, the gateway ends the connection on a client's close frame without sending one of its own.
    pub fn skip_close_frames(&self, on: bool) {
        self.shared.change(|state| state.gateway.skips_close_frames = on);
    }

    /// While on, new connections to the gateway get a 503.
    pub fn refuse_connections(&self, on: bool) {
        self.shared.change(|state| state.gateway.refuses_connections = on);
    }

    /// While on, new sessions get no `GUILD_CREATE`, as in an outage of Discord; they get them when it ends.
    pub fn withhold_guilds(&self, on: bool) {
        self.shared.change(|state| {
            let ends = mem::replace(&mut state.gateway.withholds_guilds, on) && !on;
            let guilds = state.world.guilds.keys().filter(|_| ends).map(|guild| state.world.guild_object(*guild));
            for guild in guilds.collect::<Vec<_>>() {
                state.gateway.dispatch("GUILD_CREATE", guild);
            }
        });
    }

    /// Takes the message content intent from the application while on.
    pub fn disallow_message_content(&self, on: bool) {
        self.shared.change(|state| state.world.content_allowed = !on);
    }

    /// Sends a message's MESSAGE_CREATE again, with a new sequence number.
    pub fn redeliver(&self, message: u64) {
        self.shared.change(|state| state.announce("MESSAGE_CREATE", message));
    }

    /// Holds back the next `n` events and sends them in reverse order.
    pub fn reverse_next_events(&self, n: usize) {
        self.shared.change(|state| state.gateway.reverse_next(n));
    }

    /// Sends an event of any kind.
    pub fn dispatch_raw(&self, name: &str, data: Value) {
        self.shared.change(|state| state.gateway.dispatch(name, data));
    }

    /// Records that the bot restarted and does not know of the 429s in force: one more request is no violation.
    pub fn forget_client(&self) {
        self.shared.change(|state| state.limits.forget_client());
    }

    /// Ends every fault of the gateway and of REST. A 429 in force stays.
    pub fn clear_faults(&self) {
        self.shared.change(|state| {
            state.gateway.clear_faults();
            state.faults = Faults::default();
        });
    }

    /// Sets how many IDENTIFYs are left, and when the limit is reset.
    pub fn set_session_limit(&self, remaining: u32, reset_after: Duration) {
        self.shared.change(|state| {
            (state.gateway.identifies_left, state.gateway.limit_reset_after) = (remaining, reset_after);
        });
    }
}

/// Faults of REST.
impl DiscordSim {
    /// Faults that were injected and met no request so far. A test whose faults met nothing shows less than it claims.
    #[must_use]
    pub fn unused_faults(&self) -> usize {
        self.shared.read(|state| state.faults.pending.iter().map(|fault| fault.times).sum())
    }

    /// Fails the next requests of a method and path without performing them. The path has no `/api/v10`; one `*` in it
    /// matches any text. A body that is a JSON string is sent as an HTML page.
    pub fn fail_next(&self, method: &str, pattern: &str, status: u16, body: Value, times: usize) {
        let target = Target::Path { method: method.to_owned(), pattern: pattern.to_owned() };
        self.inject(target, Effect::Fail { status, body }, times);
    }

    /// Neither performs nor answers the next request of a route.
    pub fn hang_next(&self, route: Route) {
        self.inject(Target::Route(route), Effect::Hang, 1);
    }

    /// Performs the next request of a route and loses the response.
    pub fn lose_response_next(&self, route: Route, how: LostResponse) {
        self.inject(Target::Route(route), Effect::LoseResponse(how), 1);
    }

    /// Answers the next requests of a route with 429. A request within `retry_after` is a violation.
    pub fn rate_limit_next(&self, route: Route, retry_after: Duration, scope: Scope, times: usize) {
        self.inject(Target::Route(route), Effect::RateLimit { retry_after, scope }, times);
    }

    /// Refuses every request in a channel, with an HTTP status and an error code of Discord such as 403 and 50013.
    pub fn refuse_channel(&self, channel: u64, status: u16, code: u32) {
        self.shared.change(|state| state.faults.refused_channels.insert(channel, (status, code)));
    }

    /// Ends [`Self::refuse_channel`].
    pub fn allow_channel(&self, channel: u64) {
        self.shared.change(|state| state.faults.refused_channels.remove(&channel));
    }

    /// Refuses messages of the bot that contain a text, as automatic moderation does.
    pub fn block_content(&self, text: &str) {
        self.shared.change(|state| state.faults.blocked_contents.push(text.to_owned()));
    }

    /// Reports a wrong size for the next file that a user posts.
    pub fn misreport_size_next(&self, bytes: usize) {
        self.shared.change(|state| state.faults.reported_size = Some(bytes));
    }

    /// Malforms a field of the next interaction, named by its JSON pointer, such as `/data/name`; `None` removes the field.
    pub fn malform_next_interaction(&self, pointer: &str, value: Option<Value>) {
        self.shared.change(|state| state.faults.malformed_field = Some((pointer.to_owned(), value)));
    }

    /// While on, every REST request gets a 503.
    pub fn set_down(&self, on: bool) {
        self.shared.change(|state| state.faults.down = on);
    }

    /// Delays every request of a route before it is performed; zero ends the delay.
    pub fn set_delay(&self, route: Route, delay: Duration) {
        self.shared.change(|state| state.faults.delays.insert(route, delay));
    }

    fn inject(&self, target: Target, effect: Effect, times: usize) {
        if times > 0 {
            self.shared.change(|state| state.faults.pending.push(Fault { target, effect, times }));
        }
    }
}
