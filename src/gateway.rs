//! The gateway: one connection to Discord kept up, its events handed on in order.
//!
//! # Why not serenity's client
//! Its shard runner reconnects by itself and can not be stopped from outside: once the socket has ended under some faults
//! (close codes 4003, 4010, 4011; a reset while RESUME is refused) it loops without ever yielding, so that on a single-threaded
//! runtime nothing else runs, a watchdog included; a connect that is never answered hangs for ever; an IDENTIFY that is
//! refused is repeated every five seconds until Discord resets the token. The reading half of its socket is private. So the
//! socket is `twilight-gateway`'s (heartbeats, IDENTIFY, RESUME, raw events in order), and this room decides when one is opened:
//! **one [`Shard`] for each connection**, at most one IDENTIFY in it, and a pause before the next.
//!
//! # What ends a connection
//! A close, an ended stream, a heartbeat without an answer, not being up within [`Timings::gateway_connect_timeout`], INVALID_SESSION. Each is
//! followed by a new one: RESUME while there is a session to resume, otherwise IDENTIFY, which is counted against what
//! Discord still allows. Fatal closes end the program with one line ([`Fatal`]).

use std::{future::poll_fn, ops::ControlFlow, task::Poll, time::Duration};

use futures_util::StreamExt;
use secrecy::ExposeSecret;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use twilight_gateway::{
    CloseFrame, ConfigBuilder, Intents, Message, Session, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
    queue::Queue,
};

use crate::{
    backoff::Backoff,
    config::{Config, Timings},
    discord::{Discord, DiscordError},
    event::Event,
    ops::Readiness,
    telemetry::{Metrics, Opening},
};

mod allowance;
mod decode;

/// What the bot asks Discord for: 37377.
const INTENTS: Intents =
    Intents::GUILDS.union(Intents::GUILD_MESSAGES).union(Intents::DIRECT_MESSAGES).union(Intents::MESSAGE_CONTENT);

/// Discord itself.
const DISCORD: &str = "https://discord.com";

/// How long a connection must have been up for the next pause to start small again.
const STEADY: Duration = Duration::from_secs(60);

/// How long the goodbye to Discord may take.
const GOODBYE: Duration = Duration::from_millis(1500);

/// Why the bot can not go on. Its text is the one line an operator reads.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fatal {
    /// 401, or close 4004.
    #[error(
        "Discord refuses DISCORD_TOKEN: open https://discord.com/developers/applications, choose the application, Bot, Reset Token, \
         and put the new token into DISCORD_TOKEN"
    )]
    BadToken,
    /// Close 4014.
    #[error(
        "Discord does not let this bot read messages yet: open https://discord.com/developers/applications, choose the application, \
         Bot, switch on MESSAGE CONTENT INTENT under Privileged Gateway Intents, save, and start the bot again"
    )]
    IntentNotAllowed,
    /// Close 4011 or 4010.
    #[error(
        "Discord wants this bot to be sharded (it is in more than 2500 servers), which this version does not do (close code {0})"
    )]
    ShardingRequired(u16),
    /// Close 4012 or 4013.
    #[error("Discord does not accept this version of the bot any more (close code {0}): update it")]
    Outdated(u16),
}

impl Fatal {
    /// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>
    fn from_close(code: u16) -> Option<Self> {
        match code {
            4004 => Some(Self::BadToken),
            4010 | 4011 => Some(Self::ShardingRequired(code)),
            4012 | 4013 => Some(Self::Outdated(code)),
            4014 => Some(Self::IntentNotAllowed),
            _ => None,
        }
    }
}

/// Tries to resume a session before a new one is begun.
const RESUMES_IN_VAIN: u32 = 3;

/// How a connection ended.
enum End {
    /// Whatever it was, try again.
    Broken(&'static str),
    /// Discord closed it.
    Closed(u16),
    /// The bot stops.
    Stopped,
}

/// What a frame means for its connection.
enum Step {
    Read,
    Up,
    Leave(&'static str),
}

/// The gateway's connections, one after the other.
pub struct Gateway {
    discord: Discord,
    token: String,
    /// Set when another host than Discord's own was configured: then no address that Discord tells is followed.
    proxied: bool,
    timings: Timings,
    metrics: Metrics,
    readiness: watch::Sender<Readiness>,
}

/// What has to be kept from one connection to the next.
#[derive(Default)]
struct Continuation {
    /// Where the gateway is: known once, it is not asked for again to go back to a session, which may not wait for REST.
    gateway: Option<String>,
    /// Connections in a row that were opened and did not come up.
    in_vain: u32,
    session: Option<Session>,
    url: Option<String>,
}

/// The one IDENTIFY of a connection was allowed before it was opened.
struct Granted;

impl Queue for Granted {
    fn enqueue(&self, _: u32) -> oneshot::Receiver<()> {
        let (grant, granted) = oneshot::channel();
        // A shard that has gone meanwhile needs no grant.
        let _ = grant.send(());
        granted
    }
}

impl Gateway {
    /// A gateway that reports on `readiness` whether it is up.
    #[must_use]
    pub fn new(discord: Discord, config: &Config, metrics: Metrics, readiness: watch::Sender<Readiness>) -> Self {
        let token = config.discord.token.expose_secret().to_owned();
        let proxied = config.discord.api_url != DISCORD;
        Self { discord, token, proxied, timings: config.timings.clone(), metrics, readiness }
    }

    /// Keeps a connection up and hands its events to `on_event`, in order, until `stop`.
    ///
    /// # Errors
    /// [`Fatal`], when trying again is of no use.
    pub async fn run(&self, stop: &CancellationToken, mut on_event: impl FnMut(Event)) -> Result<(), Fatal> {
        let mut kept = Continuation::default();
        let mut backoff = Backoff::new(self.timings.backoff_min, self.timings.backoff_max).with_jitter(0.25);
        loop {
            let Some(shard) = stop.run_until_cancelled(self.open(&mut kept)).await else { return Ok(()) };
            let (mut up_for, mut opened) = (Duration::ZERO, false);
            let end = match shard {
                Ok(mut shard) => {
                    let end = self.attend(&mut shard, stop, &mut up_for, &mut opened, &mut on_event).await;
                    let is_in_vain = opened && up_for.is_zero();
                    kept.in_vain = if is_in_vain { kept.in_vain + 1 } else { 0 };
                    // A node or a session that is of no use is not gone back to for ever.
                    let url = shard.resume_url().filter(|_| !self.proxied && kept.in_vain == 0);
                    kept.url = url.map(str::to_owned);
                    kept.session = shard.session().filter(|_| kept.in_vain < RESUMES_IN_VAIN).cloned();
                    end
                }
                Err(DiscordError::Unauthorized) => return Err(Fatal::BadToken),
                Err(error) => {
                    warn!(%error, "the gateway's address could not be asked for");
                    End::Broken("no address")
                }
            };
            if self.leave(&end, &mut kept)?.is_break() {
                return Ok(());
            }
            if up_for >= STEADY {
                backoff.reset();
            }
            let pause = backoff.next_pause();
            info!(pause_ms = pause.as_millis(), resume = kept.session.is_some(), "connecting to the gateway again");
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// A shard that is about to connect: with a session to resume, or with leave to start a new one.
    async fn open(&self, kept: &mut Continuation) -> Result<Shard<Granted>, DiscordError> {
        let url = match (&kept.session, &kept.gateway) {
            // Only a new session is counted.
            (None, _) => allowance::wait(&self.discord, &self.timings).await?,
            (Some(_), Some(known)) => known.clone(),
            (Some(_), None) => self.discord.gateway_url().await?,
        };
        kept.gateway = Some(url.clone());
        let builder = ConfigBuilder::new(self.token.clone(), INTENTS).proxy_url(url.trim_end_matches('/').to_owned());
        let mut builder = builder.queue(Granted);
        if let Some(session) = &kept.session {
            self.metrics.gateway_opened(Opening::Resume);
            builder = builder.session(session.clone());
            if let Some(url) = &kept.url {
                builder = builder.resume_url(url.clone());
            }
        } else {
            self.metrics.gateway_opened(Opening::Identify);
        }
        Ok(Shard::with_config(ShardId::ONE, builder.build()))
    }

    /// Reads a connection to its end.
    async fn attend(
        &self,
        shard: &mut Shard<Granted>,
        stop: &CancellationToken,
        up_for: &mut Duration,
        opened: &mut bool,
        on_event: &mut impl FnMut(Event),
    ) -> End {
        let up_before = Instant::now() + self.timings.gateway_connect_timeout;
        let mut up_since: Option<Instant> = None;
        let end = loop {
            let item = next_item(shard, opened);
            let item = async {
                match up_since {
                    Some(_) => Ok(item.await),
                    None => timeout_at(up_before, item).await,
                }
            };
            let item = match stop.run_until_cancelled(item).await {
                None => break self.say_goodbye(shard).await,
                Some(Err(_)) => break End::Broken("not up in time"),
                Some(Ok(item)) => item,
            };
            match item {
                Some(Ok(Message::Text(text))) => match self.hand_on(&text, on_event) {
                    Step::Read => {}
                    Step::Up => {
                        up_since = Some(Instant::now());
                        self.metrics.set_gateway_up(true);
                        self.readiness.send_replace(Readiness::Up);
                    }
                    // The socket is dropped rather than closed politely: an answer to that might never come.
                    Step::Leave(why) => break End::Broken(why),
                },
                Some(Ok(Message::Close(frame))) => {
                    break frame.map_or(End::Broken("connection lost"), |frame| End::Closed(frame.code));
                }
                // The text of these errors holds the event, so it is not logged.
                Some(Err(error)) if matches!(error.kind(), ReceiveMessageErrorType::Deserializing { .. }) => {
                    self.metrics.gateway_undecodable("frame");
                }
                Some(Err(_)) => break End::Broken("connection failed"),
                None => break End::Broken("connection ended"),
            }
        };
        *up_for = up_since.map_or(Duration::ZERO, |since| since.elapsed());
        end
    }

    /// Hands an event on.
    fn hand_on(&self, text: &str, on_event: &mut impl FnMut(Event)) -> Step {
        let Some(frame) = decode::Frame::read(text) else { return Step::Read };
        match decode::event(&frame) {
            Ok(Some(event)) => on_event(event),
            Ok(None) => {}
            Err(decode::Undecodable) => {
                self.metrics.gateway_undecodable(frame.kind());
                warn!(event.kind = frame.kind(), "an event could not be read");
            }
        }
        match (frame.op, frame.kind()) {
            (_, "READY" | "RESUMED") => Step::Up,
            (decode::RECONNECT, _) => Step::Leave("Discord asked to reconnect"),
            (decode::INVALID_SESSION, _) => Step::Leave("invalid session"),
            _ => Step::Read,
        }
    }

    async fn say_goodbye(&self, shard: &mut Shard<Granted>) -> End {
        self.readiness.send_replace(Readiness::Stopping);
        shard.close(CloseFrame::NORMAL);
        // Discord forgets the session by itself when the goodbye does not reach it.
        let _ = timeout(GOODBYE, until_closed(shard)).await;
        self.metrics.set_gateway_up(false);
        End::Stopped
    }

    /// Notes how a connection ended, and what of it can be kept.
    fn leave(&self, end: &End, kept: &mut Continuation) -> Result<ControlFlow<()>, Fatal> {
        self.metrics.set_gateway_up(false);
        let code = match end {
            End::Stopped => return Ok(ControlFlow::Break(())),
            End::Broken(why) => {
                info!(why, "the gateway's connection ended");
                None
            }
            End::Closed(code) => {
                info!(code, "the gateway closed the connection");
                Some(*code)
            }
        };
        self.readiness.send_replace(Readiness::Down);
        self.metrics.gateway_closed(code);
        if let Some(fatal) = code.and_then(Fatal::from_close) {
            return Err(fatal);
        }
        // Invalid sequence and a session that timed out: nothing to go back to.
        if matches!(code, Some(4007 | 4009)) {
            kept.session = None;
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn is_open(shard: &Shard<Granted>) -> bool {
    !matches!(shard.state(), ShardState::Disconnected { .. })
}

/// The next item of a shard's one connection. `None` once that has ended, even if the shard would go on to open another by
/// itself, which is not its to decide: it may have begun to look up the address by then, and is dropped before it says a word.
async fn next_item(shard: &mut Shard<Granted>, opened: &mut bool) -> Option<Result<Message, ReceiveMessageError>> {
    poll_fn(|context| {
        let polled = shard.poll_next_unpin(context);
        let is_open = is_open(shard);
        if polled.is_pending() && *opened && !is_open {
            return Poll::Ready(None);
        }
        *opened |= is_open;
        polled
    })
    .await
}

/// Reads until the goodbye that a shard was told to say is answered. When the other side only hangs up, the shard would go on to open
/// another connection, and is dropped before it says a word there.
async fn until_closed(shard: &mut Shard<Granted>) {
    let mut said = false;
    poll_fn(|context| {
        loop {
            let polled = shard.poll_next_unpin(context);
            let is_open = is_open(shard);
            if said && is_open {
                return Poll::Ready(());
            }
            said |= !is_open;
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None | Some(Err(_) | Ok(Message::Close(_)))) => return Poll::Ready(()),
                Poll::Ready(Some(Ok(Message::Text(_)))) => {}
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fatal_close_says_what_to_do_and_the_others_are_tried_again() {
        assert_eq!(Fatal::from_close(4004), Some(Fatal::BadToken));
        assert!(Fatal::from_close(4014).unwrap().to_string().contains("MESSAGE CONTENT INTENT"));
        for code in [1000, 1001, 1006, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009, 4999] {
            assert_eq!(Fatal::from_close(code), None, "{code}");
        }
    }

    #[test]
    fn the_intents_are_the_four_of_the_readme() {
        assert_eq!(INTENTS.bits(), 37377);
    }
}
