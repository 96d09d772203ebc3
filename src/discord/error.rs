//! Why a request to Discord failed.

/// Discord's codes for a reply where the bot may not read the message history.
const NO_HISTORY: [u64; 2] = [160_002, 160_009];

/// Discord's code for a message that does not exist (any more).
pub(super) const UNKNOWN_MESSAGE: u64 = 10008;

/// Why a request to Discord failed, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscordError {
    /// 401: the token is wrong or was reset. Nothing is sent any more.
    #[error("Discord refused the bot's token")]
    Unauthorized,
    /// Another 4xx: Discord will refuse the same request again.
    #[error("Discord refused: {status}, code {code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Discord's own error code; 0 when the body had none.
        code: u64,
        /// Discord's explanation, which never repeats what was sent.
        message: String,
    },
    /// The message replied to does not exist (any more).
    #[error("the message replied to is gone")]
    UnknownReference,
    /// No certain answer within the time given.
    #[error("Discord did not answer for certain: {detail}")]
    Unavailable {
        /// The last cause.
        detail: String,
    },
}

impl DiscordError {
    /// Whether the bot may post in the channel, but not reply to a message there.
    #[must_use]
    pub(crate) fn forbids_replies(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if NO_HISTORY.contains(code))
    }

    /// Whether the bot may not post in the channel at all, rather than not post this one message.
    #[must_use]
    pub(crate) fn closes_channel(&self) -> bool {
        // Missing access, missing permissions, unknown channel, archived or locked thread, no direct messages to this user.
        const CLOSED: [u64; 7] = [50001, 50013, 10003, 50083, 160_005, 50007, 50278];
        matches!(self, Self::Refused { status, code, .. } if CLOSED.contains(code) || (*code == 0 && matches!(status, 403 | 404)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_permission_closes_the_channel_and_a_blocked_word_does_not() {
        let refused = |status, code| DiscordError::Refused { status, code, message: String::new() };
        assert!(refused(403, 50013).closes_channel());
        assert!(refused(404, 10003).closes_channel());
        assert!(!refused(400, 200_000).closes_channel());
        assert!(!DiscordError::Unavailable { detail: String::new() }.closes_channel());
    }
}
