//! The reply of a turn as Discord shows it: it appears with the first words of its answer and grows by edits, or it is posted at
//! once when it is complete.
//!
//! Until it is complete, its first message has a Stop button: the mark of an unfinished reply. Removing that button is the last
//! edit. A process that finds a reply with the mark was stopped or killed in the middle of it: it deletes the reply, and its
//! message is answered again.

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    conversation::{control, turn_context::TurnContext},
    discord::{DiscordError, Nonce, Post, button::Button},
    ids::MessageId,
    reply::{Reply, live, texts},
};

/// Attempts at a growing reply that are told apart by their nonces. One is chosen at random: after a kill nobody knows the
/// last one's.
const ATTEMPTS: u16 = 1_000;

/// The reply of one turn.
pub(super) struct LiveReply<'a> {
    turn: TurnContext<'a>,
    /// Cancelled once there is something to see.
    visible: &'a CancellationToken,
    attempt: u16,
    /// Whether it is one message, posted at once.
    is_single: bool,
    parts: Vec<Part>,
}

/// One of its messages, as Discord has it.
struct Part {
    /// `None`: somebody deleted it.
    message: Option<MessageId>,
    content: String,
    buttons: Vec<Button>,
}

/// How far posting came.
pub(super) enum Posted {
    All(Vec<MessageId>),
    /// Some parts are posted, and the next was refused.
    Partly(DiscordError),
    Nothing(DiscordError),
}

impl<'a> LiveReply<'a> {
    /// A reply of which nothing is posted yet.
    pub(super) fn new(turn: TurnContext<'a>, visible: &'a CancellationToken) -> Self {
        Self { turn, visible, attempt: fastrand::u16(..ATTEMPTS), is_single: false, parts: Vec::new() }
    }

    /// Posts and edits as the text grows, not faster than Discord allows, until the sender is gone. A request that is under
    /// way then is finished, so that every message is known.
    pub(super) async fn grow(&mut self, mut text: watch::Receiver<String>) {
        let mut shown_bytes = 0;
        loop {
            let so_far = text.wait_for(|text| text.len() > shown_bytes).await.map(|text| text.clone());
            let Ok(so_far) = so_far else { return };
            if text.has_changed().is_err() {
                // The answer is complete, and is posted as a whole.
                return;
            }
            shown_bytes = so_far.len();
            if let Err(error) = self.show(&live::split_partial(&so_far)).await {
                warn!(%error, "growing reply not updated");
                return;
            }
            let sender_gone = async { while text.changed().await.is_ok() {} };
            if timeout(self.turn.config().timings.live_edit_interval, sender_gone).await.is_ok() {
                return;
            }
        }
    }

    /// Shows what is written so far, with a Stop button on the first and the last message.
    async fn show(&mut self, messages: &[String]) -> Result<(), DiscordError> {
        let stop = [self.stop_button()];
        for (number, content) in messages.iter().enumerate() {
            let is_end = number == 0 || number + 1 == messages.len();
            self.put(number, content, None, if is_end { &stop } else { &[] }).await?;
        }
        if !messages.is_empty() {
            self.visible.cancel();
        }
        Ok(())
    }

    /// Posts the whole answer, and removes its mark last.
    pub(super) async fn complete(&mut self, answer: &Reply) -> Posted {
        match self.try_complete(answer).await {
            Ok(()) => Posted::All(self.parts.iter().filter_map(|part| part.message).collect()),
            Err(error) if self.parts.is_empty() => Posted::Nothing(error),
            Err(error) => Posted::Partly(error),
        }
    }

    async fn try_complete(&mut self, Reply { messages, file }: &Reply) -> Result<(), DiscordError> {
        let (stop, retry) = ([self.stop_button()], self.retry_buttons());
        let last = messages.len().saturating_sub(1);
        self.is_single = self.parts.is_empty() && last == 0;
        for (number, content) in messages.iter().enumerate() {
            let file = file.as_deref().filter(|_| number == last);
            let buttons: &[Button] = match number {
                _ if number == last => &retry,
                0 => &stop,
                _ => &[],
            };
            self.put(number, content, file, buttons).await?;
        }
        for surplus in self.parts.drain(messages.len()..).filter_map(|part| part.message) {
            self.turn.shared.delete_leftover(self.turn.channel, surplus).await;
        }
        if let Some(first) = messages.first().filter(|_| last > 0) {
            self.put(0, first, None, &[]).await?;
        }
        let last = self.parts.last().and_then(|part| part.message).filter(|_| self.turn.config().reply.retry_button);
        self.turn.update(|channel| channel.retry_button = last);
        Ok(())
    }

    fn stop_button(&self) -> Button {
        control::stop_button(self.turn.language(), self.turn.batch.newest)
    }

    /// What is under the last message of a complete reply.
    fn retry_buttons(&self) -> Vec<Button> {
        let button = || control::retry_button(self.turn.language(), self.turn.batch.newest);
        self.turn.config().reply.retry_button.then(button).into_iter().collect()
    }

    /// Keeps what is posted, marked as not finished.
    pub(super) async fn break_off(&mut self) {
        let Some(last) = self.parts.iter().rposition(|part| part.message.is_some()) else { return };
        for number in [last, 0] {
            let content = match self.parts.get(number) {
                Some(part) if number == last && !texts::answers::is_unfinished(&part.content) => {
                    live::mark_unfinished(self.turn.language(), &part.content)
                }
                Some(part) => part.content.clone(),
                None => continue,
            };
            if let Err(error) = self.put(number, &content, None, &[]).await {
                warn!(%error, "reply not marked as broken off");
            }
        }
    }

    /// Deletes what is posted.
    pub(super) async fn delete(&mut self) {
        for message in self.parts.drain(..).filter_map(|part| part.message) {
            self.turn.shared.delete_leftover(self.turn.channel, message).await;
        }
    }

    /// Makes one of its messages have this content and these buttons. One that somebody deleted stays deleted.
    async fn put(
        &mut self,
        number: usize,
        content: &str,
        file: Option<&str>,
        buttons: &[Button],
    ) -> Result<(), DiscordError> {
        let Some(part) = self.parts.get_mut(number) else {
            let message = self.post_again_if_deleted(number, content, file, buttons).await?;
            self.parts.push(Part { message, content: content.to_owned(), buttons: buttons.to_vec() });
            return Ok(());
        };
        if (part.content.as_str(), part.buttons.as_slice()) == (content, buttons) {
            return Ok(());
        }
        if let Some(message) = part.message
            && !self.turn.services().discord.edit(self.turn.channel, message, Some(content), buttons).await?
        {
            part.message = None;
        }
        (part.content, part.buttons) = (content.to_owned(), buttons.to_vec());
        Ok(())
    }

    /// Posts one of its messages. When it is deleted at once, its nonce may by chance be that of an attempt before a kill, whose
    /// messages were deleted: then another attempt's nonce helps.
    async fn post_again_if_deleted(
        &mut self,
        number: usize,
        content: &str,
        file: Option<&str>,
        buttons: &[Button],
    ) -> Result<Option<MessageId>, DiscordError> {
        let message = self.post(number, content, file, buttons).await?;
        if message.is_some() || self.is_single {
            return Ok(message);
        }
        info!("a part of a reply was deleted at once; posting it again");
        self.attempt = (self.attempt + 1) % ATTEMPTS;
        self.post(number, content, file, buttons).await
    }

    /// Only the first message is a reply, and only that notifies. The others are silent, which is how they are recognised as
    /// later parts.
    async fn post(
        &self,
        number: usize,
        content: &str,
        file: Option<&str>,
        buttons: &[Button],
    ) -> Result<Option<MessageId>, DiscordError> {
        let TurnContext { channel, batch, .. } = self.turn;
        // A reply that a kill may leave unfinished needs fresh nonces afterwards; a single message must keep its nonce.
        let nonce = match self.is_single {
            true => Nonce::part(batch.nonce_key, number),
            false => Nonce::live(batch.nonce_key, self.attempt, number),
        };
        let post = Post { content, reply_to: None, nonce, file, silent: number > 0, buttons };
        match number {
            0 => self.turn.reply(&batch.messages, post).await,
            _ => self.turn.services().discord.post(channel, &post).await,
        }
    }
}
