//! Discord's events, as far as the bot acts on them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serenity::all::Interaction;

use crate::{
    discord::model::{Deletion, Message},
    ids::{ApplicationId, ChannelId, GuildId, MessageId, UserId},
};

/// Gateway opcode: the client should connect again, and resume.
pub(super) const RECONNECT: u8 = 7;

/// Gateway opcode: IDENTIFY or RESUME was refused.
pub(super) const INVALID_SESSION: u8 = 9;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A new session: whatever happened before it was missed.
    Ready {
        /// The bot's own user.
        me: UserId,
        /// The bot's application.
        application: ApplicationId,
        /// The guilds it is in; each is told of by an [`Event::Guild`] of its own once it is available.
        guilds: Vec<GuildId>,
    },
    /// A guild became available, with its channels, also those that the bot may not see, and the threads it may.
    Guild(GuildId, Vec<KnownChannel>),
    /// Channels and threads that are new, or were not seen before.
    Channels(Vec<KnownChannel>),
    /// A message was posted.
    Message(Box<Message>),
    /// A message changed, or only its embeds did.
    Edit(Box<Message>),
    /// Messages were deleted.
    Deletion(Deletion),
    /// A channel or thread is gone, or was hidden from the bot.
    ChannelGone(ChannelId),
    /// The bot is no longer in a guild.
    GuildGone(GuildId),
    /// A slash command, an autocomplete, a button.
    Interaction(Box<Interaction>),
}

/// A channel or thread, as the gateway tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownChannel {
    /// Its id.
    pub id: ChannelId,
    /// The channel a thread belongs to.
    pub parent: Option<ChannelId>,
    /// Its newest message, which may have been deleted.
    pub last_message: Option<MessageId>,
}

/// An event the bot needs that is not what it should be.
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
    /// Called `guild_id` where only the threads are told.
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
    fn known(self, is_thread: bool) -> KnownChannel {
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

    /// A message, leniently if need be: a badge of an unknown form is no reason to leave someone without an answer.
    fn message(&self) -> Result<Box<Message>, Undecodable> {
        let message = self.data().ok().or_else(|| Message::read_leniently(self.data().ok()?));
        message.map(Box::new).ok_or(Undecodable)
    }
}

impl Event {
    /// `None`: nothing the bot acts on.
    pub(super) fn read(frame: &Frame<'_>) -> Result<Option<Self>, Undecodable> {
        let event = match frame.kind() {
            "MESSAGE_CREATE" => Self::Message(frame.message()?),
            // Without an author it is a change of embeds alone.
            "MESSAGE_UPDATE" => match frame.message() {
                Ok(message) => Self::Edit(message),
                Err(Undecodable) => return Ok(None),
            },
            "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => Self::Deletion(frame.data()?),
            "INTERACTION_CREATE" => Self::Interaction(frame.data()?),
            "READY" => {
                let Ready { user, application, guilds } = frame.data()?;
                let guilds = guilds.into_iter().map(|guild| guild.id).collect();
                Self::Ready { me: user.id, application: application.id, guilds }
            }
            "GUILD_CREATE" => {
                let Guild { id, channels, threads } = frame.data()?;
                let channels = channels.into_iter().map(|channel| channel.known(false));
                Self::Guild(id, channels.chain(threads.into_iter().map(|thread| thread.known(true))).collect())
            }
            "THREAD_LIST_SYNC" => {
                let Guild { threads, .. } = frame.data()?;
                Self::Channels(threads.into_iter().map(|thread| thread.known(true)).collect())
            }
            "THREAD_CREATE" | "THREAD_UPDATE" => Self::Channels(vec![frame.data::<GuildChannel>()?.known(true)]),
            "GUILD_DELETE" => match frame.data::<GoneGuild>()? {
                // An outage of Discord's: it comes back.
                GoneGuild { unavailable: true, .. } => return Ok(None),
                GoneGuild { id, .. } => Self::GuildGone(id),
            },
            "CHANNEL_DELETE" | "THREAD_DELETE" => Self::ChannelGone(frame.data::<GuildChannel>()?.id),
            _ => return Ok(None),
        };
        Ok(Some(event))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(kind: &str, data: &Value) -> Result<Option<Event>, Undecodable> {
        let text = json!({"op": 0, "s": 1, "t": kind, "d": data}).to_string();
        Event::read(&Frame::read(&text).unwrap())
    }

    #[test]
    fn a_guilds_threads_know_their_channel_and_its_channels_have_no_parent() {
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
    fn an_unavailable_guild_is_no_error() {
        let guild = json!({"id": "1", "unavailable": true});
        assert!(matches!(read("GUILD_CREATE", &guild), Ok(Some(Event::Guild(_, channels))) if channels.is_empty()));
    }

    #[test]
    fn a_message_with_an_odd_part_is_read_all_the_same() {
        let odd = json!({"id": "1", "channel_id": "2", "content": "hi", "author": {"id": "3", "username": "a"}, "mentions": 7});
        assert!(matches!(read("MESSAGE_CREATE", &odd), Ok(Some(Event::Message(message))) if message.content == "hi"));
    }

    #[test]
    fn a_message_without_an_author_is_undecodable_but_such_an_update_is_nothing() {
        let bare = json!({"id": "1", "channel_id": "2"});
        assert!(read("MESSAGE_CREATE", &bare).is_err());
        assert!(matches!(read("MESSAGE_UPDATE", &bare), Ok(None)));
    }

    #[test]
    fn a_guild_is_gone_unless_it_is_only_unavailable() {
        assert!(matches!(read("GUILD_DELETE", &json!({"id": "1"})), Ok(Some(Event::GuildGone(_)))));
        assert!(matches!(read("GUILD_DELETE", &json!({"id": "1", "unavailable": true})), Ok(None)));
    }

    #[test]
    fn what_the_bot_does_not_act_on_is_nothing() {
        assert!(matches!(read("TYPING_START", &json!({})), Ok(None)));
        let ack = Frame::read(r#"{"op":11}"#).unwrap();
        assert!(matches!(Event::read(&ack), Ok(None)));
    }
}
