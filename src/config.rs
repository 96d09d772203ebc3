//! Configuration: the environment, read once and checked out into [`Config`].

mod credits;
mod dotenv;
mod language;
mod problems;
mod reader;
mod settings;

use std::{
    collections::{BTreeSet, HashSet},
    env,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use secrecy::SecretString;
use tracing_subscriber::filter::{LevelFilter, Targets};

use self::reader::{NOT_VALID, Reader};

pub use self::{
    credits::Credits,
    language::Language,
    problems::Problems,
    settings::{Fallback, Limits, SETTINGS, Setting},
};
use crate::ids::{AgentId, ChannelId, WorkspaceId};

/// `NOTICE_AFTER=0`, which means never: longer than any execution may take.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Longest `TESS_INSTRUCTIONS` in characters; they are sent with every request.
const INSTRUCTIONS_LONGEST: usize = 10_000;

/// Longest value of `TESS_MODEL`, `TESS_TEMPERATURE` and `TESS_TOOLS` in characters.
const OPTION_LONGEST: usize = 100;

/// Most ids in `TESS_AGENTS`.
const AGENTS_MOST: usize = 100;

/// Bytes of a megabyte of `HISTORY_TOTAL_MB`.
const MEGABYTE: usize = 1_000_000;

/// `TESS_AGENTS`: the agents that a channel may choose. The default one is always among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedAgents(Option<BTreeSet<AgentId>>);

impl AllowedAgents {
    /// Whether a channel may choose it.
    #[must_use]
    pub fn contains(&self, agent: AgentId) -> bool {
        self.0.as_ref().is_none_or(|allowed| allowed.contains(&agent))
    }

    /// Those that are named, in order; none when every agent is allowed.
    pub fn named(&self) -> impl Iterator<Item = AgentId> {
        self.0.iter().flatten().copied()
    }

    fn read(read: &mut Reader, default: AgentId) -> Self {
        let listed = read.parse("TESS_AGENTS", |list| {
            let ids = reader::listed(list).map(|part| reader::id(part).map(AgentId));
            let ids: BTreeSet<_> =
                ids.collect::<Result<_, _>>().map_err(|_| "has something in it that is not a number")?;
            if ids.len() > AGENTS_MOST { Err("has more than 100 numbers in it") } else { Ok(ids) }
        });
        Self(listed.map(|mut ids| {
            ids.insert(default);
            ids
        }))
    }
}

/// Everything the bot can be told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach Discord.
    pub discord: DiscordConfig,
    /// How to reach Tess, and what to ask it with.
    pub tess: TessConfig,
    /// Which messages are answered.
    pub intake: IntakeConfig,
    /// How much of the conversations is kept in memory.
    pub history: HistoryConfig,
    /// How much may be asked.
    pub budget: BudgetConfig,
    /// `STATE_URL`: the file of the durable facts (a path, `sqlite:` taken off).
    pub state_path: PathBuf,
    /// `CATCH_UP_MINUTES`: how old a missed message may be and still be answered; zero switches catching up off.
    pub catch_up: Duration,
    /// `NOTICE_AFTER`: how long a user waits before a note says so; a year when the setting is 0, "never".
    pub notice_after: Duration,
    /// `REPLY_MODE`.
    pub reply_mode: ReplyMode,
    /// `BOT_LANGUAGE`.
    pub language: Language,
    /// `RETRY_BUTTON`: whether the last reply of a channel can be repeated by a button, as error texts always can.
    pub retry_button: bool,
    /// `SHUTDOWN_GRACE`: how long running turns may go on after a stop was asked for.
    pub shutdown_grace: Duration,
    /// `HEALTH_ADDR`: where `/healthz`, `/readyz` and `/metrics` listen; `None` when unset.
    pub health_addr: Option<SocketAddr>,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
    /// `RUST_LOG`.
    pub log_filter: Targets,
    /// Durations and bounds that are not settings; a test shortens them.
    pub timings: Timings,
}

impl Config {
    /// Reads `.env` in the working folder or above it, and the environment, which wins, even with an empty value.
    ///
    /// # Errors
    /// Every [problem](Problems) of the variables at once, or the one of a `.env` that cannot be read.
    pub fn load() -> Result<Self, Problems> {
        let folder = env::current_dir().unwrap_or_default();
        let mut vars = dotenv::read_above(&folder)?;
        let ours = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        for (name, value) in ours.filter(|(name, _)| reader::concerns_us(name)) {
            let Ok(value) = value.into_string() else {
                return Err(Problems::single(format!("{name} is not UTF-8 text")));
            };
            vars.insert(name, value);
        }
        Self::from_vars(vars.into_iter())
    }

    /// Reads variables from anywhere; those of other programs are ignored, an empty one counts as unset.
    ///
    /// # Errors
    /// Every [problem](Problems) at once.
    pub fn from_vars(vars: impl Iterator<Item = (String, String)>) -> Result<Self, Problems> {
        let mut reader = Reader::new(vars);
        let read = &mut reader;
        let config = Self {
            discord: DiscordConfig::read(read),
            tess: TessConfig::read(read),
            intake: IntakeConfig::read(read),
            history: HistoryConfig::read(read),
            budget: BudgetConfig::read(read),
            state_path: read.parse("STATE_URL", reader::state_path).unwrap_or_default(),
            catch_up: Duration::from_secs(read.whole("CATCH_UP_MINUTES") * 60),
            notice_after: Some(read.seconds("NOTICE_AFTER")).filter(|after| !after.is_zero()).unwrap_or(NEVER),
            reply_mode: read.parse("REPLY_MODE", ReplyMode::parse).unwrap_or_default(),
            language: read.parse("BOT_LANGUAGE", Language::parse).unwrap_or_default(),
            retry_button: read.parse("RETRY_BUTTON", reader::on_or_off).unwrap_or_default(),
            shutdown_grace: read.seconds("SHUTDOWN_GRACE"),
            health_addr: read.parse("HEALTH_ADDR", |value| value.parse().map_err(|_| NOT_VALID)),
            log_format: read.parse("LOG_FORMAT", LogFormat::parse).unwrap_or_default(),
            log_filter: read.parse("RUST_LOG", log_filter).unwrap_or_default(),
            timings: Timings::default(),
        };
        reader.finish().map(|()| config)
    }
}

impl DiscordConfig {
    fn read(read: &mut Reader) -> Self {
        let token = read.secret("DISCORD_TOKEN", "Bot ");
        let no_path = |path: &str| if path.is_empty() { Ok(()) } else { Err("has a path") };
        let api_url = read.url("DISCORD_API_URL", no_path);
        // Only so many fit a request counter; the setting's own bound is far below.
        let requests_per_second = u32::try_from(read.whole("DISCORD_REQUESTS_PER_SECOND")).unwrap_or(u32::MAX);
        Self { token, api_url, requests_per_second }
    }
}

impl TessConfig {
    fn read(read: &mut Reader) -> Self {
        let base = |path: &str| if path.contains("/agents") { Err("has /agents in it") } else { Ok(()) };
        let api_key = read.secret("TESS_API_KEY", "Bearer ");
        let agent = AgentId(read.parse("TESS_AGENT_ID", reader::agent_id).unwrap_or_default());
        Self {
            api_key,
            agent,
            allowed_agents: AllowedAgents::read(read, agent),
            workspace: read.parse("TESS_WORKSPACE_ID", reader::id).map(WorkspaceId),
            instructions: read.text("TESS_INSTRUCTIONS", INSTRUCTIONS_LONGEST),
            model: read.text("TESS_MODEL", OPTION_LONGEST),
            temperature: read.text("TESS_TEMPERATURE", OPTION_LONGEST),
            tools: read.text("TESS_TOOLS", OPTION_LONGEST),
            timeout: read.seconds("TESS_TIMEOUT"),
            request_interval: read.parse("TESS_REQUESTS_PER_SECOND", reader::interval).unwrap_or_default(),
            api_url: read.url("TESS_API_URL", base),
        }
    }
}

impl IntakeConfig {
    fn read(read: &mut Reader) -> Self {
        let respond_to = read.parse("RESPOND_TO", RespondTo::parse).unwrap_or_default();
        let files = read.parse("TESS_FILES", reader::on_or_off).unwrap_or_default();
        let channels = read.parse("DISCORD_CHANNEL_IDS", |list| {
            let ids = reader::listed(list).map(|part| reader::id(part).map(ChannelId::new));
            let ids = ids.collect::<Result<HashSet<_>, _>>();
            ids.map_err(|_| "has something in it that is not a channel's id")
        });
        Self { respond_to, channels: channels.unwrap_or_default(), files }
    }
}

impl HistoryConfig {
    fn read(read: &mut Reader) -> Self {
        // Only a 32-bit machine can saturate, and there the largest number is as good as any.
        let mut size = |name| usize::try_from(read.whole(name)).unwrap_or(usize::MAX);
        Self {
            messages: size("HISTORY_MESSAGES"),
            chars: size("HISTORY_CHARS"),
            total_bytes: size("HISTORY_TOTAL_MB").saturating_mul(MEGABYTE),
        }
    }
}

impl BudgetConfig {
    fn read(read: &mut Reader) -> Self {
        Self {
            user_day: read.parse("CREDITS_PER_USER_DAY", reader::credits),
            guild_day: read.parse("CREDITS_PER_GUILD_DAY", reader::credits),
            day: read.parse("CREDITS_PER_DAY", reader::credits),
            user_minute: usize::try_from(read.whole("MESSAGES_PER_USER_MINUTE")).ok().filter(|most| *most > 0),
        }
    }
}

impl RespondTo {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_lowercase().as_str() {
            "all" => Ok(Self::All),
            "mentions" => Ok(Self::Mentions),
            _ => Err(NOT_VALID),
        }
    }
}

impl ReplyMode {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_lowercase().as_str() {
            "final" => Ok(Self::Final),
            "live" => Ok(Self::Live),
            _ => Err(NOT_VALID),
        }
    }
}

impl LogFormat {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NOT_VALID),
        }
    }
}

/// A slip must not silence the bot, and to the parser any word is the name of a target.
fn log_filter(text: &str) -> Result<Targets, &'static str> {
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
    let is_valid = |part: &str| match part.split_once('=') {
        Some((name, _)) => is_name(name),
        None => part.parse::<LevelFilter>().is_ok(),
    };
    if !parts().all(is_valid) {
        return Err(NOT_VALID);
    }
    let filter: Targets = parts().collect::<Vec<_>>().join(",").parse().map_err(|_| NOT_VALID)?;
    // Of what the list leaves out, errors are still told.
    let has_default = parts().any(|part| !part.contains('='));
    Ok(if has_default { filter } else { filter.with_default(LevelFilter::ERROR) })
}

/// How to reach Discord.
#[derive(Clone, Debug)]
pub struct DiscordConfig {
    /// `DISCORD_TOKEN`.
    pub token: SecretString,
    /// `DISCORD_API_URL`: scheme, host and port without a trailing slash; `https://discord.com` when unset.
    pub api_url: String,
    /// `DISCORD_REQUESTS_PER_SECOND`: Discord's global limit. <https://discord.com/developers/docs/topics/rate-limits>
    pub requests_per_second: u32,
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
    /// `TESS_AGENTS`.
    pub allowed_agents: AllowedAgents,
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
pub struct IntakeConfig {
    /// `RESPOND_TO`.
    pub respond_to: RespondTo,
    /// `DISCORD_CHANNEL_IDS`; empty means every channel the bot can read. A thread counts as its parent.
    pub channels: HashSet<ChannelId>,
    /// `TESS_FILES`: whether files reach the agent, so that a message with nothing but a file is answered.
    pub files: bool,
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

/// `REPLY_MODE`: when an answer is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Once it is complete.
    #[default]
    Final,
    /// As soon as there is some of it; it grows by edits.
    Live,
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

/// How much may be asked before more is refused; each is `None` when unset, for no limit. Days are UTC's.
#[derive(Clone, Copy, Debug, Default)]
pub struct BudgetConfig {
    /// `CREDITS_PER_USER_DAY`: what the messages of one user may cost a day.
    pub user_day: Option<Credits>,
    /// `CREDITS_PER_GUILD_DAY`: what one guild may cost a day.
    pub guild_day: Option<Credits>,
    /// `CREDITS_PER_DAY`: what all of them may cost a day, direct messages included.
    pub day: Option<Credits>,
    /// `MESSAGES_PER_USER_MINUTE`: most messages of one user that are answered in any minute; not 0.
    pub user_minute: Option<usize>,
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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use tracing::Level;

    use super::*;

    const REQUIRED: [(&str, &str); 3] = [("DISCORD_TOKEN", "a.b.c"), ("TESS_API_KEY", "1|key"), ("TESS_AGENT_ID", "7")];

    fn read(vars: &[(&str, &str)]) -> Result<Config, String> {
        let owned = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_vars(owned).map_err(|problems| problems.to_string())
    }

    /// The required variables, with `vars` after them.
    fn read_with(vars: &[(&str, &str)]) -> Result<Config, String> {
        read(&[&REQUIRED, vars].concat())
    }

    #[test]
    fn three_variables_are_enough() {
        let config = read(&REQUIRED).unwrap();
        assert_eq!(config.discord.token.expose_secret(), "a.b.c");
        assert_eq!(config.discord.api_url, "https://discord.com");
        assert_eq!(config.tess.api_url, "https://tess.pareto.io/api");
        assert_eq!(config.tess.request_interval, Duration::from_secs(1));
        assert_eq!(config.tess.timeout, Duration::from_secs(300));
        assert_eq!(config.intake.respond_to, RespondTo::All);
        assert!(config.intake.files);
        assert_eq!((config.history.messages, config.history.chars), (40, 24_000));
        assert_eq!(config.history.total_bytes, 256_000_000);
        assert_eq!(config.state_path, PathBuf::from("data/tess-discord.db"));
        assert_eq!(config.catch_up, Duration::from_secs(1_800));
        assert_eq!((config.health_addr, config.log_filter), (None, Targets::new().with_default(Level::INFO)));
    }

    #[test]
    fn a_slip_in_a_long_name_is_told_and_other_programs_variables_are_none_of_our_business() {
        let misspelt = read_with(&[("HISTORY_MESAGES", "20")]).unwrap_err();
        assert!(misspelt.contains("did you mean HISTORY_MESSAGES?"), "{misspelt}");
        let others = [("HISTORY_FILE", "x"), ("LOG_LEVEL", "x"), ("HEALTH", "x"), ("RUST_LOGS", "x"), ("PATH", "x")];
        assert!(read_with(&others).is_ok());
    }

    #[test]
    fn budgets_are_off_until_they_are_set() {
        let off = read(&REQUIRED).unwrap().budget;
        assert_eq!((off.user_day, off.guild_day, off.day, off.user_minute), (None, None, None, None));
        let on = read_with(&[("CREDITS_PER_GUILD_DAY", "0.5"), ("MESSAGES_PER_USER_MINUTE", "3")]).unwrap().budget;
        assert_eq!((on.guild_day, on.user_minute), (Some(Credits::from_micro(500_000)), Some(3)));
        let misspelt = read_with(&[("CREDITS_PER_USERDAY", "0.5")]).unwrap_err();
        assert!(misspelt.contains("did you mean CREDITS_PER_USER_DAY?"), "{misspelt}");
    }

    #[test]
    fn every_problem_is_told_at_once_and_no_value_is_quoted() {
        let problems = read(&[
            ("DISCORD_TOKEN", "hush.hush\nhush"),
            ("TESS_API_KEY", "Your-tess-api-key"),
            ("TESS_AGENT_ID", "hush-hush-pB9ujA"),
            ("TESS_TIMEUOT", "hush"),
            ("TESS_TIMEOUT", "hush"),
            ("TESS_API_URL", "http://hush.example/api"),
            ("DISCORD_API_URL", "https://discord.com/api/v10"),
            ("DISCORD_CHANNEL_IDS", "1, hush"),
            ("STATE_URL", "redis://hush"),
            ("RUST_LOG", "a=hush"),
        ]);
        insta::assert_snapshot!(problems.unwrap_err(), @"
        The configuration has 10 problems:
          DISCORD_TOKEN has a space or a line break in it: write the token shown once by Reset Token on your application's Bot page, on one line, for example DISCORD_TOKEN=your-discord-bot-token
          DISCORD_API_URL has a path: write an https URL of nothing but scheme, host and port, for example DISCORD_API_URL=https://discord.com
          TESS_API_KEY is still the example's text: write the key made in Tess under API Tokens, on one line, for example TESS_API_KEY=your-tess-api-key
          TESS_AGENT_ID is a name or slug, which the API does not take: write the agent's number, which its page in Tess has in the URL, for example TESS_AGENT_ID=12345
          TESS_TIMEOUT is not valid: write a whole number of seconds from 10 to 3600, for example TESS_TIMEOUT=300
          TESS_API_URL would send secrets unencrypted: write the https URL of the API, without /agents, for example TESS_API_URL=https://tess.pareto.io/api
          DISCORD_CHANNEL_IDS has something in it that is not a channel's id: write channel ids (numbers) with commas or spaces between them, for example DISCORD_CHANNEL_IDS=112233445566778899,998877665544332211
          STATE_URL names a store that this version does not have: write sqlite: and the path of a file, for example STATE_URL=sqlite:data/tess-discord.db
          RUST_LOG is not valid: write a level (error, warn, info, debug or trace) or a list such as info,tess_discord::tess=debug, for example RUST_LOG=info
          TESS_TIMEUOT is not a setting: remove it, or did you mean TESS_TIMEOUT?
        ");
    }

    #[test]
    fn what_is_missing_is_told_with_where_to_find_it() {
        insta::assert_snapshot!(read(&[("DISCORD_TOKEN", " ")]).unwrap_err(), @"
        The configuration has 3 problems:
          DISCORD_TOKEN is missing: write the token shown once by Reset Token on your application's Bot page, on one line, for example DISCORD_TOKEN=your-discord-bot-token
          TESS_API_KEY is missing: write the key made in Tess under API Tokens, on one line, for example TESS_API_KEY=your-tess-api-key
          TESS_AGENT_ID is missing: write the agent's number, which its page in Tess has in the URL, for example TESS_AGENT_ID=12345
        ");
    }

    #[test]
    fn paste_errors_around_a_secret_are_repaired_and_within_it_are_told() {
        let token = |text| read_with(&[("DISCORD_TOKEN", text)]).map(|config| config.discord.token);
        assert_eq!(token(" Bot x.y.z\n").unwrap().expose_secret(), "x.y.z");
        assert_eq!(token("\"x.y.z\"").unwrap().expose_secret(), "x.y.z");
        assert!(token("\"x.y.z").unwrap_err().contains("DISCORD_TOKEN has quotes in it"));
        assert!(token("x.y z").unwrap_err().contains("a space or a line break"));
        assert!(token("x.y.ż").unwrap_err().contains("a character in it that no token has"));
    }

    #[test]
    fn an_empty_value_counts_as_unset() {
        let config = read_with(&[("TESS_MODEL", ""), ("TESS_TIMEOUT", ""), ("HEALTH_ADDR", " ")]).unwrap();
        assert_eq!((config.tess.model, config.tess.timeout.as_secs(), config.health_addr), (None, 300, None));
    }

    #[test]
    fn variables_of_other_programs_are_ignored() {
        assert!(read_with(&[("PATH", "/bin"), ("HISTORY_FILE", "x")]).is_ok());
    }

    #[test]
    fn quotes_around_a_value_are_none_of_it() {
        let config = read_with(&[("RESPOND_TO", "'mentions'"), ("TESS_TEMPERATURE", "\"0.5\""), ("TESS_MODEL", "''")]);
        let config = config.unwrap();
        assert_eq!(config.intake.respond_to, RespondTo::Mentions);
        assert_eq!((config.tess.temperature.as_deref(), config.tess.model), (Some("0.5"), None));
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_of_the_bot_is_no_setting() {
        let set = ["HOST", "PORT", "PORT_HTTP"].map(|what| format!("TESS_DISCORD_SERVICE_{what}"));
        let linked = ["TESS_DISCORD_PORT", "TESS_DISCORD_PORT_8080_TCP_ADDR"].map(str::to_owned);
        let vars: Vec<_> = set.iter().chain(&linked).map(|name| (name.as_str(), "x")).collect();
        assert!(read_with(&vars).is_ok());
    }

    #[test]
    fn a_slip_in_the_log_filter_does_not_silence_the_bot() {
        let filter = |text| read_with(&[("RUST_LOG", text)]).map(|config| config.log_filter);
        for slip in ["inof", "tess-discord=debug", "tess_discord debug", "info,tess_discord=loud"] {
            assert!(filter(slip).unwrap_err().contains("RUST_LOG is not valid"), "{slip}");
        }
        for (text, shown, hidden) in [
            ("info, tess_discord::tess=debug,", Level::INFO, Level::DEBUG),
            ("tess_discord::tess=debug", Level::ERROR, Level::WARN),
            ("WARN", Level::WARN, Level::INFO),
        ] {
            let filter = filter(text).unwrap();
            assert!(filter.would_enable("tess_discord::bot", &shown), "{text}");
            assert!(!filter.would_enable("tess_discord::bot", &hidden), "{text}");
        }
        assert!(!filter("off").unwrap().would_enable("tess_discord::bot", &Level::ERROR));
    }

    #[test]
    fn channel_ids_may_be_separated_by_commas_and_spaces() {
        let config = read_with(&[("DISCORD_CHANNEL_IDS", "1, 2  3,")]).unwrap();
        assert_eq!(config.intake.channels, [1, 2, 3].map(ChannelId::new).into());
    }

    #[test]
    fn only_the_agents_named_and_the_default_are_allowed() {
        let allowed = |list| read_with(&[("TESS_AGENTS", list)]).map(|config| config.tess.allowed_agents);
        let agents = allowed("9, 8 9").unwrap();
        assert_eq!(agents.named().collect::<Vec<_>>(), [7, 8, 9].map(AgentId));
        assert!(agents.contains(AgentId(7)) && !agents.contains(AgentId(6)));
        assert!(allowed("").unwrap().contains(AgentId(6)));
        assert!(allowed("8, poet").unwrap_err().contains("TESS_AGENTS has something in it that is not a number"));
        let many: Vec<_> = (1..=101).map(|id| id.to_string()).collect();
        assert!(allowed(&many.join(",")).unwrap_err().contains("more than 100"));
    }

    #[test]
    fn a_notice_after_zero_seconds_never_comes() {
        let config = read_with(&[("NOTICE_AFTER", "0"), ("TESS_TIMEOUT", "3600")]).unwrap();
        assert!(config.notice_after > config.tess.timeout);
    }

    #[test]
    fn secrets_are_not_in_the_debug_output() {
        let config = read_with(&[("DISCORD_TOKEN", "hush"), ("TESS_API_KEY", "hush")]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
