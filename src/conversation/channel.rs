//! One channel as a state machine: its history, what waits, and the turn that runs.
//!
//! Everything that is hard about *when* is decided here: messages that come during a turn, late, twice, edited while they
//! wait or deleted while they are asked; a reset in the middle; a catch-up that has not ended; a shutdown. [`Channel::handle`]
//! takes one [`Input`] and returns [`Effects`]; it knows no network, no task and no clock of its own. The driver performs the effects.
//!
//! # What holds for any order of inputs
//! - Each message that was accepted ([`Effect::Accept`]) is settled once ([`Effect::Settle`]).
//! - The handled mark ([`Effect::AdvanceHandled`]) never reaches a message that is not settled, or that was left for the
//!   next start.
//! - A channel that is gone is asked for nothing until somebody speaks in it again.
//!
//! `property.rs` tests these.

use std::mem;

use tokio::time::Instant;

use crate::{
    config::HistoryConfig,
    conversation::control::{Requester, RetryResult, StopResult},
    discord::model::Message,
    history::{Entry, History, Retention},
    ids::{GuildId, MessageId},
    telemetry::{CancelReason, Outcome, SkipReason},
};

pub(super) mod batch;
mod dedup;
mod effect;
mod input;
mod phase;
#[cfg(test)]
mod property;
mod queue;
#[cfg(test)]
mod tests;
mod turns;

use self::{
    batch::{LastTurn, Queued},
    dedup::SeenMessages,
    phase::{Fate, Phase, Turn, Upcoming},
    queue::Queue,
};
pub(super) use self::{
    effect::{Effect, Effects, Received, Reply},
    input::{Input, NewMessage},
};

/// Messages remembered by id, so that each is accepted once.
const SEEN_IDS: usize = 64;

/// The same during a catch-up: the messages that it finds are older than all that come meanwhile.
const SEEN_IDS_IN_CATCH_UP: usize = 2_000;

/// Memory of a channel besides what it points to: the map's entry with its key, and the driver's signals.
const OWN_BYTES: usize = mem::size_of::<Channel>() + 5 * mem::size_of::<u64>();

/// A channel that is in memory.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) history: History,
    /// Whether the history has what Discord knows from before.
    pub(super) is_rebuilt: bool,
    /// `None` for a direct message, where messages need no author's name.
    pub(super) guild: Option<GuildId>,
    /// Until when nothing is posted, because Discord refused the bot here.
    pub(super) closed_until: Option<Instant>,
    /// Whether Discord lets the bot reply to messages here, for which it must be able to read the history.
    pub(super) may_reply: bool,
    /// The message with the button that repeats the last turn.
    pub(super) retry_button: Option<MessageId>,
    seen: SeenMessages,
    queue: Queue,
    phase: Phase,
    /// The newest message that any turn has answered so far.
    newest_asked: Option<MessageId>,
    last_turn: Option<LastTurn>,
    /// What came after this message may have been missed; `None` unless a catch-up is under way.
    catch_up_after: Option<MessageId>,
    own_messages: OwnMessages,
    /// The lowest message that shutdown left without an answer, for the next start to find.
    left_for_next_start: Option<MessageId>,
    last_used: Instant,
}

/// The bot's newest messages in a channel. Whatever was posted before one of them was received before it, unless Discord
/// mixed up the order for a moment; so they move the handled mark only once they are some time old.
#[derive(Debug, Default)]
struct OwnMessages {
    newest: Option<MessageId>,
    /// The newest at the last [`Input::AgeOwnMessages`].
    aged: Option<MessageId>,
}

impl Channel {
    /// A channel in which everything up to `handled` was settled by an earlier process.
    pub(super) fn new(guild: Option<GuildId>, handled: Option<MessageId>, now: Instant) -> Self {
        Self {
            history: History::new(),
            is_rebuilt: false,
            guild,
            closed_until: None,
            may_reply: true,
            retry_button: None,
            seen: SeenMessages::new(handled),
            queue: Queue::default(),
            phase: Phase::Idle,
            newest_asked: None,
            last_turn: None,
            catch_up_after: None,
            own_messages: OwnMessages::default(),
            left_for_next_start: None,
            last_used: now,
        }
    }

    /// Handles one input. `now` only tells how long ago the channel was used.
    pub(super) fn handle(&mut self, input: Input<'_>, now: Instant) -> Effects {
        let mut effects = Effects::default();
        match input {
            Input::Message(message) => self.on_message(message, now, &mut effects),
            Input::OwnMessage(message) => self.own_messages.newest = self.own_messages.newest.max(Some(message)),
            Input::Edit { message, text } => {
                self.history.edit(message, text);
            }
            Input::Deletion(messages) => self.on_deletion(messages, &mut effects),
            Input::Reset(mark) => self.on_reset(mark, &mut effects),
            Input::Gone => self.on_gone(&mut effects),
            Input::CatchUpBegan { after } => {
                self.catch_up_after = Some(self.catch_up_after.map_or(after, |known| known.min(after)));
            }
            Input::CatchUpEnded { newest } => self.on_catch_up_ended(newest, &mut effects),
            Input::AgeOwnMessages => self.on_age_own_messages(&mut effects),
            Input::Stop { message, by } => effects.reply = Reply::Stop(self.on_stop(message, by, &mut effects.list)),
            Input::Retry { message, by, request } => {
                let result = self.on_retry(message, by, request, &mut effects);
                if result == RetryResult::Repeating {
                    self.last_used = now;
                }
                effects.reply = Reply::Retry(result);
            }
            Input::TakeBatch => self.on_take_batch(&mut effects),
            Input::Narrowed { kept } => {
                if let Phase::Running(turn) = &mut self.phase {
                    turn.newest = kept.newest;
                }
            }
            Input::TurnEnded { batch, outcome } => self.on_turn_ended(batch, outcome, &mut effects),
            Input::Refused { message, outcome } => self.settle_of_turn(|id| id == message, outcome, &mut effects),
            Input::BatchPanicked => self.on_batch_panicked(&mut effects),
            Input::DriverLost => self.on_driver_lost(&mut effects),
            Input::Shutdown => self.on_shutdown(&mut effects),
        }
        effects
    }

    fn on_message(&mut self, message: NewMessage, now: Instant, effects: &mut Effects) {
        let NewMessage { id, author, entry, is_question, files } = message;
        let limit = if self.is_catching_up() { SEEN_IDS_IN_CATCH_UP } else { SEEN_IDS };
        if !self.seen.insert(id, limit) {
            effects.reply = Reply::Received(Received::Duplicate);
            return;
        }
        self.last_used = now;
        self.history.insert(entry);
        if !is_question {
            effects.reply = Reply::Received(Received::Context);
            return;
        }
        effects.reply = Reply::Received(Received::Queued);
        effects.push(Effect::Accept(1));
        let queued = Queued { message: id, user: author };
        let skipped = self.queue.push(queued, files);
        if !skipped.is_empty() {
            // One that came late must not hold the handled mark back for ever.
            effects.push(Effect::SettleLate(skipped.clone()));
        }
        effects.settle(skipped, Outcome::Skipped(SkipReason::Overload));
        if self.newest_asked.is_some_and(|newest| id < newest) {
            effects.push(Effect::RecordLate(id));
        }
        // Missed messages that the catch-up will find come before this one.
        let oldest_unknown = self.catch_up_after.map(|after| MessageId::new(after.get() + 1));
        effects.push(Effect::RecordActive(oldest_unknown.unwrap_or(id)));
        if matches!(self.phase, Phase::Idle) {
            self.phase = Phase::Preparing(Upcoming::for_message(queued));
            effects.push(Effect::StartDriver);
        }
    }

    fn on_deletion(&mut self, messages: &[MessageId], effects: &mut Effects) {
        for message in messages {
            self.history.remove(*message);
        }
        effects.settle(
            self.queue.remove(|message| messages.contains(&message)),
            Outcome::Cancelled(CancelReason::Deleted),
        );
    }

    fn on_reset(&mut self, mark: MessageId, effects: &mut Effects) {
        self.history.clear_up_to(mark);
        self.seen.raise_floor(mark);
        self.phase.drop_repeat(|newest| newest <= mark);
        self.cancel_turn(Fate::Reset, |turn| turn.newest <= mark, effects);
        self.last_turn.take_if(|last| last.newest <= mark);
        effects.settle(self.queue.remove(|message| message <= mark), Outcome::Cancelled(CancelReason::Reset));
        if self.last_turn.is_none() {
            effects.list.extend(self.retry_button.take().map(Effect::RemoveRetryButton));
        }
    }

    fn on_gone(&mut self, effects: &mut Effects) {
        self.history = History::new();
        (self.is_rebuilt, self.closed_until, self.may_reply) = (false, None, true);
        (self.last_turn, self.retry_button, self.own_messages) = (None, None, OwnMessages::default());
        self.phase.drop_repeat(|_| true);
        self.cancel_turn(Fate::ChannelGone, |_| true, effects);
        self.end_catch_up(effects);
        effects.settle(self.queue.remove(|_| true), Outcome::Cancelled(CancelReason::ChannelGone));
    }

    /// The turn's answer is not wanted any more, if `is_meant`.
    fn cancel_turn(&mut self, fate: Fate, is_meant: impl Fn(&Turn) -> bool, effects: &mut Effects) {
        let is_running = matches!(self.phase, Phase::Running(_));
        if let Some(turn) = self.phase.turn_mut().filter(|turn| is_meant(turn)) {
            turn.fate = turn.fate.max(fate);
            if is_running {
                effects.push(Effect::CancelTurn);
            }
        }
    }

    fn on_catch_up_ended(&mut self, newest: Option<MessageId>, effects: &mut Effects) {
        let was_catching_up = self.end_catch_up(effects);
        if let Some(newest) = newest.filter(|_| was_catching_up && self.is_idle()) {
            self.advance_handled(newest, effects);
        }
    }

    /// Whether one was under way.
    fn end_catch_up(&mut self, effects: &mut Effects) -> bool {
        let was_catching_up = self.catch_up_after.take().is_some();
        if was_catching_up {
            effects.push(Effect::ResumeTurns);
        }
        was_catching_up
    }

    /// Where nothing waits, the mark follows the bot's own messages: the next start then knows, without asking, that
    /// nothing is new after them.
    fn on_age_own_messages(&mut self, effects: &mut Effects) {
        let aged = mem::replace(&mut self.own_messages.aged, self.own_messages.newest.take());
        if let Some(aged) = aged.filter(|_| self.is_idle()) {
            self.advance_handled(aged, effects);
        }
    }

    fn on_stop(&mut self, message: Option<MessageId>, by: Requester, effects: &mut Vec<Effect>) -> StopResult {
        let is_meant = |newest: MessageId| message.is_none_or(|message| message == newest);
        if let Some(upcoming) = self.phase.upcoming_mut().filter(|upcoming| is_meant(upcoming.newest)) {
            let may_stop = by.may_control(&upcoming.requesters);
            upcoming.is_stop_requested |= may_stop;
            return if may_stop { StopResult::Stopping } else { StopResult::NotAllowed };
        }
        match &self.phase {
            Phase::Running(turn) if turn.fate == Fate::Wanted && is_meant(turn.newest) => {
                if !by.may_control(&turn.requesters) {
                    return StopResult::NotAllowed;
                }
                effects.push(Effect::StopTurn);
                StopResult::Stopping
            }
            _ => StopResult::NothingRuns,
        }
    }

    fn on_retry(
        &mut self,
        message: Option<MessageId>,
        by: Requester,
        request: MessageId,
        effects: &mut Effects,
    ) -> RetryResult {
        let is_meant = |last: &&LastTurn| message.is_none_or(|message| message == last.newest);
        let Some(last) = self.last_turn.as_ref().filter(is_meant) else { return RetryResult::NothingToRepeat };
        if !by.may_control(&last.requesters) {
            return RetryResult::NotAllowed;
        }
        if last.nonce_key == request {
            return RetryResult::NothingToRepeat;
        }
        if matches!(self.phase, Phase::Running(_)) || self.phase.upcoming().is_some() {
            return RetryResult::Busy;
        }
        if !self.history.contains(last.newest) {
            return RetryResult::NothingToRepeat;
        }
        let upcoming = Upcoming::repeat(last.repeat(by.user, request));
        match &mut self.phase {
            Phase::Ended { repeat, .. } => *repeat = Some(upcoming),
            phase => {
                *phase = Phase::Preparing(upcoming);
                effects.push(Effect::StartDriver);
            }
        }
        RetryResult::Repeating
    }

    /// Adds what Discord has from before to the history, once. `retry_button`: the newest message that has one.
    pub(super) fn rebuild(&mut self, entries: Vec<Entry>, retry_button: Option<MessageId>) {
        self.retry_button = self.retry_button.or(retry_button);
        for entry in entries {
            self.history.insert(entry);
        }
        self.is_rebuilt = true;
    }

    /// Adds the answer to `newest` to the history, in place of one that it replaces. `parts`: the messages that it was posted as.
    pub(super) fn record_answer(&mut self, newest: MessageId, parts: &[MessageId], text: &str) {
        self.history.record_answer(parts, newest, text);
    }

    /// Drops the oldest messages of the history beyond the limits: context first, and never what a turn will reply to.
    pub(super) fn trim(&mut self, limits: &HistoryConfig) {
        if self.history.len() <= limits.messages && self.history.chars() <= limits.chars {
            return;
        }
        let Self { history, queue, phase, .. } = self;
        let replied_to =
            [phase.turn().map(|turn| turn.newest), phase.upcoming().map(|upcoming| upcoming.newest), queue.newest()];
        let asked = phase.turn().map_or(&[][..], |turn| &turn.messages);
        history.trim(limits, |id| match id {
            id if replied_to.contains(&Some(id)) => Retention::ReplyTarget,
            id if asked.contains(&id) || queue.contains(id) => Retention::Queued,
            _ => Retention::Context,
        });
    }

    /// The message that `message` replies to, if the agent would not see it otherwise.
    pub(super) fn quote<'m>(&self, message: &'m Message) -> Option<&'m Message> {
        message.referenced_message.as_deref().filter(|quoted| !self.history.contains(quoted.id))
    }

    /// The oldest message that waits for a turn.
    pub(super) fn oldest_queued(&self) -> Option<MessageId> {
        self.queue.oldest()
    }

    /// Where the catch-up that is under way begins.
    pub(super) fn catch_up_after(&self) -> Option<MessageId> {
        self.catch_up_after
    }

    /// Whether missed messages are being looked for; the channel's turns wait for them.
    pub(super) fn is_catching_up(&self) -> bool {
        self.catch_up_after.is_some()
    }

    /// Whether [`Input::AgeOwnMessages`] would change anything.
    pub(super) fn has_own_messages(&self) -> bool {
        self.own_messages.newest.or(self.own_messages.aged).is_some()
    }

    /// Whether nothing is posted here for now.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.closed_until.is_some_and(|until| now < until)
    }

    /// Whether no turn runs and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle) && self.queue.is_empty()
    }

    /// Whether nothing is lost with it that Discord does not know.
    pub(super) fn may_be_evicted(&self) -> bool {
        self.is_idle() && !self.is_catching_up() && self.left_for_next_start.is_none()
    }

    /// Whether it holds nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.may_be_evicted() && self.history.is_empty() && !self.is_rebuilt && self.closed_until.is_none()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.last_used
    }

    /// Memory that it takes, without what the allocator adds.
    pub(super) fn bytes(&self) -> usize {
        let last_turn = self.last_turn.as_ref().map_or(0, LastTurn::bytes);
        OWN_BYTES + last_turn + self.history.heap_bytes() + self.queue.bytes() + self.seen.bytes()
    }
}
