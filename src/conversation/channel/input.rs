//! What can happen to a channel.

use super::batch::{AttachedFile, Batch};
use crate::{
    conversation::control::Requester,
    history::Entry,
    ids::{MessageId, UserId},
    telemetry::Outcome,
};

/// What can happen to a channel.
#[derive(Debug)]
pub(in crate::conversation) enum Input<'a> {
    /// A person's message was posted, or was found by a catch-up.
    Message(NewMessage),
    /// The bot's own message was posted.
    OwnMessage(MessageId),
    /// A message was edited and now reads `text`.
    Edit { message: MessageId, text: &'a str },
    /// Messages were deleted.
    Deletion(&'a [MessageId]),
    /// Everything up to the mark is to be forgotten.
    Reset(MessageId),
    /// The channel was deleted, or hidden from the bot.
    Gone,
    /// Messages after `after` may have been missed and are being looked for.
    CatchUpBegan { after: MessageId },
    /// The catch-up is over; `newest`: the newest message that it read.
    CatchUpEnded { newest: Option<MessageId> },
    /// Some time has passed since the last such input.
    AgeOwnMessages,
    /// Somebody wants the turn stopped that runs; with `message`, only the one that answers it.
    Stop { message: Option<MessageId>, by: Requester },
    /// Somebody wants the last turn repeated; with `message`, only the one that answered it. `request` is unique to the request.
    Retry { message: Option<MessageId>, by: Requester, request: MessageId },
    /// The driver asks for the next batch.
    TakeBatch,
    /// Budgets refuse a part of the batch; the turn answers `kept`.
    Narrowed { kept: &'a Batch },
    /// The turn that answers `batch` is over; `None`: shutdown interrupted it.
    TurnEnded { batch: &'a Batch, outcome: Option<Outcome> },
    /// A message of the batch was refused by a budget; `None`: shutdown came before its author was told.
    Refused { message: MessageId, outcome: Option<Outcome> },
    /// The driver panicked while it worked on a batch.
    BatchPanicked,
    /// The driver is gone, because something outside of a batch panicked.
    DriverLost,
    /// The bot stops: no turn begins any more.
    Shutdown,
}

/// A person's message.
#[derive(Debug)]
pub(in crate::conversation) struct NewMessage {
    pub(in crate::conversation) id: MessageId,
    pub(in crate::conversation) author: UserId,
    pub(in crate::conversation) entry: Entry,
    /// Whether it is to be answered; otherwise it is context.
    pub(in crate::conversation) is_question: bool,
    pub(in crate::conversation) files: Vec<AttachedFile>,
}
