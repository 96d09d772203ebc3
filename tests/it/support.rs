//! The harness: the whole bot between both simulators, in a test that reads like a chat.
//!
//! ```ignore
//! let chat = Chat::start().await;
//! chat.tess.answers(["Hello!"]);
//! chat.say("alice", "hi");
//! chat.expect_reply("Hello!").await;
//! chat.finish().await;
//! ```
//!
//! [`Chat::finish`] belongs at the end of every test: the bot stops in time and without a panic, nobody was left without an
//! outcome, no message of the bot is unread, and neither simulator saw anything that the real service would refuse.

use std::time::Duration;

use sim::{
    discord::{DiscordOptions, DiscordSim, SimMessage},
    tess::{Execution, TessOptions, TessSim},
};
use tempfile::TempDir;
use tess_discord::{
    bot::Bot,
    config::{Config, Timings},
    telemetry::Metrics,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How long anything that must happen may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// How often something is looked at that can not be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A bot, two simulated services, and people.
pub(crate) struct Chat {
    pub(crate) discord: DiscordSim,
    pub(crate) tess: TessSim,
    pub(crate) metrics: Metrics,
    /// The channel people talk in unless told otherwise.
    pub(crate) channel: u64,
    /// The server it is in.
    pub(crate) guild: u64,
    config: Config,
    state: TempDir,
    running: Option<Running>,
    /// Panics that the test provokes.
    pub(crate) panics: u64,
}

/// A bot on a thread and a runtime of its own, as in its process: so it can be killed with all it has under way.
struct Running {
    stop: CancellationToken,
    kill: CancellationToken,
    ended: oneshot::Receiver<anyhow::Result<()>>,
    thread: std::thread::JoinHandle<()>,
}

/// How a chat is set up.
pub(crate) struct Setup {
    pub(crate) discord: DiscordOptions,
    pub(crate) tess: TessOptions,
    settings: Vec<(String, String)>,
    change: Box<dyn FnOnce(&mut Config) + Send>,
}

impl Setup {
    /// Another setting, as in `.env`.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A change of what is no setting.
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

    /// Starts everything and waits until the bot is connected, and hears of what is said from the gateway alone.
    pub(crate) async fn start(self) -> Chat {
        let mut chat = self.prepare().await;
        chat.start_bot().await;
        chat.caught_up().await;
        chat
    }

    /// Starts the simulators and leaves the bot out.
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

/// A bot in a hurry: nothing here changes what it does, only how long it takes.
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
    /// The usual: one server, one channel, the default agent.
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

    /// Starts the bot, again or for the first time, and waits until it is connected.
    pub(crate) async fn start_bot(&mut self) {
        self.launch().await;
        within("the bot to connect", self.discord.wait_connected()).await;
    }

    /// Starts the bot without waiting for anything.
    pub(crate) async fn launch(&mut self) {
        assert!(self.running.is_none(), "the bot runs already");
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let (built, metrics) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (config, stopped, killed) = (self.config.clone(), stop.clone(), kill.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let result = runtime.block_on(killed.run_until_cancelled(async {
                let bot = Bot::build(config).await.expect("a bot that can be built");
                let _ = built.send(bot.metrics().clone());
                bot.run(stopped).await
            }));
            drop(runtime);
            if let Some(result) = result {
                let _ = end.send(result);
            }
        });
        self.metrics = metrics.await.expect("a bot that can be built");
        self.running = Some(Running { stop, kill, ended, thread });
    }

    /// Stops the bot as SIGTERM does, and tells how it ended.
    pub(crate) async fn stop_bot(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().expect("a running bot");
        running.stop.cancel();
        let result = within("the bot to stop", running.ended).await.expect("the bot panicked");
        self.assert_settled();
        result
    }

    /// Waits until the bot ends by itself.
    pub(crate) async fn bot_ended(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().expect("a running bot");
        within("the bot to end", running.ended).await.expect("the bot panicked")
    }

    /// Takes the bot away between two instructions, as `kill -9` does.
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

    /// The bot's next message, which has to read like this.
    pub(crate) async fn expect_reply(&self, text: &str) -> SimMessage {
        let message = self.next().await;
        assert_eq!(message.content, text, "\n{}", self.discord.transcript(self.channel));
        message
    }

    /// The bot's next message.
    pub(crate) async fn next(&self) -> SimMessage {
        self.discord.next_message(self.channel).await
    }

    /// The next execution that was not looked at yet.
    pub(crate) async fn execution(&self) -> Execution {
        self.tess.next_execution().await.expect("an execution")
    }

    /// What the agent was sent next, as `role: content` lines.
    pub(crate) async fn expect_asked(&self, lines: &[&str]) {
        let execution = self.execution().await;
        let messages = execution.messages.as_array().unwrap().clone();
        let asked: Vec<String> = messages
            .iter()
            .map(|message| format!("{}: {}", message["role"].as_str().unwrap(), message["content"].as_str().unwrap()))
            .collect();
        assert_eq!(asked, lines);
    }

    /// Until so many messages were taken to be answered.
    pub(crate) async fn taken(&self, messages: u64) {
        self.until("messages to be taken", || self.metrics.taken() == messages).await;
    }

    /// Until the bot is connected and nothing is left to be looked at for missed messages.
    pub(crate) async fn caught_up(&self) {
        self.until("the bot to have caught up", || self.is_up() && self.metrics.catching_up() == 0).await;
    }

    /// Whether the gateway's session is up.
    pub(crate) fn is_up(&self) -> bool {
        self.metrics.encode().contains("\ntess_discord_gateway_up 1\n")
    }

    /// Waits until every message that was taken has its outcome.
    pub(crate) async fn settled(&self) {
        let metrics = self.metrics.clone();
        self.until("every message to have its outcome", move || metrics.taken() > 0 && metrics.in_flight() == 0).await;
    }

    /// Waits for something that can only be looked at.
    pub(crate) async fn until(&self, what: &str, mut true_now: impl FnMut() -> bool) {
        let looked = timeout(SOON, async {
            while !true_now() {
                sleep(LOOK_AGAIN).await;
            }
        });
        assert!(looked.await.is_ok(), "waited in vain for {what}\n{}", self.discord.transcript(self.channel));
    }

    /// Takes the state file's folder away under the running bot.
    pub(crate) fn remove_state(&self) {
        std::fs::remove_dir_all(self.state.path()).unwrap();
    }

    /// Rows of a table in the state file.
    pub(crate) fn rows_on_disk(&self, table: &str) -> i64 {
        self.number_on_disk(&format!("SELECT count(*) FROM {table}"))
    }

    /// A number in the state file; 0 when it is not there. The running bot has it locked, so a copy is read.
    pub(crate) fn number_on_disk(&self, sql: &str) -> i64 {
        let copy = TempDir::new().unwrap();
        for name in ["state.db", "state.db-wal"] {
            let _ = std::fs::copy(self.state.path().join(name), copy.path().join(name));
        }
        rusqlite::Connection::open(copy.path().join("state.db"))
            .and_then(|db| db.query_row(sql, [], |row| row.get(0)))
            .unwrap_or(0)
    }

    /// What the bot's next start reads.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The bot's next start reads other settings.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    fn assert_settled(&self) {
        let metrics = &self.metrics;
        let in_flight = u64::try_from(metrics.in_flight()).expect("not less than none");
        assert_eq!(metrics.taken(), metrics.settled() + in_flight, "a message without an outcome");
        assert_eq!(metrics.in_flight(), 0, "messages still in flight after the stop");
        assert_eq!(metrics.panics(), self.panics, "panics");
    }

    /// The end of every test.
    pub(crate) async fn finish(mut self) {
        if self.running.is_some() {
            self.stop_bot().await.expect("a clean stop");
        }
        self.check_simulators();
    }

    pub(crate) fn check_simulators(&self) {
        let unread = self.discord.unread();
        assert!(unread.is_empty(), "messages of the bot that the test did not expect: {unread:#?}");
        let unused = self.discord.unused_faults() + self.tess.unused_faults();
        assert_eq!(unused, 0, "faults that hit nothing: the test shows less than it says");
        let violations = self.discord.violations();
        assert!(violations.is_empty(), "Discord would have refused: {violations:#?}");
        let violations = self.tess.violations();
        assert!(violations.is_empty(), "Tess would have refused: {violations:#?}");
    }
}

/// A bounded wait that says what for.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
