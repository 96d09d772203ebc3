//! Doors to the pure parts, for benchmarks and fuzz targets only: nothing here is promised to stay.

use crate::{
    config::{HistoryConfig, Language},
    history::{Entry, History, Retention},
    ids::MessageId,
    reply,
};

/// Limits of the benchmarked history; the defaults.
const LIMITS: HistoryConfig = HistoryConfig { messages: 40, chars: 24_000, total_bytes: usize::MAX };

/// A history of people and the agent in turns, which is full by both limits.
#[derive(Clone)]
pub struct FullHistory(History);

/// A message on its way into a history.
#[derive(Clone)]
pub struct NewEntry(Entry);

impl NewEntry {
    /// A message of the average length that fits into a full history.
    #[must_use]
    pub fn average(id: u64) -> Self {
        // `alice: ` and a line break count, too.
        Self(Entry::person(MessageId::new(id), "alice", &"x".repeat(LIMITS.chars / LIMITS.messages - 8)))
    }
}

impl FullHistory {
    /// Fills a history.
    ///
    /// # Panics
    /// When the history counts otherwise than this expects.
    #[must_use]
    pub fn new() -> Self {
        let mut history = History::new();
        for n in (1..=LIMITS.messages as u64).step_by(2) {
            history.insert(NewEntry::average(n).0);
            let text = "y".repeat(LIMITS.chars / LIMITS.messages - 1);
            history.insert(Entry::answer(&[MessageId::new(n + 1)], MessageId::new(n), &text));
        }
        assert_eq!((history.len(), history.chars()), (LIMITS.messages, LIMITS.chars));
        Self(history)
    }

    /// Adds a message and drops what is too much then.
    pub fn push(&mut self, entry: NewEntry) {
        self.0.insert(entry.0);
        self.0.trim(&LIMITS, |_| Retention::Context);
    }

    /// The messages of a request, as JSON.
    #[must_use]
    pub fn to_request(&self) -> Vec<u8> {
        let messages = self.0.request_messages(MessageId::new(u64::MAX), &[], true, None);
        serde_json::to_vec(&messages).unwrap_or_default()
    }
}

impl Default for FullHistory {
    fn default() -> Self {
        Self::new()
    }
}

/// Splits an agent's output into the texts of messages.
#[must_use]
pub fn split_reply(output: &str) -> Vec<String> {
    reply::split(Language::English, output).messages
}
