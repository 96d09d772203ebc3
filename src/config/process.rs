//! How the process runs: its end, its health server, its logs.

use std::{net::SocketAddr, time::Duration};

use tracing_subscriber::filter::Targets;

use super::{
    parse::{self, NOT_VALID, Parsed},
    reader::Reader,
    setting::{Accepts, DefaultValue, Section, Setting},
};

static SHUTDOWN_GRACE: Setting = Setting {
    name: "SHUTDOWN_GRACE",
    section: Section::Process,
    default: DefaultValue::Value("25"),
    accepts: Accepts::seconds(0, 600),
    summary: "How many seconds running answers get to finish when the bot is stopped.",
    details: "",
};

static HEALTH_ADDR: Setting = Setting {
    name: "HEALTH_ADDR",
    section: Section::Process,
    default: DefaultValue::Unset { example: "127.0.0.1:8080" },
    accepts: Accepts::Text("an IP address and a port"),
    summary: "The address that serves /healthz, /readyz and /metrics. Unset: none.",
    details: "",
};

static LOG_FORMAT: Setting = Setting {
    name: "LOG_FORMAT",
    section: Section::Process,
    default: DefaultValue::Value("text"),
    accepts: Accepts::Text("text or json"),
    summary: "The form of log lines on standard error: text for people, json for machines.",
    details: "",
};

static RUST_LOG: Setting = Setting {
    name: "RUST_LOG",
    section: Section::Process,
    default: DefaultValue::Value("info"),
    accepts: Accepts::Text(
        "a level (error, warn, info, debug or trace) or a list such as info,tess_discord::tess=debug",
    ),
    summary: "What is logged. Libraries never log more than warnings, so that no message text is logged.",
    details: "",
};

/// How logs are written.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `RUST_LOG`.
    pub filter: Targets,
}

impl LogConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { format: reader.value(&LOG_FORMAT, LogFormat::parse), filter: reader.value(&RUST_LOG, parse::log_filter) }
    }
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

impl LogFormat {
    fn parse(text: &str) -> Parsed<Self> {
        parse::keyword(text, &[("text", Self::Text), ("json", Self::Json)])
    }
}

pub(super) fn shutdown_grace(reader: &mut Reader) -> Duration {
    reader.seconds(&SHUTDOWN_GRACE)
}

pub(super) fn health_addr(reader: &mut Reader) -> Option<SocketAddr> {
    reader.optional(&HEALTH_ADDR, |text| text.parse().map_err(|_| NOT_VALID))
}
