//! What follows from an input.

use super::batch::Batch;
use crate::{
    conversation::control::{RetryResult, StopResult},
    ids::MessageId,
    telemetry::Outcome,
};

/// What the driver has to do, in this order.
#[derive(Debug)]
pub(in crate::conversation) enum Effect {
    /// So many messages were accepted to be answered.
    Accept(usize),
    /// Messages came to an end.
    Settle(Vec<MessageId>, Outcome),
    /// Start a driver for the channel.
    StartDriver,
    /// The running turn's answer is not wanted any more: end it without a word.
    CancelTurn,
    /// Somebody stopped the running turn: end it and say so.
    StopTurn,
    /// The catch-up that turns wait for is over.
    ResumeTurns,
    /// Record that the bot is active in the channel, with the handled mark just before this message if there is none.
    RecordActive(MessageId),
    /// Record a message that came after a turn for a later one had begun: the reply to that one looks as if it answered both.
    RecordLate(MessageId),
    /// These messages are settled, so that they count as late no more.
    SettleLate(Vec<MessageId>),
    /// Move the handled mark up to this message.
    AdvanceHandled(MessageId),
    /// Remove the retry button from a message.
    RemoveRetryButton(MessageId),
    /// Tell the authors of these messages that the bot has a fault.
    ReportPanic(Vec<MessageId>),
}

/// The result of an input, returned to its sender.
#[derive(Debug, Default)]
pub(in crate::conversation) enum Reply {
    #[default]
    None,
    Received(Received),
    Stop(StopResult),
    Retry(RetryResult),
    /// The next batch, and whether somebody has stopped its turn already.
    Batch(Batch, IsStopped),
}

/// Whether a turn was stopped before it began.
pub(in crate::conversation) type IsStopped = bool;

/// What became of a message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::conversation) enum Received {
    /// It was received before.
    Duplicate,
    /// It is part of the history and is not answered itself.
    Context,
    /// It waits for a turn.
    Queued,
}

/// What follows from an input.
#[derive(Debug, Default)]
pub(in crate::conversation) struct Effects {
    pub(in crate::conversation) reply: Reply,
    pub(in crate::conversation) list: Vec<Effect>,
}

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    pub(super) fn settle(&mut self, messages: Vec<MessageId>, outcome: Outcome) {
        if !messages.is_empty() {
            self.list.push(Effect::Settle(messages, outcome));
        }
    }
}
