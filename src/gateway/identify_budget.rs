//! Identify budget: when a new session may be started.
//!
//! Discord resets the token of a bot that sends more than a thousand IDENTIFYs in a day.
//! <https://discord.com/developers/docs/events/gateway#session-start-limit-object>

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use crate::{
    config::Timings,
    discord::{Discord, DiscordError, SessionStarts},
};

/// IDENTIFYs that the bot never uses by itself, so that the operator can still restart it.
const RESERVE: u32 = 20;

/// Longest wait before the budget is requested again.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Waits until Discord allows a new session beyond [`RESERVE`]; returns the gateway's URL.
pub(super) async fn wait(discord: &Discord, timings: &Timings) -> Result<String, DiscordError> {
    loop {
        let starts = discord.session_starts().await?;
        let Some(pause) = pause(&starts, timings.backoff_min) else { return Ok(starts.url) };
        warn!(
            remaining = starts.remaining,
            pause_s = pause.as_secs(),
            "identify budget nearly spent; waiting for its reset before a new session"
        );
        sleep(pause).await;
    }
}

fn pause(starts: &SessionStarts, shortest: Duration) -> Option<Duration> {
    (starts.remaining <= RESERVE).then(|| starts.reset_after.clamp(shortest, LONGEST_WAIT.max(shortest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_identifies_are_kept_in_reserve() {
        let secs = Duration::from_secs;
        let pause = |remaining, reset_after| {
            let starts = SessionStarts { url: String::new(), remaining, reset_after };
            super::pause(&starts, secs(1))
        };
        assert_eq!(pause(1000, secs(60)), None);
        assert_eq!(pause(RESERVE, secs(60)), Some(secs(60)));
        assert_eq!(pause(0, secs(86_400)), Some(LONGEST_WAIT));
        assert_eq!(pause(0, Duration::ZERO), Some(secs(1)));
    }
}
