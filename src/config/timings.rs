//! Durations that are not settings.

use std::time::Duration;

/// Durations and bounds that are not settings; a test shortens them.
#[derive(Clone, Debug)]
pub struct Timings {
    /// How long opening the gateway's connection may take, from TCP to READY.
    pub gateway_connect_timeout: Duration,
    /// First pause before the gateway is tried again; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest pause between two tries.
    pub backoff_max: Duration,
    /// How often "is typing" is shown again; Discord shows it for 10 s.
    pub typing_interval: Duration,
    /// Pause between two edits of a growing answer; Discord's limit is about 5 edits in 5 s.
    pub live_edit_interval: Duration,
    /// Pause between two polls of an unfinished execution.
    pub poll_interval: Duration,
    /// Limit of one REST request to Discord.
    pub discord_request_timeout: Duration,
    /// How long a message is tried to be posted before its delivery counts as failed.
    pub delivery_timeout: Duration,
    /// How long one `execute` request may stay unanswered; Tess itself cuts at 100 s.
    pub execute_timeout: Duration,
    /// How far the state file may lag behind.
    pub state_flush_interval: Duration,
    /// How long a channel that refused a message is left alone.
    pub refused_channel_pause: Duration,
    /// How long after READY the guilds have come in; the channels that none of them tells of are looked at then.
    pub guilds_wait: Duration,
    /// How often it is noted that the bot listens.
    pub last_seen_interval: Duration,
    /// How long the gateway may have been silent without anyone having noticed.
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
