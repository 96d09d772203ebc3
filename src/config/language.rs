//! The languages of the bot's own texts.

use super::reader::NOT_VALID;

/// What the bot itself speaks. An agent answers in whatever it is asked in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `pt-BR`: Brazilian Portuguese.
    Portuguese,
}

impl Language {
    /// Every one of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_lowercase().as_str() {
            "en" => Ok(Self::English),
            "pt-br" => Ok(Self::Portuguese),
            _ => Err(NOT_VALID),
        }
    }

    /// That of a person's Discord client, when the bot speaks it. <https://discord.com/developers/docs/reference#locales>
    #[must_use]
    pub fn of_locale(locale: &str) -> Option<Self> {
        match locale {
            "en-US" | "en-GB" => Some(Self::English),
            "pt-BR" => Some(Self::Portuguese),
            _ => None,
        }
    }

    /// What is said in this language.
    #[must_use]
    pub fn say<T>(self, english: T, portuguese: T) -> T {
        match self {
            Self::English => english,
            Self::Portuguese => portuguese,
        }
    }
}
