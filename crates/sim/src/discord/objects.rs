//! Users, channels, guilds and messages in Discord's JSON.

use serde_json::{Value, json};

use super::{
    json::{id_in, merge},
    snowflake::timestamp,
    world::{Channel, ChannelKind, Message, World},
};

impl World {
    pub(super) fn user_object(&self, id: u64) -> Value {
        let name = self.users.get(&id).map_or("deleted_user", String::as_str);
        json!({
            "id": id.to_string(), "username": name.to_lowercase(), "discriminator": "0", "global_name": name,
            "avatar": null, "bot": id == self.bot, "public_flags": 0,
        })
    }

    /// A member without its `user`, as messages contain it.
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

    /// The body of `GUILD_CREATE`, with every field that client libraries require.
    pub(super) fn guild_object(&self, id: u64) -> Value {
        let name = self.guilds.get(&id).map_or("", |guild| guild.name.as_str());
        let of_kind = |kind| {
            let channels = self.channels.values().filter(move |it| it.guild == Some(id) && it.kind == kind);
            channels.map(|it| self.channel_object(it)).collect::<Vec<_>>()
        };
        let bot = self.rest_member(id, self.bot);
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

    /// The body of `GET /guilds/{guild}`: a `GUILD_CREATE` without the fields of the gateway.
    pub(super) fn rest_guild(&self, id: u64) -> Option<Value> {
        self.guilds.get(&id)?;
        let mut guild = self.guild_object(id);
        if let Some(fields) = guild.as_object_mut() {
            let gateway_only = ["joined_at", "large", "unavailable", "member_count", "members", "channels", "threads"];
            fields.retain(|field, _| !gateway_only.contains(&field.as_str()));
        }
        Some(guild)
    }

    /// The body of `GET /guilds/{guild}/members/{user}`.
    pub(super) fn rest_member(&self, guild: u64, user: u64) -> Value {
        let mut member = self.member_object(guild, user);
        merge(&mut member, &json!({"user": self.user_object(user)}));
        member
    }

    /// A plain message as REST returns it.
    pub(super) fn message_object(&self, id: u64, channel: u64, author: u64, content: &str) -> Value {
        json!({
            "id": id.to_string(), "channel_id": channel.to_string(), "author": self.user_object(author),
            "content": content, "timestamp": timestamp(id), "edited_timestamp": null, "tts": false,
            "mention_everyone": content.contains("@everyone"), "mentions": self.mentions_in(content),
            "mention_roles": [], "attachments": [], "embeds": [], "components": [], "pinned": false, "type": 0,
            "flags": 0,
        })
    }

    /// The users mentioned in a text as `<@id>`, or `<@!id>` in the older form.
    pub(super) fn mentions_in(&self, content: &str) -> Vec<Value> {
        let mentioned = |id: &u64| content.contains(&format!("<@{id}>")) || content.contains(&format!("<@!{id}>"));
        self.users.keys().filter(|id| mentioned(id)).map(|id| self.user_object(*id)).collect()
    }

    /// A message as the gateway sends it: with `guild_id`, and with its author and mentions as members.
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

    /// A message as REST returns it to this application, which may lack the message content intent.
    pub(super) fn rest_message(&self, channel: &Channel, message: &Message) -> Value {
        let mut value = message.value.clone();
        if !self.content_allowed && channel.guild.is_some() && !is_readable(&value, self.bot) {
            remove_content(&mut value);
        }
        value
    }
}

/// Whether a bot without the message content intent may read a guild's message: its own, and one that mentions it.
pub(super) fn is_readable(message: &Value, bot: u64) -> bool {
    let mentions = message["mentions"].as_array();
    id_in(&message["author"], "id") == Some(bot)
        || mentions.is_some_and(|users| users.iter().any(|user| id_in(user, "id") == Some(bot)))
}

/// Removes the fields that need the message content intent.
pub(super) fn remove_content(message: &mut Value) {
    message["content"] = json!("");
    for list in ["embeds", "attachments", "components"] {
        message[list] = json!([]);
    }
    if let Some(message) = message.as_object_mut() {
        message.remove("poll");
    }
}
