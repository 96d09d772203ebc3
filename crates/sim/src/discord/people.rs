//! What people do: write, edit, delete, use commands and press buttons.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    DiscordSim, State,
    interactions::{AUTOCOMPLETE, COMMAND, COMPONENT, Interaction, InteractionHandle, MODAL_SUBMIT},
    messages::reference_to,
    routes::interaction_token,
    snowflake::{minutes_ago, timestamp_now},
    world::{ChannelKind, Message, id_in, merge},
};

/// Option types of commands.
const SUB_COMMAND: u64 = 1;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const BOOLEAN: u64 = 5;
const NUMBER: u64 = 10;

/// The world.
impl DiscordSim {
    /// The guild of that name; made when there is none.
    #[must_use]
    pub fn guild(&self, name: &str) -> u64 {
        self.shared.with(|state| {
            let (id, new) = state.world.guild(name);
            if new {
                state.gateway.dispatch("GUILD_CREATE", state.world.guild_object(id));
            }
            id
        })
    }

    /// The text channel of that name in a guild; made when there is none.
    #[must_use]
    pub fn channel(&self, guild: u64, name: &str) -> u64 {
        self.shared.with(|state| {
            let (id, new) = state.world.text_channel(guild, name);
            state.announce_channel("CHANNEL_CREATE", id, new);
            id
        })
    }

    /// The thread of that name in a channel; made when there is none.
    #[must_use]
    pub fn thread(&self, channel: u64, name: &str) -> u64 {
        self.shared.with(|state| {
            let (id, new) = state.world.thread(channel, name);
            state.announce_channel("THREAD_CREATE", id, new);
            id
        })
    }

    /// The direct-message channel of a user.
    #[must_use]
    pub fn dm(&self, user: &str) -> u64 {
        self.shared.with(|state| {
            let user = state.world.user(user);
            state.world.direct(user)
        })
    }

    /// Deletes a channel or thread with its messages.
    pub fn delete_channel(&self, channel: u64) {
        self.shared.with(|state| {
            let is_thread = state.world.channels.get(&channel).is_some_and(|it| it.kind == ChannelKind::Thread);
            state.announce_channel(if is_thread { "THREAD_DELETE" } else { "CHANNEL_DELETE" }, channel, true);
            state.world.channels.remove(&channel);
        });
    }

    /// The id of a user; every function here that takes a user's name makes the user as needed.
    #[must_use]
    pub fn user(&self, name: &str) -> u64 {
        self.shared.with(|state| state.world.user(name))
    }

    /// Gives a user a nickname in a guild.
    pub fn set_nick(&self, guild: u64, user: &str, nick: &str) {
        self.shared.with(|state| {
            let user = state.world.user(user);
            state.world.set_nick(guild, user, nick);
        });
    }

    /// A user's Discord is in another language than en-US.
    pub fn set_locale(&self, user: &str, locale: &str) {
        self.shared.with(|state| {
            let user = state.world.user(user);
            state.world.locales.insert(user, locale.to_owned());
        });
    }

    /// Lets a user manage channels and messages.
    pub fn make_manager(&self, user: &str) {
        self.shared.with(|state| {
            let user = state.world.user(user);
            state.world.make_manager(user);
        });
    }

    /// Gives everybody of a guild other permissions, as bits.
    pub fn allow_everyone(&self, guild: u64, permissions: u64) {
        self.shared.with(|state| {
            if let Some(it) = state.world.guilds.get_mut(&guild) {
                it.roles.insert(guild, permissions);
            }
        });
    }

    /// Gives the bot a new role with these permissions, as bits; returns the role.
    pub fn give_bot_role(&self, guild: u64, permissions: u64) -> u64 {
        self.shared.with(|state| {
            let (role, bot) = (state.world.ids.next(), state.world.bot);
            if let Some(guild) = state.world.guilds.get_mut(&guild) {
                guild.roles.insert(role, permissions);
                guild.role_holders.entry(bot).or_default().push(role);
            }
            role
        })
    }

    /// Overwrites the permissions of a role or the bot in a channel; `@everyone` has the guild's id.
    pub fn overwrite(&self, channel: u64, whose: u64, allow: u64, deny: u64) {
        self.shared.with(|state| {
            let kind = u8::from(whose == state.world.bot);
            if let Some(channel) = state.world.channels.get_mut(&channel) {
                channel.overwrites.push(json!({
                    "id": whose.to_string(), "type": kind, "allow": allow.to_string(), "deny": deny.to_string(),
                }));
            }
        });
    }

    /// The text that mentions the bot.
    #[must_use]
    pub fn mention(&self) -> String {
        format!("<@{}>", self.bot_id())
    }
}

/// Messages of people.
impl DiscordSim {
    /// A user writes a message. Returns its id, as do all of its kind.
    pub fn say(&self, channel: u64, user: &str, text: &str) -> u64 {
        self.say_with(channel, user, &json!({ "content": text }))
    }

    /// A user replies to a message, pinging its author as Discord does by default.
    pub fn reply(&self, channel: u64, user: &str, to: u64, text: &str) -> u64 {
        let original = self.shared.look(|state| state.world.message(to).map(|message| message.value.clone()));
        let original = original.unwrap_or_else(|| panic!("there is no message {to} to reply to"));
        let mut mentions = self.shared.look(|state| state.world.mentions_in(text));
        if !mentions.contains(&original["author"]) {
            mentions.push(original["author"].clone());
        }
        let reference = reference_to(&original);
        let reply = json!({
            "type": 19, "content": text, "mentions": mentions, "message_reference": reference,
            "referenced_message": original,
        });
        self.say_with(channel, user, &reply)
    }

    /// A message with anything in it: `overrides` is written over a plain message, objects field by field.
    pub fn say_with(&self, channel: u64, user: &str, overrides: &Value) -> u64 {
        self.shared.with(|state| {
            let id = state.world.ids.next();
            state.post(id, channel, user, overrides);
            state.announce("MESSAGE_CREATE", id);
            id
        })
    }

    /// A message of some minutes ago that the bot is told nothing of, as if it had come while it was away.
    pub fn say_at(&self, channel: u64, user: &str, text: &str, minutes: u64) -> u64 {
        self.shared.with(|state| {
            let mut id = minutes_ago(minutes);
            while state.world.message(id).is_some() {
                id += 1;
            }
            state.post(id, channel, user, &json!({ "content": text }));
            id
        })
    }

    /// A message that is told and not kept, in a channel that need not exist: for measurements of more channels than the
    /// simulator could hold beside the bot.
    pub fn say_in_passing(&self, guild: u64, channel: u64, user: &str, text: &str) {
        self.shared.with(|state| {
            let (id, user) = (state.world.ids.next(), state.world.user(user));
            let mut message = state.world.message_object(id, channel, user, text);
            let member = state.world.member_object(guild, user);
            merge(&mut message, &json!({"guild_id": guild.to_string(), "member": member, "channel_type": 0}));
            state.gateway.dispatch("MESSAGE_CREATE", message);
        });
    }

    /// A user edits a message.
    pub fn edit(&self, message: u64, text: &str) {
        self.shared.with(|state| {
            let mentions = state.world.mentions_in(text);
            let edit = json!({"content": text, "mentions": mentions, "edited_timestamp": timestamp_now()});
            state.change(message, &edit);
        });
    }

    /// Discord adds a preview to a message: an update that changes no text.
    pub fn unfurl(&self, message: u64) {
        let preview = json!({"embeds": [{"type": "link", "url": "https://example.com/", "title": "Example"}]});
        self.shared.with(|state| state.change(message, &preview));
    }

    /// A message is deleted, the bot's own too.
    pub fn delete(&self, message: u64) {
        self.shared.with(|state| state.remove(&[message]));
    }

    /// A message is deleted, and the bot is told nothing of it, as if the event had been lost.
    pub fn delete_unheard(&self, message: u64) {
        self.shared.with(|state| state.world.remove_message(message));
    }

    /// Messages of one channel are deleted at once.
    pub fn delete_bulk(&self, messages: &[u64]) {
        self.shared.with(|state| state.remove(messages));
    }
}

/// Interactions of people.
impl DiscordSim {
    /// A user runs a slash command. Options are given by name (`{"prompt": "hi"}`); an object is a sub-command.
    pub fn slash(&self, channel: u64, user: &str, name: &str, options: &Value) -> InteractionHandle {
        let data = self.command_data(name, options);
        self.interact(channel, user, COMMAND, None, &data)
    }

    /// A user types into an option that completes.
    pub fn autocomplete(&self, channel: u64, user: &str, name: &str, option: &str, value: &str) -> InteractionHandle {
        let mut data = self.command_data(name, &json!({ option: value }));
        data["options"][0]["focused"] = json!(true);
        self.interact(channel, user, AUTOCOMPLETE, None, &data)
    }

    /// A user presses a button. Panics when the message has no such button that can be pressed.
    pub fn press(&self, message: u64, custom_id: &str, user: &str) -> InteractionHandle {
        self.choose(message, custom_id, user, &[])
    }

    /// A user chooses values in a menu. Panics when the message has no such menu that can be used.
    pub fn choose(&self, message: u64, custom_id: &str, user: &str, values: &[&str]) -> InteractionHandle {
        let value = self.shared.look(|state| state.world.message(message).map(|message| message.value.clone()));
        let value = value.unwrap_or_else(|| panic!("there is no message {message}"));
        let rows = value["components"].as_array().into_iter().flatten();
        let mut parts = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
        let part = parts.find(|part| part["custom_id"] == custom_id && part["disabled"] != true);
        let part = part.unwrap_or_else(|| panic!("message {message} has no component {custom_id} that can be used"));
        let data = json!({"custom_id": custom_id, "component_type": part["type"], "values": values});
        let channel = id_in(&value, "channel_id").unwrap_or_default();
        self.interact(channel, user, COMPONENT, Some(message), &data)
    }

    /// A user submits a modal with the texts of its inputs by their ids.
    pub fn submit_modal(&self, channel: u64, user: &str, custom_id: &str, texts: &[(&str, &str)]) -> InteractionHandle {
        self.send_form(channel, user, custom_id, texts, None)
    }

    /// A form is sent; `source` is the message whose component opened it.
    pub(super) fn send_form(
        &self,
        channel: u64,
        user: &str,
        custom_id: &str,
        texts: &[(&str, &str)],
        source: Option<u64>,
    ) -> InteractionHandle {
        let input =
            |(id, text): &(&str, &str)| json!({"type": 1, "components": [{"type": 4, "custom_id": id, "value": text}]});
        let rows: Vec<_> = texts.iter().map(input).collect();
        self.interact(channel, user, MODAL_SUBMIT, source, &json!({"custom_id": custom_id, "components": rows}))
    }

    fn command_data(&self, name: &str, options: &Value) -> Value {
        self.shared.with(|state| {
            let definition = state.commands.iter().find(|command| command["name"] == name).cloned();
            let definition = definition.unwrap_or_default();
            let id = id_in(&definition, "id").unwrap_or_else(|| state.world.ids.next());
            json!({"id": id.to_string(), "name": name, "type": 1, "options": options_of(options, &definition)})
        })
    }

    fn interact(&self, channel: u64, user: &str, kind: u64, source: Option<u64>, data: &Value) -> InteractionHandle {
        let id = self.shared.with(|state| state.interact(channel, user, kind, source, data));
        InteractionHandle { sim: self.clone(), id }
    }
}

impl State {
    fn announce_channel(&mut self, event: &str, channel: u64, wanted: bool) {
        let Some(channel) = self.world.channels.get(&channel).filter(|_| wanted) else { return };
        self.gateway.dispatch(event, self.world.channel_object(channel));
    }

    pub(super) fn post(&mut self, id: u64, channel: u64, user: &str, overrides: &Value) {
        let user = self.world.user(user);
        let text = overrides["content"].as_str().unwrap_or_default();
        let mut value = self.world.message_object(id, channel, user, text);
        merge(&mut value, overrides);
        self.world.insert(channel, Message { value, files: Vec::new(), read: true, seen_by: None });
    }

    fn change(&mut self, id: u64, changes: &Value) {
        if let Some(message) = self.world.message_mut(id) {
            merge(&mut message.value, changes);
        }
        self.announce("MESSAGE_UPDATE", id);
    }

    fn interact(&mut self, channel: u64, user: &str, kind: u64, source: Option<u64>, data: &Value) -> u64 {
        let (id, user) = (self.world.ids.next(), self.world.user(user));
        let locale = self.world.locales.get(&user).map_or("en-US", String::as_str);
        let mut event = json!({
            "id": id.to_string(), "application_id": self.world.application.to_string(), "type": kind, "data": data,
            "token": interaction_token(id), "version": 1, "channel_id": channel.to_string(), "locale": locale,
            "entitlements": [], "attachment_size_limit": 10_485_760,
            "app_permissions": self.world.permissions(self.world.bot),
        });
        merge(&mut event, &self.whereabouts(channel, user));
        if let Some(message) = source.and_then(|id| self.world.message(id)) {
            event["message"] = message.value.clone();
        }
        let at = Instant::now();
        let followups = Vec::new();
        let interaction = Interaction { kind, channel, user, at, source, callback: None, original: None, followups };
        self.remember(id, interaction);
        self.gateway.dispatch("INTERACTION_CREATE", event);
        id
    }

    /// What an interaction tells of its channel and user.
    fn whereabouts(&self, channel: u64, user: u64) -> Value {
        let bot = self.world.bot.to_string();
        let object = self.world.channels.get(&channel).map(|channel| self.world.channel_object(channel));
        let mut object = object.unwrap_or_default();
        object["permissions"] = json!(self.world.permissions(user));
        let user_object = self.world.user_object(user);
        let Some(guild) = self.world.channels.get(&channel).and_then(|channel| channel.guild) else {
            let owners = json!({"0": "0"});
            return json!({
                "user": user_object, "channel": object, "context": 1, "authorizing_integration_owners": owners,
                "bot_id": bot,
            });
        };
        let mut member = self.world.member_object(guild, user);
        merge(&mut member, &json!({"user": user_object, "permissions": self.world.permissions(user)}));
        json!({
            "guild_id": guild.to_string(), "guild_locale": "en-US", "member": member, "channel": object, "context": 0,
            "guild": {"id": guild.to_string(), "locale": "en-US", "features": []},
            "authorizing_integration_owners": {"0": guild.to_string()},
        })
    }
}

/// Options as an interaction carries them; their types come from the definition, else from the values.
fn options_of(options: &Value, definition: &Value) -> Value {
    let Some(options) = options.as_object() else {
        return if options.is_array() { options.clone() } else { json!([]) };
    };
    let option = |(name, value): (&String, &Value)| {
        let defined = definition["options"].as_array().into_iter().flatten().find(|option| option["name"] == **name);
        let kind = match value {
            Value::Object(_) => SUB_COMMAND,
            Value::Bool(_) => BOOLEAN,
            Value::Number(number) if number.is_f64() => NUMBER,
            Value::Number(_) => INTEGER,
            _ => STRING,
        };
        let kind = defined.and_then(|option| option["type"].as_u64()).unwrap_or(kind);
        if value.is_object() {
            let defined = defined.cloned().unwrap_or_default();
            json!({"name": name, "type": kind, "options": options_of(value, &defined)})
        } else {
            json!({"name": name, "type": kind, "value": value})
        }
    };
    options.iter().map(option).collect()
}
