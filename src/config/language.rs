//! The languages of the bot's own texts.

use super::parse::{self, Parsed};

/// A language of the bot's own texts; an agent answers in the language it is asked in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `pt-BR`: Brazilian Portuguese.
    Portuguese,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    pub(super) fn parse(text: &str) -> Parsed<Self> {
        parse::keyword(text, &[("en", Self::English), ("pt-BR", Self::Portuguese)])
    }

    /// Returns the language of a Discord client's locale, if the bot has it. <https://discord.com/developers/docs/reference#locales>
    #[must_use]
    pub fn of_locale(locale: &str) -> Option<Self> {
        match locale {
            "en-US" | "en-GB" => Some(Self::English),
            "pt-BR" => Some(Self::Portuguese),
            _ => None,
        }
    }

    /// Picks the text of this language.
    #[must_use]
    pub fn say<T>(self, english: T, portuguese: T) -> T {
        match self {
            Self::English => english,
            Self::Portuguese => portuguese,
        }
    }
}
