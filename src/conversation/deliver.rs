//! The end of a turn: its answer in the channel and in the history, or a text that says why there is none.

use tokio::time::Instant;
use tracing::warn;

use crate::{
    config::ReplyMode,
    conversation::{
        Inner,
        channel::{Batch, Channel},
        control::retry_button,
        live::LiveReply,
    },
    discord::{DiscordError, Nonce, Post, button::Button},
    ids::{ChannelId, MessageId},
    reply::{self, texts},
    telemetry::Outcome,
    tess::TessError,
};

/// How far posting came.
pub(super) enum Posted {
    All(Vec<MessageId>),
    /// Some parts are there, and the next was refused.
    Part(DiscordError),
    Nothing(DiscordError),
}

impl Inner {
    /// Posts an answer, or completes the one that has grown.
    pub(super) async fn deliver(&self, mut shown: LiveReply<'_>, output: &str) -> Outcome {
        let (id, batch) = (shown.channel, shown.batch);
        if batch.cancelled.is_cancelled() {
            shown.take_away().await;
            return Outcome::Cancelled("reset");
        }
        let answer = match self.reply_mode {
            ReplyMode::Final => reply::split(self.language, output),
            ReplyMode::Live => reply::live::split_complete(self.language, output),
        };
        match shown.complete(&answer).await {
            Posted::All(_) if batch.cancelled.is_cancelled() => {
                shown.take_away().await;
                Outcome::Cancelled("reset")
            }
            Posted::All(parts) => {
                self.remember(id, batch, &parts, output);
                Outcome::Answered
            }
            Posted::Part(error) => {
                warn!(%error, "a part of a reply was refused");
                shown.break_off().await;
                self.note_failure(id, batch, texts::answers::part_not_posted(self.language)).await;
                Outcome::Failed("partly_delivered")
            }
            Posted::Nothing(error) => self.not_delivered(id, batch, &error).await,
        }
    }

    /// Posts a reply to the newest of some messages, oldest first, that is still there: by its reference it is known after a restart
    /// what it answers. `None`: it was deleted at once.
    pub(super) async fn reply(
        &self,
        id: ChannelId,
        messages: &[MessageId],
        mut post: Post<'_>,
    ) -> Result<Option<MessageId>, DiscordError> {
        // One that was trimmed is no longer known, and still there.
        let known = || messages.iter().rfind(|message| self.is_known(id, **message)).copied();
        let may_reply = self.channels.get(&id).is_none_or(|channel| channel.may_reply);
        post.reply_to = known().or(messages.last().copied()).filter(|_| may_reply);
        loop {
            match (self.discord.post(id, &post).await, post.reply_to) {
                // Without the history nothing is found after a restart by a reference either.
                (Err(error), Some(_)) if error.forbids_replies() => {
                    warn!(%error, "the bot lacks the permission Read Message History here: it answers, and remembers nothing");
                    self.change(id, |channel| channel.may_reply = false);
                    post.reply_to = None;
                }
                // Its deletion was not heard of, or not yet.
                (Err(DiscordError::UnknownReference), Some(gone)) => {
                    self.change(id, |channel| channel.history.remove(gone));
                    post.reply_to = known();
                }
                (posted, _) => return posted,
            }
        }
    }

    fn is_known(&self, id: ChannelId, message: MessageId) -> bool {
        self.channels.get(&id).is_some_and(|channel| channel.history.contains(message))
    }

    /// The reply is complete, and this is its last message.
    pub(super) fn set_offer(&self, id: ChannelId, last: Option<MessageId>) {
        let offered = last.filter(|_| self.retry_button);
        self.change(id, |channel| channel.offer = offered);
    }

    /// What is under the last message of a reply.
    pub(super) fn offer(&self, batch: &Batch) -> Vec<Button> {
        self.retry_button.then(|| retry_button(self.language, batch.newest)).into_iter().collect()
    }

    /// The answer becomes part of the history, in the place of one that it replaces, unless that was reset meanwhile.
    fn remember(&self, id: ChannelId, batch: &Batch, parts: &[MessageId], output: &str) {
        if parts.is_empty() || batch.cancelled.is_cancelled() {
            return;
        }
        self.change(id, |channel: &mut Channel| {
            channel.history.record_answer(parts, batch.newest, output);
            channel.trim(&self.limits);
        });
        self.keep_within_bound();
    }

    pub(super) async fn tell_failure(&self, id: ChannelId, batch: &Batch, error: &TessError) -> Outcome {
        if batch.cancelled.is_cancelled() {
            return Outcome::Cancelled("reset");
        }
        self.say_failure(id, batch, &texts::errors::tess_error(self.language, error)).await;
        Outcome::Failed(error.name())
    }

    /// Discord did not take the first message of the answer. Where it would take another, it is told.
    async fn not_delivered(&self, id: ChannelId, batch: &Batch, error: &DiscordError) -> Outcome {
        warn!(%error, "the reply could not be posted");
        if error.closes_channel() {
            self.close_channel(id);
            return Outcome::Failed("channel_closed");
        }
        if matches!(error, DiscordError::Refused { .. }) {
            self.note_failure(id, batch, texts::answers::blocked(self.language)).await;
            return Outcome::Failed("reply_refused");
        }
        Outcome::Failed("not_delivered")
    }

    /// Leaves a channel that refuses the bot alone for a while.
    pub(super) fn close_channel(&self, id: ChannelId) {
        let until = Instant::now() + self.timings.refused_channel_pause;
        self.change(id, |channel| channel.closed_until = Some(until));
    }

    /// Says one thing in place of the answer.
    pub(super) async fn say(&self, id: ChannelId, batch: &Batch, text: &str) {
        self.speak(id, &batch.messages, text, Nonce::part(batch.named, 0), &[]).await;
    }

    /// Says in place of the answer why there is none, and offers to try again.
    pub(super) async fn say_failure(&self, id: ChannelId, batch: &Batch, text: &str) {
        self.speak(
            id,
            &batch.messages,
            text,
            Nonce::part(batch.named, 0),
            &[retry_button(self.language, batch.newest)],
        )
        .await;
    }

    /// Says beside what was posted of the answer that it is not all, and offers to try again.
    async fn note_failure(&self, id: ChannelId, batch: &Batch, text: &str) {
        self.speak(
            id,
            &batch.messages,
            text,
            Nonce::note(batch.named, 'f'),
            &[retry_button(self.language, batch.newest)],
        )
        .await;
    }

    /// Says something beside the answer; `kind` tells what.
    pub(super) async fn tell_beside(&self, id: ChannelId, batch: &Batch, text: &str, kind: char) {
        if !batch.cancelled.is_cancelled() && !self.is_closed(id) {
            self.speak(id, &batch.messages, text, Nonce::note(batch.named, kind), &[]).await;
        }
    }

    pub(super) async fn speak(
        &self,
        id: ChannelId,
        reply_to: &[MessageId],
        text: &str,
        nonce: Nonce,
        buttons: &[Button],
    ) {
        let post = Post { content: text, reply_to: None, nonce, file: None, silent: false, buttons };
        match self.reply(id, reply_to, post).await {
            Ok(message) if !buttons.is_empty() => {
                self.change(id, |channel| channel.offer = message);
            }
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "not even an error text could be posted");
                if error.closes_channel() {
                    self.close_channel(id);
                }
            }
        }
    }
}
