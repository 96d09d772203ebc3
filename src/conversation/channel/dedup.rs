//! Which messages of a channel were received: each is accepted once, however often it is delivered and in whatever order.

use crate::ids::MessageId;
use std::{collections::VecDeque, mem};

/// The latest messages of a channel by id, and a floor below which every message counts as received.
#[derive(Debug)]
pub(in crate::conversation) struct SeenMessages {
    /// In ascending order.
    ids: VecDeque<MessageId>,
    floor: Option<MessageId>,
}

impl SeenMessages {
    /// Nothing was received after `floor`.
    pub(super) fn new(floor: Option<MessageId>) -> Self {
        Self { ids: VecDeque::new(), floor }
    }

    /// Records a message; `false` when it was received before. Keeps at most `limit` ids: the lowest id beyond that
    /// becomes the floor.
    pub(super) fn insert(&mut self, id: MessageId, limit: usize) -> bool {
        if self.floor.is_some_and(|floor| id <= floor) {
            return false;
        }
        let Err(position) = self.ids.binary_search(&id) else { return false };
        self.ids.insert(position, id);
        while self.ids.len() > limit {
            self.floor = self.ids.pop_front();
        }
        self.ids.shrink_to(limit.min(2 * self.ids.len()));
        true
    }

    /// Counts every message up to `floor` as received.
    pub(super) fn raise_floor(&mut self, floor: MessageId) {
        self.floor = self.floor.max(Some(floor));
    }

    /// Heap memory.
    pub(super) fn bytes(&self) -> usize {
        self.ids.capacity() * mem::size_of::<MessageId>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_accepted_once_whatever_the_order() {
        let mut seen = SeenMessages::new(None);
        let accepted = [5, 3, 4, 3, 4, 5].map(|id| seen.insert(MessageId::new(id), 64));
        assert_eq!(accepted, [true, true, true, false, false, false]);
    }

    #[test]
    fn ids_beyond_the_limit_raise_the_floor() {
        let mut seen = SeenMessages::new(None);
        for id in 1..=200 {
            assert!(seen.insert(MessageId::new(id), 64));
        }
        for id in 1..=200 {
            assert!(!seen.insert(MessageId::new(id), 64), "{id}");
        }
    }
}
