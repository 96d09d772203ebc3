//! Leave to start a new session. Discord resets the token of a bot that sends more than a thousand IDENTIFYs in a day.
//! <https://discord.com/developers/docs/events/gateway#session-start-limit-object>

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use crate::{
    config::Pace,
    discord::{Discord, DiscordError, SessionStarts},
};

/// IDENTIFYs that are never spent, so that a person can still start the bot.
const RESERVE: u32 = 20;

/// Longest wait before Discord is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Waits until Discord allows a new session without the last ones being spent.
pub(super) async fn wait(discord: &Discord, pace: &Pace) -> Result<(), DiscordError> {
    while let Some(pause) = pause(discord.session_starts().await?, pace.backoff_min) {
        warn!(
            pause_s = pause.as_secs(),
            "Discord allows only a few more new sessions today; waiting rather than spending them"
        );
        sleep(pause).await;
    }
    Ok(())
}

fn pause(starts: SessionStarts, shortest: Duration) -> Option<Duration> {
    (starts.remaining <= RESERVE).then(|| starts.reset_after.clamp(shortest, ASK_AGAIN.max(shortest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_identifies_are_not_spent() {
        let secs = Duration::from_secs;
        let starts = |remaining, reset_after| SessionStarts { remaining, reset_after };
        assert_eq!(pause(starts(1000, secs(60)), secs(1)), None);
        assert_eq!(pause(starts(RESERVE, secs(60)), secs(1)), Some(secs(60)));
        assert_eq!(pause(starts(0, secs(86_400)), secs(1)), Some(ASK_AGAIN));
        assert_eq!(pause(starts(0, Duration::ZERO), secs(1)), Some(secs(1)));
    }
}
