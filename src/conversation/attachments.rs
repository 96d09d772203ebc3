//! The files of a turn: texts are added to their message in the history, other files are uploaded to Tess.

use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::{
    conversation::{channel::batch::AttachedFile, turn_context::TurnContext, uploads::UploadedFile},
    discord::{
        FetchError,
        model::{Attachment, Message},
    },
    ids::UserId,
    intake::{
        self,
        files::{FileRoute, TEXT_BYTES},
    },
    reply::texts::files::{UnreadFile, UnreadReason},
    tess::{FileKind, MAX_FILES_PER_EXECUTION},
};

/// Text files that are added to the messages of one turn.
const TEXTS_PER_TURN: usize = 3;

/// How long Tess may take to read the files of a turn.
const READ_LIMIT: Duration = Duration::from_secs(180);

/// The type of a file for which Discord names none.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The files that come with a message: its own and those of the message that it replies to, unless that is the bot's.
pub(super) fn attached_files(message: &Message, bot_user: UserId) -> Vec<AttachedFile> {
    let quoted = message.referenced_message.as_deref().filter(|quoted| quoted.author.id != bot_user);
    let sources = [Some(message), quoted].into_iter().flatten();
    let files = sources.flat_map(|source| source.attachments().map(|file| (source.id, file.clone())));
    let is_whole_message = !intake::has_text(message);
    files.map(|(source, file)| AttachedFile { message: message.id, source, is_whole_message, file }).collect()
}

/// What the agent can read of the files of a turn.
#[derive(Default)]
pub(super) struct Attachments {
    pub(super) uploaded: Vec<UploadedFile>,
    texts: usize,
}

impl Attachments {
    pub(super) fn is_empty(&self) -> bool {
        self.uploaded.is_empty() && self.texts == 0
    }
}

/// What the history knows of the messages of a file.
struct KnownSource {
    /// The message that is to be answered was deleted.
    is_deleted: bool,
    /// The message replied to has its text files already.
    has_texts: bool,
}

impl TurnContext<'_> {
    /// Brings the files of the turn to where the agent reads them, in order; `unread` gets those that it cannot read.
    pub(super) async fn attach_files(&self, unread: &mut Vec<UnreadFile>) -> Attachments {
        let mut attachments = Attachments::default();
        for attached in &self.batch.files {
            if let Err(reason) = self.attach(attached, &mut attachments).await {
                unread.push(UnreadFile { name: attached.file.filename.clone(), reason });
            }
        }
        self.wait_until_read(&mut attachments, unread).await;
        attachments
    }

    /// Keeps of the uploaded files those that Tess could read.
    async fn wait_until_read(&self, attachments: &mut Attachments, unread: &mut Vec<UnreadFile>) {
        let deadline = Instant::now() + READ_LIMIT;
        let mut read = Vec::with_capacity(attachments.uploaded.len());
        for file in attachments.uploaded.drain(..) {
            match self.services().tess.wait_for_file(file.id, deadline).await {
                Ok(credits) => {
                    self.charge(self.shared.agent(self.channel), credits);
                    read.push(file);
                }
                Err(error) => {
                    warn!(file.id = %file.id, %error, "Tess did not read a file");
                    unread.push(UnreadFile { name: file.name.clone(), reason: UnreadReason::Tess(error) });
                }
            }
        }
        attachments.uploaded = read;
    }

    async fn attach(&self, attached: &AttachedFile, to: &mut Attachments) -> Result<(), UnreadReason> {
        let Some(source) = self.known_source(attached).filter(|source| !source.is_deleted) else { return Ok(()) };
        let file = &attached.file;
        let (bytes, kind) = match FileRoute::of(file).ok_or(UnreadReason::Kind)? {
            FileRoute::Inline { .. } if source.has_texts => {
                to.texts += 1;
                return Ok(());
            }
            FileRoute::Inline { .. } if to.texts >= TEXTS_PER_TURN => {
                return Err(UnreadReason::TooMany { max: TEXTS_PER_TURN });
            }
            FileRoute::Inline { language } => {
                let bytes = self.fetch(file, TEXT_BYTES).await?;
                match (self.add_text(attached, language, &bytes), FileRoute::upload(file)) {
                    (Ok(()), _) => {
                        to.texts += 1;
                        return Ok(());
                    }
                    (Err(_), Some(FileRoute::Upload(kind))) => (bytes, kind),
                    (Err(reason), _) => return Err(reason),
                }
            }
            FileRoute::Upload(kind) => (Vec::new(), kind),
        };
        if to.uploaded.len() >= MAX_FILES_PER_EXECUTION {
            return Err(UnreadReason::TooMany { max: MAX_FILES_PER_EXECUTION });
        }
        to.uploaded.push(self.upload(file, bytes, kind).await?);
        Ok(())
    }

    fn known_source(&self, attached: &AttachedFile) -> Option<KnownSource> {
        let channel = self.shared.channels.get(self.channel)?;
        let is_quoted = attached.source != attached.message;
        Some(KnownSource {
            is_deleted: !channel.history.contains(attached.message),
            has_texts: is_quoted && !channel.history.attachment_text(attached.source).is_empty(),
        })
    }

    /// Adds a text file to its message, if the messages of the turn stay within the history's limit. A repeated turn finds it
    /// there already.
    fn add_text(&self, attached: &AttachedFile, language: &str, bytes: &[u8]) -> Result<(), UnreadReason> {
        let text = intake::files::decode_text(bytes).ok_or(UnreadReason::NotText)?;
        let block = intake::files::inline_block(&attached.file.filename, language, text);
        let limit = self.config().history.chars;
        let has_room = self.shared.channels.update(self.channel, |slot| {
            let history = &mut slot.channel.history;
            if history.attachment_text(attached.message).contains(&block) {
                return true;
            }
            // One more for the line break before it.
            let chars = history.chars_of(&self.batch.ids()) + block.chars().count() + 1;
            if chars <= limit {
                history.append_attachment_text(attached.message, &block);
            }
            chars <= limit
        });
        if has_room.unwrap_or(true) { Ok(()) } else { Err(UnreadReason::NoRoom) }
    }

    /// Fetches a file of at most `max_bytes` from Discord.
    async fn fetch(&self, file: &Attachment, max_bytes: usize) -> Result<Vec<u8>, UnreadReason> {
        if file.size > max_bytes {
            return Err(UnreadReason::TooLong { max: max_bytes });
        }
        self.services().discord.fetch(&file.url, max_bytes).await.map_err(|error| {
            warn!(%error, "file not fetched");
            match error {
                FetchError::TooLong => UnreadReason::TooLong { max: max_bytes },
                FetchError::ForeignHost | FetchError::Refused { .. } | FetchError::Unavailable => {
                    UnreadReason::NotFetched
                }
            }
        })
    }

    /// Uploads a file to Tess; `bytes` is empty unless it was fetched already.
    async fn upload(&self, file: &Attachment, bytes: Vec<u8>, kind: FileKind) -> Result<UploadedFile, UnreadReason> {
        let permit = self.shared.uploads.permit().await.ok_or(UnreadReason::NotFetched)?;
        let bytes = if bytes.is_empty() { self.fetch(file, kind.max_bytes()).await? } else { bytes };
        let mime = file.content_type.as_deref().unwrap_or(UNKNOWN_TYPE).to_owned();
        let uploaded = self.shared.uploads.upload(file.filename.clone(), mime, bytes, permit).await;
        uploaded.map_err(|error| {
            warn!(%error, "file not uploaded to Tess");
            UnreadReason::Tess(error)
        })
    }
}
