//! Leave to start a new session. Discord resets the token of a bot that sends more than a thousand IDENTIFYs in a day.
//! <https://discord.com/developers/docs/events/gateway#session-start-limit-object>

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use crate::{
    config::Timings,
    discord::{Discord, DiscordError, SessionStarts},
};

/// IDENTIFYs that are never spent, so that a person can still start the bot.
const RESERVE: u32 = 20;

/// Longest wait before Discord is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// The address at which to open a new session, once Discord allows one without the last ones being spent.
pub(super) async fn wait(discord: &Discord, timings: &Timings) -> Result<String, DiscordError> {
    loop {
        let starts = discord.session_starts().await?;
        let Some(pause) = pause(&starts, timings.backoff_min) else { return Ok(starts.url) };
        warn!(
            pause_s = pause.as_secs(),
            "Discord allows only a few more new sessions today; waiting rather than spending them"
        );
        sleep(pause).await;
    }
}

fn pause(starts: &SessionStarts, shortest: Duration) -> Option<Duration> {
    (starts.remaining <= RESERVE).then(|| starts.reset_after.clamp(shortest, ASK_AGAIN.max(shortest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_identifies_are_not_spent() {
        let secs = Duration::from_secs;
        let pause = |remaining, reset_after| {
            let starts = SessionStarts { url: String::new(), remaining, reset_after };
            super::pause(&starts, secs(1))
        };
        assert_eq!(pause(1000, secs(60)), None);
        assert_eq!(pause(RESERVE, secs(60)), Some(secs(60)));
        assert_eq!(pause(0, secs(86_400)), Some(ASK_AGAIN));
        assert_eq!(pause(0, Duration::ZERO), Some(secs(1)));
    }
}
