//! Configuration: the environment, read once and checked out into [`Config`].

use std::{collections::HashSet, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serenity::model::id::ChannelId;

/// The numeric id of a Tess agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentId(pub u64);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AgentId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The numeric id of a Tess workspace, sent as `x-workspace-id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkspaceId(pub u64);

/// Everything the bot can be told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach Discord.
    pub discord: DiscordConfig,
    /// How to reach Tess, and what to ask it with.
    pub tess: TessConfig,
    /// Which messages are answered.
    pub listen: ListenConfig,
    /// How much of the conversations is kept in memory.
    pub history: HistoryConfig,
    /// `STATE_URL`: the file of the durable facts (a path, `sqlite:` taken off).
    pub state_path: PathBuf,
    /// `CATCH_UP_MINUTES`: how old a missed message may be and still be answered; zero switches catching up off.
    pub catch_up: Duration,
    /// `NOTICE_AFTER`: how long a user waits before a note says so.
    pub notice_after: Duration,
    /// `SHUTDOWN_GRACE`: how long running turns may go on after a stop was asked for.
    pub shutdown_grace: Duration,
    /// `HEALTH_ADDR`: where `/healthz`, `/readyz` and `/metrics` listen; `None` when unset.
    pub health_addr: Option<SocketAddr>,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
    /// Durations and bounds that are not settings; a test shortens them.
    pub pace: Pace,
}

/// How to reach Discord.
#[derive(Clone, Debug)]
pub struct DiscordConfig {
    /// `DISCORD_TOKEN`.
    pub token: SecretString,
    /// `DISCORD_API_URL`: scheme, host and port without a trailing slash; `https://discord.com` when unset.
    pub api_url: String,
}

/// How to reach Tess, and what to ask it with.
#[derive(Clone, Debug)]
pub struct TessConfig {
    /// `TESS_API_URL` without a trailing slash; paths such as `/agents/{id}/execute` are appended.
    pub api_url: String,
    /// `TESS_API_KEY`.
    pub api_key: SecretString,
    /// `TESS_WORKSPACE_ID`.
    pub workspace: Option<WorkspaceId>,
    /// `TESS_AGENT_ID`: the agent of every channel that has not chosen another.
    pub agent: AgentId,
    /// `TESS_INSTRUCTIONS`: sent as a first `developer` message.
    pub instructions: Option<String>,
    /// `TESS_MODEL`: sent only when set.
    pub model: Option<String>,
    /// `TESS_TEMPERATURE`: one of the agent's own option strings; sent only when set.
    pub temperature: Option<String>,
    /// `TESS_TOOLS`: sent only when set.
    pub tools: Option<String>,
    /// `TESS_TIMEOUT`: how long one execution may take, counted from the first time it is really asked for.
    pub timeout: Duration,
    /// `TESS_REQUESTS_PER_SECOND` as the time between two requests; zero means no limit.
    pub request_interval: Duration,
}

/// Which messages are answered.
#[derive(Clone, Debug, Default)]
pub struct ListenConfig {
    /// `RESPOND_TO`.
    pub respond_to: RespondTo,
    /// `DISCORD_CHANNEL_IDS`; empty means every channel the bot can read. A thread counts as its parent.
    pub channels: HashSet<ChannelId>,
}

/// `RESPOND_TO`: which user messages are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RespondTo {
    /// Each user message.
    #[default]
    All,
    /// Only messages that mention the bot or reply to it, and direct messages.
    Mentions,
}

/// How much of the conversations is kept in memory.
#[derive(Clone, Copy, Debug)]
pub struct HistoryConfig {
    /// `HISTORY_MESSAGES`: most messages of a channel.
    pub messages: usize,
    /// `HISTORY_CHARS`: most characters (Unicode code points) of a channel's history.
    pub chars: usize,
    /// `HISTORY_TOTAL_MB` in bytes: all channels together.
    pub total_bytes: usize,
}

/// `LOG_FORMAT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Durations and bounds that are not settings; a test shortens them.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How long opening the gateway's connection may take, from TCP to READY.
    pub gateway_up_within: Duration,
    /// First pause before the gateway is tried again; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest pause between two tries.
    pub backoff_max: Duration,
    /// How often "is typing" is shown again; Discord shows it for 10 s.
    pub typing_every: Duration,
    /// Pause between two polls of an unfinished execution.
    pub poll_every: Duration,
    /// Limit of one REST request to Discord.
    pub discord_request: Duration,
    /// How long a message is tried to be posted before its delivery counts as failed.
    pub delivery: Duration,
    /// How long one `execute` request may stay unanswered; Tess itself cuts at 100 s.
    pub execute_request: Duration,
    /// How far the state file may lag behind.
    pub state_flush: Duration,
    /// How long a channel that refused a message is left alone.
    pub refused_channel: Duration,
    /// Discord's global limit of requests a second.
    pub discord_requests_per_second: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gateway_up_within: Duration::from_secs(20),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(120),
            typing_every: Duration::from_secs(8),
            poll_every: Duration::from_secs(2),
            discord_request: Duration::from_secs(15),
            delivery: Duration::from_secs(600),
            execute_request: Duration::from_secs(130),
            state_flush: Duration::from_millis(500),
            refused_channel: Duration::from_secs(600),
            discord_requests_per_second: 45,
        }
    }
}
