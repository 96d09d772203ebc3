//! The tasks of the conversation, and how they end.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

/// How long aborted turns may take to end.
const ABORT_LIMIT: Duration = Duration::from_secs(2);

/// Every task of the conversation. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    pub(super) tracker: TaskTracker,
    /// Cancelled when shutdown begins: no turn begins any more.
    pub(super) draining: CancellationToken,
    /// Cancelled when the time of shutdown is over: running turns end where they are.
    pub(super) aborted: CancellationToken,
}

impl Tasks {
    /// Lets no turn begin any more, and gives the tasks up to `grace` to end before it aborts them.
    pub(super) async fn shut_down(&self, grace: Duration) {
        self.draining.cancel();
        self.tracker.close();
        if timeout(grace, self.tracker.wait()).await.is_ok() {
            return;
        }
        warn!(tasks = self.tracker.len(), "turns are unfinished at shutdown; the next start answers their messages");
        self.aborted.cancel();
        if timeout(ABORT_LIMIT, self.tracker.wait()).await.is_err() {
            error!(tasks = self.tracker.len(), "aborted turns did not end; this is a bug in the bot");
        }
    }
}
