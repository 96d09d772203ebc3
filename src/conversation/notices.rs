//! What is posted beside an answer: that it takes long, what could not be read, what a budget refused.

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    conversation::{control, spending::Refused, turn_context::TurnContext},
    discord::{Nonce, Post},
    reply::texts::{self, files::UnreadFile},
    telemetry::Outcome,
};

/// What is posted after an answer. Before it, a restart would take it for the answer.
#[derive(Default)]
pub(super) struct Notices {
    /// Files that did not reach the agent.
    pub(super) unread: Vec<UnreadFile>,
    /// That the channel's agent is gone.
    pub(super) vanished_agent: Option<String>,
}

impl Notices {
    pub(super) async fn post(&self, turn: &TurnContext<'_>) {
        if let Some(vanished) = &self.vanished_agent {
            turn.post_notice(vanished, 'v').await;
        }
        if !self.unread.is_empty() {
            turn.post_notice(&texts::files::not_read(turn.language(), &self.unread), 'u').await;
        }
    }
}

impl TurnContext<'_> {
    /// Posts a notice; `kind` tells its nonce from those of the turn's other notices.
    async fn post_notice(&self, text: &str, kind: char) {
        if !self.is_cancelled() && !self.is_channel_closed() {
            self.post_text(&self.batch.messages, text, Nonce::note(self.batch.nonce_key, kind), &[]).await;
        }
    }

    /// After a while without an answer, posts that it takes longer; deletes that once something of the answer is `visible`.
    /// A notice that is left by a kill is deleted by the next start.
    pub(super) async fn notify_of_delay(&self, visible: &CancellationToken) {
        let after = self.config().reply.notice_after;
        if after.is_zero() || visible.run_until_cancelled(sleep(after)).await.is_none() {
            return;
        }
        let ahead = self.services().tess.queued_executions();
        let interval = self.config().tess.request_interval;
        let wait = interval.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
        let post = Post {
            content: &texts::turns::progress(self.language(), ahead, wait),
            reply_to: Some(self.batch.newest),
            nonce: Nonce::note(self.batch.nonce_key, 'w'),
            file: None,
            silent: true,
            buttons: &[control::stop_button(self.language(), self.batch.newest)],
        };
        // Once begun it is finished, so that its id is known and it can be deleted.
        let Ok(Some(notice)) = self.services().discord.post(self.channel, &post).await else { return };
        visible.cancelled().await;
        if let Err(error) = self.services().discord.delete(self.channel, notice).await {
            warn!(%error, "notice of delay not deleted");
        }
    }

    /// Tells the author of a message that a budget refuses it, once for each budget. `None`: shutdown came before that.
    pub(super) async fn post_refusal(&self, refused: &Refused) -> Option<Outcome> {
        let Refused { queued, refusal } = refused;
        let outcome = Outcome::Skipped(refusal.reached.reason());
        if refusal.is_new {
            let [_, reason] = outcome.labels();
            info!(reason, message.id = %queued.message, "message refused by a budget");
            if !self.is_cancelled() && !self.is_channel_closed() {
                let nonce = Nonce::part(self.batch.request_for(queued.message), 0);
                let text = refused.text(self.language());
                let posting = self.post_text(std::slice::from_ref(queued), &text, nonce, &[]);
                self.shared.tasks.aborted.run_until_cancelled(posting).await?;
            }
        }
        Some(outcome)
    }
}
