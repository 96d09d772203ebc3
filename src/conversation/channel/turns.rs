//! How a channel's turns begin and end: what the driver reports, and what follows for messages and marks.

use std::mem;

use super::{
    Channel, Effect, Effects, Reply,
    batch::{Batch, LastTurn},
    phase::{Fate, Phase, Turn},
};
use crate::{
    ids::MessageId,
    state::before,
    telemetry::{CancelReason, FailReason, Outcome},
};

impl Channel {
    /// The turn to repeat, or all that is queued; otherwise the channel is idle.
    pub(super) fn on_take_batch(&mut self, effects: &mut Effects) {
        let upcoming = match mem::take(&mut self.phase) {
            // There is no driver that could ask.
            Phase::Idle => return,
            Phase::Preparing(upcoming) => Some(upcoming),
            Phase::Running(turn) => {
                self.abandon_turn(turn, effects);
                None
            }
            Phase::Ended { turn, repeat } => {
                self.abandon_turn(turn, effects);
                repeat
            }
        };
        let is_stopped = upcoming.as_ref().is_some_and(|upcoming| upcoming.is_stop_requested);
        let batch = match upcoming.and_then(|upcoming| upcoming.repeat) {
            Some(repeat) => {
                effects.push(Effect::Accept(repeat.messages.len()));
                *repeat
            }
            None => {
                let (messages, files) = self.queue.take();
                let Some(newest) = messages.last().copied() else { return };
                Batch::new(messages, newest, files)
            }
        };
        self.newest_asked = self.newest_asked.max(Some(batch.newest));
        self.phase = Phase::Running(Turn::new(&batch, self.retry_button.take()));
        effects.reply = Reply::Batch(batch, is_stopped);
    }

    pub(super) fn on_turn_ended(&mut self, batch: &Batch, outcome: Option<Outcome>, effects: &mut Effects) {
        let is_current = |turn: &Turn| turn.nonce_key == batch.nonce_key || turn.messages.contains(&batch.nonce_key);
        match mem::take(&mut self.phase) {
            Phase::Running(turn) if is_current(&turn) => {
                if turn.fate == Fate::Wanted && outcome.is_some() {
                    self.last_turn = Some(LastTurn::new(batch));
                }
                self.phase = Phase::Ended { turn, repeat: None };
                let answered = |id| batch.messages.iter().any(|queued| queued.message == id);
                self.settle_of_turn(answered, outcome, effects);
            }
            other => self.phase = other,
        }
    }

    pub(super) fn on_batch_panicked(&mut self, effects: &mut Effects) {
        self.phase = match mem::take(&mut self.phase) {
            Phase::Running(turn) => Phase::Ended { turn, repeat: None },
            // What was left to post after the turn panicked; the driver is still there.
            other => other,
        };
        self.settle_of_turn(|_| true, Some(Outcome::Failed(FailReason::Panic)), effects);
    }

    /// Nothing may stay without an outcome, and the next message must find a channel that can go on.
    pub(super) fn on_driver_lost(&mut self, effects: &mut Effects) {
        let outcome = Outcome::Failed(FailReason::Panic);
        self.settle_of_turn(|_| true, Some(outcome), effects);
        self.phase = Phase::Idle;
        let queued = self.queue.remove(|_| true);
        if let Some(newest) = queued.iter().max().copied() {
            effects.push(Effect::ReportPanic(queued.clone()));
            effects.settle(queued.clone(), outcome);
            effects.push(Effect::SettleLate(queued));
            self.advance_handled(newest, effects);
        }
    }

    pub(super) fn on_shutdown(&mut self, effects: &mut Effects) {
        let queued = self.queue.remove(|_| true);
        self.leave_for_next_start(&queued);
        effects.settle(queued, Outcome::Cancelled(CancelReason::Shutdown));
        self.phase.drop_repeat(|_| true);
    }

    /// A turn that ends with messages unsettled is a bug; they are settled all the same.
    fn abandon_turn(&mut self, turn: Turn, effects: &mut Effects) {
        self.phase = Phase::Ended { turn, repeat: None };
        self.settle_of_turn(|_| true, Some(Outcome::Failed(FailReason::Panic)), effects);
        self.phase = Phase::Idle;
    }

    /// Settles some of the turn's messages, and closes the turn with the last of them. `None`: they are left for the next start.
    pub(super) fn settle_of_turn(
        &mut self,
        is_settled: impl Fn(MessageId) -> bool,
        outcome: Option<Outcome>,
        effects: &mut Effects,
    ) {
        let Some(turn) = self.phase.turn_mut() else { return };
        let settled = turn.settle(is_settled);
        if outcome.is_none() && !settled.is_empty() {
            turn.fate = turn.fate.max(Fate::Interrupted);
        }
        let (closed, is_gone) = (turn.close(), turn.fate == Fate::ChannelGone);
        if outcome.is_none() {
            self.leave_for_next_start(&settled);
        } else if !settled.is_empty() && !is_gone {
            // By itself, because the rest of the batch may be left for the next start.
            effects.push(Effect::SettleLate(settled.clone()));
        }
        effects.settle(settled, outcome.unwrap_or(Outcome::Cancelled(CancelReason::Shutdown)));
        let Some(closed) = closed else { return };
        if matches!(closed.fate, Fate::Wanted | Fate::Reset) {
            self.advance_handled(closed.newest, effects);
        }
        if closed.fate != Fate::ChannelGone {
            effects.list.extend(closed.retry_button.map(Effect::RemoveRetryButton));
        }
    }

    fn leave_for_next_start(&mut self, messages: &[MessageId]) {
        let oldest = messages.iter().min().copied();
        self.left_for_next_start = self.left_for_next_start.into_iter().chain(oldest).min();
    }

    /// Moves the handled mark up to `newest`, or to just before the first message that has no outcome yet. During a catch-up
    /// it stays: what was missed comes before.
    pub(super) fn advance_handled(&self, newest: MessageId, effects: &mut Effects) {
        if self.is_catching_up() {
            return;
        }
        let unsettled = self.phase.turn().and_then(Turn::oldest_unsettled);
        let open = [self.queue.oldest(), unsettled, self.left_for_next_start].into_iter().flatten().min();
        effects.push(Effect::AdvanceHandled(open.map_or(newest, |open| before(open).min(newest))));
    }
}
