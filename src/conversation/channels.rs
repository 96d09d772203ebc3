//! The channels in memory: the one door through which they change, and their eviction.

use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, mapref::one::Ref};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    config::HistoryConfig,
    conversation::channel::{Channel, Effect, Effects, Input},
    ids::{ChannelId, GuildId, MessageId},
    telemetry::Metrics,
};

/// Shards of a map. One thread uses it, so nobody waits for a lock: two is the least a map can have, and its size is asked for
/// at each change.
pub(super) const MAP_SHARDS: usize = 2;

/// What is freed when all histories together are over their limit, in per cent of the limit, so that it is not done for each message.
const EVICTION_PERCENT: usize = 10;

/// All channels that are in memory.
pub(super) struct Channels {
    map: DashMap<ChannelId, Slot>,
    /// Memory of all of them together.
    bytes: AtomicUsize,
    limits: HistoryConfig,
    metrics: Metrics,
}

/// A channel with the signals to its driver. An idle channel has none, because they take memory.
pub(super) struct Slot {
    pub(super) channel: Channel,
    turn: Option<TurnSignals>,
    /// Cancelled when the catch-up is over that the channel's turns wait for.
    caught_up: Option<CancellationToken>,
}

/// How a running turn is ended from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct TurnSignals {
    /// Its answer is not wanted any more: the history was reset, or the channel is gone.
    pub(super) cancelled: CancellationToken,
    /// Somebody stopped it.
    pub(super) stopped: CancellationToken,
}

impl Slot {
    fn new(channel: Channel) -> Self {
        Self { channel, turn: None, caught_up: None }
    }

    /// Handles an input and gives the driver its signals; the other effects are the caller's.
    pub(super) fn handle(&mut self, input: Input<'_>) -> Effects {
        let effects = self.channel.handle(input, Instant::now());
        for effect in &effects.list {
            match (effect, &self.turn) {
                (Effect::CancelTurn, Some(turn)) => turn.cancelled.cancel(),
                (Effect::StopTurn, Some(turn)) => turn.stopped.cancel(),
                (Effect::ResumeTurns, _) => drop(self.caught_up.take().inspect(CancellationToken::cancel)),
                _ => {}
            }
        }
        if self.channel.is_idle() {
            self.turn = None;
        }
        effects
    }

    /// Signals for a turn that begins.
    pub(super) fn begin_turn(&mut self, is_stopped: bool) -> TurnSignals {
        let turn = TurnSignals::default();
        if is_stopped {
            turn.stopped.cancel();
        }
        self.turn.insert(turn).clone()
    }

    /// What to wait for before the next turn; `None` when no catch-up is under way.
    pub(super) fn caught_up(&mut self) -> Option<CancellationToken> {
        self.channel.is_catching_up().then(|| self.caught_up.get_or_insert_default().clone())
    }
}

impl Channels {
    pub(super) fn new(limits: HistoryConfig, metrics: Metrics) -> Self {
        Self { map: DashMap::with_shard_amount(MAP_SHARDS), bytes: AtomicUsize::new(0), limits, metrics }
    }

    /// Looks at a channel, if it is in memory.
    pub(super) fn get(&self, id: ChannelId) -> Option<impl std::ops::Deref<Target = Channel> + '_> {
        self.map.get(&id).map(ChannelRef)
    }

    /// Makes sure that a channel is in memory; `handled` tells its handled mark.
    pub(super) fn ensure(&self, id: ChannelId, guild: Option<GuildId>, handled: impl FnOnce() -> Option<MessageId>) {
        self.map.entry(id).or_insert_with(|| {
            let channel = Channel::new(guild, handled(), Instant::now());
            self.bytes.fetch_add(channel.bytes(), Ordering::Relaxed);
            Slot::new(channel)
        });
    }

    /// Changes a channel, if it is in memory; afterwards its history is within its limits, and so are all together.
    pub(super) fn update<T>(&self, id: ChannelId, change: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let mut slot = self.map.get_mut(&id)?;
        let before = slot.channel.bytes();
        let result = change(&mut slot);
        slot.channel.trim(&self.limits);
        let after = slot.channel.bytes();
        drop(slot);
        // Wrapping: a difference, whichever way it goes.
        self.bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        if after > before && self.bytes.load(Ordering::Relaxed) > self.limits.total_bytes {
            self.evict();
        }
        self.show_size();
        Some(result)
    }

    /// Drops a channel that holds nothing.
    pub(super) fn remove_if_empty(&self, id: ChannelId) {
        self.remove_if(id, Channel::is_empty);
        self.show_size();
    }

    /// Channels that `is_wanted` selects.
    pub(super) fn ids(&self, is_wanted: impl Fn(&Channel) -> bool) -> Vec<ChannelId> {
        self.map.iter().filter(|slot| is_wanted(&slot.channel)).map(|slot| *slot.key()).collect()
    }

    /// Drops the histories of the channels that were silent longest. Discord still has them.
    fn evict(&self) {
        let total = self.bytes.load(Ordering::Relaxed);
        let candidates = self.map.iter().filter(|slot| slot.channel.may_be_evicted());
        let mut candidates: Vec<_> = candidates.map(|slot| (slot.channel.last_used(), *slot.key())).collect();
        candidates.sort_unstable();
        let mut excess = total.saturating_sub(self.limits.total_bytes * (100 - EVICTION_PERCENT) / 100);
        let mut evicted = 0;
        for (_, id) in candidates {
            if excess == 0 {
                break;
            }
            if let Some(bytes) = self.remove_if(id, Channel::may_be_evicted) {
                excess = excess.saturating_sub(bytes);
                evicted += 1;
            }
        }
        self.metrics.histories_evicted(evicted);
    }

    /// Drops a channel; the bytes that it took.
    fn remove_if(&self, id: ChannelId, is_removed: impl Fn(&Channel) -> bool) -> Option<usize> {
        let (_, slot) = self.map.remove_if(&id, |_, slot| is_removed(&slot.channel))?;
        let bytes = slot.channel.bytes();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(bytes)
    }

    fn show_size(&self) {
        self.metrics.set_histories(self.bytes.load(Ordering::Relaxed), self.map.len());
    }
}

/// Read access to a channel; its map is locked until this is dropped.
struct ChannelRef<'a>(Ref<'a, ChannelId, Slot>);

impl std::ops::Deref for ChannelRef<'_> {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.0.channel
    }
}
