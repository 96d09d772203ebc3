//! Posting in a channel: replies that refer to a message which is still there, and plain texts.

use tracing::warn;

use crate::{
    conversation::{channel::batch::Queued, control, shared::Shared, turn_context::TurnContext},
    discord::{DiscordError, Nonce, Post, button::Button},
    ids::{ChannelId, MessageId},
};

impl Shared {
    /// Deletes a message of the bot's that was never meant to stay.
    pub(super) async fn delete_leftover(&self, channel: ChannelId, leftover: MessageId) {
        if let Err(error) = self.services.discord.delete(channel, leftover).await {
            warn!(%error, "left-over message not deleted");
        }
    }
}

impl TurnContext<'_> {
    /// Posts a reply to the newest of some messages that is still there: after a restart, the reference is the only record
    /// of what it answers. `targets` are in ascending order. `None`: the reply was deleted at once.
    ///
    /// # Errors
    /// Those of [`crate::discord::Discord::post`].
    pub(super) async fn reply(
        &self,
        targets: &[Queued],
        mut post: Post<'_>,
    ) -> Result<Option<MessageId>, DiscordError> {
        // A message that was trimmed is not in the history, and may still be there.
        let newest_known = || targets.iter().rev().map(|target| target.message).find(|message| self.is_known(*message));
        let newest = targets.last().map(|target| target.message);
        let may_reply = self.shared.channels.get(self.channel).is_none_or(|channel| channel.may_reply);
        post.reply_to = newest_known().or(newest).filter(|_| may_reply);
        loop {
            match (self.services().discord.post(self.channel, &post).await, post.reply_to) {
                // Nothing could be read back after a restart, with or without a reference.
                (Err(error), Some(_)) if error.forbids_replies() => {
                    warn!(%error, "the bot lacks the permission Read Message History here: it answers, and remembers nothing");
                    self.update(|channel| channel.may_reply = false);
                    post.reply_to = None;
                }
                // The event of its deletion is still on its way, or was missed.
                (Err(DiscordError::UnknownReference), Some(deleted)) => {
                    self.update(|channel| {
                        channel.history.remove(deleted);
                    });
                    post.reply_to = newest_known();
                }
                (posted, _) => return posted,
            }
        }
    }

    fn is_known(&self, message: MessageId) -> bool {
        self.shared.channels.get(self.channel).is_some_and(|channel| channel.history.contains(message))
    }

    /// Posts a text in place of the answer.
    pub(super) async fn post_in_place(&self, text: &str) {
        self.post_text(&self.batch.messages, text, Nonce::part(self.batch.nonce_key, 0), &[]).await;
    }

    /// Posts in place of the answer why there is none, with a button to try again.
    pub(super) async fn post_failure(&self, text: &str) {
        self.post_with_retry(text, Nonce::part(self.batch.nonce_key, 0)).await;
    }

    /// Posts after a part of the answer that the rest is missing, with a button to try again.
    pub(super) async fn post_partial_failure(&self, text: &str) {
        self.post_with_retry(text, Nonce::note(self.batch.nonce_key, 'f')).await;
    }

    async fn post_with_retry(&self, text: &str, nonce: Nonce) {
        let retry = [control::retry_button(self.language(), self.batch.newest)];
        self.post_text(&self.batch.messages, text, nonce, &retry).await;
    }

    /// Posts a text as a reply to the newest of `targets`. A failure is only logged: there is nothing else to say.
    pub(super) async fn post_text(&self, targets: &[Queued], text: &str, nonce: Nonce, buttons: &[Button]) {
        let post = Post { content: text, reply_to: None, nonce, file: None, silent: false, buttons };
        match self.reply(targets, post).await {
            Ok(message) if !buttons.is_empty() => self.update(|channel| channel.retry_button = message),
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "text not posted");
                if error.closes_channel() {
                    self.close_channel();
                }
            }
        }
    }
}
