//! Connections and sessions of the gateway: which session gets which event, and what a RESUME replays.
//!
//! The log of a session serves both purposes: its connection sends from it, and a RESUME replays it.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    close_codes::ends_session,
    objects::{is_readable, remove_content},
};

/// Events kept for a RESUME.
const EVENTS_KEPT: usize = 4_096;

/// Sessions that can be resumed; the oldest is dropped first.
const SESSIONS_KEPT: usize = 16;

/// Intents: <https://discord.com/developers/docs/events/gateway#list-of-intents>.
pub(super) const GUILDS: u64 = 1;
const GUILD_MESSAGES: u64 = 1 << 9;
const DIRECT_MESSAGES: u64 = 1 << 12;
pub(super) const MESSAGE_CONTENT: u64 = 1 << 15;

/// An instruction to a connection.
pub(super) enum Step {
    Send(String),
    Close(u16),
    /// Ends the connection without a close frame, as a broken network does.
    Drop,
}

pub(super) struct Connection {
    pub(super) instructions: Vec<Step>,
    /// Whether HELLO was sent.
    pub(super) greeted: bool,
    pub(super) last_heartbeat: Instant,
    /// Times of the payloads received in the last minute.
    pub(super) received: VecDeque<Instant>,
}

pub(super) struct Session {
    pub(super) id: String,
    pub(super) intents: u64,
    pub(super) seq: u64,
    /// Sequence number of the last event sent on the connection.
    pub(super) sent: u64,
    pub(super) log: VecDeque<(u64, String)>,
    pub(super) connection: Option<u64>,
}

/// The state of the gateway.
pub(super) struct Gateway {
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) sessions: VecDeque<Session>,
    bot: u64,
    heartbeat_interval: Duration,
    pub(super) opened: usize,
    pub(super) identifies: usize,
    pub(super) resumes: usize,
    pub(super) identified_at: Option<Instant>,
    pub(super) identifies_left: u32,
    pub(super) limit_reset_after: Duration,
    pub(super) refuses_connections: bool,
    pub(super) hangs_new_connections: bool,
    pub(super) skips_close_frames: bool,
    pub(super) withholds_hello: bool,
    pub(super) withholds_guilds: bool,
    pub(super) silent: bool,
    pub(super) identifies_to_refuse: usize,
    pub(super) readies_to_malform: usize,
    pub(super) resumes_to_refuse: usize,
    /// How many events to reverse, and those held back so far.
    reversed: (usize, Vec<(String, Value)>),
}

impl Gateway {
    pub(super) fn new(bot: u64, heartbeat_interval: Duration) -> Self {
        Self {
            connections: BTreeMap::new(),
            sessions: VecDeque::new(),
            bot,
            heartbeat_interval,
            opened: 0,
            identifies: 0,
            resumes: 0,
            identified_at: None,
            identifies_left: 1_000,
            limit_reset_after: Duration::from_secs(86_400),
            refuses_connections: false,
            hangs_new_connections: false,
            skips_close_frames: false,
            withholds_hello: false,
            withholds_guilds: false,
            silent: false,
            identifies_to_refuse: 0,
            readies_to_malform: 0,
            resumes_to_refuse: 0,
            reversed: (0, Vec::new()),
        }
    }

    pub(super) fn add_session(&mut self, session: Session) {
        self.sessions.push_back(session);
        if self.sessions.len() > SESSIONS_KEPT {
            self.sessions.pop_front();
        }
    }

    /// Whether any session has a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.sessions.iter().any(|session| session.connection.is_some())
    }

    /// Adds an event to the log of every session whose intents include it.
    pub(super) fn dispatch(&mut self, name: &str, data: Value) {
        if self.reversed.0 > 0 {
            self.reversed.1.push((name.to_owned(), data));
            if self.reversed.1.len() >= self.reversed.0 {
                let (_, events) = mem::take(&mut self.reversed);
                events.into_iter().rev().for_each(|(name, data)| self.log(&name, &data));
            }
            return;
        }
        self.log(name, &data);
    }

    fn log(&mut self, name: &str, data: &Value) {
        for session in &mut self.sessions {
            if let Some(data) = with_intents(name, data.clone(), session.intents, self.bot) {
                session.append(name, &data);
            }
        }
    }

    /// Sends the next `n` events in reverse order once there are that many. Those held back before are sent now.
    pub(super) fn reverse_next(&mut self, n: usize) {
        let (_, held) = mem::replace(&mut self.reversed, (n, Vec::new()));
        held.into_iter().rev().for_each(|(name, data)| self.log(&name, &data));
    }

    pub(super) fn clear_faults(&mut self) {
        self.reverse_next(0);
        (self.silent, self.withholds_hello, self.skips_close_frames) = (false, false, false);
        (self.refuses_connections, self.hangs_new_connections) = (false, false);
        (self.resumes_to_refuse, self.identifies_to_refuse, self.readies_to_malform) = (0, 0, 0);
    }

    /// Takes what a connection has to do now: HELLO, the events not sent so far, then its instructions.
    pub(super) fn take_steps(&mut self, id: u64) -> Vec<Step> {
        let (silent, withholds_hello) = (self.silent, self.withholds_hello);
        let Some(connection) = self.connections.get_mut(&id) else { return vec![Step::Drop] };
        let mut steps = Vec::new();
        if !connection.greeted && !withholds_hello {
            (connection.greeted, connection.last_heartbeat) = (true, Instant::now());
            let interval = u64::try_from(self.heartbeat_interval.as_millis()).unwrap_or(u64::MAX);
            steps.push(Step::Send(json!({"op": 10, "d": {"heartbeat_interval": interval}}).to_string()));
        }
        if silent {
            // A silent gateway sends nothing, but can still close the connection.
            connection.instructions.retain(|step| !matches!(step, Step::Send(_)));
        } else if let Some(session) = self.sessions.iter_mut().find(|session| session.connection == Some(id)) {
            let sent = mem::replace(&mut session.sent, session.seq);
            let unsent = session.log.iter().filter(|(seq, _)| *seq > sent);
            steps.extend(unsent.map(|(_, text)| Step::Send(text.clone())));
        }
        steps.append(&mut connection.instructions);
        steps
    }

    /// When a connection without another heartbeat is closed.
    pub(super) fn deadline(&self, id: u64) -> Instant {
        // Before HELLO the client does not know the interval.
        let greeted = self.connections.get(&id).filter(|connection| connection.greeted);
        let last_heartbeat = greeted.map_or_else(Instant::now, |connection| connection.last_heartbeat);
        last_heartbeat + self.heartbeat_interval * 5 / 2
    }

    /// Gives every connection an instruction.
    pub(super) fn instruct_all(&mut self, step: impl Fn() -> Step) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.instruct(id, step()));
    }

    /// Gives a connection an instruction. One that ends it frees its session at once for a RESUME.
    pub(super) fn instruct(&mut self, id: u64, step: Step) {
        if let Step::Close(code) = step {
            if ends_session(code) {
                self.end_session_of(id);
            } else {
                self.detach(id);
            }
        } else if let Step::Drop = step {
            self.detach(id);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.instructions.push(step);
        }
    }

    /// Sends opcode 9 on every connection.
    pub(super) fn invalidate_all(&mut self, resumable: bool) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            if resumable {
                self.detach(id);
            } else {
                self.end_session_of(id);
            }
            self.send(id, &json!({"op": 9, "d": resumable}));
        }
    }

    pub(super) fn send(&mut self, id: u64, payload: &Value) {
        self.instruct(id, Step::Send(payload.to_string()));
    }

    pub(super) fn session_of(&mut self, id: u64) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.connection == Some(id))
    }

    /// Takes the connection from its session.
    fn detach(&mut self, id: u64) {
        if let Some(session) = self.session_of(id) {
            session.connection = None;
        }
    }

    fn end_session_of(&mut self, id: u64) {
        self.sessions.retain(|session| session.connection != Some(id));
    }

    /// Removes a connection that ended. Its session can be resumed.
    pub(super) fn remove_connection(&mut self, id: u64) {
        self.detach(id);
        self.connections.remove(&id);
    }

    /// Removes a connection that the client closed. The codes 1000 and 1001 end the session.
    pub(super) fn closed_by_client(&mut self, id: u64, code: Option<u16>) {
        if matches!(code, Some(1000 | 1001)) {
            self.end_session_of(id);
        }
        self.remove_connection(id);
    }
}

impl Session {
    pub(super) fn append(&mut self, name: &str, data: &Value) {
        self.seq += 1;
        // Discord's order of fields: clients may rely on `t` being first.
        let text = format!(r#"{{"t":{},"s":{},"op":0,"d":{data}}}"#, json!(name), self.seq);
        self.log.push_back((self.seq, text));
        if self.log.len() > EVENTS_KEPT {
            self.log.pop_front();
        }
    }

    /// Whether every event after `seq` is still in the log.
    pub(super) fn can_replay(&self, seq: u64) -> bool {
        self.log.front().is_some_and(|(oldest, _)| *oldest <= seq + 1)
    }
}

/// An event as it is sent to a session with these intents; `None` when they exclude it.
fn with_intents(name: &str, mut data: Value, intents: u64, bot: u64) -> Option<Value> {
    let in_guild = data.get("guild_id").is_some();
    let is_message = name.starts_with("MESSAGE_");
    let needed = match name {
        _ if is_message && in_guild => GUILD_MESSAGES,
        _ if is_message => DIRECT_MESSAGES,
        _ if name.starts_with("GUILD_") || name.starts_with("CHANNEL_") || name.starts_with("THREAD_") => GUILDS,
        _ => 0,
    };
    if intents & needed != needed {
        return None;
    }
    let has_text = data.get("content").is_some();
    if is_message && in_guild && has_text && intents & MESSAGE_CONTENT == 0 && !is_readable(&data, bot) {
        remove_content(&mut data);
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guild_message_without_the_content_intent_is_empty_unless_it_mentions_the_bot() {
        let message =
            |mentions: Value| json!({"guild_id": "1", "author": {"id": "2"}, "content": "hi", "mentions": mentions});
        let seen = |message, intents| with_intents("MESSAGE_CREATE", message, intents, 9).unwrap()["content"].clone();
        assert_eq!(seen(message(json!([])), GUILD_MESSAGES), "");
        assert_eq!(seen(message(json!([{"id": "9"}])), GUILD_MESSAGES), "hi");
        assert_eq!(seen(message(json!([])), GUILD_MESSAGES | MESSAGE_CONTENT), "hi");
    }

    #[test]
    fn event_is_sent_only_to_sessions_with_its_intent() {
        let direct = json!({"author": {"id": "2"}, "content": "hi"});
        assert!(with_intents("MESSAGE_CREATE", direct.clone(), GUILD_MESSAGES, 9).is_none());
        assert!(with_intents("MESSAGE_CREATE", direct, DIRECT_MESSAGES, 9).is_some());
        assert!(with_intents("INTERACTION_CREATE", json!({}), 0, 9).is_some());
    }
}
