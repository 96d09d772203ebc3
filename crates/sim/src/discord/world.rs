//! The state of the service: guilds, channels, users and messages.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::body::Bytes;
use serde_json::Value;

use super::{json::id_in, snowflake::Snowflakes};

/// Messages kept in a channel; the oldest is dropped first.
const MESSAGES_KEPT: usize = 10_000;

/// Message flag of a response that only the user of the interaction sees.
pub(super) const EPHEMERAL: u64 = 1 << 6;

/// Message flag of a deferred response, shown as "Tess is thinking…".
pub(super) const LOADING: u64 = 1 << 7;

/// Permissions of an ordinary member: view channels, send messages, read the history, use commands and the like.
const MEMBER_PERMISSIONS: u64 = 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 31 | 1 << 38;

/// Manage Channels and Manage Messages.
const MANAGER_PERMISSIONS: u64 = 1 << 4 | 1 << 13;

/// The `type` of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelKind {
    Text = 0,
    Direct = 1,
    Thread = 11,
}

pub(super) struct Guild {
    pub(super) name: String,
    pub(super) nicks: HashMap<u64, String>,
    /// Permission bits of the roles by id. `@everyone` comes first: its id is the guild's.
    pub(super) roles: BTreeMap<u64, u64>,
    pub(super) role_holders: HashMap<u64, Vec<u64>>,
}

pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) kind: ChannelKind,
    pub(super) name: String,
    pub(super) guild: Option<u64>,
    pub(super) parent: Option<u64>,
    pub(super) recipient: Option<u64>,
    /// Permission overwrites in Discord's JSON.
    pub(super) overwrites: Vec<Value>,
    pub(super) messages: BTreeMap<u64, Message>,
    /// Typing requests of the bot.
    pub(super) typing: usize,
    /// Typing requests that a test has waited for.
    pub(super) typing_awaited: usize,
}

/// A message with the properties that its JSON does not contain.
pub(super) struct Message {
    /// As REST returns it; the gateway adds `guild_id`, `member` and `channel_type`.
    pub(super) value: Value,
    pub(super) files: Vec<(String, Bytes)>,
    /// Whether a test has read it, or does not have to.
    pub(super) read: bool,
    /// The only user who sees an ephemeral message.
    pub(super) seen_by: Option<u64>,
}

impl Message {
    pub(super) fn flags(&self) -> u64 {
        self.value["flags"].as_u64().unwrap_or_default()
    }

    pub(super) fn content(&self) -> &str {
        self.value["content"].as_str().unwrap_or_default()
    }
}

pub(super) struct World {
    pub(super) ids: Snowflakes,
    pub(super) bot: u64,
    pub(super) application: u64,
    /// Whether the application may have the message content intent.
    pub(super) content_allowed: bool,
    pub(super) guilds: BTreeMap<u64, Guild>,
    pub(super) channels: BTreeMap<u64, Channel>,
    pub(super) users: BTreeMap<u64, String>,
    /// Languages of users; en-US for those without an entry.
    pub(super) locales: HashMap<u64, String>,
    managers: HashSet<u64>,
}

impl World {
    pub(super) fn new(content_allowed: bool) -> Self {
        let mut ids = Snowflakes::default();
        // They differ, as for old applications, so that a client that confuses them fails.
        let (application, bot) = (ids.next(), ids.next());
        Self {
            ids,
            bot,
            application,
            content_allowed,
            guilds: BTreeMap::new(),
            channels: BTreeMap::new(),
            users: BTreeMap::from([(bot, "Tess".to_owned())]),
            locales: HashMap::new(),
            managers: HashSet::new(),
        }
    }

    /// Finds or creates a guild; returns whether it is new.
    pub(super) fn guild(&mut self, name: &str) -> (u64, bool) {
        if let Some((id, _)) = self.guilds.iter().find(|(_, guild)| guild.name == name) {
            return (*id, false);
        }
        let id = self.ids.next();
        let guild = Guild {
            name: name.to_owned(),
            nicks: HashMap::new(),
            roles: BTreeMap::from([(id, MEMBER_PERMISSIONS)]),
            role_holders: HashMap::new(),
        };
        self.guilds.insert(id, guild);
        (id, true)
    }

    /// Finds or creates a text channel; returns whether it is new.
    pub(super) fn text_channel(&mut self, guild: u64, name: &str) -> (u64, bool) {
        self.channel(ChannelKind::Text, name, Some(guild), None, None)
    }

    /// Finds or creates a thread; returns whether it is new.
    pub(super) fn thread(&mut self, parent: u64, name: &str) -> (u64, bool) {
        let guild = self.channels.get(&parent).and_then(|channel| channel.guild);
        self.channel(ChannelKind::Thread, name, guild, Some(parent), None)
    }

    /// Finds or creates the direct-message channel with a user.
    pub(super) fn direct(&mut self, user: u64) -> u64 {
        self.channel(ChannelKind::Direct, "", None, None, Some(user)).0
    }

    fn channel(
        &mut self,
        kind: ChannelKind,
        name: &str,
        guild: Option<u64>,
        parent: Option<u64>,
        recipient: Option<u64>,
    ) -> (u64, bool) {
        let same = |channel: &&Channel| {
            (channel.kind, channel.name.as_str(), channel.guild, channel.parent, channel.recipient)
                == (kind, name, guild, parent, recipient)
        };
        if let Some(channel) = self.channels.values().find(same) {
            return (channel.id, false);
        }
        let id = self.ids.next();
        let channel = Channel {
            id,
            kind,
            name: name.to_owned(),
            guild,
            parent,
            recipient,
            overwrites: Vec::new(),
            messages: BTreeMap::new(),
            typing: 0,
            typing_awaited: 0,
        };
        self.channels.insert(id, channel);
        (id, true)
    }

    /// Finds or creates a user.
    pub(super) fn user(&mut self, name: &str) -> u64 {
        if let Some((id, _)) = self.users.iter().find(|(_, user)| *user == name) {
            return *id;
        }
        let id = self.ids.next();
        self.users.insert(id, name.to_owned());
        id
    }

    /// The name of a user in transcripts; the bot's is `bot`.
    pub(super) fn user_name(&self, id: u64) -> &str {
        if id == self.bot { "bot" } else { self.users.get(&id).map_or("?", String::as_str) }
    }

    pub(super) fn set_nick(&mut self, guild: u64, user: u64, nick: &str) {
        if let Some(guild) = self.guilds.get_mut(&guild) {
            guild.nicks.insert(user, nick.to_owned());
        }
    }

    pub(super) fn make_manager(&mut self, user: u64) {
        self.managers.insert(user);
    }

    /// Permission bits of a user as a string, whatever the roles say: simulated interactions need no more.
    pub(super) fn permissions(&self, user: u64) -> String {
        let managed = if self.managers.contains(&user) { MANAGER_PERMISSIONS } else { 0 };
        (MEMBER_PERMISSIONS | managed).to_string()
    }

    pub(super) fn message(&self, id: u64) -> Option<&Message> {
        self.channels.values().find_map(|channel| channel.messages.get(&id))
    }

    pub(super) fn message_mut(&mut self, id: u64) -> Option<&mut Message> {
        self.channels.values_mut().find_map(|channel| channel.messages.get_mut(&id))
    }

    /// Adds a message to a channel; does nothing when the channel does not exist.
    pub(super) fn insert(&mut self, channel: u64, message: Message) {
        let (Some(id), Some(channel)) = (id_in(&message.value, "id"), self.channels.get_mut(&channel)) else { return };
        channel.messages.insert(id, message);
        if channel.messages.len() > MESSAGES_KEPT {
            channel.messages.pop_first();
        }
    }

    /// Removes a message and returns its channel.
    pub(super) fn remove_message(&mut self, id: u64) -> Option<u64> {
        let channel = self.channels.values_mut().find(|channel| channel.messages.contains_key(&id))?;
        channel.messages.remove(&id);
        Some(channel.id)
    }
}
