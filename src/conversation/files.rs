//! The files of a turn: texts are put behind their message, others are lent to Tess for as long as the turn takes.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    conversation::{
        Inner,
        channel::{Attached, Batch},
    },
    discord::{
        FetchError,
        model::{Attachment, Message},
    },
    ids::{ChannelId, FileId, UserId},
    intake::{
        self,
        files::{FileRoute, TEXT_BYTES},
    },
    reply::texts::files::{UnreadFile, UnreadReason},
    state::State,
    tess::{FileKind, MAX_FILES_PER_EXECUTION, Tess, TessError},
};

/// Files of all channels that are on their way at once. Each may take [`crate::tess::MAX_FILE_BYTES`] of memory, twice.
pub(super) const AT_ONCE: usize = 2;

/// Texts that are put behind the messages of one turn.
const TEXTS_PER_TURN: usize = 3;

/// How long Tess may take to read the files of a turn.
const READ_WITHIN: Duration = Duration::from_secs(180);

/// How long deleting a file may take, waiting for a free request included.
const DELETED_WITHIN: Duration = Duration::from_secs(120);

/// How long it may take once the bot stops.
const DELETED_AT_LAST_WITHIN: Duration = Duration::from_secs(3);

/// The type of a file that Discord knows none of.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The files that come with a message: its own and those of the message it replies to, unless that is the bot's.
pub(super) fn attached(message: &Message, me: UserId) -> Vec<Attached> {
    let quoted = message.referenced_message.as_deref().filter(|quoted| quoted.author.id != me);
    let sources = [Some(message), quoted].into_iter().flatten();
    let files = sources.flat_map(|source| source.attachments().map(|file| (source.id, file.clone())));
    let alone = !intake::has_text(message);
    files.map(|(source, file)| Attached { message: message.id, source, alone, file }).collect()
}

impl Batch {
    pub(super) fn says_nothing_without_files(&self) -> bool {
        let is_alone = |message| self.files.iter().any(|attached| attached.message == message && attached.alone);
        self.messages.iter().all(|message| is_alone(*message))
    }
}

/// What became of the files of a turn.
#[derive(Default)]
pub(super) struct Brought {
    pub(super) stored: Vec<Stored>,
    texts: usize,
}

impl Brought {
    pub(super) fn is_nothing(&self) -> bool {
        self.stored.is_empty() && self.texts == 0
    }
}

/// A file that Tess keeps. It is deleted there when this is dropped, whatever became of the turn.
pub(super) struct Stored {
    id: FileId,
    name: String,
    storage: Storage,
}

/// How many turns use each file at Tess: it may give equal files one id.
pub(super) type Holders = Arc<Mutex<HashMap<FileId, usize>>>;

/// Tess's, as far as this bot uses it.
#[derive(Clone)]
struct Storage {
    tess: Tess,
    holders: Holders,
    state: State,
    turns: TaskTracker,
    given_up: CancellationToken,
}

impl Stored {
    pub(super) fn id(&self) -> FileId {
        self.id
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        // Without a runtime the process is being taken down.
        let Ok(runtime) = Handle::try_current() else { return };
        self.storage.give_back(self.id);
        let (id, storage) = (self.id, self.storage.clone());
        self.storage.turns.spawn_on(async move { storage.delete(id).await }, &runtime);
    }
}

impl Storage {
    /// A file was stored for a turn.
    fn take(&self, id: FileId) {
        *self.holders().entry(id).or_default() += 1;
        self.state.add_pending_deletion(id);
    }

    fn give_back(&self, id: FileId) {
        if let Entry::Occupied(mut holders) = self.holders().entry(id) {
            *holders.get_mut() -= 1;
            if *holders.get() == 0 {
                holders.remove();
            }
        }
    }

    fn holders(&self) -> MutexGuard<'_, HashMap<FileId, usize>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes a file that no turn uses. What can not be deleted now is left for the next start.
    async fn delete(&self, id: FileId) {
        if self.holders().contains_key(&id) {
            return;
        }
        let at_last = async {
            self.given_up.cancelled().await;
            sleep(DELETED_AT_LAST_WITHIN).await;
        };
        tokio::select! {
            deleted = timeout(DELETED_WITHIN, self.tess.delete_file(id)) => match deleted {
                Ok(Ok(())) => {
                    debug!(file.id = %id, "file deleted");
                    self.state.remove_pending_deletion(id);
                }
                Ok(Err(error)) => warn!(file.id = %id, %error, "a file could not be deleted at Tess"),
                Err(_) => warn!(file.id = %id, "a file could not be deleted at Tess in time"),
            },
            () = at_last => warn!(file.id = %id, "stopping with a file left at Tess"),
        }
    }
}

impl Inner {
    fn storage(&self) -> Storage {
        Storage {
            tess: self.tess.clone(),
            holders: Arc::clone(&self.file_holders),
            state: self.state.clone(),
            turns: self.turns.clone(),
            given_up: self.given_up.clone(),
        }
    }

    /// Deletes what an earlier process left at Tess.
    pub(super) fn delete_lent(&self) {
        for file in self.state.pending_deletions() {
            let storage = self.storage();
            self.turns.spawn(async move { storage.delete(file).await });
        }
    }

    /// Brings the files of a turn to where the agent reads them, in order; `unread` gets those that are not.
    pub(super) async fn bring_files(&self, id: ChannelId, batch: &Batch, unread: &mut Vec<UnreadFile>) -> Brought {
        let mut brought = Brought::default();
        for attached in &batch.files {
            if let Err(reason) = self.bring(id, batch, attached, &mut brought).await {
                unread.push(UnreadFile { name: attached.file.filename.clone(), reason });
            }
        }
        let deadline = Instant::now() + READ_WITHIN;
        let mut read = Vec::with_capacity(brought.stored.len());
        for file in brought.stored {
            match self.tess.wait_for_file(file.id, deadline).await {
                Ok(credits) => {
                    self.charge(id, batch, self.agent(id), credits);
                    read.push(file);
                }
                Err(error) => {
                    warn!(file.id = %file.id, %error, "a file was not read");
                    unread.push(UnreadFile { name: file.name.clone(), reason: UnreadReason::Tess(error) });
                }
            }
        }
        Brought { stored: read, ..brought }
    }

    async fn bring(
        &self,
        id: ChannelId,
        batch: &Batch,
        attached: &Attached,
        to: &mut Brought,
    ) -> Result<(), UnreadReason> {
        let Some(channel) = self.channels.get(&id).map(|channel| Known {
            is_gone: !channel.history.contains(attached.message),
            has_content: attached.source != attached.message
                && !channel.history.attachment_text(attached.source).is_empty(),
        }) else {
            return Ok(());
        };
        if channel.is_gone {
            return Ok(());
        }
        let file = &attached.file;
        let (bytes, kind) = match FileRoute::of(file).ok_or(UnreadReason::Kind)? {
            FileRoute::Inline { .. } if channel.has_content => {
                to.texts += 1;
                return Ok(());
            }
            FileRoute::Inline { .. } if to.texts >= TEXTS_PER_TURN => {
                return Err(UnreadReason::TooMany { max: TEXTS_PER_TURN });
            }
            FileRoute::Inline { language } => {
                let bytes = self.fetch(file, TEXT_BYTES).await?;
                match (self.put_behind(id, batch, attached, language, &bytes), FileRoute::upload(file)) {
                    (Ok(()), _) => {
                        to.texts += 1;
                        return Ok(());
                    }
                    (Err(_), Some(FileRoute::Upload(kind))) => (bytes, kind),
                    (Err(why), _) => return Err(why),
                }
            }
            FileRoute::Upload(kind) => (Vec::new(), kind),
        };
        if to.stored.len() >= MAX_FILES_PER_EXECUTION {
            return Err(UnreadReason::TooMany { max: MAX_FILES_PER_EXECUTION });
        }
        to.stored.push(self.lend(file, bytes, kind).await?);
        Ok(())
    }

    /// Puts a text behind its message, if it leaves the conversation within its bound. A turn that is repeated finds it there.
    fn put_behind(
        &self,
        id: ChannelId,
        batch: &Batch,
        attached: &Attached,
        language: &str,
        bytes: &[u8],
    ) -> Result<(), UnreadReason> {
        let text = intake::files::decode_text(bytes).ok_or(UnreadReason::NotText)?;
        let block = intake::files::inline_block(&attached.file.filename, language, text);
        let put = self.change(id, |channel| {
            if channel.history.attachment_text(attached.message).contains(&block) {
                return true;
            }
            // One more for the line break before it.
            let chars = channel.history.chars_of(&batch.messages) + block.chars().count() + 1;
            let fits = chars <= self.limits.chars;
            if fits {
                channel.history.append_attachment_text(attached.message, &block);
                channel.trim(&self.limits);
            }
            fits
        });
        self.keep_within_bound();
        if put.unwrap_or(true) { Ok(()) } else { Err(UnreadReason::NoRoom) }
    }

    /// Fetches a file that should not be longer than `most` bytes.
    async fn fetch(&self, file: &Attachment, most: usize) -> Result<Vec<u8>, UnreadReason> {
        if file.size > most {
            return Err(UnreadReason::TooLong { max: most });
        }
        self.discord.fetch(&file.url, most).await.map_err(|error| {
            warn!(%error, "a file was not fetched");
            match error {
                FetchError::TooLong => UnreadReason::TooLong { max: most },
                FetchError::ForeignHost | FetchError::Refused { .. } | FetchError::Unavailable => {
                    UnreadReason::NotFetched
                }
            }
        })
    }

    /// Sends a file to Tess; `bytes` may have it already.
    async fn lend(&self, file: &Attachment, bytes: Vec<u8>, kind: FileKind) -> Result<Stored, UnreadReason> {
        // Never closed.
        let place = Arc::clone(&self.file_places).acquire_owned().await.map_err(|_| UnreadReason::NotFetched)?;
        let bytes = if bytes.is_empty() { self.fetch(file, kind.max_bytes()).await? } else { bytes };
        let storage = self.storage();
        let (name, mime) = (file.filename.clone(), file.content_type.clone());
        // On a task of its own: were it cut off with the turn, a file would stay at Tess under an id that nobody knows.
        let upload = self.turns.spawn(async move {
            let id = storage.tess.upload(&name, mime.as_deref().unwrap_or(UNKNOWN_TYPE), bytes, true).await?;
            storage.take(id);
            drop(place);
            Ok(Stored { id, name, storage })
        });
        let uploaded = upload
            .await
            .unwrap_or_else(|error| Err(TessError::Unavailable { detail: format!("the upload ended early: {error}") }));
        uploaded.map_err(|error| {
            warn!(%error, "a file could not be sent to Tess");
            UnreadReason::Tess(error)
        })
    }
}

/// What the channel's history has of a file's messages.
struct Known {
    /// The message that is to be answered was deleted.
    is_gone: bool,
    /// The message replied to has its texts behind it.
    has_content: bool,
}
