//! Faults of the REST API that wait for a request.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;

use super::{
    answer::Answer,
    limits::Scope,
    routes::{Call, Route},
};

/// How the response to a request that was performed is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostResponse {
    /// A 502 is sent in its place.
    BadGateway,
    /// The connection is closed without a response.
    Closed,
    /// A 200 is sent whose body is not JSON.
    Undecodable,
}

/// What a fault does to a request.
#[derive(Clone)]
pub(super) enum Effect {
    Fail { status: u16, body: Value },
    Hang,
    LoseResponse(LostResponse),
    RateLimit { retry_after: Duration, scope: Scope },
}

/// The requests that a fault applies to.
pub(super) enum Target {
    Route(Route),
    Path { method: String, pattern: String },
}

pub(super) struct Fault {
    pub(super) target: Target,
    pub(super) effect: Effect,
    /// Requests that it still applies to.
    pub(super) times: usize,
}

#[derive(Default)]
pub(super) struct Faults {
    pub(super) pending: Vec<Fault>,
    /// Whether every request gets a 503.
    pub(super) down: bool,
    pub(super) delays: HashMap<Route, Duration>,
    /// HTTP status and error code by channel.
    pub(super) refused_channels: HashMap<u64, (u16, u32)>,
    pub(super) blocked_contents: Vec<String>,
    /// Reported size of the next attachment of a user, in place of the true one.
    pub(super) reported_size: Option<usize>,
    /// JSON pointer to a field of the next interaction, and its malformed value; `None` removes the field.
    pub(super) malformed_field: Option<(String, Option<Value>)>,
}

impl Faults {
    /// Uses up a fault that applies to a request, if there is one.
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

    /// The error for a channel that the bot may not use.
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
        Some(Answer::refused(*status, *code, message))
    }

    /// Whether automatic moderation blocks a message.
    pub(super) fn blocks(&self, content: &str) -> bool {
        self.blocked_contents.iter().any(|blocked| content.contains(blocked))
    }
}

/// Whether a path matches a pattern, in which one `*` matches any text.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => path == pattern,
        Some((start, end)) => path.len() >= start.len() + end.len() && path.starts_with(start) && path.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_in_a_pattern_matches_any_text() {
        assert!(matches("/channels/*/messages", "/channels/12/messages"));
        assert!(matches("/channels/*", "/channels/12/typing"));
        assert!(!matches("/channels/*/messages", "/channels/12/typing"));
        assert!(!matches("/channels", "/channels/12"));
    }
}
