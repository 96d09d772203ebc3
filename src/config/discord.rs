//! How to reach Discord.

use secrecy::SecretString;

use super::{
    parse,
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};

static TOKEN: Setting = Setting {
    name: "DISCORD_TOKEN",
    section: Section::Required,
    default: DefaultValue::Required { placeholder: "your-discord-bot-token", example: "your-discord-bot-token" },
    accepts: Accepts::Text("the token shown once by Reset Token on your application's Bot page, on one line"),
    summary: "The bot's token, from https://discord.com/developers/applications. Keep it secret.",
    details: "Choose your application, Bot, Reset Token.",
};

static API_URL: Setting = Setting {
    name: "DISCORD_API_URL",
    section: Section::Connections,
    default: DefaultValue::Value("https://discord.com"),
    accepts: Accepts::Text("an https URL of nothing but scheme, host and port"),
    summary: "The address of Discord's API, without a path. Plain http is accepted for this machine only.",
    details: "",
};

static REQUESTS_PER_SECOND: Setting = Setting {
    name: "DISCORD_REQUESTS_PER_SECOND",
    section: Section::Connections,
    default: DefaultValue::Value("45"),
    accepts: Accepts::Integer { unit: "requests", min: 1, max: 10_000 },
    summary: "The most requests to Discord in a second. Discord's own limit is 50, and higher for very large bots.",
    details: "",
};

/// How to reach Discord.
#[derive(Clone, Debug)]
pub struct DiscordConfig {
    /// `DISCORD_TOKEN`.
    pub token: SecretString,
    /// `DISCORD_API_URL`: scheme, host and port without a trailing slash.
    pub api_url: String,
    /// `DISCORD_REQUESTS_PER_SECOND`: Discord's global limit. <https://discord.com/developers/docs/topics/rate-limits>
    pub requests_per_second: u32,
}

impl DiscordConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let no_path = |path: &str| if path.is_empty() { Ok(()) } else { Err("has a path") };
        Self {
            token: reader.value(&TOKEN, |text| parse::secret(text, "Bot ")),
            api_url: reader.value(&API_URL, |text| parse::url(text, no_path)),
            requests_per_second: reader.integer(&REQUESTS_PER_SECOND),
        }
    }
}
