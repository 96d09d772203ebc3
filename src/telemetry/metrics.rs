//! The metrics: one table of them, and the methods that count.
//!
//! A new metric is a field of [`Inner`], its row in [`Inner::registered`], a method that counts, and a call of that method.
//! `UPDATE_DOCS=1 cargo test --test it operations_document` writes the row into `docs/operations.md`.

mod table;

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{encoding::text, registry::Registry};

use self::table::{Counter, Gauge, Histogram, Labelled, Row, Sum, Table};
use super::{Outcome, TessFailure};

/// Event types told apart when they cannot be read; the others count as `other`.
const EVENT_TYPES: [&str; 13] = [
    "READY",
    "RESUMED",
    "MESSAGE_CREATE",
    "MESSAGE_UPDATE",
    "MESSAGE_DELETE",
    "MESSAGE_DELETE_BULK",
    "INTERACTION_CREATE",
    "GUILD_CREATE",
    "GUILD_DELETE",
    "CHANNEL_DELETE",
    "THREAD_CREATE",
    "THREAD_UPDATE",
    "THREAD_DELETE",
];

/// The close codes that Discord documents, and those of a WebSocket's ordinary end; the others count as `other`.
/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>
const CLOSE_CODES: [&str; 18] = [
    "1000", "1001", "1006", "1011", "4000", "4001", "4002", "4003", "4004", "4005", "4007", "4008", "4009", "4010",
    "4011", "4012", "4013", "4014",
];

/// How a gateway session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A new session.
    Identify,
    /// The previous session was resumed.
    Resume,
}

/// The metrics of one bot. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    taken: Counter,
    outcomes: Labelled<2>,
    in_flight: Gauge,
    executions: Labelled<1>,
    execution_seconds: Histogram,
    credits: Sum,
    no_credits: Counter,
    tess_ahead: Gauge,
    discord_requests: Labelled<2>,
    discord_rate_limited: Labelled<1>,
    commands: Labelled<1>,
    gateway_connections: Labelled<1>,
    gateway_closes: Labelled<1>,
    gateway_up: Gauge,
    gateway_undecodable: Labelled<1>,
    histories_bytes: Gauge,
    histories_channels: Gauge,
    histories_evicted: Counter,
    catch_up_messages: Counter,
    catching_up: Gauge,
    state_errors: Counter,
    panics: Counter,
    /// Beside the metrics: all outcomes together.
    settled: Counter,
    registry: Registry,
    rows: Vec<Row>,
}

impl Inner {
    #[rustfmt::skip]
    fn registered() -> Self {
        let mut t = Table::default();
        Self {
            taken: t.counter("tess_discord_messages_taken_total", "User messages taken to be answered"),
            outcomes: t.labelled("tess_discord_messages_outcome_total", ["outcome", "reason"], "Messages that came to an end: answered, failed, skipped or cancelled, and why"),
            in_flight: t.gauge("tess_discord_messages_in_flight", "Messages taken that have not come to an end yet"),
            executions: t.labelled("tess_discord_executions_total", ["result"], "Executions requested from Tess"),
            execution_seconds: t.histogram("tess_discord_execution_seconds", "Duration of an execution, including the wait for its request to be sent"),
            credits: t.sum("tess_discord_credits_total", "Credits that Tess reported as spent"),
            no_credits: t.counter("tess_discord_no_credits_total", "Executions that Tess refused because the workspace has no credits left"),
            tess_ahead: t.gauge("tess_discord_tess_ahead", "Requests queued for Tess by the request limiter"),
            discord_requests: t.labelled("tess_discord_discord_requests_total", ["route", "class"], "Requests to Discord by route and status class: 2xx to 5xx, or none without an answer"),
            discord_rate_limited: t.labelled("tess_discord_discord_rate_limited_total", ["scope"], "Responses of Discord with status 429"),
            commands: t.labelled("tess_discord_commands_total", ["command"], "Commands, buttons, menus and forms handled, by name of the command or prefix of the component; those of no command of this version count as unknown"),
            gateway_connections: t.labelled("tess_discord_gateway_connections_total", ["how"], "Gateway connections opened, with IDENTIFY or RESUME"),
            gateway_closes: t.labelled("tess_discord_gateway_closes_total", ["code"], "Gateway connections that ended, by close code; none without a close frame"),
            gateway_up: t.gauge("tess_discord_gateway_up", "1 while the gateway session is up"),
            gateway_undecodable: t.labelled("tess_discord_gateway_undecodable_total", ["type"], "Gateway events that could not be read"),
            histories_bytes: t.gauge("tess_discord_histories_bytes", "Memory of all histories, in bytes"),
            histories_channels: t.gauge("tess_discord_histories_channels", "Channels with a history in memory"),
            histories_evicted: t.counter("tess_discord_histories_evicted_total", "Histories evicted to stay within the memory limit"),
            catch_up_messages: t.counter("tess_discord_catch_up_messages_total", "Messages found by catch-up that were missed while the bot was away"),
            catching_up: t.gauge("tess_discord_catching_up", "Channels whose catch-up has not ended"),
            state_errors: t.counter("tess_discord_state_errors_total", "Failed writes to the state file"),
            panics: t.counter("tess_discord_panics_total", "Turns that panicked"),
            settled: Counter::default(),
            registry: t.registry,
            rows: t.rows,
        }
    }
}

impl Metrics {
    /// Creates metrics that are all zero.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner::registered()))
    }

    /// Counts messages taken to be answered. Each has to be [settled](Self::settle) in the end.
    pub fn take(&self, n: u64) {
        self.0.taken.inc_by(n);
        self.0.in_flight.inc_by(signed(n));
    }

    /// Counts messages that came to an end.
    pub(crate) fn settle(&self, outcome: Outcome, n: u64) {
        self.0.outcomes.add(outcome.labels(), n);
        self.0.settled.inc_by(n);
        self.0.in_flight.dec_by(signed(n));
    }

    /// Returns the number of messages taken: those settled and those in flight.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.0.taken.get()
    }

    /// Returns the number of messages that came to an end, with whichever outcome.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.0.settled.get()
    }

    /// Returns the number of messages taken and not settled. Below zero if one was settled twice.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.0.in_flight.get()
    }

    /// Returns the number of messages with these values of the labels `outcome` and `reason`.
    #[must_use]
    pub fn outcomes(&self, outcome: &'static str, reason: &'static str) -> u64 {
        self.0.outcomes.get([outcome, reason])
    }

    /// Counts an execution by its result, and its duration.
    pub(crate) fn executed(&self, result: Result<(), TessFailure>, took: Duration) {
        let result = result.map_or_else(TessFailure::name, |()| "succeeded");
        self.0.executions.add([result], 1);
        self.0.execution_seconds.observe(took.as_secs_f64());
    }

    /// Adds credits that Tess reported as spent. Ignores what is not a positive amount.
    pub fn spend(&self, credits: f64) {
        if credits.is_finite() && credits > 0.0 {
            self.0.credits.inc_by(credits);
        }
    }

    /// Returns the credits spent so far.
    #[must_use]
    pub fn credits(&self) -> f64 {
        self.0.credits.get()
    }

    /// Counts an execution that Tess refused because the workspace has no credits left.
    pub fn no_credits(&self) {
        self.0.no_credits.inc();
    }

    /// Returns the number of executions refused for want of credits.
    #[must_use]
    pub fn no_credits_refusals(&self) -> u64 {
        self.0.no_credits.get()
    }

    /// Sets the number of requests queued for Tess.
    pub(crate) fn set_tess_ahead(&self, n: usize) {
        self.0.tess_ahead.set(gauge(n));
    }

    /// Counts a request to Discord by the status of its answer; `None` without an answer.
    pub fn discord_request(&self, route: &'static str, status: Option<u16>) {
        let class = match status {
            None => "none",
            Some(..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..) => "5xx",
        };
        self.0.discord_requests.add([route, class], 1);
    }

    /// Counts a 429 of Discord.
    pub fn discord_rate_limited(&self, scope: &'static str) {
        self.0.discord_rate_limited.add([scope], 1);
    }

    /// Returns the number of 429s of Discord with this scope.
    #[must_use]
    pub fn rate_limited(&self, scope: &'static str) -> u64 {
        self.0.discord_rate_limited.get([scope])
    }

    /// Counts a handled interaction by a name of the bot's own.
    pub fn command(&self, name: &'static str) {
        self.0.commands.add([name], 1);
    }

    /// Counts a gateway connection that is being opened.
    pub fn gateway_opened(&self, opening: Opening) {
        let how = match opening {
            Opening::Identify => "identify",
            Opening::Resume => "resume",
        };
        self.0.gateway_connections.add([how], 1);
    }

    /// Counts the end of a gateway connection by its close code; `None` without a close frame.
    pub fn gateway_closed(&self, code: Option<u16>) {
        self.0.gateway_closes.add([code_label(code)], 1);
    }

    /// Sets whether the gateway session is up.
    pub fn set_gateway_up(&self, up: bool) {
        self.0.gateway_up.set(i64::from(up));
    }

    /// Counts a gateway event that could not be read. Types beyond [`EVENT_TYPES`] count as `other`.
    pub fn gateway_undecodable(&self, event_type: &str) {
        let known = EVENT_TYPES.into_iter().find(|known| *known == event_type);
        self.0.gateway_undecodable.add([known.unwrap_or("other")], 1);
    }

    /// Sets the memory of all histories, and their number.
    pub fn set_histories(&self, bytes: usize, channels: usize) {
        self.0.histories_bytes.set(gauge(bytes));
        self.0.histories_channels.set(gauge(channels));
    }

    /// Returns the memory of all histories in bytes, as last set.
    #[must_use]
    pub fn histories_bytes(&self) -> i64 {
        self.0.histories_bytes.get()
    }

    /// Counts evicted histories.
    pub fn histories_evicted(&self, n: u64) {
        self.0.histories_evicted.inc_by(n);
    }

    /// Counts missed messages that catch-up found.
    pub fn caught_up(&self, n: u64) {
        self.0.catch_up_messages.inc_by(n);
    }

    /// Sets the number of channels whose catch-up has not ended.
    pub fn set_catching_up(&self, n: usize) {
        self.0.catching_up.set(gauge(n));
    }

    /// Returns the number of channels whose catch-up has not ended.
    #[must_use]
    pub fn catching_up(&self) -> i64 {
        self.0.catching_up.get()
    }

    /// Counts a failed write to the state file.
    pub fn state_error(&self) {
        self.0.state_errors.inc();
    }

    /// Returns the number of failed writes to the state file.
    #[must_use]
    pub fn state_errors(&self) -> u64 {
        self.0.state_errors.get()
    }

    /// Counts a turn that panicked.
    pub fn panicked(&self) {
        self.0.panics.inc();
    }

    /// Returns the number of turns that panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.get()
    }

    /// Returns all metrics in Prometheus' text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry).expect("writing to a String cannot fail");
        text
    }

    /// Returns the table of all metrics as Markdown, for `docs/operations.md`.
    #[must_use]
    pub fn markdown_table(&self) -> String {
        let rows = self.0.rows.iter().map(Row::to_string);
        ["| metric | kind | labels | what it counts |\n|---|---|---|---|\n".to_owned()]
            .into_iter()
            .chain(rows)
            .collect()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("taken", &self.taken())
            .field("settled", &self.settled())
            .finish_non_exhaustive()
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn gauge(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn code_label(code: Option<u16>) -> &'static str {
    let Some(code) = code else { return "none" };
    let code = code.to_string();
    CLOSE_CODES.into_iter().find(|known| *known == code).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{CancelReason, FailReason, SkipReason};

    /// Counts one message of each kind of outcome, and one of nearly everything else.
    fn used() -> Metrics {
        let metrics = Metrics::new();
        metrics.take(5);
        metrics.settle(Outcome::Answered, 1);
        metrics.settle(Outcome::Failed(FailReason::Tess(TessFailure::NoCredits)), 1);
        metrics.settle(Outcome::Skipped(SkipReason::Overload), 1);
        metrics.settle(Outcome::Cancelled(CancelReason::Deleted), 1);
        metrics.executed(Ok(()), Duration::from_secs(3));
        metrics.spend(0.25);
        metrics.discord_request("create_message", Some(204));
        metrics.discord_rate_limited("user");
        metrics.command("help");
        metrics.gateway_opened(Opening::Identify);
        metrics.gateway_closed(Some(4009));
        metrics.gateway_undecodable("MESSAGE_CREATE");
        metrics
    }

    #[test]
    fn scraped_metrics_are_those_of_the_table_with_its_labels() {
        let metrics = used();
        let text = metrics.encode();
        for Row { name, kind, labels, .. } in &metrics.0.rows {
            let family = if *kind == "counter" { name.trim_end_matches("_total") } else { name };
            assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{name} is not in\n{text}");
            let labels: String = labels.iter().map(|label| format!("{label}=\"")).collect::<Vec<_>>().join("|");
            for label in labels.split('|').filter(|label| !label.is_empty()) {
                assert!(text.lines().any(|line| line.starts_with(name) && line.contains(label)), "{name} {label}");
            }
        }
        assert_eq!(text.matches("# TYPE ").count(), metrics.0.rows.len());
    }

    #[test]
    fn taken_messages_are_settled_or_in_flight() {
        let metrics = used();
        assert_eq!((metrics.taken(), metrics.settled(), metrics.in_flight()), (5, 4, 1));
        assert_eq!((metrics.outcomes("failed", "no_credits"), metrics.outcomes("failed", "timed_out")), (1, 0));
    }

    #[test]
    fn labels_are_as_documented() {
        let metrics = used();
        metrics.gateway_closed(None);
        metrics.discord_request("create_message", None);
        metrics.executed(Err(TessFailure::TimedOut), Duration::from_secs(3));
        let text = metrics.encode();
        for line in [
            r#"tess_discord_messages_outcome_total{outcome="answered",reason=""} 1"#,
            r#"tess_discord_messages_outcome_total{outcome="failed",reason="no_credits"} 1"#,
            r#"tess_discord_messages_outcome_total{outcome="skipped",reason="overload"} 1"#,
            r#"tess_discord_messages_outcome_total{outcome="cancelled",reason="deleted"} 1"#,
            r#"tess_discord_executions_total{result="succeeded"} 1"#,
            r#"tess_discord_executions_total{result="timed_out"} 1"#,
            r#"tess_discord_discord_requests_total{route="create_message",class="2xx"} 1"#,
            r#"tess_discord_discord_requests_total{route="create_message",class="none"} 1"#,
            r#"tess_discord_discord_rate_limited_total{scope="user"} 1"#,
            r#"tess_discord_commands_total{command="help"} 1"#,
            r#"tess_discord_gateway_connections_total{how="identify"} 1"#,
            r#"tess_discord_gateway_closes_total{code="none"} 1"#,
            r#"tess_discord_gateway_closes_total{code="4009"} 1"#,
            "tess_discord_credits_total 0.25",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn text_from_outside_makes_no_new_series() {
        let metrics = Metrics::new();
        for n in 0..100 {
            metrics.gateway_undecodable(&format!("TYPE_{n}"));
            metrics.gateway_closed(Some(5_000 + n));
        }
        let text = metrics.encode();
        assert_eq!(text.matches("tess_discord_gateway_undecodable_total{").count(), 1, "{text}");
        assert_eq!(text.matches("tess_discord_gateway_closes_total{").count(), 1, "{text}");
    }

    #[test]
    fn credits_that_are_no_amount_are_ignored() {
        let metrics = Metrics::new();
        [f64::NAN, f64::INFINITY, -1.0, 2.5].into_iter().for_each(|credits| metrics.spend(credits));
        assert_eq!(metrics.credits(), 2.5);
    }
}
