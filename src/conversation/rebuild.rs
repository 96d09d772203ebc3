//! A channel's history, rebuilt from Discord's own messages when it is first spoken in.

use std::collections::HashSet;

use tracing::{debug, warn};

use crate::{
    conversation::{Inner, control},
    discord::{
        Page,
        model::{Message, SILENT},
    },
    history::Entry,
    ids::{ChannelId, MessageId, UserId},
    intake::{self, Decision},
    reply::{self, texts},
};

/// Most messages Discord gives in one request.
const PAGE: usize = 100;

impl Inner {
    /// Puts what was said before the first message that waits into the history, once. Without it the turn goes on, with less to
    /// go by.
    pub(super) async fn rebuild(&self, id: ChannelId) {
        let missing = self.channels.get(&id).filter(|channel| !channel.rebuilt && !channel.is_closed());
        let Some((guild, Some(first))) = missing.map(|channel| (channel.guild, channel.first_waiting())) else {
            return;
        };
        // The newest, not those before `first`: the answer to an earlier message may have come after it.
        let messages = match self.discord.messages(id, Page::Newest, PAGE).await {
            Ok(messages) => messages,
            Err(error) => {
                warn!(%error, "the history could not be rebuilt; the agent does not see what was said before");
                return;
            }
        };
        let leftovers = leftovers(&messages, self.me());
        let mark = self.state.reset_mark(id);
        let place = self.place(id, guild);
        let said = messages.iter().filter(|message| mark.is_none_or(|mark| message.id > mark));
        let said = said.filter(|message| !leftovers.contains(&message.id));
        let said = said.filter(|message| message.id < first || message.author.id == self.me());
        let entries = entries(&said.collect::<Vec<_>>(), self.me(), |message| {
            intake::decide(message, self.me(), &self.intake, place) != Decision::Ignore
        });
        debug!(messages = entries.len(), "history rebuilt");
        // An earlier process's, or one from before the channel was evicted: it is taken away like any other.
        let is_offer = |message: &&Message| message.author.id == self.me() && message.has_button(control::RETRY);
        let offer = messages.iter().rev().find(is_offer).map(|message| message.id);
        self.change(id, |channel| {
            channel.offer = channel.offer.or(offer);
            for entry in entries {
                channel.history.insert(entry);
            }
            channel.trim(&self.limits);
            channel.rebuilt = true;
        });
        for note in leftovers {
            self.delete_leftover(id, note).await;
        }
    }

    /// Takes away a message that was never meant to stay.
    pub(super) async fn delete_leftover(&self, id: ChannelId, leftover: MessageId) {
        if let Err(error) = self.discord.delete(id, leftover).await {
            warn!(%error, "a left-over message could not be deleted");
        }
    }
}

/// What a process that was stopped or killed left behind among a channel's messages, oldest first: notes about waiting, and
/// replies that were still growing, each with the parts that follow its first.
pub(super) fn leftovers(messages: &[Message], me: UserId) -> HashSet<MessageId> {
    let mut leftovers = HashSet::new();
    let mut is_growing = false;
    for message in messages.iter().filter(|message| message.author.id == me && message.is_plain()) {
        if is_note(message, me) {
            leftovers.insert(message.id);
            continue;
        }
        is_growing = message.has_button(control::STOP) || (is_growing && message.continues());
        if is_growing {
            leftovers.insert(message.id);
        }
    }
    leftovers
}

/// An answer of the agent may look like one, but is never silent.
fn is_note(message: &Message, me: UserId) -> bool {
    let looks_like_one = message.is_plain() && message.content.starts_with(reply::texts::NOTICE_MARK);
    message.author.id == me && looks_like_one && message.flags & SILENT != 0 && message.has_button(control::STOP)
}

/// What a channel's messages, oldest first, are in its history. The parts of one of the bot's replies are joined again.
fn entries(messages: &[&Message], me: UserId, is_heard: impl Fn(&Message) -> bool) -> Vec<Entry> {
    let is_there = |id: MessageId| messages.binary_search_by_key(&id, |message| message.id).is_ok();
    let mut entries = Vec::with_capacity(messages.len());
    let mut reply: Option<OwnReply> = None;
    for message in messages {
        if message.author.id == me {
            if !message.is_plain() || !reply::is_answer(&message.content) {
                continue;
            }
            match &mut reply {
                Some(reply) if message.continues() => reply.add(message),
                _ => {
                    add(&mut entries, reply.take());
                    // A reply to nothing was one to messages that were all gone by then; or it is the later part of one that is gone.
                    reply = message.replies_to().map(|answers| OwnReply::new(message, answers));
                }
            }
        } else if is_heard(message) {
            let quoted = message.referenced_message.as_deref().filter(|quoted| !is_there(quoted.id));
            entries.push(Entry::person(message.id, message.author_name(), &intake::render(message, me, quoted)));
        }
    }
    add(&mut entries, reply);
    entries
}

/// Of several answers to one message the last one counts: somebody wanted another. One that was broken off is none.
fn add(entries: &mut Vec<Entry>, reply: Option<OwnReply>) {
    let Some(reply) = reply.filter(|reply| !reply.is_broken_off()) else { return };
    entries.retain(|entry| !matches!(entry, Entry::Answer { answers, .. } if *answers == reply.answers));
    entries.push(reply.entry());
}

struct OwnReply {
    ids: Vec<MessageId>,
    answers: MessageId,
    parts: Vec<String>,
}

impl OwnReply {
    fn new(message: &Message, answers: MessageId) -> Self {
        Self { ids: vec![message.id], answers, parts: vec![message.content.clone()] }
    }

    fn add(&mut self, message: &Message) {
        self.ids.push(message.id);
        self.parts.push(message.content.clone());
    }

    fn is_broken_off(&self) -> bool {
        self.parts.iter().any(|part| texts::answers::is_unfinished(part))
    }

    fn entry(self) -> Entry {
        Entry::answer(&self.ids, self.answers, &reply::join(self.parts.iter().map(String::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ME: UserId = UserId::new(9);

    fn message(id: u64, author: u64, content: &str, extra: &Value) -> Message {
        let mut value = json!({"id": id.to_string(), "channel_id": "1", "content": content,
            "author": {"id": author.to_string(), "username": "alice"}});
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn reply(id: u64, content: &str, answers: u64) -> Message {
        message(id, 9, content, &json!({"type": 19, "message_reference": {"message_id": answers.to_string()}}))
    }

    fn rebuilt(messages: &[Message]) -> Vec<Entry> {
        entries(&messages.iter().collect::<Vec<_>>(), ME, Message::is_from_a_person)
    }

    fn ids(ids: &[u64]) -> Vec<MessageId> {
        ids.iter().copied().map(MessageId::new).collect()
    }

    #[test]
    fn the_parts_of_a_reply_are_one_answer_even_with_a_message_between_them() {
        let nothing = json!({});
        let messages = [
            message(1, 2, "hi", &nothing),
            reply(3, "first part", 1),
            message(4, 2, "meanwhile", &nothing),
            message(5, 9, "second part", &json!({"flags": SILENT})),
            reply(6, "another", 4),
        ];
        let entries = rebuilt(&messages);
        let answers: Vec<_> = entries.iter().filter(|entry| matches!(entry, Entry::Answer { .. })).collect();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0].ids(), ids(&[3, 5]));
        assert!(matches!(answers[0], Entry::Answer { answers, text, .. }
            if answers.get() == 1 && text.contains("first part") && text.contains("second part")));
    }

    #[test]
    fn a_later_part_of_a_reply_whose_beginning_is_gone_is_no_answer() {
        let silent = json!({"flags": SILENT});
        let messages = [message(1, 2, "hi", &json!({})), message(2, 9, "second part", &silent), reply(3, "whole", 1)];
        assert_eq!(rebuilt(&messages).iter().flat_map(Entry::ids).copied().collect::<Vec<_>>(), ids(&[1, 3]));
    }

    #[test]
    fn an_answer_to_messages_that_are_all_gone_is_gone_with_them() {
        let nothing = json!({});
        let messages = [
            reply(2, "first", 1),
            message(3, 2, "hi", &nothing),
            message(4, 9, "to a deleted message", &nothing),
            message(5, 9, "its second part", &json!({"flags": SILENT})),
        ];
        let entries = rebuilt(&messages);
        assert_eq!(entries.iter().flat_map(Entry::ids).copied().collect::<Vec<_>>(), ids(&[3, 2]));
    }

    #[test]
    fn error_texts_notes_and_answers_to_commands_are_not_the_agents_words() {
        let stop = json!([{"type": 1, "components": [{"custom_id": "stop:1"}]}]);
        let messages = [
            reply(2, "⚠️ Tess is down", 1),
            message(3, 9, "⏳ wait", &json!({"flags": SILENT, "components": stop})),
            reply(5, "⏳ looks like a note", 1),
            message(6, 9, "⏳ looks like one, too", &json!({"flags": SILENT})),
            message(4, 9, "Forgotten.", &json!({"type": 20})),
        ];
        assert!(rebuilt(&messages).is_empty());
        assert_eq!(leftovers(&messages, ME), ids(&[3]).into_iter().collect());
    }

    #[test]
    fn a_reply_with_a_stop_button_is_left_over_with_all_its_parts() {
        let growing = |id, reference: Value| {
            let mut message = json!({"type": 19, "components": [{"type": 1, "components": [{"custom_id": "stop:1"}]}]});
            message["message_reference"] = reference;
            self::message(id, 9, "part", &message)
        };
        let messages = [
            reply(2, "whole", 1),
            message(3, 9, "its second part", &json!({"flags": SILENT})),
            growing(5, json!({"message_id": "4"})),
            message(6, 2, "meanwhile", &json!({})),
            message(7, 9, "second part", &json!({"flags": SILENT})),
            growing(8, Value::Null),
            reply(9, "⚠️ Tess is down", 6),
        ];
        assert_eq!(leftovers(&messages, ME), ids(&[5, 7, 8]).into_iter().collect());
    }

    #[test]
    fn of_two_answers_to_one_message_the_last_counts_unless_it_was_broken_off() {
        let broken = reply(4, &reply::live::mark_unfinished(crate::config::Language::Portuguese, "thi"), 1);
        let answers = rebuilt(&[reply(2, "first", 1), reply(3, "second", 1), broken]);
        assert_eq!(answers, [Entry::answer(&ids(&[3]), MessageId::new(1), "second")]);
    }
}
