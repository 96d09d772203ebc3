//! The gateway's protocol: what clients say, and what is refused. HELLO, IDENTIFY, RESUME, heartbeats.
//! <https://discord.com/developers/docs/events/gateway>

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    State,
    sessions::{Connection, GUILDS, MESSAGE_CONTENT, Session, Step},
};

/// The longest payload Discord reads.
const MAX_PAYLOAD_BYTES: usize = 4_096;

/// Payloads a connection may send in [`SEND_WINDOW`].
const MAX_SENDS: usize = 120;

const SEND_WINDOW: Duration = Duration::from_secs(60);

/// The least time between two IDENTIFYs.
const IDENTIFY_PAUSE: Duration = Duration::from_secs(5);

/// Every intent that exists.
const ALL_INTENTS: u64 = 0x1_ffff | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

/// Close codes: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>.
const UNKNOWN_ERROR: u16 = 4000;
const UNKNOWN_OPCODE: u16 = 4001;
const DECODE_ERROR: u16 = 4002;
const NOT_AUTHENTICATED: u16 = 4003;
pub(super) const AUTHENTICATION_FAILED: u16 = 4004;
const ALREADY_AUTHENTICATED: u16 = 4005;
pub(super) const INVALID_SEQ: u16 = 4007;
const RATE_LIMITED: u16 = 4008;
pub(super) const SESSION_TIMED_OUT: u16 = 4009;
const UNKNOWN_VERSION: u16 = 4012;
const INVALID_INTENTS: u16 = 4013;
const DISALLOWED_INTENTS: u16 = 4014;

impl State {
    /// A socket was opened with this query.
    pub(super) fn open_connection(&mut self, query: &str) -> u64 {
        self.gateway.opened += 1;
        let id = self.gateway.opened as u64;
        let connection =
            Connection { orders: Vec::new(), greeted: false, heard_at: Instant::now(), sends: VecDeque::new() };
        self.gateway.connections.insert(id, connection);
        if !query.split('&').any(|pair| pair == "v=10") {
            self.refuse_payload(id, UNKNOWN_VERSION, "connected without v=10");
        }
        if query.split('&').any(|pair| pair.starts_with("compress=") || pair == "encoding=etf") {
            self.refuse_payload(id, DECODE_ERROR, "asked for an encoding that is not simulated");
        }
        id
    }

    /// No heartbeat came for two and a half intervals.
    pub(super) fn miss_heartbeat(&mut self, id: u64) {
        self.refuse_payload(id, UNKNOWN_ERROR, "no heartbeat for two and a half intervals");
        if let Some(connection) = self.gateway.connections.get_mut(&id) {
            connection.heard_at = Instant::now();
        }
    }

    fn refuse_payload(&mut self, id: u64, code: u16, reason: &str) {
        self.violation(format!("gateway: {reason}"));
        self.gateway.order(id, Step::Close(code));
    }

    /// Reads a payload of the client.
    pub(super) fn receive(&mut self, id: u64, text: &str) {
        let now = Instant::now();
        if text.len() > MAX_PAYLOAD_BYTES {
            return self.refuse_payload(id, DECODE_ERROR, "a payload of more than 4096 bytes");
        }
        let Some(connection) = self.gateway.connections.get_mut(&id) else { return };
        connection.sends.push_back(now);
        while connection.sends.front().is_some_and(|sent| *sent + SEND_WINDOW <= now) {
            connection.sends.pop_front();
        }
        if connection.sends.len() > MAX_SENDS {
            return self.refuse_payload(id, RATE_LIMITED, "more than 120 payloads in a minute");
        }
        let payload = serde_json::from_str::<Value>(text).unwrap_or_default();
        let Some(op) = payload["op"].as_u64() else {
            return self.refuse_payload(id, DECODE_ERROR, "a payload that is no JSON object with an op");
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
            return self.refuse_payload(id, DECODE_ERROR, "a heartbeat whose d is no sequence number");
        }
        if let Some(connection) = self.gateway.connections.get_mut(&id) {
            connection.heard_at = Instant::now();
        }
        if !self.gateway.silent {
            self.gateway.send(id, &json!({"op": 11}));
        }
    }

    fn identify(&mut self, id: u64, data: &Value, now: Instant) {
        self.gateway.identifies += 1;
        if !self.knows_token(data) {
            return self.gateway.order(id, Step::Close(AUTHENTICATION_FAILED));
        }
        let (Some(intents), true) = (data["intents"].as_u64(), data["properties"].is_object()) else {
            return self.refuse_payload(id, DECODE_ERROR, "IDENTIFY without intents or properties");
        };
        // `compress` only says what the client could read; plain payloads are allowed all the same.
        if intents & !ALL_INTENTS != 0 {
            return self.refuse_payload(id, INVALID_INTENTS, "intents that do not exist");
        }
        if intents & MESSAGE_CONTENT != 0 && !self.world.content_allowed {
            return self.gateway.order(id, Step::Close(DISALLOWED_INTENTS));
        }
        if self.gateway.identifies_left == 0 {
            return self.refuse_payload(id, AUTHENTICATION_FAILED, "IDENTIFY beyond the session start limit");
        }
        self.gateway.identifies_left -= 1;
        let last = self.gateway.identified_at.replace(now);
        if self.options.strict_identify && last.is_some_and(|last| now < last + IDENTIFY_PAUSE) {
            self.violation("gateway: two IDENTIFYs within five seconds".to_owned());
            return self.gateway.send(id, &json!({"op": 9, "d": false}));
        }
        if self.gateway.identifies_to_refuse > 0 {
            self.gateway.identifies_to_refuse -= 1;
            return self.gateway.send(id, &json!({"op": 9, "d": false}));
        }
        let shard = data.get("shard").cloned().unwrap_or(json!([0, 1]));
        self.begin_session(id, intents, &shard);
    }

    /// Discord takes the token with and without the prefix that REST demands.
    fn knows_token(&self, data: &Value) -> bool {
        let token = data["token"].as_str().map(|token| token.strip_prefix("Bot ").unwrap_or(token));
        token == Some(self.options.token.as_str())
    }

    fn begin_session(&mut self, connection: u64, intents: u64, shard: &Value) {
        let id = format!("{:032x}", self.world.ids.next());
        let world = &self.world;
        let guilds: Vec<_> = world.guilds.keys().map(|id| json!({"id": id.to_string(), "unavailable": true})).collect();
        let ready = json!({
            "v": 10, "user": world.user_object(world.bot), "guilds": guilds, "session_id": id,
            "resume_gateway_url": self.options.resume_url.as_ref().unwrap_or(&self.gateway_url), "shard": shard, "private_channels": [],
            "application": {"id": world.application.to_string(), "flags": self.application_flags()},
        });
        let log = VecDeque::new();
        let mut session = Session { id, intents, seq: 0, sent: 0, log, connection: Some(connection) };
        session.append("READY", &ready);
        if intents & GUILDS != 0 && !self.gateway.withholds_guilds {
            for guild in world.guilds.keys() {
                session.append("GUILD_CREATE", &world.guild_object(*guild));
            }
        }
        self.gateway.begin(session);
    }

    fn resume(&mut self, id: u64, data: &Value) {
        self.gateway.resumes += 1;
        if !self.knows_token(data) {
            return self.gateway.order(id, Step::Close(AUTHENTICATION_FAILED));
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
            gateway.order(old, Step::Drop);
        }
    }

    /// The answer of `GET /gateway/bot`.
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

    /// The application's public flags: here, whether it may have message content (as a small application).
    pub(super) fn application_flags(&self) -> u64 {
        if self.world.content_allowed { 1 << 19 } else { 0 }
    }
}
