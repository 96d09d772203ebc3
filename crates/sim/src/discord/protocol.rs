//! The protocol of the gateway: HELLO, IDENTIFY, RESUME, heartbeats, and what is refused.
//! <https://discord.com/developers/docs/events/gateway>

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    close_codes::{
        ALREADY_AUTHENTICATED, AUTHENTICATION_FAILED, DECODE_ERROR, DISALLOWED_INTENTS, INVALID_INTENTS, INVALID_SEQ,
        NOT_AUTHENTICATED, RATE_LIMITED, UNKNOWN_ERROR, UNKNOWN_OPCODE, UNKNOWN_VERSION,
    },
    sessions::{Connection, GUILDS, MESSAGE_CONTENT, Session, Step},
    state::State,
};

/// Longest payload that Discord reads.
const MAX_PAYLOAD_BYTES: usize = 4_096;

/// Payloads a connection may send in [`SEND_WINDOW`].
const MAX_SENDS: usize = 120;

/// The window of [`MAX_SENDS`].
const SEND_WINDOW: Duration = Duration::from_secs(60);

/// Shortest time between two IDENTIFYs.
const IDENTIFY_PAUSE: Duration = Duration::from_secs(5);

/// Every intent that exists.
const ALL_INTENTS: u64 = 0x1_ffff | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

impl State {
    /// Adds a connection that was opened with this query; returns its id.
    pub(super) fn open_connection(&mut self, query: &str) -> u64 {
        self.gateway.opened += 1;
        let id = self.gateway.opened as u64;
        let connection = Connection {
            instructions: Vec::new(),
            greeted: false,
            last_heartbeat: Instant::now(),
            received: VecDeque::new(),
        };
        self.gateway.connections.insert(id, connection);
        if !query.split('&').any(|pair| pair == "v=10") {
            self.refuse_payload(id, UNKNOWN_VERSION, "connected without v=10");
        }
        if query.split('&').any(|pair| pair.starts_with("compress=") || pair == "encoding=etf") {
            self.refuse_payload(id, DECODE_ERROR, "asked for an encoding that is not simulated");
        }
        id
    }

    /// Closes a connection without a heartbeat for two and a half intervals.
    pub(super) fn close_without_heartbeat(&mut self, id: u64) {
        self.refuse_payload(id, UNKNOWN_ERROR, "no heartbeat for two and a half intervals");
        if let Some(connection) = self.gateway.connections.get_mut(&id) {
            connection.last_heartbeat = Instant::now();
        }
    }

    fn refuse_payload(&mut self, id: u64, code: u16, reason: &str) {
        self.record_violation(format!("gateway: {reason}"));
        self.gateway.instruct(id, Step::Close(code));
    }

    /// Handles a payload of the client.
    pub(super) fn receive(&mut self, id: u64, text: &str) {
        let now = Instant::now();
        if text.len() > MAX_PAYLOAD_BYTES {
            return self.refuse_payload(id, DECODE_ERROR, "a payload of more than 4096 bytes");
        }
        let Some(connection) = self.gateway.connections.get_mut(&id) else { return };
        connection.received.push_back(now);
        while connection.received.front().is_some_and(|sent| *sent + SEND_WINDOW <= now) {
            connection.received.pop_front();
        }
        if connection.received.len() > MAX_SENDS {
            return self.refuse_payload(id, RATE_LIMITED, "more than 120 payloads in a minute");
        }
        let payload = serde_json::from_str::<Value>(text).unwrap_or_default();
        let Some(op) = payload["op"].as_u64() else {
            return self.refuse_payload(id, DECODE_ERROR, "a payload that is not a JSON object with an op");
        };
        let identified = self.gateway.session_of(id).is_some();
        match op {
            1 => self.heartbeat(id, &payload["d"]),
            2 if identified => self.refuse_payload(id, ALREADY_AUTHENTICATED, "IDENTIFY twice on a connection"),
            2 => self.identify(id, &payload["d"], now),
            6 if identified => self.refuse_payload(id, ALREADY_AUTHENTICATED, "RESUME on an identified connection"),
            6 => self.resume(id, &payload["d"]),
            3 | 4 | 8 | 31 if !identified => self.refuse_payload(id, NOT_AUTHENTICATED, "a send before IDENTIFY"),
            3 | 4 | 8 | 31 => {}
            _ => self.refuse_payload(id, UNKNOWN_OPCODE, &format!("unknown opcode {op}")),
        }
    }

    fn heartbeat(&mut self, id: u64, seq: &Value) {
        if !seq.is_null() && !seq.is_u64() {
            return self.refuse_payload(id, DECODE_ERROR, "a heartbeat whose d is not a sequence number");
        }
        if let Some(connection) = self.gateway.connections.get_mut(&id) {
            connection.last_heartbeat = Instant::now();
        }
        if !self.gateway.silent {
            self.gateway.send(id, &json!({"op": 11}));
        }
    }

    fn identify(&mut self, id: u64, data: &Value, now: Instant) {
        self.gateway.identifies += 1;
        if !self.has_token(data) {
            return self.gateway.instruct(id, Step::Close(AUTHENTICATION_FAILED));
        }
        let (Some(intents), true) = (data["intents"].as_u64(), data["properties"].is_object()) else {
            return self.refuse_payload(id, DECODE_ERROR, "IDENTIFY without intents or properties");
        };
        // `compress` says what the client can read. Discord may send plain payloads nevertheless.
        if intents & !ALL_INTENTS != 0 {
            return self.refuse_payload(id, INVALID_INTENTS, "intents that do not exist");
        }
        if intents & MESSAGE_CONTENT != 0 && !self.world.content_allowed {
            return self.gateway.instruct(id, Step::Close(DISALLOWED_INTENTS));
        }
        if self.gateway.identifies_left == 0 {
            return self.refuse_payload(id, AUTHENTICATION_FAILED, "IDENTIFY beyond the session start limit");
        }
        self.gateway.identifies_left -= 1;
        let last = self.gateway.identified_at.replace(now);
        if self.options.strict_identify && last.is_some_and(|last| now < last + IDENTIFY_PAUSE) {
            self.record_violation("gateway: two IDENTIFYs within five seconds".to_owned());
            return self.gateway.send(id, &json!({"op": 9, "d": false}));
        }
        if self.gateway.identifies_to_refuse > 0 {
            self.gateway.identifies_to_refuse -= 1;
            return self.gateway.send(id, &json!({"op": 9, "d": false}));
        }
        let shard = data.get("shard").cloned().unwrap_or(json!([0, 1]));
        self.begin_session(id, intents, &shard);
    }

    /// Whether IDENTIFY or RESUME has the bot's token. The gateway accepts it with and without REST's prefix.
    fn has_token(&self, data: &Value) -> bool {
        let token = data["token"].as_str().map(|token| token.strip_prefix("Bot ").unwrap_or(token));
        token == Some(self.options.token.as_str())
    }

    fn begin_session(&mut self, connection: u64, intents: u64, shard: &Value) {
        let id = format!("{:032x}", self.world.ids.next());
        let world = &self.world;
        let guilds: Vec<_> = world.guilds.keys().map(|id| json!({"id": id.to_string(), "unavailable": true})).collect();
        let mut ready = json!({
            "v": 10, "user": world.user_object(world.bot), "guilds": guilds, "session_id": id, "shard": shard,
            "resume_gateway_url": self.options.resume_url.as_ref().unwrap_or(&self.gateway_url), "private_channels": [],
            "application": {"id": world.application.to_string(), "flags": self.application_flags()},
        });
        if self.gateway.readies_to_malform > 0 {
            self.gateway.readies_to_malform -= 1;
            ready["user"] = Value::Null;
        }
        let log = VecDeque::new();
        let mut session = Session { id, intents, seq: 0, sent: 0, log, connection: Some(connection) };
        session.append("READY", &ready);
        if intents & GUILDS != 0 && !self.gateway.withholds_guilds {
            for guild in world.guilds.keys() {
                session.append("GUILD_CREATE", &world.guild_object(*guild));
            }
        }
        self.gateway.add_session(session);
    }

    fn resume(&mut self, id: u64, data: &Value) {
        self.gateway.resumes += 1;
        if !self.has_token(data) {
            return self.gateway.instruct(id, Step::Close(AUTHENTICATION_FAILED));
        }
        let (Some(session_id), Some(seq)) = (data["session_id"].as_str(), data["seq"].as_u64()) else {
            return self.refuse_payload(id, DECODE_ERROR, "RESUME without session_id or seq");
        };
        let gateway = &mut self.gateway;
        let position = gateway.sessions.iter().position(|session| session.id == session_id);
        let Some(position) = position.filter(|_| gateway.resumes_to_refuse == 0) else {
            gateway.resumes_to_refuse = gateway.resumes_to_refuse.saturating_sub(1);
            gateway.sessions.retain(|session| session.id != session_id);
            return gateway.send(id, &json!({"op": 9, "d": false}));
        };
        let session = &mut gateway.sessions[position];
        if seq > session.seq {
            return self.refuse_payload(id, INVALID_SEQ, "RESUME with a sequence number that was never sent");
        }
        if !session.can_replay(seq) {
            gateway.sessions.remove(position);
            return gateway.send(id, &json!({"op": 9, "d": false}));
        }
        session.sent = seq;
        session.append("RESUMED", &json!({}));
        if let Some(old) = session.connection.replace(id) {
            gateway.instruct(old, Step::Drop);
        }
    }

    /// The body of `GET /gateway/bot`.
    pub(super) fn gateway_bot(&self) -> Value {
        let reset_after = u64::try_from(self.gateway.limit_reset_after.as_millis()).unwrap_or(u64::MAX);
        json!({
            "url": self.gateway_url, "shards": 1,
            "session_start_limit": {
                "total": 1000, "remaining": self.gateway.identifies_left, "reset_after": reset_after,
                "max_concurrency": 1,
            },
        })
    }

    /// Flags of the application: whether it has the message content intent, as an application in few guilds.
    pub(super) fn application_flags(&self) -> u64 {
        if self.world.content_allowed { 1 << 19 } else { 0 }
    }
}
