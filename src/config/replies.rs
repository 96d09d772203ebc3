//! How replies look.

use std::time::Duration;

use super::{
    Language,
    parse::{self, Parsed},
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};

/// `NOTICE_AFTER=0`, which means never: longer than any execution may take.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

static MODE: Setting = Setting {
    name: "REPLY_MODE",
    section: Section::Messages,
    default: DefaultValue::Value("final"),
    accepts: Accepts::Text("final or live"),
    summary: "final: an answer is posted when it is complete. live: it is posted as soon as it begins, and grows.",
    details: "",
};

static RETRY_BUTTON: Setting = Setting {
    name: "RETRY_BUTTON",
    section: Section::Messages,
    default: DefaultValue::Value("on"),
    accepts: Accepts::SWITCH,
    summary: "on: the last reply in a channel has a button that asks again. off: only error texts have it.",
    details: "The reply before it loses its button, which costs one more request to Discord for each reply. /retry always works.",
};

static TYPING: Setting = Setting {
    name: "TYPING",
    section: Section::Messages,
    default: DefaultValue::Value("on"),
    accepts: Accepts::SWITCH,
    summary: "on: the channel shows that the bot is typing while the agent works. off: it does not.",
    details: "Off saves a request to Discord for each answer, and one more every 8 seconds, which matters to a bot in many servers.",
};

static LANGUAGE: Setting = Setting {
    name: "BOT_LANGUAGE",
    section: Section::Messages,
    default: DefaultValue::Value("en"),
    accepts: Accepts::Text("en or pt-BR"),
    summary: "The language of the bot's own texts: en or pt-BR. Commands are answered in the user's language, if it is one of these.",
    details: "The agent answers in the language it is asked in.",
};

static NOTICE_AFTER: Setting = Setting {
    name: "NOTICE_AFTER",
    section: Section::Messages,
    default: DefaultValue::Value("30"),
    accepts: Accepts::seconds(0, 3_600),
    summary: "After how many seconds without an answer a note says that it takes longer. 0: never.",
    details: "",
};

/// How replies look.
#[derive(Clone, Copy, Debug)]
pub struct ReplyConfig {
    /// `REPLY_MODE`.
    pub mode: ReplyMode,
    /// `RETRY_BUTTON`: whether the last reply of a channel can be repeated by a button, as error texts always can.
    pub retry_button: bool,
    /// `TYPING`: whether typing is shown while the agent works.
    pub typing: bool,
    /// `BOT_LANGUAGE`.
    pub language: Language,
    /// `NOTICE_AFTER`: how long a user waits before a note says so; a year when the setting is 0, "never".
    pub notice_after: Duration,
}

impl ReplyConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let notice_after = reader.seconds(&NOTICE_AFTER);
        Self {
            mode: reader.value(&MODE, ReplyMode::parse),
            retry_button: reader.value(&RETRY_BUTTON, parse::switch),
            typing: reader.value(&TYPING, parse::switch),
            language: reader.value(&LANGUAGE, Language::parse),
            notice_after: if notice_after.is_zero() { NEVER } else { notice_after },
        }
    }
}

/// `REPLY_MODE`: when an answer is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// When it is complete.
    #[default]
    Final,
    /// As soon as it begins; it grows by edits.
    Live,
}

impl ReplyMode {
    fn parse(text: &str) -> Parsed<Self> {
        parse::keyword(text, &[("final", Self::Final), ("live", Self::Live)])
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn typing_is_shown_unless_it_is_switched_off() {
        let typing = |value: &str| {
            let required = [("DISCORD_TOKEN", "a.b.c"), ("TESS_API_KEY", "1|key"), ("TESS_AGENT_ID", "7")];
            let vars = required.into_iter().chain([("TYPING", value)]);
            let config = Config::from_vars(vars.map(|(name, value)| (name.to_owned(), value.to_owned())));
            config.map(|config| config.reply.typing).map_err(|problems| problems.to_string())
        };
        assert_eq!((typing(""), typing("on"), typing("off")), (Ok(true), Ok(true), Ok(false)));
        assert!(typing("never").unwrap_err().contains("TYPING"));
    }
}
