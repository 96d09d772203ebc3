//! What can go wrong, by name.

use std::{collections::HashMap, mem, time::Duration};

use serde_json::Value;

use super::{
    DiscordSim,
    limits::Scope,
    rest::Answer,
    routes::{Call, Route},
    sessions::Step,
};

/// How the answer to a request that was performed gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostAnswer {
    /// A 502 instead.
    BadGateway,
    /// The connection ends without an answer.
    Closed,
    /// A 200 whose body is not JSON.
    Undecodable,
}

#[derive(Clone)]
pub(super) enum Effect {
    Fail { status: u16, body: Value },
    Hang,
    Lose(LostAnswer),
    Limit { retry_after: Duration, scope: Scope },
}

enum Target {
    Route(Route),
    Path { method: String, pattern: String },
}

struct Fault {
    target: Target,
    effect: Effect,
    times: usize,
}

#[derive(Default)]
pub(super) struct Faults {
    pending: Vec<Fault>,
    pub(super) down: bool,
    delays: HashMap<Route, Duration>,
    refused_channels: HashMap<u64, (u16, u32)>,
    blocked_contents: Vec<String>,
    /// The size that the next attachment is said to have.
    pub(super) told_size: Option<usize>,
}

impl Faults {
    /// The fault that is due for a request, if any.
    pub(super) fn take(&mut self, call: &Call, route: Route) -> Option<Effect> {
        let index = self.pending.iter().position(|fault| match &fault.target {
            Target::Route(of) => *of == route,
            Target::Path { method, pattern } => call.method == method.as_str() && matches(pattern, &call.path),
        })?;
        let fault = &mut self.pending[index];
        fault.times -= 1;
        let effect = fault.effect.clone();
        if fault.times == 0 {
            self.pending.remove(index);
        }
        Some(effect)
    }

    pub(super) fn delay_of(&self, route: Route) -> Duration {
        self.delays.get(&route).copied().unwrap_or_default()
    }

    /// The refusal of a channel that the bot must not use.
    pub(super) fn refusal_of(&self, channel: u64) -> Option<Answer> {
        let (status, code) = self.refused_channels.get(&channel)?;
        let message = match code {
            10003 => "Unknown Channel",
            50001 => "Missing Access",
            50013 => "Missing Permissions",
            50083 => "Thread is archived",
            160_002 => "Cannot reply without permission to read message history",
            160_005 => "Thread is locked",
            _ => "Refused",
        };
        Some(Answer::refusal(*status, *code, message))
    }

    pub(super) fn blocks(&self, content: &str) -> bool {
        self.blocked_contents.iter().any(|blocked| content.contains(blocked))
    }
}

/// Whether a path is the pattern, in which one `*` stands for anything.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => path == pattern,
        Some((start, end)) => path.len() >= start.len() + end.len() && path.starts_with(start) && path.ends_with(end),
    }
}

/// Faults of the gateway.
impl DiscordSim {
    /// Breaks the connection without a close frame. The session can be resumed.
    pub fn drop_connection(&self) {
        self.shared.with(|state| state.gateway.order_all(|| Step::Drop));
    }

    /// Closes the connection with a code; those after which nothing can be resumed end the session.
    pub fn close_with(&self, code: u16) {
        self.shared.with(|state| state.gateway.order_all(|| Step::Close(code)));
    }

    /// Asks the client to reconnect (op 7).
    pub fn send_reconnect(&self) {
        self.shared.with(|state| state.gateway.order_all(|| Step::Send(r#"{"op":7,"d":null}"#.to_owned())));
    }

    /// Declares the session invalid (op 9).
    pub fn send_invalid_session(&self, resumable: bool) {
        self.shared.with(|state| state.gateway.invalidate_all(resumable));
    }

    /// Answers the next `n` RESUMEs with op 9, their sessions being over.
    pub fn refuse_resume(&self, n: usize) {
        self.shared.with(|state| state.gateway.resumes_to_refuse = n);
    }

    /// Answers the next `n` IDENTIFYs with op 9.
    pub fn refuse_identify(&self, n: usize) {
        self.shared.with(|state| state.gateway.identifies_to_refuse = n);
    }

    /// While on, the gateway says nothing: no acknowledgements, no events.
    pub fn silence_heartbeats(&self, on: bool) {
        self.shared.with(|state| state.gateway.silent = on);
    }

    /// While on, new connections get no HELLO.
    pub fn hold_hello(&self, on: bool) {
        self.shared.with(|state| state.gateway.holds_hello = on);
    }

    /// While on, new connections are accepted and their upgrade is never answered.
    pub fn hang_connects(&self, on: bool) {
        self.shared.with(|state| state.gateway.hangs_connects = on);
    }

    /// While on, a client's close frame is answered with nothing but the end of the connection.
    pub fn hang_up_on_goodbye(&self, on: bool) {
        self.shared.with(|state| state.gateway.hangs_up = on);
    }

    /// While on, new connections to the gateway get a 503.
    pub fn refuse_connections(&self, on: bool) {
        self.shared.with(|state| state.gateway.refuses_connections = on);
    }

    /// While on, new sessions are not told of their guilds, as in an outage of Discord's; they are when it ends.
    pub fn withhold_guilds(&self, on: bool) {
        self.shared.with(|state| {
            let ends = mem::replace(&mut state.gateway.withholds_guilds, on) && !on;
            let guilds = state.world.guilds.keys().filter(|_| ends).map(|guild| state.world.guild_object(*guild));
            for guild in guilds.collect::<Vec<_>>() {
                state.gateway.dispatch("GUILD_CREATE", guild);
            }
        });
    }

    /// Takes the message content intent from the application, or gives it back.
    pub fn disallow_message_content(&self, on: bool) {
        self.shared.with(|state| state.world.content_allowed = !on);
    }

    /// Sends the event of a message again, with a new sequence number.
    pub fn redeliver(&self, message: u64) {
        self.shared.with(|state| state.announce("MESSAGE_CREATE", message));
    }

    /// Holds the next `n` events back and sends them in reverse order.
    pub fn shuffle_next(&self, n: usize) {
        self.shared.with(|state| state.gateway.shuffle(n));
    }

    /// Sends any event.
    pub fn dispatch_raw(&self, name: &str, data: Value) {
        self.shared.with(|state| state.gateway.dispatch(name, data));
    }

    /// The bot is another process from now on, which knows nothing of the 429s in force: one more is no violation.
    pub fn bot_restarted(&self) {
        self.shared.with(|state| state.limits.forget_who_knows());
    }

    /// Ends every fault, of the gateway and of REST; a 429 that is in force stays.
    pub fn end_faults(&self) {
        self.shared.with(|state| {
            state.gateway.calm();
            state.faults = Faults::default();
        });
    }

    /// Sets how many IDENTIFYs are left, and until when.
    pub fn session_limit(&self, remaining: u32, reset_after: Duration) {
        self.shared.with(|state| {
            (state.gateway.identifies_left, state.gateway.limit_reset_after) = (remaining, reset_after);
        });
    }
}

/// Faults of REST.
impl DiscordSim {
    /// Faults of REST that were queued and hit no request yet: a test that expects them all to have done so proves something.
    #[must_use]
    pub fn unused_faults(&self) -> usize {
        self.shared.look(|state| state.faults.pending.iter().map(|fault| fault.times).sum())
    }

    /// Fails the next requests of a method and path, undone. The path has no `/api/v10`; one `*` in it stands for
    /// anything. A body that is a JSON string is sent as an HTML page.
    pub fn fail_next(&self, method: &str, pattern: &str, status: u16, body: Value, times: usize) {
        let target = Target::Path { method: method.to_owned(), pattern: pattern.to_owned() };
        self.plan(target, Effect::Fail { status, body }, times);
    }

    /// Leaves the next request of a route undone and unanswered.
    pub fn hang_next(&self, route: Route) {
        self.plan(Target::Route(route), Effect::Hang, 1);
    }

    /// Performs the next request of a route, and loses the answer.
    pub fn lose_answer_next(&self, route: Route, how: LostAnswer) {
        self.plan(Target::Route(route), Effect::Lose(how), 1);
    }

    /// Answers the next requests of a route with 429. One that comes before `retry_after` is over is a violation.
    pub fn rate_limit_next(&self, route: Route, retry_after: Duration, scope: Scope, times: usize) {
        self.plan(Target::Route(route), Effect::Limit { retry_after, scope }, times);
    }

    /// Refuses everything in a channel, with an HTTP status and an error code of Discord, such as 403 and 50013.
    pub fn refuse_channel(&self, channel: u64, status: u16, code: u32) {
        self.shared.with(|state| state.faults.refused_channels.insert(channel, (status, code)));
    }

    /// Ends [`refuse_channel`](Self::refuse_channel).
    pub fn allow_channel(&self, channel: u64) {
        self.shared.with(|state| state.faults.refused_channels.remove(&channel));
    }

    /// Refuses messages that contain a text, as automatic moderation does.
    pub fn block_content(&self, text: &str) {
        self.shared.with(|state| state.faults.blocked_contents.push(text.to_owned()));
    }

    /// The next file of a person is said to have a size that it does not have.
    pub fn misstate_size_next(&self, bytes: usize) {
        self.shared.with(|state| state.faults.told_size = Some(bytes));
    }

    /// While on, every REST request gets a 503.
    pub fn down(&self, on: bool) {
        self.shared.with(|state| state.faults.down = on);
    }

    /// Lets every request of a route wait before it is performed; zero ends it.
    pub fn delay(&self, route: Route, delay: Duration) {
        self.shared.with(|state| state.faults.delays.insert(route, delay));
    }

    fn plan(&self, target: Target, effect: Effect, times: usize) {
        if times > 0 {
            self.shared.with(|state| state.faults.pending.push(Fault { target, effect, times }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_pattern_stands_for_anything() {
        assert!(matches("/channels/*/messages", "/channels/12/messages"));
        assert!(matches("/channels/*", "/channels/12/typing"));
        assert!(!matches("/channels/*/messages", "/channels/12/typing"));
        assert!(!matches("/channels", "/channels/12"));
    }
}
