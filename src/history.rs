//! A channel's history: its messages in order, bounded, and what the agent reads of them.
//!
//! Pure: no I/O and no clock. Events may come twice and in any order; the order of the list is settled by message ids
//! alone, since a greater id (a snowflake) is a later message.

use std::{collections::VecDeque, mem::size_of};

use crate::{
    config::HistoryConfig,
    ids::MessageId,
    tess::{ChatMessage, Role},
};

/// Free places kept at the end of the list. Doubling, as collections do, would cost up to 56 bytes a message.
const SPARE_PLACES: usize = 4;

/// One message of a channel, as the agent reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What a person wrote.
    Person {
        /// The message.
        id: MessageId,
        /// The author's name as the channel shows it.
        name: Box<str>,
        /// What was written.
        text: Box<str>,
        /// What is in the files that came with it, as far as the agent reads that here; most often nothing.
        attached: Box<str>,
    },
    /// What the agent answered, in one or more messages.
    Answer {
        /// The messages it was posted as, oldest first.
        parts: Box<[MessageId]>,
        /// The newest message it answers.
        answers: MessageId,
        /// What was answered, in one piece.
        text: Box<str>,
    },
}

/// Where an entry stands: people's messages by id, and an answer right behind the newest message it answers, because
/// what came during the turn was not seen by it.
type Key = (MessageId, Option<MessageId>);

impl Entry {
    /// A person's message.
    #[must_use]
    pub fn person(id: MessageId, name: &str, text: &str) -> Self {
        Self::Person { id, name: name.into(), text: text.into(), attached: Box::default() }
    }

    /// The agent's answer to everything up to the message `answers`, posted as `parts`.
    #[must_use]
    pub fn answer(parts: &[MessageId], answers: MessageId, text: &str) -> Self {
        Self::Answer { parts: parts.into(), answers, text: text.into() }
    }

    /// Every message it stands for.
    #[must_use]
    pub fn ids(&self) -> &[MessageId] {
        match self {
            Self::Person { id, .. } => std::slice::from_ref(id),
            Self::Answer { parts, .. } => parts,
        }
    }

    fn key(&self) -> Key {
        match self {
            Self::Person { id, .. } => (*id, None),
            Self::Answer { parts, answers, .. } => (*answers, Some(*parts.first().unwrap_or(answers))),
        }
    }

    fn role(&self) -> Role {
        match self {
            Self::Person { .. } => Role::User,
            Self::Answer { .. } => Role::Assistant,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Person { text, .. } | Self::Answer { text, .. } => text,
        }
    }

    fn weight(&self) -> Weight {
        match self {
            // Two more for the ": " behind the name, one for the line break before the next message.
            Self::Person { name, text, attached, .. } => Weight {
                chars: [name, text, attached].iter().map(|part| part.chars().count()).sum::<usize>() + 3,
                heap_bytes: name.len() + text.len() + attached.len(),
            },
            Self::Answer { parts, text, .. } => {
                Weight { chars: text.chars().count() + 1, heap_bytes: size_of_val(&**parts) + text.len() }
            }
        }
    }

    /// Appends what the agent reads. Only the first line of a message carries the name.
    fn read_into(&self, content: &mut String, names: bool) {
        if let (Self::Person { name, .. }, true) = (self, names) {
            content.extend(name.chars().map(|c| if can_fake_a_speaker(c) { ' ' } else { c }));
            content.push_str(": ");
        }
        content.push_str(self.text());
        if let Self::Person { attached, .. } = self {
            content.push_str(attached);
        }
    }
}

/// Whether a character in a name could start a line, or end the name, so that the rest reads as someone's words.
fn can_fake_a_speaker(c: char) -> bool {
    c == ':' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// What entries take, of the budget and of the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    chars: usize,
    heap_bytes: usize,
}

impl Weight {
    fn gain(&mut self, other: Self) {
        self.chars += other.chars;
        self.heap_bytes += other.heap_bytes;
    }

    fn lose(&mut self, other: Self) {
        self.chars -= other.chars;
        self.heap_bytes -= other.heap_bytes;
    }
}

/// What a message is worth when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// It tells what is talked about.
    Context,
    /// It is to be answered, together with later ones.
    Asked,
    /// It is the one that the answer will be a reply to: without it there would be none.
    RepliedTo,
}

/// One channel's messages, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: VecDeque<Entry>,
    weight: Weight,
}

impl History {
    /// An empty history; it holds no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an entry in its place. `false`, and nothing changed, when one of its messages is already there.
    pub fn insert(&mut self, entry: Entry) -> bool {
        if entry.ids().iter().any(|id| self.contains(*id)) {
            return false;
        }
        let Err(at) = self.entries.binary_search_by_key(&entry.key(), Entry::key) else { return false };
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(spare(self.entries.len()));
        }
        self.weight.gain(entry.weight());
        self.entries.insert(at, entry);
        true
    }

    /// Replaces the text of a person's message. `false` when there is no such message.
    pub fn edit(&mut self, id: MessageId, text: &str) -> bool {
        let Some(entry) = self.position(id).and_then(|at| self.entries.get_mut(at)) else { return false };
        self.weight.lose(entry.weight());
        let edited = match entry {
            Entry::Person { text: old, .. } => {
                *old = text.into();
                true
            }
            Entry::Answer { .. } => false,
        };
        self.weight.gain(entry.weight());
        edited
    }

    /// Puts the content of a file behind a person's message, where an edit leaves it. `false` when there is no such
    /// message.
    pub fn attach(&mut self, id: MessageId, content: &str) -> bool {
        let Some(entry) = self.position(id).and_then(|at| self.entries.get_mut(at)) else { return false };
        self.weight.lose(entry.weight());
        let found = match entry {
            Entry::Person { attached, .. } => {
                *attached = format!("{attached}\n{content}").into();
                true
            }
            Entry::Answer { .. } => false,
        };
        self.weight.gain(entry.weight());
        found
    }

    /// The contents of files that stand behind a message; empty when there are none.
    #[must_use]
    pub fn attached(&self, id: MessageId) -> &str {
        match self.position(id).and_then(|at| self.entries.get(at)) {
            Some(Entry::Person { attached, .. }) => attached,
            Some(Entry::Answer { .. }) | None => "",
        }
    }

    /// Unicode code points that the agent reads of these messages.
    #[must_use]
    pub fn chars_of(&self, messages: &[MessageId]) -> usize {
        let entries = messages.iter().filter_map(|id| self.entries.get(self.position(*id)?));
        entries.map(|entry| entry.weight().chars).sum()
    }

    /// Takes a message out; any part of an answer takes the whole answer. `false` when there is no such message.
    pub fn remove(&mut self, id: MessageId) -> bool {
        let removed = self.position(id).and_then(|at| self.entries.remove(at));
        if let Some(entry) = &removed {
            self.weight.lose(entry.weight());
        }
        removed.is_some()
    }

    /// Takes out everything up to and including the message `mark`, and the answers to it.
    pub fn clear_up_to(&mut self, mark: MessageId) {
        while self.entries.front().is_some_and(|oldest| oldest.key().0 <= mark) {
            self.drop_at(0);
        }
        self.give_back_places();
    }

    /// Drops the oldest messages until both bounds hold, each together with the answers that followed it, so that no
    /// answer is kept without its question. What is only [`Worth::Context`] goes first, and the newest message always stays.
    pub fn trim(&mut self, limits: &HistoryConfig, worth: impl Fn(MessageId) -> Worth) {
        let worth = |entry: &Entry| match entry {
            Entry::Person { id, .. } => worth(*id),
            Entry::Answer { .. } => Worth::Context,
        };
        while self.len() > 1 && (self.len() > limits.messages || self.chars() > limits.chars) {
            let before_newest = || self.entries.iter().take(self.len() - 1);
            let first = |least: Worth| before_newest().position(|entry| worth(entry) <= least);
            let Some(at) = first(Worth::Context).or_else(|| first(Worth::Asked)) else { break };
            self.drop_at(at);
            while at + 1 < self.len() && matches!(self.entries.get(at), Some(Entry::Answer { .. })) {
                self.drop_at(at);
            }
        }
        self.give_back_places();
    }

    /// Whether the message is there, as a person's or as a part of an answer.
    #[must_use]
    pub fn contains(&self, id: MessageId) -> bool {
        self.position(id).is_some()
    }

    /// The newest message of a person: what an answer asked for now will be an answer to.
    #[must_use]
    pub fn newest(&self) -> Option<MessageId> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Person { id, .. } => Some(*id),
            Entry::Answer { .. } => None,
        })
    }

    /// Every entry, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many entries there are; an answer counts once, however many messages it was posted as.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Unicode code points the agent reads at most: texts, names and what stands between them.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.weight.chars
    }

    /// Bytes this history holds on the heap, without what the allocator adds to each block.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.weight.heap_bytes + self.entries.capacity() * size_of::<Entry>()
    }

    /// The history as Tess accepts it: roles alternate, the first and the last message are a user's, and no content is
    /// empty. `names` puts `name: ` before each person's message; `instructions` become a first `developer` message.
    ///
    /// Answers before the first and after the last message of a person are left out. Empty when no person said
    /// anything: there is nothing to ask.
    #[must_use]
    pub fn chat(&self, names: bool, instructions: Option<&str>) -> Vec<ChatMessage> {
        self.chat_until(MessageId::new(u64::MAX), &[], names, instructions)
    }

    /// [`History::chat`] as if nothing had been said after the message `newest`. What is `asked` stands behind the last answer, even if it
    /// was posted before it: it was told of late, and that answer did not see it.
    #[must_use]
    pub fn chat_until(
        &self,
        newest: MessageId,
        asked: &[MessageId],
        names: bool,
        instructions: Option<&str>,
    ) -> Vec<ChatMessage> {
        let until = self.entries.iter().take_while(|entry| entry.key().0 <= newest);
        let said: Vec<&Entry> = until.filter(|entry| !entry.text().trim().is_empty()).collect();
        let answered = said.iter().rposition(|entry| entry.role() == Role::Assistant).map_or(0, |last| last + 1);
        let (before, behind) = said.split_at(answered);
        let is_late = |entry: &&Entry| entry.role() == Role::User && asked.contains(&entry.key().0);
        let (late, seen): (Vec<&Entry>, Vec<&Entry>) = before.iter().copied().partition(is_late);
        let said = seen.into_iter().chain(late).chain(behind.iter().copied());
        let mut chat: Vec<ChatMessage> = Vec::new();
        for entry in said.skip_while(|entry| entry.role() == Role::Assistant) {
            match chat.last_mut() {
                Some(last) if last.role == entry.role() => {
                    last.content.push('\n');
                    entry.read_into(&mut last.content, names);
                }
                _ => {
                    let mut content = String::new();
                    entry.read_into(&mut content, names);
                    chat.push(ChatMessage { role: entry.role(), content });
                }
            }
        }
        chat.pop_if(|last| last.role == Role::Assistant);
        let instructions = instructions.filter(|text| !text.trim().is_empty() && !chat.is_empty());
        if let Some(instructions) = instructions {
            chat.insert(0, ChatMessage { role: Role::Developer, content: instructions.to_owned() });
        }
        chat
    }

    fn position(&self, id: MessageId) -> Option<usize> {
        let of_a_person = self.entries.binary_search_by_key(&(id, None), Entry::key).ok();
        of_a_person.or_else(|| self.entries.iter().rposition(|entry| entry.ids().contains(&id)))
    }

    fn drop_at(&mut self, at: usize) {
        if let Some(entry) = self.entries.remove(at) {
            self.weight.lose(entry.weight());
        }
    }

    /// A history that was rebuilt or reset must not keep the places of the messages that went.
    fn give_back_places(&mut self) {
        let len = self.entries.len();
        if self.entries.capacity() > len + 2 * spare(len) {
            self.entries.shrink_to(len + spare(len));
        }
    }
}

/// Free places to keep beside `len` taken ones: few, and still enough that growing costs O(1) a message.
fn spare(len: usize) -> usize {
    SPARE_PLACES.max(len / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nothing(_: MessageId) -> Worth {
        Worth::Context
    }

    const LIMITS: HistoryConfig = HistoryConfig { messages: 40, chars: 24_000, total_bytes: usize::MAX };

    fn id(n: u64) -> MessageId {
        MessageId::new(n)
    }

    fn ids(all: &[u64]) -> Vec<MessageId> {
        all.iter().copied().map(id).collect()
    }

    fn said(n: u64, text: &str) -> Entry {
        Entry::person(id(n), "ann", text)
    }

    fn answered(parts: &[u64], answers: u64, text: &str) -> Entry {
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
        history.iter().map(Entry::text).collect()
    }

    fn chat(history: &History, names: bool) -> Vec<(Role, String)> {
        history.chat(names, None).into_iter().map(|message| (message.role, message.content)).collect()
    }

    #[test]
    fn messages_stand_by_id_however_they_came() {
        let history = history([said(30, "c"), said(10, "a"), said(20, "b")]);
        assert_eq!(texts(&history), ["a", "b", "c"]);
        assert_eq!(history.newest(), Some(id(30)));
    }

    #[test]
    fn an_answer_stands_behind_what_it_answers_and_before_what_came_during_the_turn() {
        let history = history([said(10, "a"), said(20, "meanwhile"), answered(&[30, 31], 10, "re a")]);
        assert_eq!(texts(&history), ["a", "re a", "meanwhile"]);
        assert_eq!(history.newest(), Some(id(20)));
    }

    #[test]
    fn a_message_that_comes_twice_is_kept_once() {
        let mut history = history([said(10, "a"), answered(&[20, 21], 10, "re a")]);
        assert!(!history.insert(said(10, "again")));
        assert!(!history.insert(answered(&[21], 10, "again")));
        assert_eq!(texts(&history), ["a", "re a"]);
    }

    #[test]
    fn what_is_asked_is_dropped_last_and_what_is_replied_to_never() {
        let mut history = History::new();
        for id in 1..=6 {
            history.insert(Entry::person(MessageId::new(id), "alice", "hi"));
        }
        let asked = |id: MessageId| if id.get() == 2 { Worth::Asked } else { Worth::Context };
        history.trim(&HistoryConfig { messages: 3, ..LIMITS }, asked);
        let left = |history: &History| history.iter().flat_map(Entry::ids).map(|id| id.get()).collect::<Vec<_>>();
        assert_eq!(left(&history), [2, 5, 6]);
        let replied_to = |id: MessageId| if id.get() == 2 { Worth::RepliedTo } else { Worth::Asked };
        history.trim(&HistoryConfig { messages: 1, ..LIMITS }, replied_to);
        assert_eq!(left(&history), [2, 6]);
    }

    #[test]
    fn an_edit_changes_what_a_person_said_and_nothing_else() {
        let mut history = history([said(10, "a"), answered(&[20], 10, "re a")]);
        assert!(history.edit(id(10), "A"));
        assert!(!history.edit(id(20), "someone else's"));
        assert!(!history.edit(id(99), "unknown"));
        assert_eq!(texts(&history), ["A", "re a"]);
    }

    #[test]
    fn the_content_of_a_file_is_read_behind_its_message_and_survives_an_edit() {
        let mut history = history([said(10, "see"), answered(&[20], 10, "re")]);
        assert_eq!(history.attached(id(10)), "");
        assert!(history.attach(id(10), "one") && history.attach(id(10), "two"));
        assert!(!history.attach(id(20), "an answer has none") && !history.attach(id(99), "unknown"));
        assert!(history.edit(id(10), "look"));
        assert_eq!(chat(&history, true)[0].1, "ann: look\none\ntwo");
        assert_eq!((history.attached(id(10)), history.attached(id(20))), ("\none\ntwo", ""));
        assert_eq!(history.chars_of(&ids(&[10, 99])), "ann: look\none\ntwo\n".len());
        assert!(history.remove(id(10)) && history.remove(id(20)));
        assert_eq!(history.chars(), 0);
    }

    #[test]
    fn deleting_one_part_of_an_answer_removes_the_answer() {
        let mut history = history([said(10, "a"), answered(&[20, 21], 10, "re a")]);
        assert!(history.contains(id(20)) && history.remove(id(21)));
        assert!(!history.contains(id(20)) && !history.remove(id(20)));
        assert!(history.remove(id(10)));
        assert!(history.is_empty() && history.chars() == 0);
    }

    #[test]
    fn a_reset_takes_the_marked_message_and_its_answer() {
        let mut history = history([said(10, "a"), answered(&[30], 10, "re a"), said(20, "b"), said(40, "c")]);
        history.clear_up_to(id(20));
        assert_eq!(texts(&history), ["c"]);
    }

    #[test]
    fn an_answer_goes_with_the_last_message_of_its_turn() {
        let mut history = history([
            said(10, "note"),
            said(20, "a"),
            answered(&[21], 20, "re a"),
            said(30, "b"),
            answered(&[31], 30, "re b"),
        ]);
        history.trim(&HistoryConfig { messages: 4, ..LIMITS }, nothing);
        assert_eq!(texts(&history), ["a", "re a", "b", "re b"]);
        history.trim(&HistoryConfig { messages: 3, ..LIMITS }, nothing);
        assert_eq!(texts(&history), ["b", "re b"]);
    }

    #[test]
    fn the_newest_message_stays_even_if_it_is_over_the_bound_alone() {
        let mut history = history([said(10, "a"), said(20, &"b".repeat(500))]);
        history.trim(&HistoryConfig { chars: 100, ..LIMITS }, nothing);
        assert_eq!(history.len(), 1);
        history.trim(&HistoryConfig { messages: 0, chars: 0, ..LIMITS }, nothing);
        assert_eq!(history.newest(), Some(id(20)));
    }

    #[test]
    fn characters_are_code_points_not_bytes() {
        let mut history = history([said(10, &"é".repeat(50)), said(20, &"é".repeat(50))]);
        history.trim(&HistoryConfig { chars: 112, ..LIMITS }, nothing);
        assert_eq!((history.len(), history.chars()), (2, 112));
        history.trim(&HistoryConfig { chars: 111, ..LIMITS }, nothing);
        assert_eq!(history.len(), 1);
    }

    #[test]
    fn a_full_history_takes_little_more_memory_than_its_text() {
        let mut history = History::new();
        for n in 1..=100 {
            history.insert(Entry::person(id(n), "a name of usual length", &"x".repeat(600)));
        }
        history.trim(&LIMITS, nothing);
        let text: usize = history.iter().map(|entry| entry.text().len()).sum();
        assert!(history.bytes() <= text + 100 * history.len(), "{} bytes for {text}", history.bytes());
    }

    #[test]
    fn what_is_asked_stands_behind_an_answer_that_did_not_see_it() {
        let mut history = History::default();
        for id in [1, 2, 3, 4] {
            history.insert(Entry::person(MessageId::new(id), "alice", &id.to_string()));
        }
        history.insert(Entry::answer(&[MessageId::new(9)], MessageId::new(3), "to 3"));
        let asked = [1, 2, 4].map(MessageId::new);
        let chat = history.chat_until(MessageId::new(4), &asked, false, None);
        let chat: Vec<_> = chat.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(chat, ["3", "to 3", "1\n2\n4"]);
    }

    #[test]
    fn neighbours_are_merged_and_people_named() {
        let history = history([
            Entry::person(id(10), "ann", "hi"),
            Entry::person(id(11), "bob", "two\nlines"),
            answered(&[20], 11, "hello"),
            Entry::person(id(30), "ann", "bye"),
        ]);
        let expected = [
            (Role::User, "ann: hi\nbob: two\nlines".to_owned()),
            (Role::Assistant, "hello".to_owned()),
            (Role::User, "ann: bye".to_owned()),
        ];
        assert_eq!(chat(&history, true), expected);
        assert_eq!(chat(&history, false)[0].1, "hi\ntwo\nlines");
    }

    #[test]
    fn a_name_can_not_speak_for_another() {
        let history = history([Entry::person(id(10), "x\nann: yes\u{2028}", "no")]);
        assert_eq!(chat(&history, true)[0].1, "x ann  yes : no");
    }

    #[test]
    fn answers_without_a_question_and_empty_messages_are_not_sent() {
        let history = history([
            answered(&[6], 5, "lost"),
            said(10, " \n"),
            said(11, "hi"),
            answered(&[20], 11, ""),
            said(30, "you there?"),
            answered(&[40], 30, "posted already"),
        ]);
        assert_eq!(chat(&history, false), [(Role::User, "hi\nyou there?".to_owned())]);
    }

    #[test]
    fn instructions_come_first_and_never_alone() {
        assert_eq!(history([answered(&[6], 5, "lost")]).chat(true, Some("Be brief.")), []);
        let chat = history([said(10, "hi")]).chat(true, Some("Be brief."));
        assert_eq!(chat[0], ChatMessage { role: Role::Developer, content: "Be brief.".to_owned() });
        assert_eq!(chat[1].role, Role::User);
        assert_eq!(history([said(10, "hi")]).chat(true, Some("  ")).len(), 1);
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
                Event::Insert(answered(&parts, answers, &text))
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
        fn any_sequence_of_events_keeps_order_bounds_and_counts(
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
                        prop_assert!(history.iter().all(|entry| entry.key().0 > id(n)));
                    }
                    Event::Trim => {
                        history.trim(&limits, nothing);
                        prop_assert!(history.len() <= messages.max(1));
                        prop_assert!(history.chars() <= chars || history.len() == 1);
                    }
                }
                let recount = history.iter().fold(Weight::default(), |mut sum, entry| {
                    sum.gain(entry.weight());
                    sum
                });
                prop_assert_eq!(recount, history.weight);
                prop_assert!(history.iter().is_sorted_by_key(Entry::key));
            }
        }

        #[test]
        fn what_is_sent_always_alternates_from_user_to_user(events in events(), names in any::<bool>()) {
            let mut history = History::new();
            for event in events {
                if let Event::Insert(entry) = event {
                    history.insert(entry);
                }
            }
            let chat = history.chat(names, None);
            for (n, message) in chat.iter().enumerate() {
                prop_assert_eq!(message.role, if n % 2 == 0 { Role::User } else { Role::Assistant });
                prop_assert!(!message.content.trim().is_empty());
            }
            prop_assert!(chat.is_empty() || chat.len() % 2 == 1);
            let sent: usize = chat.iter().map(|message| message.content.chars().count()).sum();
            prop_assert!(sent <= history.chars());
        }
    }
}
