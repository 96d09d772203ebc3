//! The plain world: guilds, channels, people, messages, and their JSON as Discord writes it.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{
    rest::{Answer, Outcome},
    snowflake::{Snowflakes, timestamp},
};

/// Messages kept in a channel; the oldest goes first.
const MESSAGES_KEPT: usize = 10_000;

/// Message flag of an answer that only its user sees.
pub(super) const EPHEMERAL: u64 = 1 << 6;

/// Message flag of a deferred answer: "Tess is thinking…".
pub(super) const LOADING: u64 = 1 << 7;

/// What an ordinary member may do: view, send, read the history, use commands, and so on.
const MEMBER_PERMISSIONS: u64 = 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 31 | 1 << 38;

/// Manage Channels and Manage Messages.
const MANAGER_PERMISSIONS: u64 = 1 << 4 | 1 << 13;

/// `type` of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelKind {
    Text = 0,
    Direct = 1,
    Thread = 11,
}

pub(super) struct Guild {
    pub(super) name: String,
    nicks: HashMap<u64, String>,
    /// The permissions of its roles by id; the first is `@everyone`, which has the guild's own id.
    pub(super) roles: BTreeMap<u64, u64>,
    pub(super) role_holders: HashMap<u64, Vec<u64>>,
}

pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) kind: ChannelKind,
    pub(super) name: String,
    pub(super) guild: Option<u64>,
    parent: Option<u64>,
    recipient: Option<u64>,
    /// As JSON shows them.
    pub(super) overwrites: Vec<Value>,
    pub(super) messages: BTreeMap<u64, Message>,
    /// Typing requests of the bot, and how many of them a test has waited for.
    pub(super) typing: usize,
    pub(super) typing_awaited: usize,
}

/// A message, with what JSON does not tell.
pub(super) struct Message {
    /// As REST answers it; the gateway adds `guild_id`, `member` and `channel_type`.
    pub(super) value: Value,
    pub(super) files: Vec<(String, Bytes)>,
    /// A test has read it, or never has to.
    pub(super) read: bool,
    /// The one user who sees it.
    pub(super) seen_by: Option<u64>,
}

pub(super) struct World {
    pub(super) ids: Snowflakes,
    pub(super) bot: u64,
    pub(super) application: u64,
    /// Whether the application may have the message content intent.
    pub(super) content_allowed: bool,
    pub(super) guilds: BTreeMap<u64, Guild>,
    pub(super) channels: BTreeMap<u64, Channel>,
    users: BTreeMap<u64, String>,
    /// Of those whose Discord is not in English.
    pub(super) locales: HashMap<u64, String>,
    managers: HashSet<u64>,
}

impl World {
    pub(super) fn new(content_allowed: bool) -> Self {
        let mut ids = Snowflakes::default();
        // Different on purpose, as they are for old applications: mixing them up must fail.
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

    /// The guild of that name and whether it is new.
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

    /// The text channel of that name and whether it is new.
    pub(super) fn text_channel(&mut self, guild: u64, name: &str) -> (u64, bool) {
        self.channel(ChannelKind::Text, name, Some(guild), None, None)
    }

    /// The thread of that name and whether it is new.
    pub(super) fn thread(&mut self, parent: u64, name: &str) -> (u64, bool) {
        let guild = self.channels.get(&parent).and_then(|channel| channel.guild);
        self.channel(ChannelKind::Thread, name, guild, Some(parent), None)
    }

    /// The direct-message channel with a user.
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
        let messages = BTreeMap::new();
        let name = name.to_owned();
        let (typing, typing_awaited, overwrites) = (0, 0, Vec::new());
        let channel =
            Channel { id, kind, name, guild, parent, recipient, overwrites, messages, typing, typing_awaited };
        self.channels.insert(id, channel);
        (id, true)
    }

    pub(super) fn user(&mut self, name: &str) -> u64 {
        if let Some((id, _)) = self.users.iter().find(|(_, user)| *user == name) {
            return *id;
        }
        let id = self.ids.next();
        self.users.insert(id, name.to_owned());
        id
    }

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

    pub(super) fn message(&self, id: u64) -> Option<&Message> {
        self.channels.values().find_map(|channel| channel.messages.get(&id))
    }

    pub(super) fn message_mut(&mut self, id: u64) -> Option<&mut Message> {
        self.channels.values_mut().find_map(|channel| channel.messages.get_mut(&id))
    }

    /// Puts a message into its channel. Nothing happens when the channel is gone.
    pub(super) fn insert(&mut self, channel: u64, message: Message) {
        let (Some(id), Some(channel)) = (id_in(&message.value, "id"), self.channels.get_mut(&channel)) else { return };
        channel.messages.insert(id, message);
        if channel.messages.len() > MESSAGES_KEPT {
            channel.messages.pop_first();
        }
    }

    /// Takes a message out of its channel; returns that channel.
    pub(super) fn remove_message(&mut self, id: u64) -> Option<u64> {
        let channel = self.channels.values_mut().find(|channel| channel.messages.contains_key(&id))?;
        channel.messages.remove(&id);
        Some(channel.id)
    }

    pub(super) fn user_object(&self, id: u64) -> Value {
        let name = self.users.get(&id).map_or("deleted_user", String::as_str);
        json!({
            "id": id.to_string(), "username": name.to_lowercase(), "discriminator": "0", "global_name": name,
            "avatar": null, "bot": id == self.bot, "public_flags": 0,
        })
    }

    /// A member without its user, as messages carry it.
    pub(super) fn member_object(&self, guild: u64, user: u64) -> Value {
        let guild = self.guilds.get(&guild);
        let nick = guild.and_then(|guild| guild.nicks.get(&user));
        let roles = guild.and_then(|guild| guild.role_holders.get(&user)).into_iter().flatten();
        let roles: Vec<String> = roles.map(ToString::to_string).collect();
        json!({
            "nick": nick, "avatar": null, "roles": roles, "joined_at": timestamp(user), "premium_since": null,
            "deaf": false, "mute": false, "flags": 0, "pending": false,
        })
    }

    pub(super) fn permissions(&self, user: u64) -> String {
        let managed = if self.managers.contains(&user) { MANAGER_PERMISSIONS } else { 0 };
        (MEMBER_PERMISSIONS | managed).to_string()
    }

    pub(super) fn channel_object(&self, channel: &Channel) -> Value {
        let last = channel.messages.last_key_value().map(|(id, _)| id.to_string());
        let mut object =
            json!({"id": channel.id.to_string(), "type": channel.kind as u8, "last_message_id": last, "flags": 0});
        let fields = match channel.kind {
            ChannelKind::Direct => json!({"recipients": [channel.recipient.map(|user| self.user_object(user))]}),
            ChannelKind::Text => json!({
                "name": channel.name, "guild_id": channel.guild.map(|id| id.to_string()), "position": 0,
                "permission_overwrites": channel.overwrites, "parent_id": null, "topic": null, "nsfw": false, "rate_limit_per_user": 0,
            }),
            ChannelKind::Thread => json!({
                "name": channel.name, "guild_id": channel.guild.map(|id| id.to_string()),
                "parent_id": channel.parent.map(|id| id.to_string()), "owner_id": self.bot.to_string(),
                "message_count": channel.messages.len(), "member_count": 1, "rate_limit_per_user": 0,
                "thread_metadata": {
                    "archived": false, "auto_archive_duration": 1440, "locked": false,
                    "archive_timestamp": timestamp(channel.id),
                },
            }),
        };
        merge(&mut object, &fields);
        object
    }

    /// `GUILD_CREATE`, with every field that clients insist on.
    pub(super) fn guild_object(&self, id: u64) -> Value {
        let name = self.guilds.get(&id).map_or("", |guild| guild.name.as_str());
        let of_kind = |kind| {
            let channels = self.channels.values().filter(move |it| it.guild == Some(id) && it.kind == kind);
            channels.map(|it| self.channel_object(it)).collect::<Vec<_>>()
        };
        let mut bot = self.member_object(id, self.bot);
        merge(&mut bot, &json!({"user": self.user_object(self.bot)}));
        json!({
            "id": id.to_string(), "name": name, "owner_id": id.to_string(), "joined_at": timestamp(id),
            "large": false, "unavailable": false, "member_count": self.users.len(), "members": [bot],
            "channels": of_kind(ChannelKind::Text), "threads": of_kind(ChannelKind::Thread),
            "roles": self.role_objects(id),
            "emojis": [], "stickers": [], "features": [], "presences": [], "voice_states": [], "stage_instances": [],
            "guild_scheduled_events": [], "soundboard_sounds": [], "preferred_locale": "en-US",
            "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0, "nsfw_level": 0,
            "premium_tier": 0, "premium_subscription_count": 0, "premium_progress_bar_enabled": false,
            "system_channel_flags": 0, "verification_level": 0, "afk_timeout": 300, "icon": null, "description": null,
        })
    }

    fn role_objects(&self, guild: u64) -> Vec<Value> {
        let roles = self.guilds.get(&guild).into_iter().flat_map(|guild| &guild.roles);
        let object = |(position, (id, permissions)): (usize, (&u64, &u64))| {
            json!({
                "id": id.to_string(), "name": if *id == guild { "@everyone" } else { "role" }, "color": 0,
                "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null}, "hoist": false,
                "managed": false, "mentionable": false, "permissions": permissions.to_string(), "position": position,
                "flags": 0,
            })
        };
        roles.enumerate().map(object).collect()
    }

    /// `GET /guilds/{guild}`: what `GUILD_CREATE` has, without what only the gateway tells.
    pub(super) fn guild_answer(&self, id: u64) -> Outcome {
        if !self.guilds.contains_key(&id) {
            return Err(Answer::refusal(404, 10004, "Unknown Guild"));
        }
        let mut guild = self.guild_object(id);
        if let Some(fields) = guild.as_object_mut() {
            let gateway_only = ["joined_at", "large", "unavailable", "member_count", "members", "channels", "threads"];
            fields.retain(|field, _| !gateway_only.contains(&field.as_str()));
        }
        Ok(Answer::ok(guild))
    }

    /// `GET /guilds/{guild}/members/{user}`.
    pub(super) fn member_answer(&self, guild: u64, user: u64) -> Outcome {
        if !self.guilds.contains_key(&guild) {
            return Err(Answer::refusal(404, 10004, "Unknown Guild"));
        }
        if !self.users.contains_key(&user) {
            return Err(Answer::refusal(404, 10007, "Unknown Member"));
        }
        let mut member = self.member_object(guild, user);
        merge(&mut member, &json!({"user": self.user_object(user)}));
        Ok(Answer::ok(member))
    }

    /// A plain message as REST answers it.
    pub(super) fn message_object(&self, id: u64, channel: u64, author: u64, content: &str) -> Value {
        json!({
            "id": id.to_string(), "channel_id": channel.to_string(), "author": self.user_object(author),
            "content": content, "timestamp": timestamp(id), "edited_timestamp": null, "tts": false,
            "mention_everyone": content.contains("@everyone"), "mentions": self.mentions_in(content),
            "mention_roles": [], "attachments": [], "embeds": [], "components": [], "pinned": false, "type": 0,
            "flags": 0,
        })
    }

    /// The known users mentioned in a text, as `<@id>` or the older `<@!id>`.
    pub(super) fn mentions_in(&self, content: &str) -> Vec<Value> {
        let mentioned = |id: &u64| content.contains(&format!("<@{id}>")) || content.contains(&format!("<@!{id}>"));
        self.users.keys().filter(|id| mentioned(id)).map(|id| self.user_object(*id)).collect()
    }

    /// A message as the gateway sends it: with its guild, and its author and mentions as members.
    pub(super) fn gateway_message(&self, id: u64) -> Option<Value> {
        let channel = self.channels.values().find(|channel| channel.messages.contains_key(&id))?;
        let mut value = channel.messages.get(&id)?.value.clone();
        value["channel_type"] = json!(channel.kind as u8);
        let Some(guild) = channel.guild else { return Some(value) };
        value["guild_id"] = json!(guild.to_string());
        if value.get("webhook_id").is_none()
            && let Some(author) = id_in(&value["author"], "id")
        {
            value["member"] = self.member_object(guild, author);
        }
        for user in value["mentions"].as_array_mut().into_iter().flatten() {
            if let Some(id) = id_in(user, "id") {
                user["member"] = self.member_object(guild, id);
            }
        }
        Some(value)
    }

    /// A message as REST answers it to this application.
    pub(super) fn rest_message(&self, channel: &Channel, message: &Message) -> Value {
        let mut value = message.value.clone();
        if !self.content_allowed && channel.guild.is_some() && !is_readable(&value, self.bot) {
            blank(&mut value);
        }
        value
    }
}

/// Whether a guild's message is readable without the message content intent: the bot's own, or one that mentions it.
pub(super) fn is_readable(message: &Value, bot: u64) -> bool {
    let mentions = message["mentions"].as_array();
    id_in(&message["author"], "id") == Some(bot)
        || mentions.is_some_and(|users| users.iter().any(|user| id_in(user, "id") == Some(bot)))
}

/// Takes out of a message what the message content intent would show.
pub(super) fn blank(message: &mut Value) {
    message["content"] = json!("");
    for list in ["embeds", "attachments", "components"] {
        message[list] = json!([]);
    }
    if let Some(message) = message.as_object_mut() {
        message.remove("poll");
    }
}

/// A snowflake in a JSON object.
pub(super) fn id_in(object: &Value, key: &str) -> Option<u64> {
    object.get(key)?.as_str()?.parse().ok()
}

/// Writes `changes` over `target`: objects field by field, all else whole.
pub(super) fn merge(target: &mut Value, changes: &Value) {
    match (target, changes) {
        (Value::Object(target), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(target.entry(key).or_insert(Value::Null), change);
            }
        }
        (target, changes) => *target = changes.clone(),
    }
}
