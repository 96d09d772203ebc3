//! A channel's history, rebuilt from Discord's own messages when it is first spoken in.

use std::collections::HashSet;

use tokio::time::Instant;
use tracing::{debug, warn};

use crate::{
    conversation::{control, shared::Shared},
    discord::{
        Page,
        model::{Message, SILENT},
    },
    history::Entry,
    ids::{ChannelId, GuildId, MessageId, UserId},
    intake::{self, Decision},
    reply::{self, texts},
};

/// Messages of one request, Discord's limit.
const PAGE: usize = 100;

impl Shared {
    /// Adds what was said before the first queued message to the channel's history, once. Without it the turn goes on, and the
    /// agent sees less.
    pub(super) async fn rebuild(&self, id: ChannelId) {
        let Some((guild, first)) = self.unbuilt(id) else { return };
        // The newest, not those before `first`: the answer to an earlier message may have come after it.
        let messages = match self.services.discord.messages(id, Page::Newest, PAGE).await {
            Ok(messages) => messages,
            Err(error) => {
                warn!(%error, "history not rebuilt; the agent does not see what was said before");
                return;
            }
        };
        let bot_user = self.bot_user();
        let leftovers = leftovers(&messages, bot_user);
        let mark = self.services.state.reset_mark(id);
        let said = messages.iter().filter(|message| mark.is_none_or(|mark| message.id > mark));
        let said = said.filter(|message| !leftovers.contains(&message.id));
        let said = said.filter(|message| message.id < first || message.author.id == bot_user);
        let place = self.place(id, guild);
        let entries = entries(&said.collect::<Vec<_>>(), bot_user, |message| {
            intake::decide(message, bot_user, &self.services.config.intake, place) != Decision::Ignore
        });
        debug!(messages = entries.len(), "history rebuilt");
        // One of an earlier process, or from before the channel was evicted, is removed like any other.
        let has_button = |message: &&Message| message.author.id == bot_user && message.has_button(control::RETRY);
        let retry_button = messages.iter().rev().find(has_button).map(|message| message.id);
        self.channels.update(id, |slot| slot.channel.rebuild(entries, retry_button));
        for leftover in leftovers {
            self.delete_leftover(id, leftover).await;
        }
    }

    /// The guild and the first queued message of a channel whose history is still to be rebuilt.
    fn unbuilt(&self, id: ChannelId) -> Option<(Option<GuildId>, MessageId)> {
        let channel = self.channels.get(id)?;
        let is_open = !channel.is_rebuilt && !channel.is_closed(Instant::now());
        is_open.then(|| Some((channel.guild, channel.oldest_queued()?))).flatten()
    }
}

/// The messages that a stopped or killed process left unfinished: notices of delay, and replies that were still growing, each with
/// the parts that follow its first. `messages` are in ascending order.
pub(super) fn leftovers(messages: &[Message], bot_user: UserId) -> HashSet<MessageId> {
    let mut leftovers = HashSet::new();
    let mut is_growing = false;
    for message in messages.iter().filter(|message| message.author.id == bot_user && message.is_plain()) {
        if is_notice_of_delay(message, bot_user) {
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
fn is_notice_of_delay(message: &Message, bot_user: UserId) -> bool {
    let looks_like_one = message.is_plain() && message.content.starts_with(reply::texts::NOTICE_MARK);
    message.author.id == bot_user && looks_like_one && message.flags & SILENT != 0 && message.has_button(control::STOP)
}

/// The history's entries for a channel's messages, which are in ascending order. The parts of a reply are joined again.
fn entries(messages: &[&Message], bot_user: UserId, is_context: impl Fn(&Message) -> bool) -> Vec<Entry> {
    let is_there = |id: MessageId| messages.binary_search_by_key(&id, |message| message.id).is_ok();
    let mut entries = Vec::with_capacity(messages.len());
    let mut reply: Option<OwnReply> = None;
    for message in messages {
        if message.author.id == bot_user {
            if !message.is_plain() || !reply::is_answer(&message.content) {
                continue;
            }
            match &mut reply {
                Some(reply) if message.continues() => reply.add(message),
                _ => {
                    add(&mut entries, reply.take());
                    // Without a reference, what it answered was deleted before it was posted, or it is the later part of a deleted reply.
                    reply = message.replies_to().map(|answers| OwnReply::new(message, answers));
                }
            }
        } else if is_context(message) {
            let quoted = message.referenced_message.as_deref().filter(|quoted| !is_there(quoted.id));
            entries.push(Entry::person(message.id, message.author_name(), &intake::render(message, bot_user, quoted)));
        }
    }
    add(&mut entries, reply);
    entries
}

/// Of several answers to one message the last counts: somebody repeated the turn. One that was broken off does not count.
fn add(entries: &mut Vec<Entry>, reply: Option<OwnReply>) {
    let Some(reply) = reply.filter(|reply| !reply.is_broken_off()) else { return };
    entries.retain(|entry| !matches!(entry, Entry::Answer { answers, .. } if *answers == reply.answers));
    entries.push(reply.entry());
}

/// One of the bot's replies, as it is read back.
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

    const BOT: UserId = UserId::new(9);

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
        entries(&messages.iter().collect::<Vec<_>>(), BOT, Message::is_from_a_person)
    }

    fn ids(ids: &[u64]) -> Vec<MessageId> {
        ids.iter().copied().map(MessageId::new).collect()
    }

    #[test]
    fn parts_of_a_reply_are_one_answer_even_with_a_message_between_them() {
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
    fn later_part_of_a_deleted_reply_is_no_answer() {
        let silent = json!({"flags": SILENT});
        let messages = [message(1, 2, "hi", &json!({})), message(2, 9, "second part", &silent), reply(3, "whole", 1)];
        assert_eq!(rebuilt(&messages).iter().flat_map(Entry::ids).copied().collect::<Vec<_>>(), ids(&[1, 3]));
    }

    #[test]
    fn answer_to_deleted_messages_is_not_read_back() {
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
    fn error_texts_notices_and_command_responses_are_not_answers() {
        let stop = json!([{"type": 1, "components": [{"custom_id": "stop:1"}]}]);
        let messages = [
            reply(2, "⚠️ Tess is down", 1),
            message(3, 9, "⏳ wait", &json!({"flags": SILENT, "components": stop})),
            reply(5, "⏳ looks like a note", 1),
            message(6, 9, "⏳ looks like one, too", &json!({"flags": SILENT})),
            message(4, 9, "Forgotten.", &json!({"type": 20})),
        ];
        assert!(rebuilt(&messages).is_empty());
        assert_eq!(leftovers(&messages, BOT), ids(&[3]).into_iter().collect());
    }

    #[test]
    fn reply_with_a_stop_button_is_a_leftover_with_all_its_parts() {
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
        assert_eq!(leftovers(&messages, BOT), ids(&[5, 7, 8]).into_iter().collect());
    }

    #[test]
    fn last_of_several_answers_counts_unless_it_was_broken_off() {
        let broken = reply(4, &reply::live::mark_unfinished(crate::config::Language::Portuguese, "thi"), 1);
        let answers = rebuilt(&[reply(2, "first", 1), reply(3, "second", 1), broken]);
        assert_eq!(answers, [Entry::answer(&ids(&[3]), MessageId::new(1), "second")]);
    }
}
