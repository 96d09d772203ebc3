//! The bot's numbers.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use super::names::{
    self, CATCH_UP_MESSAGES, CATCHING_UP, CREDITS, DISCORD_RATE_LIMITED, DISCORD_REQUESTS, EXECUTION_SECONDS,
    EXECUTIONS, GATEWAY_CLOSES, GATEWAY_CONNECTIONS, GATEWAY_UNDECODABLE, GATEWAY_UP, HISTORIES_BYTES,
    HISTORIES_CHANNELS, HISTORIES_EVICTED, MESSAGES_IN_FLIGHT, MESSAGES_OUTCOME, MESSAGES_TAKEN, NO_CREDITS, PANICS,
    STATE_ERRORS, TESS_AHEAD,
};

/// Upper bounds of [`EXECUTION_SECONDS`]' buckets, up to the longest `TESS_TIMEOUT`.
const EXECUTION_BUCKETS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 100.0, 300.0, 900.0, 3_600.0];

/// Event types told apart in [`GATEWAY_UNDECODABLE`]: what the bot reads.
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

/// What became of a message. The reasons are words of the code, never of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The agent's answer was posted.
    Answered,
    /// A line that says what went wrong was posted, or could not be.
    Failed(&'static str),
    /// No answer was due after all.
    Skipped(&'static str),
    /// A user or the shutdown stopped it.
    Cancelled(&'static str),
}

impl Outcome {
    fn labels(self) -> Labels<2> {
        let (outcome, reason) = match self {
            Self::Answered => ("answered", ""),
            Self::Failed(reason) => ("failed", reason),
            Self::Skipped(reason) => ("skipped", reason),
            Self::Cancelled(reason) => ("cancelled", reason),
        };
        [(names::OUTCOME, outcome), (names::REASON, reason)]
    }
}

/// How a gateway session was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A new session.
    Identify,
    /// The old session went on.
    Resume,
}

/// Static text only, so that nothing from outside can make a new time series.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The numbers of one bot. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    registry: Registry,
    taken: Counter,
    outcomes: Family<Labels<2>, Counter>,
    settled: Counter,
    in_flight: Gauge,
    executions: Family<Labels<1>, Counter>,
    execution_seconds: Seconds,
    credits: Counter<f64, AtomicU64>,
    no_credits: Counter,
    tess_ahead: Gauge,
    discord_requests: Family<Labels<2>, Counter>,
    rate_limited: Family<Labels<1>, Counter>,
    connections: Family<Labels<1>, Counter>,
    closes: Family<Labels<1>, Counter>,
    gateway_up: Gauge,
    undecodable: Family<Labels<1>, Counter>,
    history_bytes: Gauge,
    history_channels: Gauge,
    evicted: Counter,
    caught_up: Counter,
    catching_up: Gauge,
    state_errors: Counter,
    panics: Counter,
}

/// A histogram with [`EXECUTION_BUCKETS`].
#[derive(Clone)]
struct Seconds(Histogram);

impl Default for Seconds {
    fn default() -> Self {
        Self(Histogram::new(EXECUTION_BUCKETS))
    }
}

impl Inner {
    fn registered() -> Self {
        let mut registry = Registry::default();
        let inner = Self::default();
        let r = &mut registry;
        add(r, MESSAGES_TAKEN, "Messages taken to be answered", &inner.taken);
        add(r, MESSAGES_OUTCOME, "Messages that came to an end", &inner.outcomes);
        add(r, MESSAGES_IN_FLIGHT, "Messages that have not come to an end", &inner.in_flight);
        add(r, EXECUTIONS, "Executions asked of Tess", &inner.executions);
        add(r, EXECUTION_SECONDS, "How long an execution took", &inner.execution_seconds.0);
        add(r, CREDITS, "Credits that Tess took", &inner.credits);
        add(r, NO_CREDITS, "Executions refused for want of credits", &inner.no_credits);
        add(r, TESS_AHEAD, "Requests waiting for their turn at Tess", &inner.tess_ahead);
        add(r, DISCORD_REQUESTS, "Requests to Discord", &inner.discord_requests);
        add(r, DISCORD_RATE_LIMITED, "429s from Discord", &inner.rate_limited);
        add(r, GATEWAY_CONNECTIONS, "Gateway sessions opened", &inner.connections);
        add(r, GATEWAY_CLOSES, "Gateway connections ended", &inner.closes);
        add(r, GATEWAY_UP, "1 while the session of the gateway is up", &inner.gateway_up);
        add(r, GATEWAY_UNDECODABLE, "Gateway events not understood", &inner.undecodable);
        add(r, HISTORIES_BYTES, "Memory of all histories", &inner.history_bytes);
        add(r, HISTORIES_CHANNELS, "Channels with a history", &inner.history_channels);
        add(r, HISTORIES_EVICTED, "Histories dropped for memory", &inner.evicted);
        add(r, CATCH_UP_MESSAGES, "Missed messages found", &inner.caught_up);
        add(r, CATCHING_UP, "Channels to be looked at for missed messages", &inner.catching_up);
        add(r, STATE_ERRORS, "Failed writes to the state file", &inner.state_errors);
        add(r, PANICS, "Turns that panicked", &inner.panics);
        Self { registry, ..inner }
    }
}

/// The encoder appends `_total` to a counter's name by itself.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: &M) {
    registry.register(name.trim_end_matches("_total"), help, metric.clone());
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner::registered()))
    }

    /// `n` messages were taken to be answered. Each has to be [settled](Self::settle) in the end.
    pub fn take(&self, n: u64) {
        self.0.taken.inc_by(n);
        self.0.in_flight.inc_by(signed(n));
    }

    /// `n` messages that were taken came to an end.
    pub fn settle(&self, outcome: Outcome, n: u64) {
        self.0.outcomes.get_or_create(&outcome.labels()).inc_by(n);
        self.0.settled.inc_by(n);
        self.0.in_flight.dec_by(signed(n));
    }

    /// Messages taken so far: those settled and those in flight.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.0.taken.get()
    }

    /// Messages that came to an end so far, whichever.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.0.settled.get()
    }

    /// Messages taken and not settled. Below zero if one was settled twice.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.0.in_flight.get()
    }

    /// How many messages came to this end.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.0.outcomes.get(&outcome.labels()).map_or(0, |count| count.get())
    }

    /// An execution ended as `result` says after `took`.
    pub fn executed(&self, result: &'static str, took: Duration) {
        self.0.executions.get_or_create(&[(names::RESULT, result)]).inc();
        self.0.execution_seconds.0.observe(took.as_secs_f64());
    }

    /// Tess said that it took `credits`. What is no amount is left out.
    pub fn spend(&self, credits: f64) {
        if credits.is_finite() && credits > 0.0 {
            self.0.credits.inc_by(credits);
        }
    }

    /// Credits spent so far.
    #[must_use]
    pub fn credits(&self) -> f64 {
        self.0.credits.get()
    }

    /// Tess refused an execution: the workspace has no credits left.
    pub fn no_credits(&self) {
        self.0.no_credits.inc();
    }

    /// Executions refused for want of credits so far.
    #[must_use]
    pub fn no_credits_refusals(&self) -> u64 {
        self.0.no_credits.get()
    }

    /// `n` requests wait for their turn at Tess.
    pub fn set_tess_ahead(&self, n: usize) {
        self.0.tess_ahead.set(gauge(n));
    }

    /// A request to Discord was answered with `status`; `None` when no answer came.
    pub fn discord_request(&self, route: &'static str, status: Option<u16>) {
        let class = match status {
            None => "none",
            Some(..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..) => "5xx",
        };
        self.0.discord_requests.get_or_create(&[(names::ROUTE, route), (names::CLASS, class)]).inc();
    }

    /// Discord answered 429.
    pub fn discord_rate_limited(&self, scope: &'static str) {
        self.0.rate_limited.get_or_create(&[(names::SCOPE, scope)]).inc();
    }

    /// 429s from Discord so far.
    #[must_use]
    pub fn rate_limited(&self, scope: &'static str) -> u64 {
        self.0.rate_limited.get(&[(names::SCOPE, scope)]).map_or(0, |count| count.get())
    }

    /// A gateway session was opened.
    pub fn gateway_opened(&self, opening: Opening) {
        let how = match opening {
            Opening::Identify => "identify",
            Opening::Resume => "resume",
        };
        self.0.connections.get_or_create(&[(names::HOW, how)]).inc();
    }

    /// A gateway connection ended with this close code; `None` when the socket just ended.
    pub fn gateway_closed(&self, code: Option<u16>) {
        self.0.closes.get_or_create(&[(names::CODE, code_label(code))]).inc();
    }

    /// Whether the gateway's session is up.
    pub fn set_gateway_up(&self, up: bool) {
        self.0.gateway_up.set(i64::from(up));
    }

    /// An event of this type could not be read. Types that the bot does not know count as `other`.
    pub fn gateway_undecodable(&self, event_type: &str) {
        let known = EVENT_TYPES.iter().copied().find(|known| *known == event_type);
        self.0.undecodable.get_or_create(&[(names::TYPE, known.unwrap_or("other"))]).inc();
    }

    /// What all histories need now.
    pub fn set_histories(&self, bytes: usize, channels: usize) {
        self.0.history_bytes.set(gauge(bytes));
        self.0.history_channels.set(gauge(channels));
    }

    /// Bytes of all histories together, as last told.
    #[must_use]
    pub fn histories_bytes(&self) -> i64 {
        self.0.history_bytes.get()
    }

    /// `n` histories were dropped for memory.
    pub fn histories_evicted(&self, n: u64) {
        self.0.evicted.inc_by(n);
    }

    /// `n` missed messages were found.
    pub fn caught_up(&self, n: u64) {
        self.0.caught_up.inc_by(n);
    }

    /// `n` channels are still to be looked at for missed messages.
    pub fn set_catching_up(&self, n: usize) {
        self.0.catching_up.set(gauge(n));
    }

    /// Channels still to be looked at.
    #[must_use]
    pub fn catching_up(&self) -> i64 {
        self.0.catching_up.get()
    }

    /// A write to the state file failed.
    pub fn state_error(&self) {
        self.0.state_errors.inc();
    }

    /// Writes to the state file that failed so far.
    #[must_use]
    pub fn state_errors(&self) -> u64 {
        self.0.state_errors.get()
    }

    /// A turn panicked.
    pub fn panicked(&self) {
        self.0.panics.inc();
    }

    /// Turns that panicked so far.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.get()
    }

    /// Everything, as text for Prometheus.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry).expect("writing to a String cannot fail");
        text
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

/// The close codes that Discord documents, and those of a WebSocket's ordinary end.
/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>
fn code_label(code: Option<u16>) -> &'static str {
    match code {
        None => "none",
        Some(1000) => "1000",
        Some(1001) => "1001",
        Some(1006) => "1006",
        Some(1011) => "1011",
        Some(4000) => "4000",
        Some(4001) => "4001",
        Some(4002) => "4002",
        Some(4003) => "4003",
        Some(4004) => "4004",
        Some(4005) => "4005",
        Some(4007) => "4007",
        Some(4008) => "4008",
        Some(4009) => "4009",
        Some(4010) => "4010",
        Some(4011) => "4011",
        Some(4012) => "4012",
        Some(4013) => "4013",
        Some(4014) => "4014",
        Some(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Everything happened once.
    fn used() -> Metrics {
        let metrics = Metrics::new();
        metrics.take(5);
        metrics.settle(Outcome::Answered, 1);
        metrics.settle(Outcome::Failed("no_credits"), 1);
        metrics.settle(Outcome::Skipped("deleted"), 1);
        metrics.settle(Outcome::Cancelled("stop"), 1);
        metrics.executed("succeeded", Duration::from_secs(3));
        metrics.spend(0.25);
        metrics.discord_request("create_message", Some(204));
        metrics.discord_rate_limited("user");
        metrics.gateway_opened(Opening::Identify);
        metrics.gateway_closed(Some(4009));
        metrics.gateway_undecodable("MESSAGE_CREATE");
        metrics
    }

    #[test]
    fn what_is_scraped_are_the_documented_names() {
        let text = used().encode();
        let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let scraped: BTreeSet<_> = families
            .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.into() })
            .collect();
        assert_eq!(scraped, names::ALL.map(String::from).into());
    }

    #[test]
    fn taken_messages_are_settled_or_in_flight() {
        let metrics = used();
        assert_eq!((metrics.taken(), metrics.settled(), metrics.in_flight()), (5, 4, 1));
        assert_eq!(metrics.outcome(Outcome::Failed("no_credits")), 1);
        assert_eq!(metrics.outcome(Outcome::Failed("timeout")), 0);
    }

    #[test]
    fn labels_are_as_documented() {
        let metrics = used();
        metrics.gateway_closed(None);
        metrics.discord_request("create_message", None);
        let text = metrics.encode();
        for line in [
            r#"tess_discord_messages_outcome_total{outcome="answered",reason=""} 1"#,
            r#"tess_discord_messages_outcome_total{outcome="failed",reason="no_credits"} 1"#,
            r#"tess_discord_executions_total{result="succeeded"} 1"#,
            r#"tess_discord_discord_requests_total{route="create_message",class="2xx"} 1"#,
            r#"tess_discord_discord_requests_total{route="create_message",class="none"} 1"#,
            r#"tess_discord_discord_rate_limited_total{scope="user"} 1"#,
            r#"tess_discord_gateway_connections_total{how="identify"} 1"#,
            r#"tess_discord_gateway_closes_total{code="none"} 1"#,
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
    fn credits_that_are_no_amount_are_left_out() {
        let metrics = Metrics::new();
        [f64::NAN, f64::INFINITY, -1.0, 2.5].into_iter().for_each(|credits| metrics.spend(credits));
        assert_eq!(metrics.credits(), 2.5);
    }
}
