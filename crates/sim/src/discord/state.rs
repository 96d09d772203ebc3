//! The state of the simulator, and what its tasks and handles share.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    faults::Faults,
    limits::{Limit, Limits},
    observed::{SimMessage, SimRequest},
    sessions::Gateway,
    world::World,
};

/// Settings of the simulator.
#[derive(Clone, Debug)]
pub struct DiscordOptions {
    /// The bot's token, without `Bot `.
    pub token: String,
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// The interval that HELLO demands.
    pub heartbeat_interval: Duration,
    /// The limit of creating messages, for each channel. Discord's is about 5 in 5 s.
    pub message_limit: Limit,
    /// The limit of every other route.
    pub route_limit: Limit,
    /// Requests per second over all routes; Discord's limit is 50. `None` for no limit.
    pub global_per_second: Option<u32>,
    /// How long after a global 429 a request may arrive that was sent before the client read it. The 429 of a route
    /// has no such grace: the sends of a channel follow each other.
    pub global_grace: Duration,
    /// Whether two IDENTIFYs within five seconds are refused, as Discord does.
    pub strict_identify: bool,
    /// Whether the application has the message content intent.
    pub message_content: bool,
    /// The address for resuming that READY names, when it is not the gateway's own.
    pub resume_url: Option<String>,
}

impl Default for DiscordOptions {
    /// Settings that do not slow a test down: generous limits, and reconnects at once.
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

/// What the tasks of the server and the handles share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Notified after every change of the state.
    pub(super) changed: watch::Sender<()>,
    pub(super) stopped: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) url: String,
}

impl Shared {
    /// Changes the state and wakes every task that waits for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = self.read(change);
        self.changed.send_replace(());
        result
    }

    /// Reads the state, or changes a part of it that no task waits for.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        // The state is consistent between two changes, and a test that panicked has its own message.
        read(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The state of the simulator.
pub(super) struct State {
    pub(super) options: DiscordOptions,
    pub(super) gateway_url: String,
    pub(super) world: World,
    pub(super) gateway: Gateway,
    pub(super) limits: Limits,
    pub(super) faults: Faults,
    pub(super) interactions: BTreeMap<u64, Interaction>,
    pub(super) nonces: VecDeque<UsedNonce>,
    /// Files of the current request, until its message is published.
    pub(super) uploads: Vec<(String, Bytes)>,
    /// Messages of the bot after each edit, by id.
    pub(super) edits: VecDeque<(u64, SimMessage)>,
    pub(super) commands: Vec<Value>,
    pub(super) command_puts: usize,
    pub(super) requests: VecDeque<SimRequest>,
    pub(super) violations: Vec<String>,
    pub(super) invalid_requests: usize,
    pub(super) on_message: Option<OnMessage>,
}

/// Is called with each message of the bot when it is posted.
pub(super) type OnMessage = Box<dyn Fn(&SimMessage) + Send>;

/// A message that was created with an enforced nonce.
pub(super) struct UsedNonce {
    pub(super) nonce: String,
    pub(super) message: u64,
    pub(super) at: Instant,
}

/// A command, button, modal or completion that a user used.
pub(super) struct Interaction {
    pub(super) kind: u64,
    pub(super) channel: u64,
    pub(super) user: u64,
    pub(super) at: Instant,
    /// The message whose component was used.
    pub(super) source: Option<u64>,
    /// The body of the bot's callback.
    pub(super) callback: Option<Value>,
    /// The message that `@original` refers to.
    pub(super) original: Option<u64>,
    pub(super) followups: Vec<u64>,
}

impl State {
    pub(super) fn new(options: DiscordOptions, gateway_url: String) -> Self {
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
