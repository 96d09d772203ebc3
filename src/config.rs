//! Configuration: environment variables, checked once and parsed into a [`Config`].
//!
//! 1. [`environment`] collects the raw variables: names and texts, from `.env` and the process.
//! 2. Each group, such as [`DiscordConfig`], defines its settings and parses them through a [`reader`], which collects
//!    every problem, so that the operator sees all of them at once.
//!
//! A setting is defined, parsed and stored in the file of its group. `docs/operations.md` and `.env.example` are made from
//! the definitions: `UPDATE_DOCS=1 cargo test` writes them.

mod budget;
mod credits;
mod discord;
#[cfg(test)]
mod docs;
mod dotenv;
mod environment;
mod intake;
mod language;
mod memory;
mod parse;
mod problems;
mod process;
mod reader;
mod replies;
mod setting;
mod tess;
mod timings;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

#[cfg(test)]
pub(crate) use self::docs::check_section;
pub(crate) use self::{
    budget::BudgetConfig,
    discord::DiscordConfig,
    intake::{IntakeConfig, RespondTo},
    language::Language,
    memory::HistoryConfig,
    process::LogConfig,
    replies::{ReplyConfig, ReplyMode},
    tess::{AllowedAgents, TessConfig},
};
pub use self::{credits::Credits, problems::Problems, process::LogFormat, timings::Timings};
use self::{environment::Environment, reader::Reader};

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach Discord.
    pub discord: DiscordConfig,
    /// How to reach Tess, and what to ask its agents with.
    pub tess: TessConfig,
    /// Which messages are answered.
    pub intake: IntakeConfig,
    /// How replies look.
    pub reply: ReplyConfig,
    /// How much of the conversations is kept in memory.
    pub history: HistoryConfig,
    /// How much may be asked.
    pub budget: BudgetConfig,
    /// `STATE_URL`: the path of the state file.
    pub state_path: PathBuf,
    /// `CATCH_UP_MINUTES`: how old a missed message may be and still be answered; zero switches catch-up off.
    pub catch_up: Duration,
    /// `SHUTDOWN_GRACE`: how long running turns may go on after a stop was asked for.
    pub shutdown_grace: Duration,
    /// `HEALTH_ADDR`: where `/healthz`, `/readyz` and `/metrics` listen; `None` when unset.
    pub health_addr: Option<SocketAddr>,
    /// How logs are written.
    pub log: LogConfig,
    /// Durations that are not settings; tests shorten them.
    pub timings: Timings,
}

impl Config {
    /// Reads `.env` in the working folder or above it, and the environment, which wins, even with an empty value.
    ///
    /// # Errors
    /// Every [problem](Problems) of the variables at once, or the one of a `.env` that cannot be read.
    pub fn load() -> Result<Self, Problems> {
        Self::parse(Environment::load()?)
    }

    /// Reads variables from anywhere; those of other programs are ignored, an empty one counts as unset.
    ///
    /// # Errors
    /// Every [problem](Problems) at once.
    pub fn from_vars(vars: impl Iterator<Item = (String, String)>) -> Result<Self, Problems> {
        Self::parse(Environment::from_vars(vars))
    }

    fn parse(environment: Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let config = Self::read(&mut reader);
        reader.finish().map(|()| config)
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            discord: DiscordConfig::read(reader),
            tess: TessConfig::read(reader),
            intake: IntakeConfig::read(reader),
            reply: ReplyConfig::read(reader),
            budget: BudgetConfig::read(reader),
            history: HistoryConfig::read(reader),
            state_path: memory::state_path(reader),
            catch_up: memory::catch_up(reader),
            shutdown_grace: process::shutdown_grace(reader),
            health_addr: process::health_addr(reader),
            log: LogConfig::read(reader),
            timings: Timings::default(),
        }
    }

    /// Returns every setting, in the order of the documentation.
    #[cfg(test)]
    fn settings() -> Vec<&'static setting::Setting> {
        let mut reader = Reader::new(Environment::from_vars(std::iter::empty()));
        Self::read(&mut reader);
        let mut settings = reader.settings().to_vec();
        settings.sort_by_key(|setting| setting.section);
        settings
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use tracing::Level;
    use tracing_subscriber::filter::Targets;

    use super::*;
    use crate::ids::{AgentId, ChannelId};

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
    fn three_variables_are_enough_to_start() {
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
        assert_eq!((config.health_addr, config.log.filter), (None, Targets::new().with_default(Level::INFO)));
    }

    #[test]
    fn a_misspelt_name_is_reported_and_variables_of_other_programs_are_ignored() {
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
    fn every_problem_is_reported_at_once_without_quoting_a_value() {
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
          DISCORD_CHANNEL_IDS has something in it that is not a number: write channel ids (numbers) with commas or spaces between them, for example DISCORD_CHANNEL_IDS=112233445566778899,998877665544332211
          STATE_URL names a store that this version does not have: write sqlite: and the path of a file, for example STATE_URL=sqlite:data/tess-discord.db
          RUST_LOG is not valid: write a level (error, warn, info, debug or trace) or a list such as info,tess_discord::tess=debug, for example RUST_LOG=info
          TESS_TIMEUOT is not a setting: remove it, or did you mean TESS_TIMEOUT?
        ");
    }

    #[test]
    fn a_missing_setting_is_reported_with_where_to_find_it() {
        insta::assert_snapshot!(read(&[("DISCORD_TOKEN", " ")]).unwrap_err(), @"
        The configuration has 3 problems:
          DISCORD_TOKEN is missing: write the token shown once by Reset Token on your application's Bot page, on one line, for example DISCORD_TOKEN=your-discord-bot-token
          TESS_API_KEY is missing: write the key made in Tess under API Tokens, on one line, for example TESS_API_KEY=your-tess-api-key
          TESS_AGENT_ID is missing: write the agent's number, which its page in Tess has in the URL, for example TESS_AGENT_ID=12345
        ");
    }

    #[test]
    fn paste_errors_around_a_secret_are_repaired_and_within_it_reported() {
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
    fn quotes_around_a_value_are_removed() {
        let config = read_with(&[("RESPOND_TO", "'mentions'"), ("TESS_TEMPERATURE", "\"0.5\""), ("TESS_MODEL", "''")]);
        let config = config.unwrap();
        assert_eq!(config.intake.respond_to, RespondTo::Mentions);
        assert_eq!((config.tess.temperature.as_deref(), config.tess.model), (Some("0.5"), None));
    }

    #[test]
    fn variables_that_kubernetes_sets_are_ignored() {
        let set = ["HOST", "PORT", "PORT_HTTP"].map(|what| format!("TESS_DISCORD_SERVICE_{what}"));
        let linked = ["TESS_DISCORD_PORT", "TESS_DISCORD_PORT_8080_TCP_ADDR"].map(str::to_owned);
        let vars: Vec<_> = set.iter().chain(&linked).map(|name| (name.as_str(), "x")).collect();
        assert!(read_with(&vars).is_ok());
    }

    #[test]
    fn a_misspelt_log_filter_does_not_silence_the_bot() {
        let filter = |text| read_with(&[("RUST_LOG", text)]).map(|config| config.log.filter);
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
    fn only_the_listed_agents_and_the_default_are_allowed() {
        let allowed = |list| read_with(&[("TESS_AGENTS", list)]).map(|config| config.tess.allowed_agents);
        let agents = allowed("9, 8 9").unwrap();
        assert_eq!(agents.listed().collect::<Vec<_>>(), [7, 8, 9].map(AgentId));
        assert!(agents.contains(AgentId(7)) && !agents.contains(AgentId(6)));
        assert!(allowed("").unwrap().contains(AgentId(6)));
        assert!(allowed("8, poet").unwrap_err().contains("TESS_AGENTS has something in it that is not a number"));
        let many: Vec<_> = (1..=101).map(|id| id.to_string()).collect();
        assert!(allowed(&many.join(",")).unwrap_err().contains("more than 100"));
    }

    #[test]
    fn a_notice_after_zero_seconds_is_never_posted() {
        let config = read_with(&[("NOTICE_AFTER", "0"), ("TESS_TIMEOUT", "3600")]).unwrap();
        assert!(config.reply.notice_after > config.tess.timeout);
    }

    #[test]
    fn secrets_are_not_in_the_debug_output() {
        let config = read_with(&[("DISCORD_TOKEN", "hush"), ("TESS_API_KEY", "hush")]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
