//! Discord, simulated: the gateway and REST on one port, over one plain world of guilds, channels, people and messages.
//!
//! A test (or the demo) starts a [`DiscordSim`], lets people [`say`](DiscordSim::say) things and use commands, and
//! reads what the bot answers with [`next_message`](DiscordSim::next_message):
//!
//! ```no_run
//! # use sim::discord::{DiscordOptions, DiscordSim};
//! # async fn example() -> std::io::Result<()> {
//! let discord = DiscordSim::start(DiscordOptions::default()).await?;
//! // … start a bot with `discord.url()` and `discord.token()` …
//! discord.wait_connected().await;
//! discord.say(discord.general(), "alice", "hi");
//! assert_eq!(discord.next_message(discord.general()).await.content, "Hello!");
//! assert!(discord.violations().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! It is strict. What Discord would refuse is refused, with Discord's own error, and recorded as a violation, and so is
//! what Discord lets pass and this bot must not do: a message that could ping, one without an enforced nonce, a request
//! inside the time of a 429. What can go wrong with the real service has a name here; see `faults`.
//!
//! How it is made: every request and every payload of the gateway changes one `State` under one lock, and then tells
//! whoever waits that something changed. Nothing else is shared, and no lock is held over an await.

mod cdn;
mod checks;
mod commands;
mod faults;
mod gateway;
mod interactions;
mod limits;
mod messages;
mod people;
mod protocol;
mod rest;
mod routes;
mod seen;
mod sessions;
mod snowflake;
mod world;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, serve::ListenerExt};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{
    faults::Faults, interactions::Interaction, limits::Limits, messages::UsedNonce, sessions::Gateway, world::World,
};
pub use self::{
    faults::LostAnswer,
    interactions::{InteractionHandle, SimResponse},
    limits::{Limit, Scope},
    routes::Route,
    seen::{SimMessage, SimRequest},
};

/// How long a test waits for the bot.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the simulator is set up.
#[derive(Clone, Debug)]
pub struct DiscordOptions {
    /// The bot's token, without `Bot `.
    pub token: String,
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// What HELLO tells the client.
    pub heartbeat_interval: Duration,
    /// The limit of creating messages, for each channel. Discord's is about 5 in 5 s.
    pub message_limit: Limit,
    /// The limit of every other route.
    pub route_limit: Limit,
    /// Requests a second over all routes; Discord's is 50. `None`: no limit.
    pub global_per_second: Option<u32>,
    /// How long after a global 429 another request may still come that was sent before the 429 was read. A route's 429
    /// has no such grace: sends of one channel go one after the other.
    pub global_grace: Duration,
    /// Whether two IDENTIFYs within five seconds are refused, as Discord does.
    pub strict_identify: bool,
    /// Whether the application may have the message content intent.
    pub message_content: bool,
    /// Another address than the gateway's own that READY names for resuming.
    pub resume_url: Option<String>,
}

impl Default for DiscordOptions {
    /// Nothing that slows a test down: generous limits, reconnects at once.
    fn default() -> Self {
        let generous = Limit { requests: 1_000, per: Duration::from_secs(1) };
        Self {
            token: "sim-bot-token".to_owned(),
            port: 0,
            heartbeat_interval: Duration::from_millis(41_250),
            message_limit: generous,
            route_limit: generous,
            global_per_second: None,
            global_grace: Duration::from_millis(50),
            strict_identify: false,
            message_content: true,
            resume_url: None,
        }
    }
}

/// A running Discord. Clones are one and the same; the last one dropped stops it.
#[derive(Clone)]
pub struct DiscordSim {
    shared: Arc<Shared>,
    general: u64,
    _running: Arc<DropGuard>,
}

/// What the server's tasks and the handles share.
struct Shared {
    state: Mutex<State>,
    /// Told after every change of the state.
    changed: watch::Sender<()>,
    stopped: CancellationToken,
    tasks: TaskTracker,
    url: String,
}

/// Everything there is.
struct State {
    options: DiscordOptions,
    gateway_url: String,
    world: World,
    gateway: Gateway,
    limits: Limits,
    faults: Faults,
    interactions: BTreeMap<u64, Interaction>,
    nonces: VecDeque<UsedNonce>,
    /// Files of the request being performed, on their way into a message.
    uploads: Vec<(String, Bytes)>,
    /// Messages of the bot as each edit left them, by id.
    edits: VecDeque<(u64, SimMessage)>,
    commands: Vec<Value>,
    command_puts: usize,
    requests: VecDeque<SimRequest>,
    violations: Vec<String>,
    invalid_requests: usize,
    on_message: Option<OnMessage>,
}

/// Is told each message of the bot as it is posted.
type OnMessage = Box<dyn Fn(&SimMessage) + Send>;

impl Shared {
    /// Changes the state and tells whoever waits.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = self.look(change);
        self.changed.send_replace(());
        result
    }

    /// Looks at the state, or takes out of it what nobody else waits for.
    fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // A test that panicked has its own message; the state is whole between two changes.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DiscordSim {
    /// Starts a Discord that has one guild, "Sim", with one channel, "general".
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: DiscordOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).await?;
        let address = listener.local_addr()?;
        let mut state = State::new(options, format!("ws://{address}"));
        let (guild, _) = state.world.guild("Sim");
        let (general, _) = state.world.text_channel(guild, "general");
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
            url: format!("http://{address}"),
        });
        let router = Router::new()
            .fallback(rest::serve)
            .layer(DefaultBodyLimit::max(rest::MAX_REQUEST_BYTES))
            .with_state(Arc::clone(&shared));
        let stopped = shared.stopped.clone().cancelled_owned();
        // Small frames must not wait for each other: the time they take is measured.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(stopped);
        shared.tasks.spawn(async move { server.await });
        shared.tasks.close();
        let running = Arc::new(shared.stopped.clone().drop_guard());
        Ok(Self { shared, general, _running: running })
    }

    /// Where it is, such as `http://127.0.0.1:40123`: the base of `/api/v10`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The bot's token.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.look(|state| state.options.token.clone())
    }

    /// The bot's user id.
    #[must_use]
    pub fn bot_id(&self) -> u64 {
        self.shared.look(|state| state.world.bot)
    }

    /// The application's id; not the same as the bot's.
    #[must_use]
    pub fn application_id(&self) -> u64 {
        self.shared.look(|state| state.world.application)
    }

    /// The channel "general" of the guild "Sim".
    #[must_use]
    pub fn general(&self) -> u64 {
        self.general
    }

    /// Ends every connection and waits until the port is free.
    pub async fn shutdown(&self) {
        self.shared.stopped.cancel();
        self.shared.tasks.wait().await;
    }

    /// Waits until `find` finds something. Panics after [`PATIENCE`], with all that was said.
    async fn wait_for<T>(&self, what: &str, find: impl Fn(&mut State) -> Option<T>) -> T {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = self.shared.look(&find) {
                    return found;
                }
                // The sender lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain for {what}\n{}", self.shared.look(|state| state.transcripts())),
        }
    }
}

impl State {
    fn new(options: DiscordOptions, gateway_url: String) -> Self {
        let world = World::new(options.message_content);
        Self {
            gateway: Gateway::new(world.bot, options.heartbeat_interval),
            options,
            gateway_url,
            world,
            limits: Limits::default(),
            faults: Faults::default(),
            interactions: BTreeMap::new(),
            nonces: VecDeque::new(),
            uploads: Vec::new(),
            edits: VecDeque::new(),
            commands: Vec::new(),
            command_puts: 0,
            requests: VecDeque::new(),
            violations: Vec::new(),
            invalid_requests: 0,
            on_message: None,
        }
    }
}
