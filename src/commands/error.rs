//! Why an interaction was not handled.

use crate::discord::DiscordError;

/// Why an interaction was not handled.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The response could not be sent.
    #[error(transparent)]
    Discord(#[from] DiscordError),
    /// A field that the handler needs is missing or malformed.
    #[error("the interaction has no readable {0}")]
    Missing(&'static str),
    /// It could not be read what is asked for.
    #[error("the interaction could not be read")]
    Unreadable,
    /// No command of this version handles it.
    #[error("the interaction belongs to another version of the bot")]
    Unknown,
    /// The handler panicked.
    #[error("the handler panicked; this is a bug in the bot")]
    Panicked,
}
