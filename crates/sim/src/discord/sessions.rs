//! The gateway's connections and sessions: who hears which event, and what is kept for a RESUME.
//!
//! A session's log is both what its connection still has to send and what a RESUME replays: there is no other queue.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    protocol::{AUTHENTICATION_FAILED, INVALID_SEQ, SESSION_TIMED_OUT},
    world::{blank, is_readable},
};

/// Events kept for a RESUME.
const EVENTS_KEPT: usize = 4_096;

/// Sessions that can be resumed; the oldest goes first.
const SESSIONS_KEPT: usize = 16;

/// Intents of the guild, its messages, direct messages, and message content.
pub(super) const GUILDS: u64 = 1;
const GUILD_MESSAGES: u64 = 1 << 9;
const DIRECT_MESSAGES: u64 = 1 << 12;
pub(super) const MESSAGE_CONTENT: u64 = 1 << 15;

/// What a connection has to do.
pub(super) enum Step {
    Send(String),
    Close(u16),
    /// Ends without a close frame, as a broken network does.
    Drop,
}

pub(super) struct Connection {
    pub(super) orders: Vec<Step>,
    pub(super) greeted: bool,
    pub(super) heard_at: Instant,
    /// When payloads of the last minute came.
    pub(super) sends: VecDeque<Instant>,
}

pub(super) struct Session {
    pub(super) id: String,
    pub(super) intents: u64,
    pub(super) seq: u64,
    /// The last event sent on the connection.
    pub(super) sent: u64,
    pub(super) log: VecDeque<(u64, String)>,
    pub(super) connection: Option<u64>,
}

/// Everything of the gateway but its sockets.
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
    pub(super) hangs_connects: bool,
    pub(super) hangs_up: bool,
    pub(super) holds_hello: bool,
    pub(super) withholds_guilds: bool,
    pub(super) silent: bool,
    pub(super) identifies_to_refuse: usize,
    pub(super) resumes_to_refuse: usize,
    /// Events that wait to be sent in reverse order, and how many that shall be.
    shuffled: (usize, Vec<(String, Value)>),
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
            hangs_connects: false,
            hangs_up: false,
            holds_hello: false,
            withholds_guilds: false,
            silent: false,
            identifies_to_refuse: 0,
            resumes_to_refuse: 0,
            shuffled: (0, Vec::new()),
        }
    }

    pub(super) fn begin(&mut self, session: Session) {
        self.sessions.push_back(session);
        if self.sessions.len() > SESSIONS_KEPT {
            self.sessions.pop_front();
        }
    }

    /// Whether a session is being served.
    pub(super) fn is_connected(&self) -> bool {
        self.sessions.iter().any(|session| session.connection.is_some())
    }

    /// Sends an event to every session that wants it, or keeps it for the RESUME of those without a connection.
    pub(super) fn dispatch(&mut self, name: &str, data: Value) {
        if self.shuffled.0 > 0 {
            self.shuffled.1.push((name.to_owned(), data));
            if self.shuffled.1.len() >= self.shuffled.0 {
                let (_, events) = mem::take(&mut self.shuffled);
                events.into_iter().rev().for_each(|(name, data)| self.log(&name, &data));
            }
            return;
        }
        self.log(name, &data);
    }

    fn log(&mut self, name: &str, data: &Value) {
        for session in &mut self.sessions {
            if let Some(data) = as_seen(name, data.clone(), session.intents, self.bot) {
                session.append(name, &data);
            }
        }
    }

    /// Sends the next `n` events in reverse order, once there are so many. What is still held back goes out first.
    pub(super) fn shuffle(&mut self, n: usize) {
        let (_, held) = mem::replace(&mut self.shuffled, (n, Vec::new()));
        held.into_iter().rev().for_each(|(name, data)| self.log(&name, &data));
    }

    /// Nothing goes wrong any more.
    pub(super) fn calm(&mut self) {
        self.shuffle(0);
        (self.silent, self.holds_hello, self.hangs_up) = (false, false, false);
        (self.refuses_connections, self.hangs_connects) = (false, false);
        (self.resumes_to_refuse, self.identifies_to_refuse) = (0, 0);
    }

    /// What a connection has to do now: the events it has not sent, then its orders.
    pub(super) fn due(&mut self, id: u64) -> Vec<Step> {
        let (silent, holds_hello) = (self.silent, self.holds_hello);
        let Some(connection) = self.connections.get_mut(&id) else { return vec![Step::Drop] };
        let mut steps = Vec::new();
        if !connection.greeted && !holds_hello {
            (connection.greeted, connection.heard_at) = (true, Instant::now());
            let interval = u64::try_from(self.heartbeat_interval.as_millis()).unwrap_or(u64::MAX);
            steps.push(Step::Send(json!({"op": 10, "d": {"heartbeat_interval": interval}}).to_string()));
        }
        if silent {
            // Nothing is heard of a silent gateway, but it can still go away.
            connection.orders.retain(|step| !matches!(step, Step::Send(_)));
        } else if let Some(session) = self.sessions.iter_mut().find(|session| session.connection == Some(id)) {
            let sent = mem::replace(&mut session.sent, session.seq);
            let unsent = session.log.iter().filter(|(seq, _)| *seq > sent);
            steps.extend(unsent.map(|(_, text)| Step::Send(text.clone())));
        }
        steps.append(&mut connection.orders);
        steps
    }

    /// When a connection has gone without a heartbeat for too long.
    pub(super) fn deadline(&self, id: u64) -> Instant {
        // Without a HELLO nobody knows the interval.
        let greeted = self.connections.get(&id).filter(|connection| connection.greeted);
        let heard_at = greeted.map_or_else(Instant::now, |connection| connection.heard_at);
        heard_at + self.heartbeat_interval * 5 / 2
    }

    /// Tells every connection to do something. Ending it sets its session free at once, for a RESUME.
    pub(super) fn order_all(&mut self, step: impl Fn() -> Step) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.order(id, step()));
    }

    pub(super) fn order(&mut self, id: u64, step: Step) {
        if let Step::Close(code) = step {
            match code {
                // After these a client has to begin anew.
                AUTHENTICATION_FAILED | INVALID_SEQ | SESSION_TIMED_OUT | 4010..=4014 => self.end_session_of(id),
                _ => self.detach(id),
            }
        } else if let Step::Drop = step {
            self.detach(id);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.orders.push(step);
        }
    }

    /// Tells every connection that its session is invalid.
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
        self.order(id, Step::Send(payload.to_string()));
    }

    pub(super) fn session_of(&mut self, id: u64) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.connection == Some(id))
    }

    fn detach(&mut self, id: u64) {
        if let Some(session) = self.session_of(id) {
            session.connection = None;
        }
    }

    fn end_session_of(&mut self, id: u64) {
        self.sessions.retain(|session| session.connection != Some(id));
    }

    /// A connection is gone; its session can be resumed.
    pub(super) fn lost(&mut self, id: u64) {
        self.detach(id);
        self.connections.remove(&id);
    }

    /// The client said goodbye: 1000 and 1001 end the session.
    pub(super) fn closed_by_client(&mut self, id: u64, code: Option<u16>) {
        if matches!(code, Some(1000 | 1001)) {
            self.end_session_of(id);
        }
        self.lost(id);
    }
}

impl Session {
    pub(super) fn append(&mut self, name: &str, data: &Value) {
        self.seq += 1;
        // In Discord's order: clients may stop looking for the type once they have it.
        let text = format!(r#"{{"t":{},"s":{},"op":0,"d":{data}}}"#, json!(name), self.seq);
        self.log.push_back((self.seq, text));
        if self.log.len() > EVENTS_KEPT {
            self.log.pop_front();
        }
    }

    /// Whether every event after `seq` is still there.
    pub(super) fn can_replay(&self, seq: u64) -> bool {
        self.log.front().is_some_and(|(oldest, _)| *oldest <= seq + 1)
    }
}

/// An event as a session's intents let it see it.
fn as_seen(name: &str, mut data: Value, intents: u64, bot: u64) -> Option<Value> {
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
        blank(&mut data);
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_intent_a_guild_message_is_blank_unless_it_mentions_the_bot() {
        let message =
            |mentions: Value| json!({"guild_id": "1", "author": {"id": "2"}, "content": "hi", "mentions": mentions});
        let seen = |message, intents| as_seen("MESSAGE_CREATE", message, intents, 9).unwrap()["content"].clone();
        assert_eq!(seen(message(json!([])), GUILD_MESSAGES), "");
        assert_eq!(seen(message(json!([{"id": "9"}])), GUILD_MESSAGES), "hi");
        assert_eq!(seen(message(json!([])), GUILD_MESSAGES | MESSAGE_CONTENT), "hi");
    }

    #[test]
    fn an_event_goes_only_to_sessions_with_its_intent() {
        let direct = json!({"author": {"id": "2"}, "content": "hi"});
        assert!(as_seen("MESSAGE_CREATE", direct.clone(), GUILD_MESSAGES, 9).is_none());
        assert!(as_seen("MESSAGE_CREATE", direct, DIRECT_MESSAGES, 9).is_some());
        assert!(as_seen("INTERACTION_CREATE", json!({}), 0, 9).is_some());
    }
}
