//! What one turn answers.

use std::mem;

use crate::{
    discord::model::Attachment,
    ids::{MessageId, UserId},
};

/// A message that is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::conversation) struct Queued {
    pub(in crate::conversation) message: MessageId,
    /// Its author.
    pub(in crate::conversation) user: UserId,
}

/// A file that is to reach the agent together with a queued message.
#[derive(Clone, Debug)]
pub(in crate::conversation) struct AttachedFile {
    /// The message that is to be answered.
    pub(in crate::conversation) message: MessageId,
    /// The message that the file is in: the same one, or the one that it replies to.
    pub(in crate::conversation) source: MessageId,
    /// Whether the message that is to be answered has no text of its own.
    pub(in crate::conversation) is_whole_message: bool,
    pub(in crate::conversation) file: Attachment,
}

/// The messages that one turn answers together.
#[derive(Clone, Debug)]
pub(in crate::conversation) struct Batch {
    /// In ascending order; never empty.
    pub(in crate::conversation) messages: Vec<Queued>,
    /// The last of them, which the answer is a reply to.
    pub(in crate::conversation) newest: MessageId,
    /// Who wrote that one, or who wants it answered again.
    pub(in crate::conversation) requester: UserId,
    /// Who may stop or repeat the turn, each once.
    pub(in crate::conversation) requesters: Vec<UserId>,
    pub(in crate::conversation) files: Vec<AttachedFile>,
    /// What the nonces of the turn's posts are made of: the newest message or, for a repeated turn, the request to repeat
    /// it. With the nonces of the first turn Discord would drop the posts of the second.
    pub(in crate::conversation) nonce_key: MessageId,
}

impl Batch {
    /// A batch that answers `messages`, of which `newest` is the last.
    pub(in crate::conversation) fn new(messages: Vec<Queued>, newest: Queued, files: Vec<AttachedFile>) -> Self {
        let mut requesters: Vec<UserId> = messages.iter().map(|queued| queued.user).collect();
        requesters.sort_unstable();
        requesters.dedup();
        let Queued { message: newest, user: requester } = newest;
        Self { messages, newest, requester, requesters, files, nonce_key: newest }
    }

    /// The ids of its messages, in ascending order.
    pub(in crate::conversation) fn ids(&self) -> Vec<MessageId> {
        self.messages.iter().map(|queued| queued.message).collect()
    }

    /// Whether its messages were answered before.
    pub(in crate::conversation) fn is_repeat(&self) -> bool {
        self.nonce_key != self.newest
    }

    /// What asks for an answer to one of its messages: that message, or the request to repeat the turn.
    pub(in crate::conversation) fn request_for(&self, message: MessageId) -> MessageId {
        if self.is_repeat() { self.nonce_key } else { message }
    }

    /// The same batch without some messages and their files; `None` when no message is left.
    pub(in crate::conversation) fn without(&self, is_dropped: impl Fn(MessageId) -> bool) -> Option<Self> {
        let mut kept = self.clone();
        kept.messages.retain(|queued| !is_dropped(queued.message));
        let last = kept.messages.last()?;
        (kept.newest, kept.requester) = (last.message, last.user);
        if !self.is_repeat() {
            kept.nonce_key = kept.newest;
            kept.files.retain(|attached| !is_dropped(attached.message));
        }
        Some(kept)
    }

    /// Whether the agent would have nothing to read without the files.
    pub(in crate::conversation) fn is_files_only(&self) -> bool {
        let is_file = |queued: &Queued| {
            self.files.iter().any(|attached| attached.message == queued.message && attached.is_whole_message)
        };
        self.messages.iter().all(is_file)
    }
}

/// The turn that ended last, as far as it takes to repeat it.
#[derive(Debug)]
pub(super) struct LastTurn {
    pub(super) newest: MessageId,
    /// What asked for it: the same request, delivered again, asks for nothing more.
    pub(super) nonce_key: MessageId,
    pub(super) requesters: Vec<UserId>,
    pub(super) files: Vec<AttachedFile>,
}

impl LastTurn {
    pub(super) fn new(batch: &Batch) -> Self {
        let mut requesters = batch.requesters.clone();
        requesters.shrink_to_fit();
        Self { newest: batch.newest, nonce_key: batch.nonce_key, requesters, files: batch.files.clone() }
    }

    /// The batch that answers its newest message again, for the request `nonce_key` of `user`.
    pub(super) fn repeat(&self, user: UserId, nonce_key: MessageId) -> Batch {
        let queued = Queued { message: self.newest, user };
        let mut batch = Batch { nonce_key, ..Batch::new(vec![queued], queued, self.files.clone()) };
        batch.requesters.clone_from(&self.requesters);
        if !batch.requesters.contains(&user) {
            batch.requesters.push(user);
        }
        batch
    }

    /// Heap memory.
    pub(super) fn bytes(&self) -> usize {
        self.requesters.capacity() * mem::size_of::<UserId>() + self.files.capacity() * mem::size_of::<AttachedFile>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(message: u64) -> Queued {
        Queued { message: MessageId::new(message), user: UserId::new(1) }
    }

    fn file(message: u64) -> AttachedFile {
        let message = MessageId::new(message);
        AttachedFile { message, source: message, is_whole_message: false, file: Attachment::default() }
    }

    #[test]
    fn dropped_message_takes_its_files_with_it() {
        let batch = Batch::new(vec![queued(1), queued(2)], queued(2), vec![file(1), file(2)]);
        let kept = batch.without(|message| message.get() == 2).unwrap();
        assert_eq!((kept.ids(), kept.newest, kept.nonce_key.get()), (vec![MessageId::new(1)], MessageId::new(1), 1));
        assert!(kept.files.iter().all(|attached| attached.message.get() == 1) && kept.files.len() == 1);
        assert!(batch.without(|_| true).is_none());
    }
}
