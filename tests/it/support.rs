//! The harness: runs the whole bot between both simulators. A test reads like a chat:
//!
//! ```ignore
//! let chat = Chat::start().await;
//! chat.tess.answers(["Hello!"]);
//! chat.say("alice", "hi");
//! chat.expect_reply("Hello!").await;
//! chat.finish().await;
//! ```
//!
//! - [`Chat::start`] starts everything with defaults; [`Chat::setup`] changes settings first.
//! - [`Chat::discord`] and [`Chat::tess`] are the simulators. They post messages, run commands, inject faults and answer
//!   what the bot did; see the docs of `sim`.
//! - The methods of [`Chat`] start, stop and kill the bot, and wait for what it does. Nothing sleeps for a fixed time: a wait
//!   ends with what it waits for, or fails after [`SOON`].
//! - [`Chat::finish`] ends every test. It checks that the bot stops in time and without a panic, that every message has an
//!   outcome, that the test read every message of the bot, that every injected fault was met, and that the simulators
//!   recorded no violation.

use std::time::Duration;

use sim::{
    discord::{DiscordOptions, DiscordSim, SimMessage},
    tess::{Execution, TessOptions, TessSim},
};
use tempfile::TempDir;
use tess_discord::{Bot, Config, Metrics, Timings};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How long a wait may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// How often a condition without a notification is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(2);

/// A bot between two simulated services.
pub(crate) struct Chat {
    pub(crate) discord: DiscordSim,
    pub(crate) tess: TessSim,
    pub(crate) metrics: Metrics,
    /// The channel of messages without another one.
    pub(crate) channel: u64,
    /// The guild of the channel.
    pub(crate) guild: u64,
    config: Config,
    state: TempDir,
    running: Option<Running>,
    /// The number of panics that the test provokes.
    pub(crate) panics: u64,
}

/// A bot with its own thread and runtime, so that it can be killed with everything it does, like a process.
struct Running {
    stop: CancellationToken,
    kill: CancellationToken,
    ended: oneshot::Receiver<anyhow::Result<()>>,
    thread: std::thread::JoinHandle<()>,
}

/// The settings of a chat that is not started.
pub(crate) struct Setup {
    pub(crate) discord: DiscordOptions,
    pub(crate) tess: TessOptions,
    settings: Vec<(String, String)>,
    change: Box<dyn FnOnce(&mut Config) + Send>,
}

impl Setup {
    /// Sets an environment variable of the bot.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes the configuration beyond what environment variables can.
    pub(crate) fn change(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    pub(crate) fn discord(mut self, options: DiscordOptions) -> Self {
        self.discord = options;
        self
    }

    pub(crate) fn tess(mut self, options: TessOptions) -> Self {
        self.tess = options;
        self
    }

    /// Starts everything and waits until the bot is connected and has caught up: from then on it learns of messages only from
    /// the gateway.
    pub(crate) async fn start(self) -> Chat {
        let mut chat = self.prepare().await;
        chat.start_bot().await;
        chat.wait_caught_up().await;
        chat
    }

    /// Starts the simulators without the bot.
    pub(crate) async fn prepare(self) -> Chat {
        // `TEST_LOG=debug cargo test one_test -- --nocapture` shows what the bot logs.
        if let Ok(filter) = std::env::var("TEST_LOG") {
            let lines = tracing_subscriber::fmt::layer().with_test_writer();
            let filter: Targets = filter.parse().unwrap();
            let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
        }
        let discord = DiscordSim::start(self.discord).await.unwrap();
        let tess = TessSim::start(self.tess).await.unwrap();
        let state = TempDir::new().unwrap();
        let mut vars = vec![
            ("DISCORD_TOKEN".to_owned(), discord.token()),
            ("DISCORD_API_URL".to_owned(), discord.url().to_owned()),
            ("TESS_API_KEY".to_owned(), tess.key().to_owned()),
            ("TESS_API_URL".to_owned(), tess.url()),
            ("TESS_AGENT_ID".to_owned(), tess.default_agent().to_string()),
            ("TESS_REQUESTS_PER_SECOND".to_owned(), "0".to_owned()),
            ("DISCORD_REQUESTS_PER_SECOND".to_owned(), "10000".to_owned()),
            ("STATE_URL".to_owned(), format!("sqlite:{}", state.path().join("state.db").display())),
        ];
        if let Some(workspace) = tess.workspace() {
            vars.push(("TESS_WORKSPACE_ID".to_owned(), workspace.to_string()));
        }
        vars.retain(|(name, _)| !self.settings.iter().any(|(set, _)| set == name));
        vars.extend(self.settings);
        let mut config = Config::from_vars(vars.into_iter()).unwrap_or_else(|problems| panic!("{problems}"));
        config.timings = quick();
        config.shutdown_grace = Duration::from_secs(5);
        (self.change)(&mut config);
        let (guild, channel) = (discord.guild("Sim"), discord.general());
        Chat { discord, tess, metrics: Metrics::new(), channel, guild, config, state, running: None, panics: 0 }
    }
}

/// Short timings, which change how long the bot takes and not what it does.
fn quick() -> Timings {
    let ms = Duration::from_millis;
    Timings {
        backoff_min: ms(10),
        backoff_max: ms(100),
        gateway_connect_timeout: ms(1500),
        typing_interval: ms(200),
        live_edit_interval: ms(20),
        poll_interval: ms(5),
        discord_request_timeout: ms(1000),
        delivery_timeout: Duration::from_secs(8),
        execute_timeout: SOON,
        state_flush_interval: ms(5),
        guilds_wait: ms(20),
        ..Timings::default()
    }
}

impl Chat {
    /// Starts a chat with one guild, one channel and the default agent.
    pub(crate) async fn start() -> Self {
        Self::setup().start().await
    }

    pub(crate) fn setup() -> Setup {
        Setup {
            discord: DiscordOptions::default(),
            tess: TessOptions::default(),
            settings: Vec::new(),
            change: Box::new(|_| {}),
        }
    }

    /// Starts the bot and waits until it is connected.
    pub(crate) async fn start_bot(&mut self) {
        self.launch().await;
        within("the bot to connect", self.discord.wait_connected()).await;
    }

    /// Starts the bot without waiting for the connection.
    pub(crate) async fn launch(&mut self) {
        assert!(self.running.is_none(), "the bot is running already");
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let (built, metrics) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (config, stopped, killed) = (self.config.clone(), stop.clone(), kill.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let result = runtime.block_on(killed.run_until_cancelled(async {
                let bot = Bot::build(config).await.expect("the bot can be built");
                let _ = built.send(bot.metrics().clone());
                bot.run(stopped).await
            }));
            drop(runtime);
            if let Some(result) = result {
                let _ = end.send(result);
            }
        });
        self.metrics = metrics.await.expect("the bot can be built");
        self.running = Some(Running { stop, kill, ended, thread });
    }

    /// Stops the bot as SIGTERM does; returns the result of its run.
    pub(crate) async fn stop_bot(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().expect("a running bot");
        running.stop.cancel();
        let result = within("the bot to stop", running.ended).await.expect("the bot panicked");
        self.assert_settled();
        result
    }

    /// Waits until the bot ends by itself; returns the result of its run.
    pub(crate) async fn bot_ended(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().expect("a running bot");
        within("the bot to end", running.ended).await.expect("the bot panicked")
    }

    /// Ends the bot at an await point without a shutdown, as `kill -9` does.
    pub(crate) fn kill_bot(&mut self) {
        let running = self.running.take().expect("a running bot");
        running.kill.cancel();
        running.thread.join().expect("the bot panicked");
    }

    pub(crate) fn say(&self, user: &str, text: &str) -> u64 {
        self.discord.say(self.channel, user, text)
    }

    pub(crate) fn reply_to(&self, user: &str, message: u64, text: &str) -> u64 {
        self.discord.reply(self.channel, user, message, text)
    }

    /// Waits for the bot's next message, which must have this text.
    pub(crate) async fn expect_reply(&self, text: &str) -> SimMessage {
        let message = self.next_message().await;
        assert_eq!(message.content, text, "\n{}", self.discord.transcript(self.channel));
        message
    }

    /// Waits for the bot's next message.
    pub(crate) async fn next_message(&self) -> SimMessage {
        self.discord.next_message(self.channel).await
    }

    /// Waits for the next execution.
    pub(crate) async fn next_execution(&self) -> Execution {
        self.tess.next_execution().await.expect("an execution")
    }

    /// Waits for the next execution, whose messages must be these `role: content` lines.
    pub(crate) async fn expect_asked(&self, lines: &[&str]) {
        let execution = self.next_execution().await;
        let messages = execution.messages.as_array().unwrap().clone();
        let asked: Vec<String> = messages
            .iter()
            .map(|message| format!("{}: {}", message["role"].as_str().unwrap(), message["content"].as_str().unwrap()))
            .collect();
        assert_eq!(asked, lines);
    }

    /// Waits until this many messages were accepted for an answer.
    pub(crate) async fn wait_taken(&self, messages: u64) {
        self.until("the messages to be accepted", || self.metrics.taken() == messages).await;
    }

    /// Waits until the bot is connected and its catch-up is complete.
    pub(crate) async fn wait_caught_up(&self) {
        self.until("the bot to have caught up", || self.is_up() && self.metrics.catching_up() == 0).await;
    }

    /// Whether the bot has a session at the gateway.
    pub(crate) fn is_up(&self) -> bool {
        self.metrics.encode().contains("\ntess_discord_gateway_up 1\n")
    }

    /// Waits until every accepted message has an outcome.
    pub(crate) async fn wait_settled(&self) {
        let metrics = self.metrics.clone();
        self.until("every message to have its outcome", move || metrics.taken() > 0 && metrics.in_flight() == 0).await;
    }

    /// Waits until a condition holds that sends no notification.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let wait = timeout(SOON, async {
            while !holds() {
                sleep(CHECK_INTERVAL).await;
            }
        });
        assert!(wait.await.is_ok(), "timed out waiting for {what}\n{}", self.discord.transcript(self.channel));
    }

    /// Deletes the folder of the state file while the bot runs.
    pub(crate) fn remove_state(&self) {
        std::fs::remove_dir_all(self.state.path()).unwrap();
    }

    /// The number of rows of a table in the state file.
    pub(crate) fn rows_on_disk(&self, table: &str) -> i64 {
        self.number_on_disk(&format!("SELECT count(*) FROM {table}"))
    }

    /// The number that a query of the state file returns; 0 without a row. It reads a copy, because the bot locks the file.
    pub(crate) fn number_on_disk(&self, sql: &str) -> i64 {
        let copy = TempDir::new().unwrap();
        for name in ["state.db", "state.db-wal"] {
            let _ = std::fs::copy(self.state.path().join(name), copy.path().join(name));
        }
        rusqlite::Connection::open(copy.path().join("state.db"))
            .and_then(|db| db.query_row(sql, [], |row| row.get(0)))
            .unwrap_or(0)
    }

    /// The configuration of the bot's next start.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Changes the configuration of the bot's next start.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    fn assert_settled(&self) {
        let metrics = &self.metrics;
        let in_flight = u64::try_from(metrics.in_flight()).expect("not negative");
        assert_eq!(metrics.taken(), metrics.settled() + in_flight, "a message without an outcome");
        assert_eq!(metrics.in_flight(), 0, "messages in flight after the shutdown");
        assert_eq!(metrics.panics(), self.panics, "panics");
    }

    /// Ends a test: stops the bot and checks what the module's documentation lists.
    pub(crate) async fn finish(mut self) {
        if self.running.is_some() {
            self.stop_bot().await.expect("a shutdown without an error");
        }
        self.check_simulators();
    }

    pub(crate) fn check_simulators(&self) {
        let unread = self.discord.unread();
        assert!(unread.is_empty(), "unexpected messages of the bot: {unread:#?}");
        let unused = self.discord.unused_faults() + self.tess.unused_faults();
        assert_eq!(unused, 0, "injected faults that met no request");
        let violations = self.discord.violations();
        assert!(violations.is_empty(), "Discord would have refused: {violations:#?}");
        let violations = self.tess.violations();
        assert!(violations.is_empty(), "Tess would have refused: {violations:#?}");
    }
}

/// Waits for a future; fails with `what` after [`SOON`].
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("timed out waiting for {what}"))
}
