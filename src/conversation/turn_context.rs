//! What every step of a turn works with.

use tokio::time::Instant;

use crate::{
    config::{Config, Language},
    conversation::{
        channel::{Channel, batch::Batch},
        channels::TurnSignals,
        shared::{Services, Shared},
    },
    ids::{AgentId, ChannelId},
};

/// One turn in one channel.
#[derive(Clone, Copy)]
pub(super) struct TurnContext<'a> {
    pub(super) shared: &'a Shared,
    pub(super) channel: ChannelId,
    pub(super) batch: &'a Batch,
    pub(super) signals: &'a TurnSignals,
}

impl<'a> TurnContext<'a> {
    /// The same turn, with only a part of its batch.
    pub(super) fn with_batch(self, batch: &'a Batch) -> Self {
        Self { batch, ..self }
    }

    pub(super) fn services(&self) -> &'a Services {
        &self.shared.services
    }

    pub(super) fn config(&self) -> &'a Config {
        &self.shared.services.config
    }

    /// The language of what the whole channel reads.
    pub(super) fn language(&self) -> Language {
        self.config().reply.language
    }

    /// Whether the answer is not wanted any more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.signals.cancelled.is_cancelled()
    }

    /// Whether Discord refused the bot here a while ago.
    pub(super) fn is_channel_closed(&self) -> bool {
        self.shared.channels.get(self.channel).is_some_and(|channel| channel.is_closed(Instant::now()))
    }

    /// Changes the channel.
    pub(super) fn update(&self, change: impl FnOnce(&mut Channel)) {
        self.shared.channels.update(self.channel, |slot| change(&mut slot.channel));
    }

    /// Posts nothing in the channel for a while.
    pub(super) fn close_channel(&self) {
        let until = Instant::now() + self.config().timings.refused_channel_pause;
        self.update(|channel| channel.closed_until = Some(until));
    }

    /// Charges the requester for an execution, or for reading a file.
    pub(super) fn charge(&self, agent: AgentId, credits: f64) {
        let guild = self.shared.channels.get(self.channel).and_then(|channel| channel.guild);
        self.shared.spending.charge(guild, self.channel, self.batch.requester, agent, credits);
    }
}
