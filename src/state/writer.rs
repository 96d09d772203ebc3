//! The thread that writes changed facts to the file.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{
    facts::{Changes, Facts},
    file::{StateError, StateFile},
};
use crate::{backoff::Backoff, telemetry::Metrics};

/// Longest pause between two tries to write to a file that refuses; the first is twice the flush interval.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What the handles and the thread share.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Wakes the thread, and those that wait for its end.
    wake: Condvar,
}

struct Inner {
    facts: Facts,
    stopping: bool,
    ended: bool,
}

impl Shared {
    pub(super) fn read<T>(&self, read: impl FnOnce(&Facts) -> T) -> T {
        read(&self.lock().facts)
    }

    /// Changes the facts. Wakes the thread only for what it waits for, since waking costs more than the change itself.
    pub(super) fn change(&self, change: impl FnOnce(&mut Facts)) {
        let state = |facts: &Facts| (facts.is_changed(), facts.is_urgent());
        let mut inner = self.lock();
        let before = state(&inner.facts);
        change(&mut inner.facts);
        let wakes = state(&inner.facts) != before;
        drop(inner);
        if wakes {
            self.wake.notify_all();
        }
    }

    /// Asks the thread to write the changes and to end.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.wake.notify_all();
    }

    /// Blocks until the thread ends, at most for `timeout`; returns whether it ended.
    pub(super) fn wait_for_end(&self, timeout: Duration) -> bool {
        let wait = self.wake.wait_timeout_while(self.lock(), timeout, |inner| !inner.ended);
        wait.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_all();
    }

    /// Waits for a change, then `pause` for others to share its write, unless `is_urgent`.
    /// Returns `None` if there is nothing left to write; the flag says whether this is the last try.
    fn next_changes(&self, pause: Duration, is_urgent: fn(&Facts) -> bool) -> Option<(Changes, bool)> {
        let idle = |inner: &mut Inner| !inner.stopping && !inner.facts.is_changed();
        let inner = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if !inner.facts.is_changed() {
            return None;
        }
        let gathering = |inner: &mut Inner| !inner.stopping && !is_urgent(&inner.facts);
        let wait = self.wake.wait_timeout_while(inner, pause, gathering);
        let (mut inner, _) = wait.unwrap_or_else(PoisonError::into_inner);
        Some((inner.facts.take_changes(), inner.stopping))
    }

    /// Facts are changed in small steps that do not panic, so that they are consistent even after a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own data.
pub(super) struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    /// `None` after the file was removed, until a new one is created.
    file: Option<StateFile>,
    flush_interval: Duration,
    metrics: Metrics,
    /// Failures since the last success.
    failures: u32,
}

impl Writer {
    /// Starts the thread; it ends by itself after [`Shared::stop`].
    pub(super) fn start(
        file: StateFile,
        facts: Facts,
        flush_interval: Duration,
        metrics: Metrics,
    ) -> Result<Arc<Shared>, StateError> {
        let inner = Mutex::new(Inner { facts, stopping: false, ended: false });
        let shared = Arc::new(Shared { inner, wake: Condvar::new() });
        let path = file.path().to_owned();
        let writer = Self { shared: Arc::clone(&shared), path, file: Some(file), flush_interval, metrics, failures: 0 };
        let thread = thread::Builder::new().name("state".into());
        thread.spawn(|| writer.run()).map_err(StateError::Thread)?;
        Ok(shared)
    }

    fn run(mut self) {
        while let Some((changes, last)) = self.next_changes() {
            match self.write(&changes) {
                Ok(()) => self.succeeded(),
                Err(error) => {
                    self.failed(&error, &changes);
                    if last {
                        break;
                    }
                }
            }
        }
        // Releases the file's lock before the end is announced.
        self.file = None;
        self.shared.end();
    }

    fn next_changes(&self) -> Option<(Changes, bool)> {
        if self.failures == 0 {
            return self.shared.next_changes(self.flush_interval, Facts::is_urgent);
        }
        let backoff = Backoff::new(self.flush_interval.saturating_mul(2), RETRY_MAX);
        self.shared.next_changes(backoff.pause_after(self.failures), |_| false)
    }

    fn write(&mut self, changes: &Changes) -> Result<(), StateError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(StateFile::open(&self.path)?),
        };
        file.write(changes)
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "state file writable again; nothing was lost");
        }
        self.failures = 0;
    }

    /// Logs the first failure only, so as not to fill a full disk further.
    fn failed(&mut self, error: &StateError, changes: &Changes) {
        self.metrics.state_error();
        if self.failures == 0 {
            tracing::error!(%error, "state file not written; the changes stay in memory and the write is retried");
        }
        self.failures = self.failures.saturating_add(1);
        let removed = matches!(error, StateError::Removed { .. });
        if removed {
            self.file = None;
        }
        self.shared.change(|facts| if removed { facts.mark_all_changed() } else { facts.restore(changes) });
    }
}
