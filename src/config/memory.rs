//! What the bot remembers: histories in memory, facts on disk, missed messages.

use std::{path::PathBuf, time::Duration};

use super::{
    parse,
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};

/// Bytes of a megabyte of `HISTORY_TOTAL_MB`.
const MEGABYTE: usize = 1_000_000;

static MESSAGES: Setting = Setting {
    name: "HISTORY_MESSAGES",
    section: Section::Memory,
    default: DefaultValue::Value("40"),
    accepts: Accepts::Integer { unit: "messages", min: 1, max: 1_000 },
    summary: "The most messages of a channel that the agent gets.",
    details: "",
};

static CHARS: Setting = Setting {
    name: "HISTORY_CHARS",
    section: Section::Memory,
    default: DefaultValue::Value("24000"),
    accepts: Accepts::Integer { unit: "characters", min: 4_000, max: 1_000_000 },
    summary: "The most characters of a channel that the agent gets.",
    details: "",
};

static TOTAL: Setting = Setting {
    name: "HISTORY_TOTAL_MB",
    section: Section::Memory,
    default: DefaultValue::Value("256"),
    accepts: Accepts::Integer { unit: "megabytes", min: 1, max: 65_536 },
    summary: "The most memory that all histories together take, in megabytes. The least recently used are dropped first.",
    details: "A dropped history is read from Discord again when somebody writes in its channel.",
};

static STATE_URL: Setting = Setting {
    name: "STATE_URL",
    section: Section::Memory,
    default: DefaultValue::Value("sqlite:data/tess-discord.db"),
    accepts: Accepts::Text("sqlite: and the path of a file"),
    summary: "The file of what must survive a restart. It never holds a message's text.",
    details: "It holds the chosen agents and their options, reset marks, the last message handled in each channel, and what was spent.",
};

static CATCH_UP: Setting = Setting {
    name: "CATCH_UP_MINUTES",
    section: Section::Memory,
    default: DefaultValue::Value("30"),
    accepts: Accepts::Integer { unit: "minutes", min: 0, max: 1_440 },
    summary: "How old a message that was missed while the bot was away may be and still be answered. 0: none is.",
    details: "",
};

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

impl HistoryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            messages: reader.integer(&MESSAGES),
            chars: reader.integer(&CHARS),
            total_bytes: reader.integer::<usize>(&TOTAL).saturating_mul(MEGABYTE),
        }
    }
}

pub(super) fn state_path(reader: &mut Reader) -> PathBuf {
    reader.value(&STATE_URL, parse::state_path)
}

pub(super) fn catch_up(reader: &mut Reader) -> Duration {
    Duration::from_secs(reader.integer::<u64>(&CATCH_UP) * 60)
}
