//! A reply as it is seen: it appears with the first words of its answer and grows by edits, or at once when it is complete.
//!
//! Until it is complete, its first message has a Stop button, whatever else happens: the mark of a reply that is not finished.
//! The last thing that is done to it is to take that button away. A process that finds a reply with the mark was stopped or
//! killed in the middle of it: the reply counts for nothing, is deleted, and its message is answered again ([`super::rebuild`]).

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    conversation::{Inner, channel::Batch, control::stop_button, deliver::Posted},
    discord::{DiscordError, Nonce, Post, button::Button},
    ids::{ChannelId, MessageId},
    reply::{Reply, live, texts},
};

/// Attempts that are told apart by their nonces, chosen by chance: after a kill nobody knows the last one's.
const ATTEMPTS: u16 = 1_000;

/// The reply of one turn, as it is seen.
pub(super) struct LiveReply<'a> {
    inner: &'a Inner,
    pub(super) channel: ChannelId,
    pub(super) batch: &'a Batch,
    /// Cancelled once there is something to see.
    seen: &'a CancellationToken,
    attempt: u16,
    /// Whether one message says it all, at once.
    is_whole: bool,
    shown: Vec<Shown>,
}

/// One of its messages, as Discord has it.
struct Shown {
    /// `None`: somebody deleted it.
    message: Option<MessageId>,
    content: String,
    buttons: Vec<Button>,
}

impl<'a> LiveReply<'a> {
    /// Nothing is seen yet.
    pub(super) fn new(inner: &'a Inner, channel: ChannelId, batch: &'a Batch, seen: &'a CancellationToken) -> Self {
        let attempt = fastrand::u16(..ATTEMPTS);
        Self { inner, channel, batch, seen, attempt, is_whole: false, shown: Vec::new() }
    }

    /// Shows more whenever there is more, at a pace that Discord bears, until nothing comes any more. What is under way then is
    /// finished, so that every message is known.
    pub(super) async fn grow(&mut self, mut text: watch::Receiver<String>) {
        let mut bytes_shown = 0;
        loop {
            let so_far = text.wait_for(|text| text.len() > bytes_shown).await.map(|text| text.clone());
            let Ok(so_far) = so_far else { return };
            if text.has_changed().is_err() {
                // It is over: the end is shown with all the rest.
                return;
            }
            bytes_shown = so_far.len();
            if let Err(error) = self.show(&live::split_partial(&so_far)).await {
                warn!(%error, "a reply can not grow");
                return;
            }
            let over = async { while text.changed().await.is_ok() {} };
            if timeout(self.inner.timings.live_edit_interval, over).await.is_ok() {
                return;
            }
        }
    }

    /// Shows what is written so far. The first and the last message can be used to stop it.
    async fn show(&mut self, messages: &[String]) -> Result<(), DiscordError> {
        let stop = [stop_button(self.inner.language, self.batch.newest)];
        for (number, content) in messages.iter().enumerate() {
            let is_end = number == 0 || number + 1 == messages.len();
            self.put(number, content, None, if is_end { &stop } else { &[] }).await?;
        }
        if !messages.is_empty() {
            self.seen.cancel();
        }
        Ok(())
    }

    /// Shows the whole answer, and last of all that it is complete.
    pub(super) async fn complete(&mut self, answer: &Reply) -> Posted {
        match self.try_complete(answer).await {
            Ok(()) => Posted::All(self.shown.iter().filter_map(|shown| shown.message).collect()),
            Err(error) if self.shown.is_empty() => Posted::Nothing(error),
            Err(error) => Posted::Part(error),
        }
    }

    async fn try_complete(&mut self, Reply { messages, file }: &Reply) -> Result<(), DiscordError> {
        let (stop, offer) = ([stop_button(self.inner.language, self.batch.newest)], self.inner.offer(self.batch));
        let last = messages.len().saturating_sub(1);
        self.is_whole = self.shown.is_empty() && last == 0;
        for (number, content) in messages.iter().enumerate() {
            let file = file.as_deref().filter(|_| number == last);
            let buttons: &[Button] = match number {
                _ if number == last => &offer,
                0 => &stop,
                _ => &[],
            };
            self.put(number, content, file, buttons).await?;
        }
        for surplus in self.shown.drain(messages.len()..).filter_map(|shown| shown.message) {
            self.inner.delete_leftover(self.channel, surplus).await;
        }
        if let Some(first) = messages.first().filter(|_| last > 0) {
            self.put(0, first, None, &[]).await?;
        }
        self.inner.set_offer(self.channel, self.shown.last().and_then(|shown| shown.message));
        Ok(())
    }

    /// What is seen of it stays, and says that it is not finished.
    pub(super) async fn break_off(&mut self) {
        let Some(last) = self.shown.iter().rposition(|shown| shown.message.is_some()) else { return };
        for number in [last, 0] {
            let content = match self.shown.get(number) {
                Some(shown) if number == last && !texts::answers::is_unfinished(&shown.content) => {
                    live::mark_unfinished(self.inner.language, &shown.content)
                }
                Some(shown) => shown.content.clone(),
                None => continue,
            };
            if let Err(error) = self.put(number, &content, None, &[]).await {
                warn!(%error, "a reply could not be marked as broken off");
            }
        }
    }

    /// Nothing is seen of it any more.
    pub(super) async fn take_away(&mut self) {
        for message in self.shown.drain(..).filter_map(|shown| shown.message) {
            self.inner.delete_leftover(self.channel, message).await;
        }
    }

    /// Makes one of its messages be like this. One that somebody deleted stays away.
    async fn put(
        &mut self,
        number: usize,
        content: &str,
        file: Option<&str>,
        buttons: &[Button],
    ) -> Result<(), DiscordError> {
        let Some(shown) = self.shown.get_mut(number) else {
            let mut message = self.post(number, content, file, buttons).await?;
            if message.is_none() && !self.is_whole {
                // Deleted at once, or by chance the nonce of an attempt that was: then another one is what helps.
                info!("a part of a reply was gone at once; it is posted again");
                self.attempt = (self.attempt + 1) % ATTEMPTS;
                message = self.post(number, content, file, buttons).await?;
            }
            self.shown.push(Shown { message, content: content.to_owned(), buttons: buttons.to_vec() });
            return Ok(());
        };
        if (shown.content.as_str(), shown.buttons.as_slice()) == (content, buttons) {
            return Ok(());
        }
        if let Some(message) = shown.message
            && !self.inner.discord.edit(self.channel, message, Some(content), buttons).await?
        {
            shown.message = None;
        }
        (shown.content, shown.buttons) = (content.to_owned(), buttons.to_vec());
        Ok(())
    }

    /// Posts one of its messages. Only the first is a reply, and only that notifies: one notification for one answer, and a silent
    /// message is how a later part is known again.
    async fn post(
        &self,
        number: usize,
        content: &str,
        file: Option<&str>,
        buttons: &[Button],
    ) -> Result<Option<MessageId>, DiscordError> {
        // What may be left in the middle is posted afresh after a kill; what is whole is not, while Discord remembers it.
        let nonce = match self.is_whole {
            true => Nonce::part(self.batch.named, number),
            false => Nonce::live(self.batch.named, self.attempt, number),
        };
        let post = Post { content, reply_to: None, nonce, file, silent: number > 0, buttons };
        match number {
            0 => self.inner.reply(self.channel, &self.batch.messages, post).await,
            _ => self.inner.discord.post(self.channel, &post).await,
        }
    }
}
