//! One connection to the gateway: a twilight shard that is kept from opening a second one by itself.

use std::{future::poll_fn, task::Poll, time::Duration};

use futures_util::StreamExt;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};
use twilight_gateway::{
    CloseFrame, Config, Message, Session, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
    queue::Queue,
};

/// How long the close handshake with Discord may take.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(1500);

/// Longest close reason that is kept, in characters.
const REASON_CHARS: usize = 200;

/// What was received from the gateway.
pub(super) enum Received {
    /// A payload, as JSON.
    Payload(String),
    /// A payload whose opcode, sequence number or session could not be read.
    Unreadable,
    /// The end of the connection.
    End(Disconnect),
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disconnect {
    /// The bot shuts down.
    Stopped,
    /// Discord closed it.
    Closed {
        /// The close code.
        code: u16,
        /// Discord's text for people, cut to [`REASON_CHARS`].
        reason: String,
    },
    /// It was lost, or is no longer usable, for this reason.
    Lost(&'static str),
    /// READY could not be read. Its session is dropped too, because a RESUME brings no READY.
    UnreadableReady,
}

/// Allows the one IDENTIFY of a connection: it was counted before the connection was opened.
pub(super) struct PreApproved;

impl Queue for PreApproved {
    fn enqueue(&self, _: u32) -> oneshot::Receiver<()> {
        let (approve, approved) = oneshot::channel();
        // The shard may be gone by now, and needs no approval then.
        let _ = approve.send(());
        approved
    }
}

/// One connection, from its first attempt to its end.
pub(super) struct Connection {
    shard: Shard<PreApproved>,
    was_open: bool,
    up_since: Option<Instant>,
}

impl Connection {
    /// Connects at the first call of [`Connection::receive`].
    pub(super) fn new(config: Config<PreApproved>) -> Self {
        Self { shard: Shard::with_config(ShardId::ONE, config), was_open: false, up_since: None }
    }

    /// Records that READY or RESUMED was received.
    pub(super) fn set_up(&mut self) {
        self.up_since = Some(Instant::now());
    }

    pub(super) fn is_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// Returns how long the session has been up; zero if it has not.
    pub(super) fn up_for(&self) -> Duration {
        self.up_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether the socket was opened and no session came of it.
    pub(super) fn has_failed(&self) -> bool {
        self.was_open && !self.is_up()
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.shard.session()
    }

    pub(super) fn resume_url(&self) -> Option<&str> {
        self.shard.resume_url()
    }

    pub(super) async fn receive(&mut self) -> Received {
        match self.next_message().await {
            Some(Ok(Message::Text(text))) => Received::Payload(text),
            Some(Ok(Message::Close(Some(frame)))) => Received::End(Disconnect::Closed {
                code: frame.code,
                reason: frame.reason.chars().take(REASON_CHARS).collect(),
            }),
            Some(Ok(Message::Close(None))) => Received::End(Disconnect::Lost("connection lost")),
            // The text of this error holds the event, so it is not logged.
            Some(Err(error)) if matches!(error.kind(), ReceiveMessageErrorType::Deserializing { .. }) => {
                Received::Unreadable
            }
            Some(Err(_)) => Received::End(Disconnect::Lost("connection failed")),
            None => Received::End(Disconnect::Lost("connection ended")),
        }
    }

    /// Returns the next message, and `None` once the connection has ended.
    ///
    /// The shard would open another connection after that. It may have begun to resolve the host name by then, and is dropped
    /// before it sends anything.
    async fn next_message(&mut self) -> Option<Result<Message, ReceiveMessageError>> {
        let Self { shard, was_open, .. } = self;
        poll_fn(|context| {
            let polled = shard.poll_next_unpin(context);
            let is_open = is_open(shard);
            if polled.is_pending() && *was_open && !is_open {
                return Poll::Ready(None);
            }
            *was_open |= is_open;
            polled
        })
        .await
    }

    /// Closes the session at Discord. Discord ends it by itself if the close frame does not arrive in time.
    pub(super) async fn close(&mut self) {
        self.shard.close(CloseFrame::NORMAL);
        let _ = timeout(CLOSE_TIMEOUT, self.closed()).await;
    }

    /// Waits until Discord answers the close frame. If Discord only drops the connection, the shard would open another one; it is
    /// dropped before it sends anything there.
    async fn closed(&mut self) {
        let shard = &mut self.shard;
        let mut was_sent = false;
        poll_fn(|context| {
            loop {
                let polled = shard.poll_next_unpin(context);
                let is_open = is_open(shard);
                if was_sent && is_open {
                    return Poll::Ready(());
                }
                was_sent |= !is_open;
                match polled {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None | Some(Err(_) | Ok(Message::Close(_)))) => return Poll::Ready(()),
                    Poll::Ready(Some(Ok(Message::Text(_)))) => {}
                }
            }
        })
        .await;
    }
}

fn is_open(shard: &Shard<PreApproved>) -> bool {
    !matches!(shard.state(), ShardState::Disconnected { .. })
}
