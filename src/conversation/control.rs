//! Stopping a turn and repeating one: who may, what came of it, and the buttons for it.

use crate::{
    config::Language,
    discord::button::Button,
    ids::{MessageId, UserId},
    reply::texts,
};

/// Prefix of the custom id of a button that stops the turn whose newest message's id follows. A message of the bot that has
/// such a button is not finished: by it the next start recognises what a kill left behind.
pub(crate) const STOP: &str = "stop:";

/// Prefix of the custom id of a button that repeats the turn whose newest message's id follows.
pub(crate) const RETRY: &str = "retry:";

/// Who wants a turn stopped or repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requester {
    /// The user.
    pub user: UserId,
    /// Whether they may manage the messages of the channel.
    pub is_moderator: bool,
}

impl Requester {
    /// Whether they may stop or repeat a turn that answers these users.
    pub(super) fn may_control(self, requesters: &[UserId]) -> bool {
        self.is_moderator || requesters.contains(&self.user)
    }
}

/// What came of a request to stop a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopResult {
    /// The turn ends and says so, unless its answer is being posted already.
    Stopping,
    /// It answers others.
    NotAllowed,
    /// No such turn runs.
    NothingRuns,
}

/// What came of a request to repeat a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryResult {
    /// It runs again.
    Repeating,
    /// It answered others.
    NotAllowed,
    /// It is not the last one, or it is forgotten.
    NothingToRepeat,
    /// A turn runs in the channel.
    Busy,
}

/// The button that stops the turn whose newest message this is.
pub(super) fn stop_button(language: Language, newest: MessageId) -> Button {
    Button { id: format!("{STOP}{newest}"), label: texts::turns::stop_label(language) }
}

/// The button that repeats the turn whose newest message this is.
pub(super) fn retry_button(language: Language, newest: MessageId) -> Button {
    Button { id: format!("{RETRY}{newest}"), label: texts::turns::retry_label(language) }
}
