//! The metrics' names as they are scraped, and their labels.

/// User messages that were taken to be answered.
pub const MESSAGES_TAKEN: &str = "tess_discord_messages_taken_total";
/// Messages that came to an end: `outcome` is answered, failed, skipped or cancelled, `reason` says why.
pub const MESSAGES_OUTCOME: &str = "tess_discord_messages_outcome_total";
/// Messages taken that have not come to an end yet.
pub const MESSAGES_IN_FLIGHT: &str = "tess_discord_messages_in_flight";
/// Executions asked of Tess, by `result`.
pub const EXECUTIONS: &str = "tess_discord_executions_total";
/// How long an execution took, waiting for its request to go out included.
pub const EXECUTION_SECONDS: &str = "tess_discord_execution_seconds";
/// Credits that Tess said it took.
pub const CREDITS: &str = "tess_discord_credits_total";
/// Executions that Tess refused because the workspace has no credits left.
pub const NO_CREDITS: &str = "tess_discord_no_credits_total";
/// Requests that wait for their turn to go out to Tess.
pub const TESS_AHEAD: &str = "tess_discord_tess_ahead";
/// Requests to Discord by `route` and status `class`: 2xx to 5xx, or none when no answer came.
pub const DISCORD_REQUESTS: &str = "tess_discord_discord_requests_total";
/// 429s from Discord by `scope`.
pub const DISCORD_RATE_LIMITED: &str = "tess_discord_discord_rate_limited_total";
/// Gateway sessions opened; `how` is identify or resume.
pub const GATEWAY_CONNECTIONS: &str = "tess_discord_gateway_connections_total";
/// Gateway connections that ended, by close `code`; none when the socket just ended.
pub const GATEWAY_CLOSES: &str = "tess_discord_gateway_closes_total";
/// 1 while the gateway's session is up.
pub const GATEWAY_UP: &str = "tess_discord_gateway_up";
/// Gateway events that could not be read, by `type`.
pub const GATEWAY_UNDECODABLE: &str = "tess_discord_gateway_undecodable_total";
/// Memory of all histories, in bytes.
pub const HISTORIES_BYTES: &str = "tess_discord_histories_bytes";
/// Channels with a history in memory.
pub const HISTORIES_CHANNELS: &str = "tess_discord_histories_channels";
/// Histories dropped to stay within the memory that is allowed.
pub const HISTORIES_EVICTED: &str = "tess_discord_histories_evicted_total";
/// Messages found that were missed while the bot was away.
pub const CATCH_UP_MESSAGES: &str = "tess_discord_catch_up_messages_total";
/// Gauge: channels that are still to be looked at for missed messages.
pub const CATCHING_UP: &str = "tess_discord_catching_up";
/// Writes to the state file that failed.
pub const STATE_ERRORS: &str = "tess_discord_state_errors_total";
/// Turns that panicked.
pub const PANICS: &str = "tess_discord_panics_total";

/// Every name.
pub const ALL: [&str; 21] = [
    MESSAGES_TAKEN,
    MESSAGES_OUTCOME,
    MESSAGES_IN_FLIGHT,
    EXECUTIONS,
    EXECUTION_SECONDS,
    CREDITS,
    NO_CREDITS,
    TESS_AHEAD,
    DISCORD_REQUESTS,
    DISCORD_RATE_LIMITED,
    GATEWAY_CONNECTIONS,
    GATEWAY_CLOSES,
    GATEWAY_UP,
    GATEWAY_UNDECODABLE,
    HISTORIES_BYTES,
    HISTORIES_CHANNELS,
    HISTORIES_EVICTED,
    CATCH_UP_MESSAGES,
    CATCHING_UP,
    STATE_ERRORS,
    PANICS,
];
/// Label of [`MESSAGES_OUTCOME`].
pub const OUTCOME: &str = "outcome";
/// Label of [`MESSAGES_OUTCOME`]; empty for answered.
pub const REASON: &str = "reason";
/// Label of [`EXECUTIONS`].
pub const RESULT: &str = "result";
/// Label of [`DISCORD_REQUESTS`].
pub const ROUTE: &str = "route";
/// Label of [`DISCORD_REQUESTS`].
pub const CLASS: &str = "class";
/// Label of [`DISCORD_RATE_LIMITED`].
pub const SCOPE: &str = "scope";
/// Label of [`GATEWAY_CONNECTIONS`].
pub const HOW: &str = "how";
/// Label of [`GATEWAY_CLOSES`].
pub const CODE: &str = "code";
/// Label of [`GATEWAY_UNDECODABLE`].
pub const TYPE: &str = "type";
