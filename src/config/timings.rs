//! Durations that are not settings.

use std::time::Duration;

/// Durations that are not settings; tests shorten them.
#[derive(Clone, Debug)]
pub struct Timings {
    /// How long opening the gateway's connection may take, from TCP to READY.
    pub gateway_connect_timeout: Duration,
    /// Shortest pause before a retry; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest pause before a retry.
    pub backoff_max: Duration,
    /// How often typing is triggered; Discord shows it for 10 s.
    /// <https://discord.com/developers/docs/resources/channel#trigger-typing-indicator>
    pub typing_interval: Duration,
    /// Pause between two edits of a growing answer; Discord's limit is about 5 edits in 5 s.
    pub live_edit_interval: Duration,
    /// Pause between two polls of an unfinished execution.
    pub poll_interval: Duration,
    /// How long one REST request to Discord may take.
    pub discord_request_timeout: Duration,
    /// How long posting a message is retried before its delivery counts as failed.
    pub delivery_timeout: Duration,
    /// How long one `execute` request may stay unanswered. Tess ends a wait after 100 s (<https://docs.tess.im>).
    pub execute_timeout: Duration,
    /// How long a change may wait before it is written to the state file.
    pub state_flush_interval: Duration,
    /// How long a channel that refused a message gets no more messages.
    pub refused_channel_pause: Duration,
    /// How long after READY catch-up waits for the guilds; then it asks for the channels that no guild has listed.
    pub guilds_wait: Duration,
    /// How often the time is recorded up to which the bot received messages.
    pub last_seen_interval: Duration,
    /// How long the connection may have been lost without detection.
    pub undetected_disconnect: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            gateway_connect_timeout: Duration::from_secs(20),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(120),
            typing_interval: Duration::from_secs(8),
            live_edit_interval: Duration::from_millis(1_200),
            poll_interval: Duration::from_secs(2),
            discord_request_timeout: Duration::from_secs(15),
            delivery_timeout: Duration::from_secs(600),
            execute_timeout: Duration::from_secs(130),
            state_flush_interval: Duration::from_millis(500),
            refused_channel_pause: Duration::from_secs(600),
            guilds_wait: Duration::from_secs(5),
            last_seen_interval: Duration::from_secs(15),
            // Two of Discord's heartbeat intervals of 41.25 s, and some.
            undetected_disconnect: Duration::from_secs(120),
        }
    }
}
