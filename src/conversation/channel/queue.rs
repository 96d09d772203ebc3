//! What waits for a channel's next turn.

use crate::ids::MessageId;
use std::mem;

use super::batch::{AttachedFile, Queued};

/// Messages of one channel that may wait. Beyond it the oldest are skipped: the next turn shows the agent only the newest
/// [`crate::config::HistoryConfig::messages`] anyway.
pub(super) const MAX_QUEUED: usize = 500;

/// Files that may wait with them: two full messages of files. Beyond it the agent sees only the names of the oldest.
const MAX_FILES: usize = 20;

/// The messages that the next turn answers, in the order of their arrival, with their files.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: Vec<Queued>,
    files: Vec<AttachedFile>,
}

impl Queue {
    /// Adds a message; returns those that are dropped because more than [`MAX_QUEUED`] wait.
    pub(super) fn push(&mut self, message: Queued, files: Vec<AttachedFile>) -> Vec<MessageId> {
        self.messages.push(message);
        self.add_files(files);
        let excess = self.messages.len().saturating_sub(MAX_QUEUED);
        self.messages.drain(..excess).map(|queued| queued.message).collect()
    }

    /// The same file may come twice: with its message, and with a reply to that message.
    fn add_files(&mut self, files: Vec<AttachedFile>) {
        for new in files {
            let is_same = |known: &AttachedFile| known.source == new.source && known.file.id == new.file.id;
            if new.file.id.is_none() || !self.files.iter().any(is_same) {
                self.files.push(new);
            }
        }
        self.files.drain(..self.files.len().saturating_sub(MAX_FILES));
    }

    /// Removes the messages that `is_dropped` selects, with their files; returns their ids.
    pub(super) fn remove(&mut self, is_dropped: impl Fn(MessageId) -> bool) -> Vec<MessageId> {
        let removed = self.messages.extract_if(.., |queued| is_dropped(queued.message));
        let removed = removed.map(|queued| queued.message).collect();
        self.files.retain(|attached| !is_dropped(attached.message));
        removed
    }

    /// Takes everything, messages in ascending order.
    pub(super) fn take(&mut self) -> (Vec<Queued>, Vec<AttachedFile>) {
        let mut messages = mem::take(&mut self.messages);
        messages.sort_unstable();
        (messages, mem::take(&mut self.files))
    }

    /// The lowest id that waits.
    pub(super) fn oldest(&self) -> Option<MessageId> {
        self.messages.iter().min().map(|queued| queued.message)
    }

    /// The highest id that waits.
    pub(super) fn newest(&self) -> Option<MessageId> {
        self.messages.iter().max().map(|queued| queued.message)
    }

    pub(super) fn contains(&self, message: MessageId) -> bool {
        self.messages.iter().any(|queued| queued.message == message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Heap memory that may stay for long; that of the messages is in use for a turn's length only.
    pub(super) fn bytes(&self) -> usize {
        self.files.capacity() * mem::size_of::<AttachedFile>()
    }
}
