//! The bounded list of a channel's entries.

use std::{collections::VecDeque, mem::size_of};

use super::{
    entry::{Entry, Size},
    request,
};
use crate::{config::HistoryConfig, ids::MessageId, tess::ChatMessage};

/// Unused capacity of the list. Doubling the capacity, as collections do, would cost up to 56 bytes a message.
const SPARE_CAPACITY: usize = 4;

/// How long [`History::trim`] keeps a person's message; a greater value is kept longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Retention {
    /// Context for later answers: dropped first.
    Context,
    /// A message to be answered together with later ones: dropped when no context is left.
    Queued,
    /// The message that an answer will reply to: never dropped.
    ReplyTarget,
}

/// The entries of one channel, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    entries: VecDeque<Entry>,
    /// The sum over `entries`.
    size: Size,
}

impl History {
    /// Creates an empty history, which holds no heap memory yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Inserts an entry by its sort order. Returns `false` and changes nothing when one of its messages is already there.
    pub(crate) fn insert(&mut self, entry: Entry) -> bool {
        if entry.ids().iter().any(|id| self.contains(*id)) {
            return false;
        }
        let Err(at) = self.entries.binary_search_by_key(&entry.sort_key(), Entry::sort_key) else { return false };
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(spare_capacity(self.entries.len()));
        }
        self.size.add(entry.size());
        self.entries.insert(at, entry);
        true
    }

    /// Records the agent's answer to everything up to `answers`, posted as `parts`; replaces an earlier answer to it.
    pub(crate) fn record_answer(&mut self, parts: &[MessageId], answers: MessageId, text: &str) {
        self.remove_answer_to(answers);
        self.insert(Entry::answer(parts, answers, text));
    }

    /// Applies an edit of a person's message. Returns `false` when there is no such message.
    pub(crate) fn edit(&mut self, id: MessageId, text: &str) -> bool {
        self.change_person(id, |old, _| *old = text.into())
    }

    /// Appends the content of a file to a person's message; later edits keep it. Returns `false` when there is no such
    /// message.
    pub(crate) fn append_attachment_text(&mut self, id: MessageId, content: &str) -> bool {
        self.change_person(id, |_, attachment_text| *attachment_text = format!("{attachment_text}\n{content}").into())
    }

    /// Changes the text and the attachment text of a person's message. Returns `false` when there is no such message.
    fn change_person(&mut self, id: MessageId, change: impl FnOnce(&mut Box<str>, &mut Box<str>)) -> bool {
        let Some(entry) = self.position(id).and_then(|at| self.entries.get_mut(at)) else { return false };
        let old_size = entry.size();
        let Entry::Person { text, attachment_text, .. } = entry else { return false };
        change(text, attachment_text);
        self.size.subtract(old_size);
        self.size.add(entry.size());
        true
    }

    /// The content of files appended to a message; empty when there is none.
    #[must_use]
    pub(crate) fn attachment_text(&self, id: MessageId) -> &str {
        match self.position(id).and_then(|at| self.entries.get(at)) {
            Some(Entry::Person { attachment_text, .. }) => attachment_text,
            Some(Entry::Answer { .. }) | None => "",
        }
    }

    /// Unicode code points that the agent is sent of these messages.
    #[must_use]
    pub(crate) fn chars_of(&self, messages: &[MessageId]) -> usize {
        let entries = messages.iter().filter_map(|id| self.entries.get(self.position(*id)?));
        entries.map(|entry| entry.size().chars).sum()
    }

    /// Removes a message; a part of an answer removes the whole answer. Returns `false` when there is no such message.
    pub(crate) fn remove(&mut self, id: MessageId) -> bool {
        let at = self.position(id);
        if let Some(at) = at {
            self.remove_at(at);
        }
        at.is_some()
    }

    /// Removes the answer whose newest answered message is `newest`. Returns `false` when there is none.
    pub(crate) fn remove_answer_to(&mut self, newest: MessageId) -> bool {
        let is_answer = |entry: &Entry| matches!(entry, Entry::Answer { answers, .. } if *answers == newest);
        let at = self.entries.iter().rposition(is_answer);
        if let Some(at) = at {
            self.remove_at(at);
        }
        at.is_some()
    }

    /// Removes everything up to and including the message `mark`, and the answers to it.
    pub(crate) fn clear_up_to(&mut self, mark: MessageId) {
        while self.entries.front().is_some_and(|oldest| oldest.sort_key().0 <= mark) {
            self.remove_at(0);
        }
        self.release_capacity();
    }

    /// Drops the oldest messages until both limits hold, or until only the newest entry and reply targets are left.
    ///
    /// [`Retention::Context`] is dropped before [`Retention::Queued`]. The answers that directly follow a dropped message
    /// are dropped with it, so that no answer is kept without its question.
    pub(crate) fn trim(&mut self, limits: &HistoryConfig, retention: impl Fn(MessageId) -> Retention) {
        let retention = |entry: &Entry| match entry {
            Entry::Person { id, .. } => retention(*id),
            Entry::Answer { .. } => Retention::Context,
        };
        while self.len() > 1 && (self.len() > limits.messages || self.chars() > limits.chars) {
            let before_newest = || self.entries.iter().take(self.len() - 1);
            let oldest = |most: Retention| before_newest().position(|entry| retention(entry) <= most);
            let Some(at) = oldest(Retention::Context).or_else(|| oldest(Retention::Queued)) else { break };
            self.remove_at(at);
            while at + 1 < self.len() && matches!(self.entries.get(at), Some(Entry::Answer { .. })) {
                self.remove_at(at);
            }
        }
        self.release_capacity();
    }

    /// Whether the message is there, as a person's message or as a part of an answer.
    #[must_use]
    pub(crate) fn contains(&self, id: MessageId) -> bool {
        self.position(id).is_some()
    }

    /// The number of entries; an answer counts once, however many messages it was posted as.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Unicode code points that the agent is sent at most: texts, names and what separates them.
    #[must_use]
    pub(crate) fn chars(&self) -> usize {
        self.size.chars
    }

    /// Bytes that this history holds on the heap, without the allocator's overhead.
    #[must_use]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.size.heap_bytes + self.entries.capacity() * size_of::<Entry>()
    }

    /// The messages of a request to Tess: the history up to and including the message `newest`, in the form Tess accepts.
    ///
    /// Roles alternate, the first and the last message are a user's, and no content is empty. Entries of the same role in a
    /// row become one message. Answers before the first and after the last message of a person are left out. The result is
    /// empty when no person said anything.
    ///
    /// `asked` are the messages to be answered. One of them that is older than the last answer is moved after that answer,
    /// which did not take it into account. `with_names` puts `name: ` before each person's message. `instructions` become a
    /// first `developer` message.
    #[must_use]
    pub(crate) fn request_messages(
        &self,
        newest: MessageId,
        asked: &[MessageId],
        with_names: bool,
        instructions: Option<&str>,
    ) -> Vec<ChatMessage> {
        let entries = self.entries.iter().take_while(|entry| entry.sort_key().0 <= newest);
        request::messages(entries, asked, with_names, instructions)
    }

    fn position(&self, id: MessageId) -> Option<usize> {
        let of_a_person = self.entries.binary_search_by_key(&(id, None), Entry::sort_key).ok();
        of_a_person.or_else(|| self.entries.iter().rposition(|entry| entry.ids().contains(&id)))
    }

    fn remove_at(&mut self, at: usize) {
        if let Some(entry) = self.entries.remove(at) {
            self.size.subtract(entry.size());
        }
    }

    /// Releases the capacity of removed entries, so that a history that was rebuilt or reset does not keep it.
    fn release_capacity(&mut self) {
        let len = self.entries.len();
        if self.entries.capacity() > len + 2 * spare_capacity(len) {
            self.entries.shrink_to(len + spare_capacity(len));
        }
    }
}

/// Spare capacity for a list of `len` entries: small, but large enough that growing costs O(1) a message.
fn spare_capacity(len: usize) -> usize {
    SPARE_CAPACITY.max(len / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn context(_: MessageId) -> Retention {
        Retention::Context
    }

    const LIMITS: HistoryConfig = HistoryConfig { messages: 40, chars: 24_000, total_bytes: usize::MAX };

    fn id(n: u64) -> MessageId {
        MessageId::new(n)
    }

    fn ids(all: &[u64]) -> Vec<MessageId> {
        all.iter().copied().map(id).collect()
    }

    fn message(n: u64, text: &str) -> Entry {
        Entry::person(id(n), "ann", text)
    }

    fn answer(parts: &[u64], answers: u64, text: &str) -> Entry {
        Entry::answer(&ids(parts), id(answers), text)
    }

    fn history(entries: impl IntoIterator<Item = Entry>) -> History {
        let mut history = History::new();
        for entry in entries {
            assert!(history.insert(entry));
        }
        history
    }

    fn texts(history: &History) -> Vec<&str> {
        history.entries.iter().map(Entry::text).collect()
    }

    #[test]
    fn messages_are_sorted_by_id_in_whatever_order_they_come() {
        let history = history([message(30, "c"), message(10, "a"), message(20, "b")]);
        assert_eq!(texts(&history), ["a", "b", "c"]);
    }

    #[test]
    fn answer_is_sorted_after_what_it_answers_and_before_messages_of_the_turn() {
        let history = history([message(10, "a"), message(20, "meanwhile"), answer(&[30, 31], 10, "re a")]);
        assert_eq!(texts(&history), ["a", "re a", "meanwhile"]);
    }

    #[test]
    fn duplicate_messages_are_ignored() {
        let mut history = history([message(10, "a"), answer(&[20, 21], 10, "re a")]);
        assert!(!history.insert(message(10, "again")));
        assert!(!history.insert(answer(&[21], 10, "again")));
        assert_eq!(texts(&history), ["a", "re a"]);
    }

    #[test]
    fn trim_drops_context_before_queued_messages_and_never_a_reply_target() {
        let mut history = History::new();
        for id in 1..=6 {
            history.insert(Entry::person(MessageId::new(id), "alice", "hi"));
        }
        let asked = |id: MessageId| if id.get() == 2 { Retention::Queued } else { Retention::Context };
        history.trim(&HistoryConfig { messages: 3, ..LIMITS }, asked);
        let left =
            |history: &History| history.entries.iter().flat_map(Entry::ids).map(|id| id.get()).collect::<Vec<_>>();
        assert_eq!(left(&history), [2, 5, 6]);
        let replied_to = |id: MessageId| if id.get() == 2 { Retention::ReplyTarget } else { Retention::Queued };
        history.trim(&HistoryConfig { messages: 1, ..LIMITS }, replied_to);
        assert_eq!(left(&history), [2, 6]);
    }

    #[test]
    fn edit_changes_only_messages_of_people() {
        let mut history = history([message(10, "a"), answer(&[20], 10, "re a")]);
        assert!(history.edit(id(10), "A"));
        assert!(!history.edit(id(20), "someone else's"));
        assert!(!history.edit(id(99), "unknown"));
        assert_eq!(texts(&history), ["A", "re a"]);
    }

    #[test]
    fn attachment_text_is_kept_by_an_edit_and_removed_with_its_message() {
        let mut history = history([message(10, "see"), answer(&[20], 10, "re")]);
        assert_eq!(history.attachment_text(id(10)), "");
        assert!(history.append_attachment_text(id(10), "one") && history.append_attachment_text(id(10), "two"));
        assert!(
            !history.append_attachment_text(id(20), "an answer has none")
                && !history.append_attachment_text(id(99), "unknown")
        );
        assert!(history.edit(id(10), "look"));
        assert_eq!(texts(&history)[0], "look");
        assert_eq!((history.attachment_text(id(10)), history.attachment_text(id(20))), ("\none\ntwo", ""));
        assert_eq!(history.chars_of(&ids(&[10, 99])), "ann: look\none\ntwo\n".len());
        assert!(history.remove(id(10)) && history.remove(id(20)));
        assert_eq!(history.chars(), 0);
    }

    #[test]
    fn deleting_a_part_of_an_answer_removes_the_whole_answer() {
        let mut history = history([message(10, "a"), answer(&[20, 21], 10, "re a")]);
        assert!(history.contains(id(20)) && history.remove(id(21)));
        assert!(!history.contains(id(20)) && !history.remove(id(20)));
        assert!(history.remove(id(10)));
        assert!(history.is_empty() && history.chars() == 0);
    }

    #[test]
    fn recorded_answer_replaces_an_earlier_one_to_the_same_message() {
        let mut history = history([message(10, "a"), answer(&[20, 21], 10, "old"), message(30, "b")]);
        history.record_answer(&ids(&[40]), id(10), "new");
        assert_eq!(texts(&history), ["a", "new", "b"]);
        assert!(!history.contains(id(20)) && history.contains(id(40)));
        assert!(
            history.remove_answer_to(id(10)) && !history.remove_answer_to(id(10)) && !history.remove_answer_to(id(30))
        );
        assert_eq!(texts(&history), ["a", "b"]);
    }

    #[test]
    fn clear_removes_the_marked_message_and_its_answer() {
        let mut history = history([message(10, "a"), answer(&[30], 10, "re a"), message(20, "b"), message(40, "c")]);
        history.clear_up_to(id(20));
        assert_eq!(texts(&history), ["c"]);
    }

    #[test]
    fn trim_drops_an_answer_with_the_message_before_it() {
        let mut history = history([
            message(10, "note"),
            message(20, "a"),
            answer(&[21], 20, "re a"),
            message(30, "b"),
            answer(&[31], 30, "re b"),
        ]);
        history.trim(&HistoryConfig { messages: 4, ..LIMITS }, context);
        assert_eq!(texts(&history), ["a", "re a", "b", "re b"]);
        history.trim(&HistoryConfig { messages: 3, ..LIMITS }, context);
        assert_eq!(texts(&history), ["b", "re b"]);
    }

    #[test]
    fn trim_keeps_the_newest_message_even_if_it_exceeds_the_limit_alone() {
        let mut history = history([message(10, "a"), message(20, &"b".repeat(500))]);
        history.trim(&HistoryConfig { chars: 100, ..LIMITS }, context);
        assert_eq!(history.len(), 1);
        history.trim(&HistoryConfig { messages: 0, chars: 0, ..LIMITS }, context);
        assert_eq!(history.entries.iter().flat_map(Entry::ids).collect::<Vec<_>>(), [&id(20)]);
    }

    #[test]
    fn characters_are_counted_as_code_points() {
        let mut history = history([message(10, &"é".repeat(50)), message(20, &"é".repeat(50))]);
        history.trim(&HistoryConfig { chars: 112, ..LIMITS }, context);
        assert_eq!((history.len(), history.chars()), (2, 112));
        history.trim(&HistoryConfig { chars: 111, ..LIMITS }, context);
        assert_eq!(history.len(), 1);
    }

    #[test]
    fn full_history_takes_little_more_memory_than_its_text() {
        let mut history = History::new();
        for n in 1..=100 {
            history.insert(Entry::person(id(n), "a name of usual length", &"x".repeat(600)));
        }
        history.trim(&LIMITS, context);
        let text: usize = history.entries.iter().map(|entry| entry.text().len()).sum();
        assert!(history.heap_bytes() <= text + 100 * history.len(), "{} bytes for {text}", history.heap_bytes());
    }

    #[derive(Clone, Debug)]
    enum Event {
        Insert(Entry),
        Edit(u64, String),
        Remove(u64),
        Clear(u64),
        Trim,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            6 => (1..60_u64, ".{0,6}", "[ é\\n]{0,3}.{0,30}").prop_map(|(n, name, text)| {
                Event::Insert(Entry::person(id(n), &name, &text))
            }),
            3 => (1..60_u64, 1..3_u64, ".{0,30}").prop_map(|(answers, parts, text)| {
                let parts: Vec<_> = (0..parts).map(|part| 100 + answers * 3 + part).collect();
                Event::Insert(answer(&parts, answers, &text))
            }),
            1 => (1..300_u64, ".{0,30}").prop_map(|(n, text)| Event::Edit(n, text)),
            1 => (1..300_u64).prop_map(Event::Remove),
            1 => (1..60_u64).prop_map(Event::Clear),
            2 => Just(Event::Trim),
        ];
        prop::collection::vec(event, 0..60)
    }

    proptest! {
        #[test]
        fn any_sequence_of_events_keeps_order_limits_and_sizes(
            events in events(), messages in 0..12_usize, chars in 0..200_usize,
        ) {
            let limits = HistoryConfig { messages, chars, ..LIMITS };
            let mut history = History::new();
            for event in events {
                match event {
                    Event::Insert(entry) => {
                        let known = entry.ids().iter().any(|id| history.contains(*id));
                        prop_assert_eq!(history.insert(entry), !known);
                    }
                    Event::Edit(n, text) => {
                        history.edit(id(n), &text);
                    }
                    Event::Remove(n) => {
                        history.remove(id(n));
                        prop_assert!(!history.contains(id(n)));
                    }
                    Event::Clear(n) => {
                        history.clear_up_to(id(n));
                        prop_assert!(history.entries.iter().all(|entry| entry.sort_key().0 > id(n)));
                    }
                    Event::Trim => {
                        history.trim(&limits, context);
                        prop_assert!(history.len() <= messages.max(1));
                        prop_assert!(history.chars() <= chars || history.len() == 1);
                    }
                }
                let recount = history.entries.iter().fold(Size::default(), |mut sum, entry| {
                    sum.add(entry.size());
                    sum
                });
                prop_assert_eq!(recount, history.size);
                prop_assert!(history.entries.iter().is_sorted_by_key(Entry::sort_key));
            }
        }

    }
}
