//! The table of every environment variable: the reader's known names, the texts of its problems, and the
//! documentation that tests hold against it.

use std::fmt;

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// What counts when it is unset or empty.
    pub default: Fallback,
    /// A value that is accepted; for a secret, the placeholder of `.env.example`.
    pub example: &'static str,
    /// What may be written.
    pub limits: Limits,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
}

/// What counts when a variable is unset or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing: it has to be set.
    Required,
    /// The feature is off, or the service's own default applies.
    Unset,
    /// This value.
    Value(&'static str),
}

/// What may be written into a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// A whole number, `min` and `max` included.
    Whole {
        /// What is counted.
        unit: &'static str,
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// Anything else, in words that fit after "write".
    Words(&'static str),
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { unit, min, max } => write!(f, "a whole number of {unit} from {min} to {max}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl Setting {
    /// The setting of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether this is a known name, or a long one with a slip or two.
    pub(super) fn is_spelt_like_one(name: &str) -> bool {
        const LONG: usize = 10;
        const SLIPS: usize = 2;
        let chars = name.chars().count();
        // Most variables of an environment are out by their length, which costs nothing to see.
        let is_like = |known: &str| {
            known.len() >= LONG
                && known.len().abs_diff(chars) <= SLIPS
                && strsim::damerau_levenshtein(known, name) <= SLIPS
        };
        SETTINGS.iter().any(|setting| setting.name == name || is_like(setting.name))
    }

    /// The known name that is spelt most like `name`.
    pub(super) fn nearest_name(name: &str) -> Option<&'static str> {
        let likeness = |setting: &Self| strsim::normalized_damerau_levenshtein(setting.name, name);
        let nearest = SETTINGS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        Some(nearest.name)
    }

    /// The line of a `.env` file that sets the example.
    #[must_use]
    pub fn example_line(&self) -> String {
        let quote = if self.example.contains(' ') { "\"" } else { "" };
        format!("{}={quote}{}{quote}", self.name, self.example)
    }
}

const fn seconds(min: u64, max: u64) -> Limits {
    Limits::Whole { unit: "seconds", min, max }
}

const CREDITS: Limits = Limits::Words("a number of credits from 0.0001 to 1000000000");

/// Every variable the bot reads, in the order of `.env.example`.
pub static SETTINGS: [Setting; 34] = [
    Setting {
        name: "DISCORD_TOKEN",
        default: Fallback::Required,
        example: "your-discord-bot-token",
        limits: Limits::Words("the token shown once by Reset Token on your application's Bot page, on one line"),
        meaning: "The bot's token, from https://discord.com/developers/applications. A secret.",
    },
    Setting {
        name: "TESS_API_KEY",
        default: Fallback::Required,
        example: "your-tess-api-key",
        limits: Limits::Words("the key made in Tess under API Tokens, on one line"),
        meaning: "The key for Tess, from its page API Tokens. A secret.",
    },
    Setting {
        name: "TESS_AGENT_ID",
        default: Fallback::Required,
        example: "12345",
        limits: Limits::Words("the agent's number, which its page in Tess has in the URL"),
        meaning: "The agent that answers where no other was chosen with a command.",
    },
    Setting {
        name: "TESS_WORKSPACE_ID",
        default: Fallback::Unset,
        example: "678",
        limits: Limits::Words("the workspace's number, from Settings > Workspace in Tess"),
        meaning: "The workspace that the key belongs to and that pays. Tess demands it of most accounts.",
    },
    Setting {
        name: "TESS_AGENTS",
        default: Fallback::Unset,
        example: "12345,67890",
        limits: Limits::Words("at most 100 agents' numbers with commas or spaces between them"),
        meaning: "The agents that /agent can choose, besides TESS_AGENT_ID. Unset, every chat agent of the workspace.",
    },
    Setting {
        name: "TESS_INSTRUCTIONS",
        default: Fallback::Unset,
        example: "Answer in one short paragraph.",
        limits: Limits::Words("a text of at most 10000 characters"),
        meaning: "Said to the agent before every conversation, on top of its own instructions.",
    },
    Setting {
        name: "TESS_MODEL",
        default: Fallback::Unset,
        example: "tess-5",
        limits: Limits::Words("one of the agent's models, at most 100 characters"),
        meaning: "The model to use. Unset, the agent's own.",
    },
    Setting {
        name: "TESS_TEMPERATURE",
        default: Fallback::Unset,
        example: "0.5",
        limits: Limits::Words("one of the agent's own options, at most 100 characters"),
        meaning: "One of the temperatures the agent offers, most often 0, 0.25, 0.5, 0.75 or 1. Unset, the agent's own.",
    },
    Setting {
        name: "TESS_TOOLS",
        default: Fallback::Unset,
        example: "no-tools",
        limits: Limits::Words("one of the agent's tools, at most 100 characters"),
        meaning: "The tool the agent may use. Unset, the agent's own.",
    },
    Setting {
        name: "TESS_FILES",
        default: Fallback::Value("on"),
        example: "on",
        limits: Limits::Words("on or off"),
        meaning: "on: files in messages are read; other than text, that costs credits. off: the agent sees their names.",
    },
    Setting {
        name: "TESS_TIMEOUT",
        default: Fallback::Value("300"),
        example: "300",
        limits: seconds(10, 3_600),
        meaning: "How long one answer may take, in seconds; then the channel is told.",
    },
    Setting {
        name: "TESS_REQUESTS_PER_SECOND",
        default: Fallback::Value("1"),
        example: "1",
        limits: Limits::Words("a number from 0.01 to 100, or 0 for no limit"),
        meaning: "Most requests a second to Tess, whose own limit is 1. 0 = no limit.",
    },
    Setting {
        name: "TESS_API_URL",
        default: Fallback::Value("https://tess.pareto.io/api"),
        example: "https://tess.pareto.io/api",
        limits: Limits::Words("the https URL of the API, without /agents"),
        meaning: "Where Tess's API is, with its path. Plain http only on this machine.",
    },
    Setting {
        name: "DISCORD_API_URL",
        default: Fallback::Value("https://discord.com"),
        example: "https://discord.com",
        limits: Limits::Words("an https URL of nothing but scheme, host and port"),
        meaning: "Where Discord's API is, without its path. Plain http only on this machine.",
    },
    Setting {
        name: "DISCORD_REQUESTS_PER_SECOND",
        default: Fallback::Value("45"),
        example: "45",
        limits: Limits::Whole { unit: "requests", min: 1, max: 10_000 },
        meaning: "Most requests to Discord in a second. Discord's own limit is 50, and more for very large bots.",
    },
    Setting {
        name: "RESPOND_TO",
        default: Fallback::Value("all"),
        example: "all",
        limits: Limits::Words("all or mentions"),
        meaning: "all: each message is answered. mentions: only those that mention the bot or reply to it.",
    },
    Setting {
        name: "REPLY_MODE",
        default: Fallback::Value("final"),
        example: "final",
        limits: Limits::Words("final or live"),
        meaning: "final: an answer is posted once it is complete. live: it appears at once and grows.",
    },
    Setting {
        name: "BOT_LANGUAGE",
        default: Fallback::Value("en"),
        example: "pt-BR",
        limits: Limits::Words("en or pt-BR"),
        meaning: "The language of the bot's own words, en or pt-BR; to a command it answers in its user's, if that is one of these.",
    },
    Setting {
        name: "RETRY_BUTTON",
        default: Fallback::Value("on"),
        example: "on",
        limits: Limits::Words("on or off"),
        meaning: "on: the last reply in a channel has a button that asks again. off: only error texts have it.",
    },
    Setting {
        name: "DISCORD_CHANNEL_IDS",
        default: Fallback::Unset,
        example: "112233445566778899,998877665544332211",
        limits: Limits::Words("channel ids (numbers) with commas or spaces between them"),
        meaning: "The channels to answer in, their threads included. Unset, every channel the bot can read.",
    },
    Setting {
        name: "HISTORY_MESSAGES",
        default: Fallback::Value("40"),
        example: "40",
        limits: Limits::Whole { unit: "messages", min: 1, max: 1_000 },
        meaning: "Most messages of a channel that the agent is shown.",
    },
    Setting {
        name: "HISTORY_CHARS",
        default: Fallback::Value("24000"),
        example: "24000",
        limits: Limits::Whole { unit: "characters", min: 4_000, max: 1_000_000 },
        meaning: "Most characters of a channel that the agent is shown.",
    },
    Setting {
        name: "HISTORY_TOTAL_MB",
        default: Fallback::Value("256"),
        example: "256",
        limits: Limits::Whole { unit: "megabytes", min: 1, max: 65_536 },
        meaning: "Most memory of all histories together, in megabytes. The longest unused go first.",
    },
    Setting {
        name: "STATE_URL",
        default: Fallback::Value("sqlite:data/tess-discord.db"),
        example: "sqlite:data/tess-discord.db",
        limits: Limits::Words("sqlite: and the path of a file"),
        meaning: "The file of what must outlive a restart; never a message's text.",
    },
    Setting {
        name: "CREDITS_PER_USER_DAY",
        default: Fallback::Unset,
        example: "2.5",
        limits: CREDITS,
        meaning: "What one user's messages may cost a day (UTC), in Tess credits; then they are refused. Unset, no limit.",
    },
    Setting {
        name: "CREDITS_PER_GUILD_DAY",
        default: Fallback::Unset,
        example: "20",
        limits: CREDITS,
        meaning: "What one server may cost a day (UTC), in Tess credits. Unset, no limit.",
    },
    Setting {
        name: "CREDITS_PER_DAY",
        default: Fallback::Unset,
        example: "50",
        limits: CREDITS,
        meaning: "What everybody together may cost a day (UTC), in Tess credits. Unset, no limit.",
    },
    Setting {
        name: "MESSAGES_PER_USER_MINUTE",
        default: Fallback::Unset,
        example: "10",
        limits: Limits::Whole { unit: "messages", min: 1, max: 1_000 },
        meaning: "Most messages of one user that are answered in any minute. Unset, no limit.",
    },
    Setting {
        name: "CATCH_UP_MINUTES",
        default: Fallback::Value("30"),
        example: "30",
        limits: Limits::Whole { unit: "minutes", min: 0, max: 1_440 },
        meaning: "How old a message missed while the bot was away may be and still be answered. 0 = none is.",
    },
    Setting {
        name: "NOTICE_AFTER",
        default: Fallback::Value("30"),
        example: "30",
        limits: seconds(0, 3_600),
        meaning: "After how many seconds without an answer a note says that it takes longer. 0 = never.",
    },
    Setting {
        name: "SHUTDOWN_GRACE",
        default: Fallback::Value("25"),
        example: "25",
        limits: seconds(0, 600),
        meaning: "How many seconds running answers get when the bot is stopped.",
    },
    Setting {
        name: "HEALTH_ADDR",
        default: Fallback::Unset,
        example: "127.0.0.1:8080",
        limits: Limits::Words("an IP address and a port"),
        meaning: "Where /healthz, /readyz and /metrics are served. Unset, nowhere.",
    },
    Setting {
        name: "LOG_FORMAT",
        default: Fallback::Value("text"),
        example: "text",
        limits: Limits::Words("text or json"),
        meaning: "How log lines look on standard error: text for people, json for machines.",
    },
    Setting {
        name: "RUST_LOG",
        default: Fallback::Value("info"),
        example: "info",
        limits: Limits::Words(
            "a level (error, warn, info, debug or trace) or a list such as info,tess_discord::tess=debug",
        ),
        meaning: "What is logged. Libraries never say more than warnings, so that no message text is logged.",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ENV_EXAMPLE: &str = include_str!("../../.env.example");

    /// Every variable of `.env.example`: its value, whether it is commented out, and the line above it.
    fn documented() -> Vec<(String, String, bool, &'static str)> {
        let lines: Vec<&str> = ENV_EXAMPLE.lines().collect();
        let assignment = |line: &str| {
            let line = line.strip_prefix('#').unwrap_or(line);
            line.starts_with(|c: char| c.is_ascii_uppercase())
                .then(|| dotenvy::from_read_iter(line.as_bytes()).next())?
        };
        let found = lines.iter().enumerate().filter_map(|(at, line)| {
            let (name, value) = assignment(line)?.unwrap();
            Some((name, value, line.starts_with('#'), if at == 0 { "" } else { lines[at - 1] }))
        });
        found.collect()
    }

    #[test]
    fn the_example_file_documents_each_setting_once_and_in_order() {
        let names: Vec<_> = documented().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, SETTINGS.map(|setting| setting.name.to_owned()));
    }

    #[test]
    fn the_example_file_shows_the_defaults_commented_out_and_explained() {
        for (name, value, commented_out, above) in documented() {
            let setting = Setting::named(&name).unwrap();
            assert!(above.starts_with("# "), "no comment above {name}");
            assert_eq!(commented_out, setting.default != Fallback::Required, "{name}");
            match setting.default {
                Fallback::Required => assert!(value.starts_with("your-"), "{name}"),
                Fallback::Unset => assert_eq!(value, setting.example, "{name}"),
                Fallback::Value(default) => assert_eq!(value, default, "{name}"),
            }
        }
    }

    #[test]
    fn every_example_is_accepted() {
        let mut vars: BTreeMap<_, _> = SETTINGS.iter().map(|s| (s.name.to_owned(), s.example.to_owned())).collect();
        vars.insert("DISCORD_TOKEN".into(), "a.b.c".into());
        vars.insert("TESS_API_KEY".into(), "1|key".into());
        crate::config::Config::from_vars(vars.into_iter()).unwrap();
    }
}
