//! What operators see: log lines and metrics.

mod metrics;
mod outcome;

use std::{
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
};

use tracing::{Subscriber, error, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::{Layer, SubscriberExt},
};

use crate::config::LogFormat;

pub use self::metrics::Metrics;
pub(crate) use self::{
    metrics::Opening,
    outcome::{CancelReason, FailReason, Outcome, SkipReason, TessFailure},
};

/// The crates whose events below warnings are logged: the bot and its demo.
const OURS: [&str; 2] = ["tess_discord", "demo"];

/// Writes log lines to standard error from now on. A second call changes nothing.
///
/// Whatever `filter` says, libraries log at most warnings, and serenity at most errors.
pub fn init(format: LogFormat, filter: Targets) {
    let subscriber = subscriber(format, filter, io::stderr, io::stderr().is_terminal());
    // An error means that a subscriber is set already, which is as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
    panic::set_hook(Box::new(log_panic));
}

/// Logs where a panic happened, never its message: the message of a failed slice quotes the text that was sliced.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    error!(location, "panicked; this is a bug in the bot");
}

fn subscriber<W>(format: LogFormat, filter: Targets, writer: W, colours: bool) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines).with(filter).with(capped())
}

/// Limits libraries to warnings and serenity to errors, whatever `RUST_LOG` says: below that they log what they send and
/// receive, which includes message texts and keys.
fn capped() -> Targets {
    let ours = OURS.map(|target| (target, LevelFilter::TRACE));
    Targets::new().with_default(LevelFilter::WARN).with_target("serenity", LevelFilter::ERROR).with_targets(ours)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns what is logged of a fixed set of events.
    fn printed(format: LogFormat, filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(
            subscriber(format, filter.parse().unwrap(), move || writer.clone(), false),
            || {
                tracing::debug!(agent = 7, "ours");
                tracing::error!(target: "serenity::http", "serenity error");
                tracing::warn!(target: "serenity::gateway", "serenity warning");
                tracing::warn!(target: "twilight_gateway::shard", "twilight warning");
                tracing::info!(target: "twilight_gateway::shard", "twilight info");
                tracing::debug!(target: "hyper_util::client", "hyper debug");
            },
        );
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn libraries_log_at_most_warnings_whatever_the_filter_says() {
        for filter in ["trace", "trace,serenity=trace,serenity::gateway=trace,hyper_util=trace,twilight_gateway=trace"]
        {
            let printed = printed(LogFormat::Text, filter);
            assert!(printed.contains("ours") && printed.contains("serenity error"), "{printed}");
            assert!(printed.contains("twilight warning"), "{printed}");
            assert!(!printed.contains("serenity warning") && !printed.contains("info") && !printed.contains("hyper"));
        }
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_without_its_message() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(LogFormat::Text, "trace".parse().unwrap(), move || writer.clone(), false);
        // Other tests panic only when they fail, and then say so by their result.
        let hook = panic::take_hook();
        panic::set_hook(Box::new(log_panic));
        let text = "a s\u{e9}cret";
        let panicked = tracing::subscriber::with_default(subscriber, || panic::catch_unwind(|| text[..4].len()));
        panic::set_hook(hook);
        let printed = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(panicked.is_err() && printed.contains("src/telemetry.rs"), "{printed}");
        assert!(!printed.contains("cret"), "{printed}");
    }

    #[test]
    fn filter_can_silence_everything() {
        assert_eq!(printed(LogFormat::Text, "off"), "");
    }

    #[test]
    fn json_lines_have_fields_beside_the_message() {
        let printed = printed(LogFormat::Json, "tess_discord=debug");
        let line: serde_json::Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
        assert_eq!((&line["message"], &line["agent"], &line["level"]), (&"ours".into(), &7.into(), &"DEBUG".into()));
    }
}
