//! Turns entries of a history into the messages of a request to Tess.

use super::entry::Entry;
use crate::{
    ids::MessageId,
    tess::{ChatMessage, Role},
};

/// Does what [`History::request_messages`](super::History::request_messages) does, for entries in their sort order.
pub(super) fn messages<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    asked: &[MessageId],
    with_names: bool,
    instructions: Option<&str>,
) -> Vec<ChatMessage> {
    let entries: Vec<&Entry> = entries.filter(|entry| !entry.text().trim().is_empty()).collect();
    let entries = move_late_messages(&entries, asked);
    let mut messages: Vec<ChatMessage> = Vec::new();
    for entry in entries.into_iter().skip_while(|entry| entry.role() == Role::Assistant) {
        match messages.last_mut() {
            Some(last) if last.role == entry.role() => {
                last.content.push('\n');
                entry.write_to(&mut last.content, with_names);
            }
            _ => {
                let mut content = String::new();
                entry.write_to(&mut content, with_names);
                messages.push(ChatMessage { role: entry.role(), content });
            }
        }
    }
    messages.pop_if(|last| last.role == Role::Assistant);
    let instructions = instructions.filter(|text| !text.trim().is_empty() && !messages.is_empty());
    if let Some(instructions) = instructions {
        messages.insert(0, ChatMessage { role: Role::Developer, content: instructions.to_owned() });
    }
    messages
}

/// Moves the messages in `asked` that are older than the last answer to right after it.
fn move_late_messages<'a>(entries: &[&'a Entry], asked: &[MessageId]) -> Vec<&'a Entry> {
    let answered = entries.iter().rposition(|entry| entry.role() == Role::Assistant).map_or(0, |last| last + 1);
    let (before, after) = entries.split_at(answered);
    let is_late = |entry: &&Entry| entry.role() == Role::User && asked.contains(&entry.sort_key().0);
    let (late, seen): (Vec<&Entry>, Vec<&Entry>) = before.iter().copied().partition(is_late);
    seen.into_iter().chain(late).chain(after.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::History, *};

    const NEWEST: MessageId = MessageId::new(u64::MAX);

    fn id(n: u64) -> MessageId {
        MessageId::new(n)
    }

    fn answer(parts: &[u64], answers: u64, text: &str) -> Entry {
        let parts: Vec<_> = parts.iter().copied().map(id).collect();
        Entry::answer(&parts, id(answers), text)
    }

    fn history(entries: impl IntoIterator<Item = Entry>) -> History {
        let mut history = History::new();
        for entry in entries {
            history.insert(entry);
        }
        history
    }

    fn contents(history: &History, with_names: bool) -> Vec<(Role, String)> {
        let messages = history.request_messages(NEWEST, &[], with_names, None);
        messages.into_iter().map(|message| (message.role, message.content)).collect()
    }

    #[test]
    fn late_message_is_moved_after_the_answer_that_did_not_see_it() {
        let messages = [1, 2, 3, 4].map(|n| Entry::person(id(n), "alice", &n.to_string()));
        let mut history = history(messages);
        history.insert(answer(&[9], 3, "to 3"));
        let messages = history.request_messages(id(4), &[1, 2, 4].map(id), false, None);
        let contents: Vec<_> = messages.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(contents, ["3", "to 3", "1\n2\n4"]);
    }

    #[test]
    fn messages_after_the_newest_one_are_left_out() {
        let history = history([1, 2, 3].map(|n| Entry::person(id(n), "alice", &n.to_string())));
        let messages = history.request_messages(id(2), &[], false, None);
        assert_eq!(messages, [ChatMessage { role: Role::User, content: "1\n2".to_owned() }]);
    }

    #[test]
    fn entries_of_one_role_are_merged_and_people_named() {
        let history = history([
            Entry::person(id(10), "ann", "hi"),
            Entry::person(id(11), "bob", "two\nlines"),
            answer(&[20], 11, "hello"),
            Entry::person(id(30), "ann", "bye"),
        ]);
        let expected = [
            (Role::User, "ann: hi\nbob: two\nlines".to_owned()),
            (Role::Assistant, "hello".to_owned()),
            (Role::User, "ann: bye".to_owned()),
        ];
        assert_eq!(contents(&history, true), expected);
        assert_eq!(contents(&history, false)[0].1, "hi\ntwo\nlines");
    }

    #[test]
    fn name_cannot_start_another_persons_line() {
        let history = history([Entry::person(id(10), "x\nann: yes\u{2028}", "no")]);
        assert_eq!(contents(&history, true)[0].1, "x ann  yes : no");
    }

    #[test]
    fn answers_without_a_question_and_blank_messages_are_left_out() {
        let history = history([
            answer(&[6], 5, "lost"),
            Entry::person(id(10), "ann", " \n"),
            Entry::person(id(11), "ann", "hi"),
            answer(&[20], 11, ""),
            Entry::person(id(30), "ann", "you there?"),
            answer(&[40], 30, "posted already"),
        ]);
        assert_eq!(contents(&history, false), [(Role::User, "hi\nyou there?".to_owned())]);
    }

    #[test]
    fn attachment_text_follows_its_message() {
        let mut history = history([Entry::person(id(10), "ann", "see")]);
        assert!(history.append_attachment_text(id(10), "one") && history.append_attachment_text(id(10), "two"));
        assert_eq!(contents(&history, true)[0].1, "ann: see\none\ntwo");
    }

    #[test]
    fn instructions_come_first_and_are_never_sent_alone() {
        let messages = |entry, instructions| history([entry]).request_messages(NEWEST, &[], true, Some(instructions));
        let hi = || Entry::person(id(10), "ann", "hi");
        assert_eq!(messages(answer(&[6], 5, "lost"), "Be brief."), []);
        let sent = messages(hi(), "Be brief.");
        assert_eq!(sent[0], ChatMessage { role: Role::Developer, content: "Be brief.".to_owned() });
        assert_eq!(sent[1].role, Role::User);
        assert_eq!(messages(hi(), "  ").len(), 1);
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = prop_oneof![
            2 => (1..60_u64, ".{0,6}", "[ é\\n]{0,3}.{0,30}").prop_map(|(n, name, text)| {
                Entry::person(id(n), &name, &text)
            }),
            1 => (1..60_u64, 1..3_u64, ".{0,30}").prop_map(|(answers, parts, text)| {
                let parts: Vec<_> = (0..parts).map(|part| 100 + answers * 3 + part).collect();
                answer(&parts, answers, &text)
            }),
        ];
        prop::collection::vec(entry, 0..60)
    }

    proptest! {
        #[test]
        fn roles_alternate_from_user_to_user(entries in entries(), with_names in any::<bool>()) {
            let history = history(entries);
            let sent = contents(&history, with_names);
            for (n, (role, content)) in sent.iter().enumerate() {
                prop_assert_eq!(*role, if n % 2 == 0 { Role::User } else { Role::Assistant });
                prop_assert!(!content.trim().is_empty());
            }
            prop_assert!(sent.is_empty() || sent.len() % 2 == 1);
            let chars: usize = sent.iter().map(|(_, content)| content.chars().count()).sum();
            prop_assert!(chars <= history.chars());
        }
    }
}
