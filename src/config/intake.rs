//! Which messages are answered.

use std::collections::HashSet;

use super::{
    parse::{self, Parsed},
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};
use crate::ids::ChannelId;

static RESPOND_TO: Setting = Setting {
    name: "RESPOND_TO",
    section: Section::Messages,
    default: DefaultValue::Value("all"),
    accepts: Accepts::Text("all or mentions"),
    summary: "all: every message is answered. mentions: only messages that mention the bot or reply to it.",
    details: "Direct messages are always answered.",
};

static CHANNELS: Setting = Setting {
    name: "DISCORD_CHANNEL_IDS",
    section: Section::Messages,
    default: DefaultValue::Unset { example: "112233445566778899,998877665544332211" },
    accepts: Accepts::Text("channel ids (numbers) with commas or spaces between them"),
    summary: "The channels to answer in, their threads included. Unset: every channel that the bot can read.",
    details: "",
};

static FILES: Setting = Setting {
    name: "TESS_FILES",
    section: Section::Messages,
    default: DefaultValue::Value("on"),
    accepts: Accepts::SWITCH,
    summary: "on: the agent gets the files in messages. off: the agent gets only their names.",
    details: "Files other than text are sent to Tess, which reads them for credits, and are deleted there after the answer.",
};

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

impl IntakeConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            respond_to: reader.value(&RESPOND_TO, RespondTo::parse),
            channels: reader.optional(&CHANNELS, channels).unwrap_or_default(),
            files: reader.value(&FILES, parse::switch),
        }
    }
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

impl RespondTo {
    fn parse(text: &str) -> Parsed<Self> {
        parse::keyword(text, &[("all", Self::All), ("mentions", Self::Mentions)])
    }
}

fn channels(text: &str) -> Parsed<HashSet<ChannelId>> {
    Ok(parse::ids(text)?.into_iter().map(ChannelId::new).collect())
}
