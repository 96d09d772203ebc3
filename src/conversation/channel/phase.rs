//! What a channel's driver is doing. The driver is the task that runs the channel's turns one after the other; it
//! exists in every phase but [`Phase::Idle`].

use super::batch::{Batch, Queued};
use crate::ids::{MessageId, UserId};

/// The phase of a channel.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// There is no driver.
    #[default]
    Idle,
    /// The driver gets the channel ready (catch-up, rebuild) and has not taken a batch yet.
    Preparing(Upcoming),
    /// The driver runs a turn.
    Running(Turn),
    /// The turn is over. The driver posts what is left to post and then takes the next batch.
    Ended { turn: Turn, repeat: Option<Upcoming> },
}

/// The turn that comes next, as far as it is known before its batch is taken.
#[derive(Debug)]
pub(super) struct Upcoming {
    /// The message that it was started for.
    pub(super) newest: MessageId,
    pub(super) requesters: Vec<UserId>,
    pub(super) is_stop_requested: bool,
    /// The turn to repeat; otherwise it takes what is queued. Boxed, because every channel has room for a phase.
    pub(super) repeat: Option<Box<Batch>>,
}

impl Upcoming {
    /// A turn for what is queued.
    pub(super) fn for_message(queued: Queued) -> Self {
        let Queued { message: newest, user } = queued;
        Self { newest, requesters: vec![user], is_stop_requested: false, repeat: None }
    }

    pub(super) fn repeat(batch: Batch) -> Self {
        let (newest, requesters) = (batch.newest, batch.requesters.clone());
        Self { newest, requesters, is_stop_requested: false, repeat: Some(Box::new(batch)) }
    }
}

/// A turn, from the moment its batch was taken.
#[derive(Debug)]
pub(super) struct Turn {
    /// The newest message that it answers.
    pub(super) newest: MessageId,
    pub(super) requesters: Vec<UserId>,
    pub(super) nonce_key: MessageId,
    /// The messages of the batch as it was taken, in ascending order.
    pub(super) messages: Vec<MessageId>,
    /// Those that have no outcome yet.
    unsettled: Vec<MessageId>,
    /// The retry button of the turn before, to be removed when this one is over.
    retry_button: Option<MessageId>,
    pub(super) fate: Fate,
}

/// What happened to a turn from outside; a later one outranks those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Nothing.
    Wanted,
    /// A reset forgot what it answers.
    Reset,
    /// Some of its messages are left for the next start.
    Interrupted,
    /// Its channel is gone: nothing is asked of the channel any more.
    ChannelGone,
}

impl Turn {
    pub(super) fn new(batch: &Batch, retry_button: Option<MessageId>) -> Self {
        let messages = batch.ids();
        Self {
            newest: batch.newest,
            requesters: batch.requesters.clone(),
            nonce_key: batch.nonce_key,
            unsettled: messages.clone(),
            messages,
            retry_button,
            fate: Fate::Wanted,
        }
    }

    /// Settles those of some messages that are not settled yet; returns them.
    pub(super) fn settle(&mut self, settled: impl Fn(MessageId) -> bool) -> Vec<MessageId> {
        self.unsettled.extract_if(.., |message| settled(*message)).collect()
    }

    /// The lowest id without an outcome.
    pub(super) fn oldest_unsettled(&self) -> Option<MessageId> {
        self.unsettled.first().copied()
    }

    /// Closes a turn whose messages are all settled; `None` while they are not, or when it was closed before.
    pub(super) fn close(&mut self) -> Option<ClosedTurn> {
        let newest = self.messages.last().copied().filter(|_| self.unsettled.is_empty())?;
        self.messages = Vec::new();
        Some(ClosedTurn { newest, retry_button: self.retry_button.take(), fate: self.fate })
    }
}

/// A turn whose messages are all settled.
pub(super) struct ClosedTurn {
    /// The newest message of the batch as it was taken.
    pub(super) newest: MessageId,
    pub(super) retry_button: Option<MessageId>,
    pub(super) fate: Fate,
}

impl Phase {
    /// The turn that runs or has just ended.
    pub(super) fn turn(&self) -> Option<&Turn> {
        match self {
            Self::Running(turn) | Self::Ended { turn, .. } => Some(turn),
            Self::Idle | Self::Preparing(_) => None,
        }
    }

    pub(super) fn turn_mut(&mut self) -> Option<&mut Turn> {
        match self {
            Self::Running(turn) | Self::Ended { turn, .. } => Some(turn),
            Self::Idle | Self::Preparing(_) => None,
        }
    }

    /// The turn that comes next, if it is known.
    pub(super) fn upcoming_mut(&mut self) -> Option<&mut Upcoming> {
        match self {
            Self::Preparing(upcoming) | Self::Ended { repeat: Some(upcoming), .. } => Some(upcoming),
            Self::Idle | Self::Running(_) | Self::Ended { repeat: None, .. } => None,
        }
    }

    /// The turn that comes next, if it is known.
    pub(super) fn upcoming(&self) -> Option<&Upcoming> {
        match self {
            Self::Preparing(upcoming) | Self::Ended { repeat: Some(upcoming), .. } => Some(upcoming),
            Self::Idle | Self::Running(_) | Self::Ended { repeat: None, .. } => None,
        }
    }

    /// Takes a turn that is to be repeated out of the plan, if `is_void`: what it answered is forgotten.
    pub(super) fn drop_repeat(&mut self, is_void: impl Fn(MessageId) -> bool) {
        match self {
            Self::Ended { repeat, .. } => {
                repeat.take_if(|upcoming| is_void(upcoming.newest));
            }
            Self::Preparing(upcoming) => {
                upcoming.repeat.take_if(|batch| is_void(batch.newest));
            }
            Self::Idle | Self::Running(_) => {}
        }
    }
}
