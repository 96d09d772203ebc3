//! When a request is tried again.

use std::time::Duration;

use tokio::time::Instant;

/// Tries of a request that is safe to repeat and that a person waits for.
pub(super) const READ_TRIES: u32 = 4;

/// How long a request that is tried a few times may wait for rate limits: a person waits for what it reads.
const LIMITED_WAIT: Duration = Duration::from_secs(10);

/// Limit of one try of a request that has to be done within seconds, so that there is time for another.
const HURRIED_REQUEST: Duration = Duration::from_secs(1);

/// When a request is tried again.
#[derive(Clone, Copy)]
pub(super) enum RetryPolicy {
    /// Never; it does not even wait for a rate limit.
    Once,
    /// After any failure, up to so many tries.
    Tries(u32),
    /// After any failure, until then.
    Until(Instant),
    /// After any failure, until then; no try may take long.
    HurriedUntil(Instant),
    /// Until then, and only while it is certain that Discord did not act on it.
    IfNotDone(Instant),
}

impl RetryPolicy {
    /// Whether `tried` tries are all there are.
    pub(super) fn is_over(self, tried: u32) -> bool {
        match self {
            Self::Once => true,
            Self::Tries(most) => tried >= most,
            Self::Until(end) | Self::HurriedUntil(end) | Self::IfNotDone(end) => Instant::now() >= end,
        }
    }

    /// Whether it may be sent again although Discord may have acted on it.
    pub(super) fn repeats_uncertain(self) -> bool {
        !matches!(self, Self::Once | Self::IfNotDone(_))
    }

    /// Until when it waits for a rate limit.
    pub(super) fn wait_end(self) -> Instant {
        match self {
            Self::Once => Instant::now(),
            Self::Tries(_) => Instant::now() + LIMITED_WAIT,
            Self::Until(end) | Self::HurriedUntil(end) | Self::IfNotDone(end) => end,
        }
    }

    pub(super) fn request_limit(self, usual: Duration) -> Duration {
        match self {
            Self::HurriedUntil(_) => usual.min(HURRIED_REQUEST),
            _ => usual,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_repeated_only_where_that_is_harmless() {
        let soon = Instant::now() + Duration::from_secs(60);
        assert!(RetryPolicy::HurriedUntil(soon).repeats_uncertain() && !RetryPolicy::HurriedUntil(soon).is_over(9));
        assert!(!RetryPolicy::IfNotDone(soon).repeats_uncertain() && !RetryPolicy::IfNotDone(soon).is_over(9));
        assert!(!RetryPolicy::Once.repeats_uncertain() && RetryPolicy::Once.is_over(1));
    }
}
