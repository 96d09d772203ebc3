//! Discord's messages, as far as the bot reads them.
//!
//! One set of types serves the gateway and REST. They have only the fields that the bot needs, so that an unknown or malformed
//! field elsewhere cannot make a message unreadable; a message with a malformed field that is needed is read a second time by
//! [`Message::read_leniently`].

use serde::Deserialize;
use serde_json::Value;

use crate::ids::{AttachmentId, ChannelId, GuildId, MessageId, UserId};

/// Message types that people write: a plain message and a reply.
/// <https://discord.com/developers/docs/resources/message#message-object-message-types>
const WRITTEN_BY_PEOPLE: [u64; 2] = [0, 19];

/// `flags` bit of a message that was posted without a notification.
pub(crate) const SILENT: u64 = 1 << 12;

/// `message_reference.type` of a forward.
const FORWARD: u64 = 1;

/// A message, from the gateway or from REST.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    /// A snowflake: greater means later.
    pub id: MessageId,
    /// The channel, thread or direct-message channel it was posted in.
    pub channel_id: ChannelId,
    /// Absent in direct messages, and always in REST answers.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// The author; not a user when `webhook_id` is present.
    pub author: Author,
    /// The author as a member of the guild; gateway only.
    #[serde(default)]
    member: Option<Member>,
    /// The text, with mentions as `<@id>`. Empty without the message content intent.
    #[serde(default)]
    pub content: String,
    #[serde(default, rename = "type")]
    kind: u64,
    /// The users mentioned in the text.
    #[serde(default)]
    pub mentions: Vec<Author>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    #[serde(default)]
    sticker_items: Vec<Sticker>,
    #[serde(default)]
    message_reference: Option<Reference>,
    /// The message replied to, when Discord includes it.
    #[serde(default)]
    pub referenced_message: Option<Box<Message>>,
    #[serde(default)]
    message_snapshots: Vec<Snapshot>,
    #[serde(default)]
    webhook_id: Option<Value>,
    /// Message flags as bits.
    #[serde(default)]
    pub flags: u64,
    /// Rows of buttons and menus, undecoded.
    #[serde(default)]
    components: Vec<Value>,
}

/// A user, as messages carry it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Author {
    /// The user's id.
    pub id: UserId,
    #[serde(default)]
    username: String,
    #[serde(default)]
    global_name: Option<String>,
    /// The user as a member of the guild, in `mentions` of gateway messages.
    #[serde(default)]
    member: Option<Member>,
    /// Whether it is an application rather than a person.
    #[serde(default)]
    pub bot: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Member {
    #[serde(default)]
    nick: Option<String>,
}

/// A file in a message. <https://discord.com/developers/docs/resources/message#attachment-object>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Attachment {
    /// The file's id.
    #[serde(default)]
    pub id: Option<AttachmentId>,
    /// Its name.
    #[serde(default)]
    pub filename: String,
    /// Its size in bytes, as Discord states it.
    #[serde(default)]
    pub size: usize,
    /// Its media type, which Discord guesses from the name.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Its URL, valid for some hours.
    #[serde(default)]
    pub url: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Sticker {
    #[serde(default)]
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Reference {
    #[serde(default, rename = "type")]
    kind: u64,
    #[serde(default)]
    message_id: Option<MessageId>,
}

#[derive(Clone, Debug, Deserialize)]
struct Snapshot {
    message: SnapshotMessage,
}

#[derive(Clone, Debug, Deserialize)]
struct SnapshotMessage {
    #[serde(default)]
    content: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

impl Author {
    /// The name that people see: the nickname in the guild, the display name, or the user name.
    #[must_use]
    pub(crate) fn shown_name(&self) -> &str {
        let nick = self.member.as_ref().and_then(|member| member.nick.as_deref());
        nick.or(self.global_name.as_deref()).unwrap_or(&self.username)
    }
}

impl Message {
    /// Reads a message; leniently if it cannot be read otherwise.
    #[must_use]
    pub(crate) fn read(value: Value) -> Option<Self> {
        Self::deserialize(&value).ok().or_else(|| Self::read_leniently(value))
    }

    /// Reads only the fields that are needed to answer a message, and skips those that are malformed.
    /// `None` when its ids or its author are missing.
    #[must_use]
    pub(crate) fn read_leniently(mut value: Value) -> Option<Self> {
        let object = value.as_object_mut()?;
        object.retain(|key, value| match key.as_str() {
            "id" | "channel_id" | "author" | "webhook_id" => true,
            "guild_id" | "content" => value.is_string(),
            "type" | "flags" => value.is_u64(),
            "components" => value.is_array(),
            _ => false,
        });
        let author = object.get_mut("author")?.as_object_mut()?;
        author.retain(|key, value| match key.as_str() {
            "id" => true,
            "username" | "global_name" => value.is_string(),
            "bot" => value.is_boolean(),
            _ => false,
        });
        serde_json::from_value(value).ok()
    }

    /// The author's name as people see it in this channel.
    #[must_use]
    pub(crate) fn author_name(&self) -> &str {
        let nick = self.member.as_ref().and_then(|member| member.nick.as_deref());
        nick.unwrap_or_else(|| self.author.shown_name())
    }

    /// Whether a person wrote it: no bot, no webhook, no system message.
    #[must_use]
    pub(crate) fn is_from_a_person(&self) -> bool {
        !self.author.bot && self.webhook_id.is_none() && WRITTEN_BY_PEOPLE.contains(&self.kind)
    }

    /// Whether it is a plain message or reply, rather than, for example, the answer to a slash command.
    #[must_use]
    pub(crate) fn is_plain(&self) -> bool {
        WRITTEN_BY_PEOPLE.contains(&self.kind)
    }

    /// Whether it continues the message before it, as the bot posts the later parts of a reply: silent, and a reply to nothing. (A
    /// first part whose referenced message was deleted is not silent.)
    #[must_use]
    pub(crate) fn continues(&self) -> bool {
        self.replies_to().is_none() && self.flags & SILENT != 0
    }

    /// The message it replies to.
    #[must_use]
    pub(crate) fn replies_to(&self) -> Option<MessageId> {
        let reference = self.message_reference.as_ref()?;
        (reference.kind != FORWARD).then_some(reference.message_id).flatten()
    }

    /// Whether it has a button whose custom id begins with `prefix`.
    #[must_use]
    pub(crate) fn has_button(&self, prefix: &str) -> bool {
        let parts = self.components.iter().filter_map(|row| row["components"].as_array()).flatten();
        let mut ids = parts.filter_map(|part| part["custom_id"].as_str());
        ids.any(|id| id.starts_with(prefix))
    }

    /// The texts of the messages forwarded in it.
    pub(crate) fn forwarded_texts(&self) -> impl Iterator<Item = &str> {
        let texts = self.message_snapshots.iter().map(|snapshot| snapshot.message.content.as_str());
        texts.filter(|text| !text.trim().is_empty())
    }

    /// The files in it, forwarded ones included.
    pub(crate) fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        let forwarded = self.message_snapshots.iter().flat_map(|snapshot| &snapshot.message.attachments);
        self.attachments.iter().chain(forwarded)
    }

    /// The names of the files and stickers in it, forwarded ones included.
    #[must_use]
    pub(crate) fn file_names(&self) -> Vec<&str> {
        let files = self.attachments().map(|file| file.filename.as_str());
        files.chain(self.sticker_items.iter().map(|sticker| sticker.name.as_str())).collect()
    }
}

/// `MESSAGE_DELETE` and `MESSAGE_DELETE_BULK`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Deletion {
    /// The channel they were in.
    pub channel_id: ChannelId,
    /// The message, when it is one.
    #[serde(default)]
    pub id: Option<MessageId>,
    /// The messages, when there are many.
    #[serde(default)]
    pub ids: Vec<MessageId>,
}

impl Deletion {
    /// Every message that is gone.
    pub(crate) fn messages(&self) -> impl Iterator<Item = MessageId> {
        self.id.into_iter().chain(self.ids.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(extra: &Value) -> Value {
        let mut value =
            json!({"id": "10", "channel_id": "20", "author": {"id": "30", "username": "alice"}, "content": "hi"});
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        value
    }

    #[test]
    fn nickname_takes_precedence_over_the_display_name_and_that_over_the_user_name() {
        let read = |extra: Value| serde_json::from_value::<Message>(message(&extra)).unwrap();
        assert_eq!(read(json!({})).author_name(), "alice");
        let author = json!({"id": "30", "username": "alice", "global_name": "Alice"});
        assert_eq!(read(json!({ "author": author })).author_name(), "Alice");
        assert_eq!(read(json!({"author": author, "member": {"nick": "Ali"}})).author_name(), "Ali");
    }

    #[test]
    fn message_with_a_malformed_field_is_still_read() {
        let odd =
            message(&json!({"attachments": "not a list", "mentions": 7, "flags": null, "components": [{"type": 99}]}));
        assert!(serde_json::from_value::<Message>(odd.clone()).is_err());
        let read = Message::read_leniently(odd).unwrap();
        assert_eq!((read.content.as_str(), read.author_name()), ("hi", "alice"));
    }

    #[test]
    fn button_is_found_by_the_prefix_of_its_custom_id() {
        let rows = json!([{"type": 99}, {"type": 1, "components": [{"type": 2, "custom_id": "stop:5"}]}]);
        let message = Message::read_leniently(message(&json!({"components": rows}))).unwrap();
        assert!(message.has_button("stop:") && !message.has_button("retry:"));
    }

    #[test]
    fn message_without_an_author_is_not_read() {
        assert!(Message::read_leniently(json!({"id": "1", "channel_id": "2"})).is_none());
    }

    #[test]
    fn bots_webhooks_and_system_messages_are_not_from_people() {
        let read = |extra: Value| serde_json::from_value::<Message>(message(&extra)).unwrap().is_from_a_person();
        assert!(read(json!({"type": 0})));
        assert!(read(json!({"type": 19})));
        assert!(!read(json!({"type": 7})));
        assert!(!read(json!({"webhook_id": "30"})));
        assert!(!read(json!({"author": {"id": "30", "bot": true}})));
    }

    #[test]
    fn forward_is_no_reply_and_its_text_counts() {
        let forward = json!({
            "message_reference": {"type": 1, "message_id": "5"},
            "message_snapshots": [{"message": {"content": "the news", "attachments": [{"filename": "a.png"}]}}],
        });
        let read: Message = serde_json::from_value(message(&forward)).unwrap();
        assert_eq!(read.replies_to(), None);
        assert_eq!(read.forwarded_texts().collect::<Vec<_>>(), ["the news"]);
        assert_eq!(read.file_names(), ["a.png"]);
    }
}
