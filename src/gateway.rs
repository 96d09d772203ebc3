//! The gateway: keeps one connection to Discord up and passes its events on in order.
//!
//! # Why not serenity's client
//! Its shard runner reconnects by itself and cannot be stopped from outside. Once the socket has ended under some faults
//! (close codes 4003, 4010, 4011; a reset while RESUME is refused) it loops without yielding, so that on a single-threaded
//! runtime nothing else runs, a watchdog included; a connect that is never answered hangs for ever; a refused IDENTIFY is
//! repeated every five seconds until Discord resets the token. The reading half of its socket is private. So the socket is
//! `twilight-gateway`'s (heartbeats, IDENTIFY, RESUME, raw events in order), and this module decides when one is opened:
//! **one [`Connection`] at a time**, at most one IDENTIFY in it, and a pause before the next.
//!
//! # What ends a connection
//! A close frame, an ended stream, a heartbeat without an answer, no session within [`Timings::gateway_connect_timeout`],
//! INVALID_SESSION, an unreadable READY. Each is followed by a new connection: RESUME while there is a session to resume,
//! otherwise IDENTIFY, which is counted against what Discord still allows. Fatal close codes end the program with one line
//! ([`Fatal`]).

mod connection;
mod decode;
mod fatal;
mod identify_budget;

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use twilight_gateway::{ConfigBuilder, Intents, Session};

pub(crate) use self::fatal::Fatal;
use self::{
    connection::{Connection, Disconnect, PreApproved, Received},
    decode::{Frame, INVALID_SESSION, RECONNECT, Undecodable},
};
use crate::{
    backoff::Backoff,
    config::{Config, Timings},
    discord::{Discord, DiscordError},
    event::Event,
    ops::Readiness,
    telemetry::{Metrics, Opening},
};

/// The gateway intents that the bot asks for: 37377.
const INTENTS: Intents =
    Intents::GUILDS.union(Intents::GUILD_MESSAGES).union(Intents::DIRECT_MESSAGES).union(Intents::MESSAGE_CONTENT);

/// Discord's own host.
const DISCORD: &str = "https://discord.com";

/// How long a connection must have been up for the backoff to start over.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// Failed connections in a row before a new session is started in place of resuming.
const MAX_RESUMES: u32 = 3;

/// What a payload means for its connection.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Continue,
    /// The session is established.
    Up,
    Disconnect(Disconnect),
}

/// Keeps a gateway connection open, and opens the next one when it ends.
pub(crate) struct Gateway {
    discord: Discord,
    token: String,
    /// Whether the configured host is not Discord's own. Then the resume URLs that Discord sends are not used.
    is_proxied: bool,
    timings: Timings,
    metrics: Metrics,
    readiness: watch::Sender<Readiness>,
}

/// What is carried from one connection to the next.
#[derive(Default)]
struct SessionState {
    /// The gateway's URL. Kept, because a RESUME must not wait for Discord's REST API.
    gateway_url: Option<String>,
    /// Connections in a row that were opened and got neither READY nor RESUMED.
    failed: u32,
    session: Option<Session>,
    resume_url: Option<String>,
}

impl SessionState {
    /// Keeps what a connection leaves to resume. A resume URL is dropped after one failed connection, a session after
    /// [`MAX_RESUMES`].
    fn update(&mut self, connection: &Connection) {
        self.failed = if connection.has_failed() { self.failed + 1 } else { 0 };
        self.resume_url = connection.resume_url().filter(|_| self.failed == 0).map(str::to_owned);
        self.session = connection.session().filter(|_| self.failed < MAX_RESUMES).cloned();
    }
}

impl Gateway {
    /// Creates a gateway that reports on `readiness` whether it is up.
    #[must_use]
    pub(crate) fn new(
        discord: Discord,
        config: &Config,
        metrics: Metrics,
        readiness: watch::Sender<Readiness>,
    ) -> Self {
        let token = config.discord.token.expose_secret().to_owned();
        let is_proxied = config.discord.api_url != DISCORD;
        Self { discord, token, is_proxied, timings: config.timings.clone(), metrics, readiness }
    }

    /// Keeps a connection up and passes its events to `on_event`, in order, until `stop`.
    ///
    /// # Errors
    /// [`Fatal`], when trying again cannot help.
    pub(crate) async fn run(&self, stop: &CancellationToken, mut on_event: impl FnMut(Event)) -> Result<(), Fatal> {
        let mut state = SessionState::default();
        let mut backoff = Backoff::new(self.timings.backoff_min, self.timings.backoff_max).with_jitter(0.25);
        loop {
            let Some(opened) = stop.run_until_cancelled(self.open(&mut state)).await else { return Ok(()) };
            let disconnect = match opened {
                Ok(mut connection) => {
                    let disconnect = self.read_until_closed(&mut connection, stop, &mut on_event).await;
                    if connection.up_for() >= STABLE_AFTER {
                        backoff.reset();
                    }
                    state.update(&connection);
                    disconnect
                }
                Err(DiscordError::Unauthorized) => return Err(Fatal::BadToken),
                Err(error) => {
                    warn!(%error, "gateway URL unavailable");
                    Disconnect::Lost("no gateway URL")
                }
            };
            if disconnect == Disconnect::Stopped {
                return Ok(());
            }
            self.classify_end(&disconnect, &mut state)?;
            let pause = backoff.next_pause();
            info!(pause_ms = pause.as_millis(), resume = state.session.is_some(), "gateway reconnecting");
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Prepares a connection: with a session to resume, or once the identify budget allows a new one.
    async fn open(&self, state: &mut SessionState) -> Result<Connection, DiscordError> {
        let url = match (&state.session, &state.gateway_url) {
            // Only a new session is counted.
            (None, _) => identify_budget::wait(&self.discord, &self.timings).await?,
            (Some(_), Some(known)) => known.clone(),
            (Some(_), None) => self.discord.gateway_url().await?,
        };
        state.gateway_url = Some(url.clone());
        let builder = ConfigBuilder::new(self.token.clone(), INTENTS).proxy_url(url.trim_end_matches('/').to_owned());
        let mut builder = builder.queue(PreApproved);
        if let Some(session) = &state.session {
            self.metrics.gateway_opened(Opening::Resume);
            builder = builder.session(session.clone());
            if let Some(url) = state.resume_url.as_ref().filter(|_| !self.is_proxied) {
                builder = builder.resume_url(url.clone());
            }
        } else {
            self.metrics.gateway_opened(Opening::Identify);
        }
        Ok(Connection::new(builder.build()))
    }

    /// Passes the events of a connection on until it ends, or has no session within [`Timings::gateway_connect_timeout`].
    async fn read_until_closed(
        &self,
        connection: &mut Connection,
        stop: &CancellationToken,
        on_event: &mut impl FnMut(Event),
    ) -> Disconnect {
        let deadline = Instant::now() + self.timings.gateway_connect_timeout;
        loop {
            let is_up = connection.is_up();
            let received = async {
                if is_up { Ok(connection.receive().await) } else { timeout_at(deadline, connection.receive()).await }
            };
            let received = match stop.run_until_cancelled(received).await {
                None => {
                    self.readiness.send_replace(Readiness::Stopping);
                    connection.close().await;
                    self.metrics.set_gateway_up(false);
                    return Disconnect::Stopped;
                }
                Some(Err(_)) => return Disconnect::Lost("not up in time"),
                Some(Ok(received)) => received,
            };
            match received {
                Received::Payload(text) => match self.on_payload(&text, on_event) {
                    Step::Continue => {}
                    Step::Up => {
                        connection.set_up();
                        self.metrics.set_gateway_up(true);
                        self.readiness.send_replace(Readiness::Up);
                    }
                    // The socket is dropped without a close handshake, which might never be answered.
                    Step::Disconnect(why) => return why,
                },
                Received::Unreadable => self.metrics.gateway_undecodable("frame"),
                Received::End(disconnect) => return disconnect,
            }
        }
    }

    /// Passes the event of a payload on, if there is one, and returns what the payload means for the connection.
    fn on_payload(&self, text: &str, on_event: &mut impl FnMut(Event)) -> Step {
        let Some(frame) = Frame::read(text) else { return Step::Continue };
        let decoded = decode::event(&frame);
        let step = step(&frame, decoded.is_ok());
        match decoded {
            Ok(Some(event)) => on_event(event),
            Ok(None) => {}
            Err(Undecodable) => {
                self.metrics.gateway_undecodable(frame.kind());
                warn!(event.kind = frame.kind(), "gateway event not readable");
            }
        }
        step
    }

    /// Logs and counts the end of a connection, and drops the session if it cannot be resumed.
    fn classify_end(&self, disconnect: &Disconnect, state: &mut SessionState) -> Result<(), Fatal> {
        self.metrics.set_gateway_up(false);
        self.readiness.send_replace(Readiness::Down);
        let code = match disconnect {
            Disconnect::Closed { code, reason } => {
                info!(code, reason, "gateway closed the connection");
                Some(*code)
            }
            Disconnect::Lost(why) => {
                info!(why, "gateway connection ended");
                None
            }
            Disconnect::UnreadableReady => {
                warn!("gateway session dropped: its READY is not readable");
                None
            }
            Disconnect::Stopped => return Ok(()),
        };
        self.metrics.gateway_closed(code);
        if let Some(fatal) = code.and_then(Fatal::from_close_code) {
            return Err(fatal);
        }
        // 4007: invalid sequence number; 4009: the session timed out.
        if matches!(code, Some(4007 | 4009)) || *disconnect == Disconnect::UnreadableReady {
            state.session = None;
        }
        Ok(())
    }
}

/// Returns what a payload means for its connection; `is_readable` tells whether its event could be read.
fn step(frame: &Frame<'_>, is_readable: bool) -> Step {
    match (frame.op, frame.kind()) {
        (_, "READY") if !is_readable => Step::Disconnect(Disconnect::UnreadableReady),
        (_, "READY" | "RESUMED") => Step::Up,
        (RECONNECT, _) => Step::Disconnect(Disconnect::Lost("Discord asked to reconnect")),
        (INVALID_SESSION, _) => Step::Disconnect(Disconnect::Lost("invalid session")),
        _ => Step::Continue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_of(text: &str) -> Step {
        let frame = Frame::read(text).unwrap();
        step(&frame, decode::event(&frame).is_ok())
    }

    #[test]
    fn intents_are_the_four_of_the_readme() {
        assert_eq!(INTENTS.bits(), 37377);
    }

    #[test]
    fn ready_and_resumed_bring_a_connection_up() {
        assert_eq!(step_of(r#"{"op":0,"t":"READY","d":{"user":{"id":"1"},"application":{"id":"1"}}}"#), Step::Up);
        assert_eq!(step_of(r#"{"op":0,"t":"RESUMED","d":null}"#), Step::Up);
    }

    #[test]
    fn unreadable_ready_ends_the_connection() {
        let step = step_of(r#"{"op":0,"t":"READY","d":{"user":null,"application":{"id":"1"}}}"#);
        assert_eq!(step, Step::Disconnect(Disconnect::UnreadableReady));
    }

    #[test]
    fn other_unreadable_events_do_not_end_the_connection() {
        assert_eq!(step_of(r#"{"op":0,"t":"MESSAGE_CREATE","d":{}}"#), Step::Continue);
    }

    #[test]
    fn reconnect_and_invalid_session_end_the_connection() {
        for op in [RECONNECT, INVALID_SESSION] {
            assert!(matches!(step_of(&format!(r#"{{"op":{op},"d":false}}"#)), Step::Disconnect(Disconnect::Lost(_))));
        }
    }
}
