//! Files that are in Tess's storage for as long as a turn takes, and their deletion.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::{
    conversation::tasks::Tasks,
    ids::FileId,
    state::State,
    tess::{Tess, TessError},
};

/// Files of all channels that are on their way from Discord to Tess at once. Each may take `MAX_FILE_BYTES` of
/// memory, twice.
const CONCURRENT_UPLOADS: usize = 2;

/// How long the deletion of a file may take, the wait for the request limiter included.
const DELETE_LIMIT: Duration = Duration::from_secs(120);

/// How long it may take once running turns are aborted.
const DELETE_LIMIT_AT_SHUTDOWN: Duration = Duration::from_secs(3);

/// Tess's storage, as far as this bot uses it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Uploads {
    tess: Tess,
    state: State,
    tasks: Tasks,
    permits: Arc<Semaphore>,
    /// How many turns use each file: Tess may give equal files one id.
    users: Arc<Mutex<HashMap<FileId, usize>>>,
}

/// A file in Tess's storage. It is deleted there when this is dropped, whatever became of the turn.
pub(super) struct UploadedFile {
    pub(super) id: FileId,
    pub(super) name: String,
    uploads: Uploads,
}

impl Drop for UploadedFile {
    fn drop(&mut self) {
        // Without a runtime the process is ending.
        let Ok(runtime) = Handle::try_current() else { return };
        self.uploads.release(self.id);
        let (id, uploads) = (self.id, self.uploads.clone());
        self.uploads.tasks.tracker.spawn_on(async move { uploads.delete(id).await }, &runtime);
    }
}

impl Uploads {
    pub(super) fn new(tess: Tess, state: State, tasks: Tasks) -> Self {
        Self { tess, state, tasks, permits: Arc::new(Semaphore::new(CONCURRENT_UPLOADS)), users: Arc::default() }
    }

    /// Waits for its turn to hold one more file in memory; `None` never happens, as the semaphore is not closed.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Uploads a file. The upload ends even if the turn is cut off: otherwise a file would stay at Tess under an unknown id.
    ///
    /// # Errors
    /// Those of [`Tess::upload`].
    pub(super) async fn upload(
        &self,
        name: String,
        mime: String,
        bytes: Vec<u8>,
        permit: OwnedSemaphorePermit,
    ) -> Result<UploadedFile, TessError> {
        let uploads = self.clone();
        let upload = self.tasks.tracker.spawn(async move {
            let id = uploads.tess.upload(&name, &mime, bytes, true).await?;
            uploads.record(id);
            drop(permit);
            Ok(UploadedFile { id, name, uploads })
        });
        let ended_early = |error| TessError::Unavailable { detail: format!("the upload ended early: {error}") };
        upload.await.unwrap_or_else(|error| Err(ended_early(error)))
    }

    /// Deletes, in the background, what an earlier process left in the storage.
    pub(super) fn delete_leftovers(&self) {
        for file in self.state.pending_deletions() {
            let uploads = self.clone();
            self.tasks.tracker.spawn(async move { uploads.delete(file).await });
        }
    }

    fn record(&self, id: FileId) {
        *self.users().entry(id).or_default() += 1;
        self.state.add_pending_deletion(id);
    }

    fn release(&self, id: FileId) {
        if let Entry::Occupied(mut users) = self.users().entry(id) {
            *users.get_mut() -= 1;
            if *users.get() == 0 {
                users.remove();
            }
        }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<FileId, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes a file that no turn uses. One that cannot be deleted now is left for the next start.
    async fn delete(&self, id: FileId) {
        if self.users().contains_key(&id) {
            return;
        }
        let shutdown_is_over = async {
            self.tasks.aborted.cancelled().await;
            sleep(DELETE_LIMIT_AT_SHUTDOWN).await;
        };
        tokio::select! {
            deleted = timeout(DELETE_LIMIT, self.tess.delete_file(id)) => match deleted {
                Ok(Ok(())) => {
                    debug!(file.id = %id, "uploaded file deleted");
                    self.state.remove_pending_deletion(id);
                }
                Ok(Err(error)) => warn!(file.id = %id, %error, "uploaded file not deleted"),
                Err(_) => warn!(file.id = %id, "uploaded file not deleted in time"),
            },
            () = shutdown_is_over => warn!(file.id = %id, "shutting down with a file left at Tess"),
        }
    }
}
