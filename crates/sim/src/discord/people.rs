//! Messages of users.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{
    json::merge,
    messages::reference_to,
    sim::DiscordSim,
    snowflake::{minutes_ago, timestamp_now},
    state::State,
    world::Message,
};

impl DiscordSim {
    /// A user posts a message. Returns its id, as the methods below do.
    pub fn say(&self, channel: u64, user: &str, text: &str) -> u64 {
        self.say_with(channel, user, &json!({ "content": text }))
    }

    /// A user replies to a message and mentions its author, as Discord does by default.
    pub fn reply(&self, channel: u64, user: &str, to: u64, text: &str) -> u64 {
        let original = self.shared.read(|state| state.world.message(to).map(|message| message.value.clone()));
        let original = original.unwrap_or_else(|| panic!("there is no message {to} to reply to"));
        let mut mentions = self.shared.read(|state| state.world.mentions_in(text));
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

    /// A user posts a message with other fields: `overrides` is merged into a plain message.
    pub fn say_with(&self, channel: u64, user: &str, overrides: &Value) -> u64 {
        self.shared.change(|state| {
            let id = state.world.ids.next();
            state.post(id, channel, user, overrides);
            state.announce("MESSAGE_CREATE", id);
            id
        })
    }

    /// A user posts a message with a file.
    pub fn say_with_file(&self, channel: u64, user: &str, text: &str, name: &str, bytes: &[u8]) -> u64 {
        self.say_with_files(channel, user, &json!({ "content": text }), &[(name, bytes)])
    }

    /// A user posts a message with files and other fields, see [`Self::say_with`].
    pub fn say_with_files(&self, channel: u64, user: &str, overrides: &Value, files: &[(&str, &[u8])]) -> u64 {
        self.shared.change(|state| {
            let id = state.world.ids.next();
            let attachments: Vec<_> = files.iter().map(|file| state.user_attachment(channel, file)).collect();
            let mut message = json!({ "attachments": attachments });
            merge(&mut message, overrides);
            state.post(id, channel, user, &message);
            if let Some(message) = state.world.message_mut(id) {
                let stored = files.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::copy_from_slice(bytes)));
                message.files = stored.collect();
            }
            state.announce("MESSAGE_CREATE", id);
            id
        })
    }

    /// Adds a message of some minutes ago without an event, as if the bot had been offline.
    pub fn say_in_past(&self, channel: u64, user: &str, text: &str, minutes: u64) -> u64 {
        self.shared.change(|state| {
            let mut id = minutes_ago(minutes);
            while state.world.message(id).is_some() {
                id += 1;
            }
            state.post(id, channel, user, &json!({ "content": text }));
            id
        })
    }

    /// Sends the event of a message that is not stored, in a channel that does not have to exist. Made for measurements with
    /// more channels than the simulator could store.
    pub fn say_unstored(&self, guild: u64, channel: u64, user: &str, text: &str) {
        self.shared.change(|state| {
            let (id, user) = (state.world.ids.next(), state.world.user(user));
            let mut message = state.world.message_object(id, channel, user, text);
            let member = state.world.member_object(guild, user);
            merge(&mut message, &json!({"guild_id": guild.to_string(), "member": member, "channel_type": 0}));
            state.gateway.dispatch("MESSAGE_CREATE", message);
        });
    }

    /// A user edits a message.
    pub fn edit(&self, message: u64, text: &str) {
        self.shared.change(|state| {
            let mentions = state.world.mentions_in(text);
            let edit = json!({"content": text, "mentions": mentions, "edited_timestamp": timestamp_now()});
            state.update(message, &edit);
        });
    }

    /// Discord adds a link preview to a message: an update without a change of the text.
    pub fn unfurl(&self, message: u64) {
        let preview = json!({"embeds": [{"type": "link", "url": "https://example.com/", "title": "Example"}]});
        self.shared.change(|state| state.update(message, &preview));
    }

    /// Deletes a message of a user or of the bot.
    pub fn delete(&self, message: u64) {
        self.shared.change(|state| state.remove(&[message]));
    }

    /// Deletes a message without an event, as if the event had been lost.
    pub fn delete_silently(&self, message: u64) {
        self.shared.change(|state| state.world.remove_message(message));
    }

    /// Deletes messages of one channel in one request.
    pub fn delete_bulk(&self, messages: &[u64]) {
        self.shared.change(|state| state.remove(messages));
    }
}

impl State {
    /// Adds a message of a user to a channel, without an event.
    fn post(&mut self, id: u64, channel: u64, user: &str, overrides: &Value) {
        let user = self.world.user(user);
        let text = overrides["content"].as_str().unwrap_or_default();
        let mut value = self.world.message_object(id, channel, user, text);
        merge(&mut value, overrides);
        self.world.insert(channel, Message { value, files: Vec::new(), read: true, seen_by: None });
    }

    /// Changes a message and dispatches the event.
    fn update(&mut self, id: u64, changes: &Value) {
        if let Some(message) = self.world.message_mut(id) {
            merge(&mut message.value, changes);
        }
        self.announce("MESSAGE_UPDATE", id);
    }
}
