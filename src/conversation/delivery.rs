//! The end of a turn: its answer in the channel and in the history, or a text that says why there is none.

use tracing::warn;

use crate::{
    config::ReplyMode,
    conversation::{
        live::{LiveReply, Posted},
        turn_context::TurnContext,
    },
    discord::DiscordError,
    ids::MessageId,
    reply::{self, texts},
    telemetry::{CancelReason, FailReason, Outcome},
    tess::TessError,
};

impl TurnContext<'_> {
    /// Posts an answer, or completes the reply that has grown.
    pub(super) async fn deliver(&self, mut reply: LiveReply<'_>, output: &str) -> Outcome {
        if self.is_cancelled() {
            reply.delete().await;
            return Outcome::Cancelled(CancelReason::Reset);
        }
        let answer = match self.config().reply.mode {
            ReplyMode::Final => reply::split(self.language(), output),
            ReplyMode::Live => reply::live::split_complete(self.language(), output),
        };
        match reply.complete(&answer).await {
            Posted::All(_) if self.is_cancelled() => {
                reply.delete().await;
                Outcome::Cancelled(CancelReason::Reset)
            }
            Posted::All(parts) => {
                self.record_answer(&parts, output);
                Outcome::Answered
            }
            Posted::Partly(error) => {
                warn!(%error, "part of a reply refused");
                reply.break_off().await;
                self.post_partial_failure(texts::answers::part_not_posted(self.language())).await;
                Outcome::Failed(FailReason::PartlyDelivered)
            }
            Posted::Nothing(error) => self.on_not_delivered(&error).await,
        }
    }

    /// Adds the answer to the history, unless it was deleted at once or the history was reset.
    fn record_answer(&self, parts: &[MessageId], output: &str) {
        if !parts.is_empty() && !self.is_cancelled() {
            self.update(|channel| channel.record_answer(self.batch.newest, parts, output));
        }
    }

    /// Discord did not take the answer. Where it would take another message, it is said.
    async fn on_not_delivered(&self, error: &DiscordError) -> Outcome {
        warn!(%error, "reply not posted");
        if error.closes_channel() {
            self.close_channel();
            return Outcome::Failed(FailReason::ChannelClosed);
        }
        if matches!(error, DiscordError::Refused { .. }) {
            self.post_partial_failure(texts::answers::blocked(self.language())).await;
            return Outcome::Failed(FailReason::ReplyRefused);
        }
        Outcome::Failed(FailReason::NotDelivered)
    }

    /// Says why Tess gave no answer.
    pub(super) async fn report_failure(&self, error: &TessError) -> Outcome {
        if self.is_cancelled() {
            return Outcome::Cancelled(CancelReason::Reset);
        }
        self.post_failure(&texts::errors::tess_error(self.language(), error)).await;
        Outcome::Failed(FailReason::Tess(error.failure()))
    }
}
