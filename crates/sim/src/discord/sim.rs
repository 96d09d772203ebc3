//! The handle of a running simulator.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::DefaultBodyLimit, serve::ListenerExt};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    body::MAX_REQUEST_BYTES,
    rest,
    state::{DiscordOptions, Shared, State},
};

/// How long the methods of the handle wait for the bot.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// A running Discord. Clones are handles of the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct DiscordSim {
    pub(super) shared: Arc<Shared>,
    general: u64,
    _running: Arc<DropGuard>,
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
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(Arc::clone(&shared));
        let stopped = shared.stopped.clone().cancelled_owned();
        // Nagle's algorithm would delay small frames, whose latency the benchmarks measure.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(stopped);
        shared.tasks.spawn(async move { server.await });
        shared.tasks.close();
        let running = Arc::new(shared.stopped.clone().drop_guard());
        Ok(Self { shared, general, _running: running })
    }

    /// The base URL of `/api/v10`, e.g. `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The bot's token.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.read(|state| state.options.token.clone())
    }

    /// The bot's user id.
    #[must_use]
    pub fn bot_id(&self) -> u64 {
        self.shared.read(|state| state.world.bot)
    }

    /// The application's id, which differs from the bot's.
    #[must_use]
    pub fn application_id(&self) -> u64 {
        self.shared.read(|state| state.world.application)
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

    /// Waits until a condition holds, which is checked after every change. Panics after 10 s.
    pub async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait(what, || holds(self).then_some(())).await;
    }

    /// Waits until `find` finds something in the state. Panics after [`WAIT_LIMIT`].
    pub(super) async fn wait_for<T>(&self, what: &str, find: impl Fn(&mut State) -> Option<T>) -> T {
        self.wait(what, || self.shared.read(&find)).await
    }

    async fn wait<T>(&self, what: &str, find: impl Fn() -> Option<T>) -> T {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = find() {
                    return found;
                }
                // The sender lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        match timeout(WAIT_LIMIT, wait).await {
            Ok(found) => found,
            Err(_) => panic!("timed out waiting for {what}\n{}", self.shared.read(|state| state.transcripts())),
        }
    }
}
