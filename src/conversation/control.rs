//! People stop the turn that runs, and let the last one come again.

use std::sync::Arc;

use tracing::info;

use crate::{
    config::Language,
    conversation::{Conversations, turn},
    discord::button::Button,
    ids::{ChannelId, MessageId, UserId},
    reply::texts,
};

/// Begins the id of a button that stops the turn whose newest message's id follows. A message of the bot that has such a
/// button is not finished: that is how the next start knows it, whatever ended the one before.
pub const STOP: &str = "stop:";

/// Begins the id of a button that repeats the turn whose newest message's id follows.
pub const RETRY: &str = "retry:";

/// Who wants a turn stopped or repeated.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The user.
    pub user: UserId,
    /// Whether they may manage the messages of the channel.
    pub moderates: bool,
}

impl Person {
    /// Whether a turn that answers these people is theirs to decide about.
    pub(super) fn may_decide(self, askers: &[UserId]) -> bool {
        self.moderates || askers.contains(&self.user)
    }
}

/// What became of the wish to stop a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// The turn ends, and says so, unless its answer is being posted already.
    Begun,
    /// Others asked.
    NotAllowed,
    /// No such turn runs.
    Nothing,
}

/// What became of the wish to repeat a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeating {
    /// It runs again.
    Begun,
    /// Others asked.
    NotAllowed,
    /// It is not the last one, or is forgotten.
    Nothing,
    /// A turn runs in the channel.
    Busy,
}

impl Conversations {
    /// Stops the turn that runs in a channel; when `message` is given, only if that is the newest one it answers.
    #[must_use]
    pub fn stop(&self, channel: ChannelId, message: Option<MessageId>, by: Person) -> Stopping {
        let stopping = self.inner.channels.get(&channel).map_or(Stopping::Nothing, |channel| channel.stop(message, by));
        if stopping == Stopping::Begun {
            info!(channel.id = %channel, user.id = %by.user, "stopping a turn");
        }
        stopping
    }

    /// Lets the last turn of a channel come again; its new answer takes the old one's place in the history. When `message` is
    /// given, only if that is the newest one it answered. `request`: the id of what asked for it, which no other request has.
    #[must_use]
    pub fn retry(&self, channel: ChannelId, message: Option<MessageId>, by: Person, request: MessageId) -> Repeating {
        let inner = &self.inner;
        if inner.stopping.is_cancelled() {
            return Repeating::Nothing;
        }
        let retried = inner.change(channel, |channel| (channel.is_run(), channel.retry(message, by, request)));
        let (is_run, repeating) = retried.unwrap_or((false, Repeating::Nothing));
        if repeating == Repeating::Begun {
            info!(channel.id = %channel, user.id = %by.user, "repeating a turn");
            if !is_run {
                inner.turns.spawn(turn::run(Arc::clone(inner), channel));
            }
        }
        repeating
    }
}

/// Stops the turn whose newest message this is.
pub(super) fn stop_button(language: Language, newest: MessageId) -> Button {
    Button { id: format!("{STOP}{newest}"), label: texts::turns::stop_label(language) }
}

/// Repeats the turn whose newest message this is.
pub(super) fn retry_button(language: Language, newest: MessageId) -> Button {
    Button { id: format!("{RETRY}{newest}"), label: texts::turns::retry_label(language) }
}
