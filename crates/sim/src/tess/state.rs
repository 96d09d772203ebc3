//! The settings of the simulator, and what its routes and handles share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::{Query, State};
use tokio::{sync::watch, time::sleep_until};

use super::world::{Run, World};

/// Settings of the simulator.
#[derive(Clone, Debug)]
pub struct TessOptions {
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// The accepted API key.
    pub key: String,
    /// The workspace that `x-workspace-id` must name; with `None` no header is needed.
    pub workspace: Option<u64>,
    /// Requests per second; further ones get a 429 and are a violation. 0 for no limit.
    pub requests_per_second: u32,
    /// How long after a 429 a request may arrive that was sent before the client read it.
    pub rate_limit_grace: Duration,
    /// The duration of an execution.
    pub delay: Duration,
    /// How long a request that waits for the execution may wait.
    pub wait_limit: Duration,
    /// The response at the wait limit.
    pub at_wait_limit: AtWaitLimit,
    /// Words of one event of a stream.
    pub words_per_event: usize,
    /// Time between two events of a stream.
    pub event_interval: Duration,
    /// Size of the largest file, in bytes.
    pub file_bytes: usize,
    /// Polls that return `waiting` for a file.
    pub file_polls: usize,
    /// Whether files with equal content get the same id. Observed with one client, documented nowhere.
    pub deduplicate_files: bool,
}

/// The response to a request whose wait exceeds the limit. Both were observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtWaitLimit {
    /// HTTP 200 with the unfinished execution.
    Unfinished,
    /// HTTP 524 in plain text, without an id.
    Http524,
}

impl TessOptions {
    /// For the demo: an execution takes a moment.
    pub fn for_demo() -> Self {
        Self { delay: Duration::from_millis(900), ..Self::default() }
    }
}

impl Default for TessOptions {
    fn default() -> Self {
        Self {
            port: 0,
            key: "101|simulated-tess-key".to_owned(),
            workspace: None,
            requests_per_second: 0,
            rate_limit_grace: Duration::from_millis(50),
            delay: Duration::ZERO,
            wait_limit: Duration::from_secs(100),
            at_wait_limit: AtWaitLimit::Unfinished,
            words_per_event: 3,
            event_interval: Duration::ZERO,
            file_bytes: 32 * 1024 * 1024,
            file_polls: 1,
            deduplicate_files: false,
        }
    }
}

/// What the routes and the handles share.
pub(super) struct Shared {
    pub(super) options: TessOptions,
    pub(super) world: Mutex<World>,
    /// Notified after every change of the world.
    pub(super) changed: watch::Sender<()>,
}

impl Shared {
    /// Locks the world. The guard must not be held across an await.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world and wakes every task that waits for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changed.send_replace(());
        result
    }

    /// Waits until `find` finds something; it is called after every change.
    pub(super) async fn until<T>(&self, mut find: impl FnMut(&mut World) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            let result = find(&mut self.world());
            if let Some(result) = result {
                return result;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until an execution ended. Returns at once when only polls end it.
    pub(super) async fn until_ended(&self, id: u64) {
        let ready_at = self.world().find(id).filter(|run| !run.ends_by_polls()).map(|run| run.ready_at);
        if let Some(ready_at) = ready_at {
            sleep_until(ready_at).await;
            self.until(|world| world.find(id).is_none_or(Run::is_free).then_some(())).await;
        }
    }
}

/// The state of the routes.
pub(super) type Sim = State<Arc<Shared>>;

/// The query of a request.
pub(super) type Params = Query<BTreeMap<String, String>>;
