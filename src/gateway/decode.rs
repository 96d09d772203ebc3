//! Decodes gateway payloads into [`Event`]s, as far as the bot acts on them.

use std::borrow::Cow;

use crate::{
    discord::{interaction::Interaction, model::Message},
    event::{Event, KnownChannel},
    ids::{ApplicationId, ChannelId, GuildId, MessageId, UserId},
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Gateway opcode: the client should reconnect and resume.
pub(super) const RECONNECT: u8 = 7;

/// Gateway opcode: IDENTIFY or RESUME was refused.
pub(super) const INVALID_SESSION: u8 = 9;

/// An event that the bot needs does not have the expected form.
#[derive(Debug)]
pub(super) struct Undecodable;

/// A gateway payload, its data not yet read.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) op: u8,
    #[serde(borrow, default)]
    t: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Ready {
    user: Identified<UserId>,
    application: Identified<ApplicationId>,
    #[serde(default)]
    guilds: Vec<Identified<GuildId>>,
}

#[derive(Deserialize)]
struct Identified<Id> {
    id: Id,
}

#[derive(Deserialize)]
struct Guild {
    /// Named `guild_id` in `THREAD_LIST_SYNC`.
    #[serde(alias = "guild_id")]
    id: GuildId,
    #[serde(default)]
    channels: Vec<GuildChannel>,
    #[serde(default)]
    threads: Vec<GuildChannel>,
}

#[derive(Deserialize)]
struct GoneGuild {
    id: GuildId,
    #[serde(default)]
    unavailable: bool,
}

#[derive(Deserialize)]
struct GuildChannel {
    id: ChannelId,
    /// A thread's channel; a channel's category.
    #[serde(default)]
    parent_id: Option<ChannelId>,
    #[serde(default)]
    last_message_id: Option<MessageId>,
}

impl GuildChannel {
    fn into_known(self, is_thread: bool) -> KnownChannel {
        let parent = self.parent_id.filter(|_| is_thread);
        KnownChannel { id: self.id, parent, last_message: self.last_message_id }
    }
}

impl<'a> Frame<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The type of a dispatch, empty for any other payload.
    pub(super) fn kind(&self) -> &str {
        self.t.as_deref().unwrap_or_default()
    }

    fn data<T: Deserialize<'a>>(&self) -> Result<T, Undecodable> {
        serde_json::from_str(self.d.ok_or(Undecodable)?.get()).map_err(|_| Undecodable)
    }

    /// Reads a message. If it does not have the expected form as a whole, it is read field by field, so that one malformed field
    /// does not leave the message unanswered.
    fn message(&self) -> Result<Box<Message>, Undecodable> {
        let message = self.data().ok().or_else(|| Message::read_leniently(self.data().ok()?));
        message.map(Box::new).ok_or(Undecodable)
    }
}

/// Decodes the event in a payload; `None` when it is none that the bot acts on.
pub(super) fn event(frame: &Frame<'_>) -> Result<Option<Event>, Undecodable> {
    let event = match frame.kind() {
        "MESSAGE_CREATE" => Event::Message(frame.message()?),
        // An update without an author changes embeds alone.
        "MESSAGE_UPDATE" => match frame.message() {
            Ok(message) => Event::Edit(message),
            Err(Undecodable) => return Ok(None),
        },
        "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => Event::Deletion(frame.data()?),
        "INTERACTION_CREATE" => Event::Interaction(Box::new(Interaction::read(&frame.data()?).ok_or(Undecodable)?)),
        "READY" => {
            let Ready { user, application, guilds } = frame.data()?;
            let guilds = guilds.into_iter().map(|guild| guild.id).collect();
            Event::Ready { me: user.id, application: application.id, guilds }
        }
        "GUILD_CREATE" => {
            let Guild { id, channels, threads } = frame.data()?;
            let channels = channels.into_iter().map(|channel| channel.into_known(false));
            Event::Guild(id, channels.chain(threads.into_iter().map(|thread| thread.into_known(true))).collect())
        }
        "THREAD_LIST_SYNC" => {
            let Guild { threads, .. } = frame.data()?;
            Event::Channels(threads.into_iter().map(|thread| thread.into_known(true)).collect())
        }
        "THREAD_CREATE" | "THREAD_UPDATE" => Event::Channels(vec![frame.data::<GuildChannel>()?.into_known(true)]),
        "GUILD_DELETE" => match frame.data::<GoneGuild>()? {
            // An outage at Discord; the guild comes back.
            GoneGuild { unavailable: true, .. } => return Ok(None),
            GoneGuild { id, .. } => Event::GuildGone(id),
        },
        "CHANNEL_DELETE" | "THREAD_DELETE" => Event::ChannelGone(frame.data::<GuildChannel>()?.id),
        _ => return Ok(None),
    };
    Ok(Some(event))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(kind: &str, data: &Value) -> Result<Option<Event>, Undecodable> {
        let text = json!({"op": 0, "s": 1, "t": kind, "d": data}).to_string();
        event(&Frame::read(&text).unwrap())
    }

    #[test]
    fn guild_create_names_the_parent_of_threads_only() {
        let guild = json!({"id": "1", "channels": [{"id": "2", "parent_id": "9", "last_message_id": "7"}],
            "threads": [{"id": "3", "parent_id": "2"}]});
        let Ok(Some(Event::Guild(guild, channels))) = read("GUILD_CREATE", &guild) else { panic!() };
        let known = |id, parent, last| KnownChannel {
            id: ChannelId::new(id),
            parent: Option::map(parent, ChannelId::new),
            last_message: Option::map(last, MessageId::new),
        };
        assert_eq!(guild.get(), 1);
        assert_eq!(channels, [known(2, None, Some(7)), known(3, Some(2), None)]);
    }

    #[test]
    fn unavailable_guild_has_no_channels() {
        let guild = json!({"id": "1", "unavailable": true});
        assert!(matches!(read("GUILD_CREATE", &guild), Ok(Some(Event::Guild(_, channels))) if channels.is_empty()));
    }

    #[test]
    fn message_with_a_malformed_field_is_still_read() {
        let odd = json!({"id": "1", "channel_id": "2", "content": "hi", "author": {"id": "3", "username": "a"}, "mentions": 7});
        assert!(matches!(read("MESSAGE_CREATE", &odd), Ok(Some(Event::Message(message))) if message.content == "hi"));
    }

    #[test]
    fn message_without_an_author_is_undecodable_and_such_an_update_is_ignored() {
        let bare = json!({"id": "1", "channel_id": "2"});
        assert!(read("MESSAGE_CREATE", &bare).is_err());
        assert!(matches!(read("MESSAGE_UPDATE", &bare), Ok(None)));
    }

    #[test]
    fn guild_delete_means_gone_unless_unavailable() {
        assert!(matches!(read("GUILD_DELETE", &json!({"id": "1"})), Ok(Some(Event::GuildGone(_)))));
        assert!(matches!(read("GUILD_DELETE", &json!({"id": "1", "unavailable": true})), Ok(None)));
    }

    #[test]
    fn other_events_are_ignored() {
        assert!(matches!(read("TYPING_START", &json!({})), Ok(None)));
        let ack = Frame::read(r#"{"op":11}"#).unwrap();
        assert!(matches!(event(&ack), Ok(None)));
    }
}
