//! The handled marks: up to which message each channel needs no looking at after a restart.
//!
//! A mark may lag behind, which costs a request; it must never be ahead of a message that nobody has taken, which would lose it. So it
//! stays where it is while a channel is still to be looked at, and the bot's own messages move it only with a delay.

use std::{
    collections::HashMap,
    mem,
    sync::{MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::{
    conversation::{Conversations, Inner},
    ids::{ChannelId, MessageId},
};

/// A channel that is to be looked at for missed messages.
pub(super) struct Held {
    /// What came after this message may have been missed.
    pub(super) after: MessageId,
    /// Cancelled when it was looked at.
    pub(super) over: CancellationToken,
}

/// The bot's newest own messages. Whatever was posted in a channel before one of them was told of before it, unless Discord mixed
/// the order up for a moment: they count as marks once they are some time old.
#[derive(Default)]
pub(super) struct OwnMarks {
    newer: HashMap<ChannelId, MessageId>,
    older: HashMap<ChannelId, MessageId>,
}

impl OwnMarks {
    pub(super) fn hear(&mut self, channel: ChannelId, message: MessageId) {
        let newest = self.newer.entry(channel).or_insert(message);
        *newest = message.max(*newest);
    }

    /// Those that were there at the last call already.
    fn age(&mut self) -> HashMap<ChannelId, MessageId> {
        mem::replace(&mut self.older, mem::take(&mut self.newer))
    }
}

impl Conversations {
    /// Moves the marks of channels where nothing waits to the bot's own messages there, once these are as old as the pause between
    /// two calls: the next start then knows, without asking, that nothing is new after them.
    pub fn settle_marks(&self) {
        let inner = &self.inner;
        // What is given up then looks idle, and is not handled.
        if inner.stopping.is_cancelled() {
            return;
        }
        for (channel, own) in inner.own_marks().age() {
            let is_idle = inner.channels.get(&channel).is_some_and(|channel| channel.is_idle());
            // Where the bot was never active, nothing says in which guild the channel is: it would be taken for a direct message.
            if is_idle && inner.state.handled_mark(channel).is_some() {
                inner.advance_handled_mark(channel, own);
            }
        }
    }
}

impl Inner {
    pub(super) fn own_marks(&self) -> MutexGuard<'_, OwnMarks> {
        self.own_marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far a channel is handled, once what was missed before is no longer to be looked for.
    pub(super) fn advance_handled_mark(&self, channel: ChannelId, handled: MessageId) {
        if !self.held.contains_key(&channel) {
            self.state.advance_handled_mark(channel, handled);
        }
    }

    /// Lets a channel's turns wait until it was looked at, from the oldest message on that any session wanted to look from.
    pub(super) fn hold(&self, channel: ChannelId, after: MessageId) -> MessageId {
        let mut held = self.held.entry(channel).or_insert_with(|| Held { after, over: CancellationToken::new() });
        held.after = held.after.min(after);
        held.after
    }

    /// A channel was looked at, or is not going to be.
    pub(super) fn release(&self, channel: ChannelId) {
        if let Some((_, held)) = self.held.remove(&channel) {
            held.over.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_message_counts_when_marks_have_aged_twice() {
        let (channel, mut marks) = (ChannelId::new(1), OwnMarks::default());
        marks.hear(channel, MessageId::new(5));
        assert!(marks.age().is_empty());
        marks.hear(channel, MessageId::new(7));
        marks.hear(channel, MessageId::new(6));
        assert_eq!(marks.age(), HashMap::from([(channel, MessageId::new(5))]));
        assert_eq!(marks.age(), HashMap::from([(channel, MessageId::new(7))]));
    }
}
