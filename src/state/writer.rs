//! The thread that brings changed facts into the file.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{
    facts::{Batch, Facts},
    file::{StateError, StateFile},
};
use crate::{backoff::Backoff, telemetry::Metrics};

/// Longest pause between two tries to write to a file that refuses; the first is twice the flush interval.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What the handles and the writer share.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Something of `inner` is not as it was.
    changed: Condvar,
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

    /// The writer is woken only by what it waits for: waking it costs more than the change itself.
    pub(super) fn change(&self, change: impl FnOnce(&mut Facts)) {
        let pressing = |facts: &Facts| (facts.is_changed(), facts.is_urgent());
        let mut inner = self.lock();
        let before = pressing(&inner.facts);
        change(&mut inner.facts);
        let is_news = pressing(&inner.facts) != before;
        drop(inner);
        if is_news {
            self.changed.notify_all();
        }
    }

    /// Asks the writer to write what is open and to end.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Whether the writer ended within the time. Blocks.
    pub(super) fn wait_for_end(&self, within: Duration) -> bool {
        let wait = self.changed.wait_timeout_while(self.lock(), within, |inner| !inner.ended);
        wait.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits for a change, then for others to share its write: `pause` long, or until something `hurries` it.
    /// `None` when there is nothing left to write; the flag says that no further try will follow.
    fn next_batch(&self, pause: Duration, hurries: fn(&Facts) -> bool) -> Option<(Batch, bool)> {
        let idle = |inner: &mut Inner| !inner.stopping && !inner.facts.is_changed();
        let inner = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if !inner.facts.is_changed() {
            return None;
        }
        let gathering = |inner: &mut Inner| !inner.stopping && !hurries(&inner.facts);
        let wait = self.changed.wait_timeout_while(inner, pause, gathering);
        let (mut inner, _) = wait.unwrap_or_else(PoisonError::into_inner);
        Some((inner.facts.take_batch(), inner.stopping))
    }

    /// Facts are changed in small steps that do not panic, so they are whole even behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread owns.
pub(super) struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    /// `None` after the file was removed, until a new one could be made.
    file: Option<StateFile>,
    flush_every: Duration,
    metrics: Metrics,
    /// Failures since the last success.
    failures: u32,
}

impl Writer {
    /// Starts the thread; it ends by itself after [`Shared::stop`].
    pub(super) fn start(
        file: StateFile,
        facts: Facts,
        flush_every: Duration,
        metrics: Metrics,
    ) -> Result<Arc<Shared>, StateError> {
        let inner = Mutex::new(Inner { facts, stopping: false, ended: false });
        let shared = Arc::new(Shared { inner, changed: Condvar::new() });
        let path = file.path().to_owned();
        let writer = Self { shared: Arc::clone(&shared), path, file: Some(file), flush_every, metrics, failures: 0 };
        let thread = thread::Builder::new().name("state".into());
        thread.spawn(|| writer.run()).map_err(StateError::Thread)?;
        Ok(shared)
    }

    fn run(mut self) {
        while let Some((batch, last)) = self.next_batch() {
            match self.write(&batch) {
                Ok(()) => self.succeeded(),
                Err(error) => {
                    self.failed(&error, &batch);
                    if last {
                        break;
                    }
                }
            }
        }
        // Gives the lock back before anyone hears of the end.
        self.file = None;
        self.shared.end();
    }

    fn next_batch(&self) -> Option<(Batch, bool)> {
        if self.failures == 0 {
            return self.shared.next_batch(self.flush_every, Facts::is_urgent);
        }
        let backoff = Backoff::new(self.flush_every.saturating_mul(2), RETRY_MAX);
        self.shared.next_batch(backoff.pause_after(self.failures), |_| false)
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StateError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(StateFile::open(&self.path)?),
        };
        file.write(batch)
    }

    fn succeeded(&mut self) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "the state file can be written again; nothing was lost");
        }
        self.failures = 0;
    }

    /// Logged once, not for every try: a full disk should not be filled further.
    fn failed(&mut self, error: &StateError, batch: &Batch) {
        self.metrics.state_error();
        if self.failures == 0 {
            tracing::error!(%error, "the state file cannot be written; it is kept in memory and tried again");
        }
        self.failures = self.failures.saturating_add(1);
        let removed = matches!(error, StateError::Removed { .. });
        if removed {
            self.file = None;
        }
        self.shared.change(|facts| if removed { facts.change_all() } else { facts.give_back(batch) });
    }
}
