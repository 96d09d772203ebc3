//! The routes of channels and messages, and the events that they cause.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    answer::{Answer, Outcome},
    body::Body,
    checks::{Kind, check_message, is_empty},
    json::id_in,
    routes::Call,
    snowflake::timestamp_now,
    state::{State, UsedNonce},
    world::{EPHEMERAL, LOADING, Message},
};

/// How long Discord remembers a nonce; its documentation says "the past few minutes".
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Nonces kept; the oldest is dropped first.
const NONCES_KEPT: usize = 4_096;

/// The fields of a message that a request may set.
const WRITABLE: [&str; 4] = ["content", "embeds", "components", "flags"];

impl State {
    /// The channel of a request, or the error when the bot may not use it.
    pub(super) fn reachable(&self, call: &Call) -> Result<u64, Answer> {
        if let Some(refusal) = self.faults.refusal_of(call.major) {
            return Err(refusal);
        }
        let exists = self.world.channels.contains_key(&call.major);
        if exists { Ok(call.major) } else { Err(Answer::refused(404, 10003, "Unknown Channel")) }
    }

    /// The message of a request, or the error when the bot does not see it.
    fn visible_message(&self, call: &Call) -> Result<&Message, Answer> {
        let channel = self.reachable(call)?;
        let message = self.world.channels[&channel].messages.get(&call.target);
        let message = message.filter(|message| message.seen_by.is_none());
        message.ok_or_else(Answer::unknown_message)
    }

    pub(super) fn start_typing(&mut self, call: &Call) -> Outcome {
        let id = self.reachable(call)?;
        if let Some(channel) = self.world.channels.get_mut(&id) {
            channel.typing += 1;
        }
        Ok(Answer::no_content())
    }

    pub(super) fn list_messages(&mut self, call: &Call) -> Outcome {
        let id = self.reachable(call)?;
        let number = |key: &str| match call.query.get(key) {
            None => Ok(None),
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| Answer::invalid_field(key, "Not a number.")),
        };
        let limit = number("limit")?.unwrap_or(50);
        if !(1..=100).contains(&limit) {
            return Err(Answer::invalid_field("limit", "Must be between 1 and 100."));
        }
        let limit = usize::try_from(limit).unwrap_or(100);
        let (before, after, around) = (number("before")?, number("after")?, number("around")?);
        if [before, after, around].into_iter().flatten().count() > 1 {
            return Err(Answer::invalid_field("before", "Only one of before, after and around."));
        }
        let channel = &self.world.channels[&id];
        let all: Vec<&Message> = channel.messages.values().filter(|message| message.seen_by.is_none()).collect();
        let position = |id: u64| all.partition_point(|message| id_in(&message.value, "id").is_some_and(|it| it < id));
        let from = |start: usize| start..all.len().min(start + limit);
        let page = match (before, after, around) {
            (Some(id), ..) => position(id).saturating_sub(limit)..position(id),
            (_, Some(id), _) => from(position(id.saturating_add(1))),
            (.., Some(id)) => from(position(id).saturating_sub(limit / 2)),
            _ => all.len().saturating_sub(limit)..all.len(),
        };
        let newest_first = all[page].iter().rev().map(|message| self.world.rest_message(channel, message));
        Ok(Answer::ok(newest_first.collect()))
    }

    pub(super) fn read_message(&mut self, call: &Call) -> Outcome {
        let message = self.visible_message(call)?;
        Ok(Answer::ok(self.world.rest_message(&self.world.channels[&call.major], message)))
    }

    pub(super) fn create_message(&mut self, call: &Call, body: Body) -> Outcome {
        let channel = self.reachable(call)?;
        self.check(call, Kind::Message, &body.json, &body)?;
        if let Some(earlier) = self.find_by_nonce(call, &body.json)? {
            return Ok(Answer::ok(earlier));
        }
        let reference = self.resolve_reference(channel, &body.json)?;
        self.refuse_blocked(&body.json)?;
        let nonce = body.json["nonce"].clone();
        let mut value = self.compose(channel, body)?;
        if let Some(original) = reference {
            value["type"] = json!(19);
            value["message_reference"] = reference_to(&original);
            value["referenced_message"] = original;
        }
        if !nonce.is_null() {
            value["nonce"] = nonce.clone();
        }
        let answer = value.clone();
        let id = self.publish(channel, value, None, false);
        if let Some(nonce) = nonce_text(&nonce) {
            self.nonces.push_back(UsedNonce { nonce, message: id, at: Instant::now() });
        }
        Ok(Answer::ok(answer))
    }

    /// Checks a message and records the violations for which Discord would not refuse it.
    pub(super) fn check(&mut self, call: &Call, kind: Kind, message: &Value, body: &Body) -> Result<(), Answer> {
        for violation in check_message(kind, message, body)? {
            self.record_call_violation(call, &violation);
        }
        Ok(())
    }

    /// The message that was created with the same enforced nonce, which is returned in place of a new one.
    fn find_by_nonce(&mut self, call: &Call, message: &Value) -> Result<Option<Value>, Answer> {
        let now = Instant::now();
        while self.nonces.len() >= NONCES_KEPT
            || self.nonces.front().is_some_and(|used| used.at + NONCE_LIFETIME <= now)
        {
            self.nonces.pop_front();
        }
        let Some(nonce) = nonce_text(&message["nonce"]).filter(|_| message["enforce_nonce"] == true) else {
            return Ok(None);
        };
        let Some(used) = self.nonces.iter().find(|used| used.nonce == nonce) else { return Ok(None) };
        let Some(earlier) = self.world.message(used.message) else {
            return Err(Answer::unknown_message());
        };
        let earlier = earlier.value.clone();
        if id_in(&earlier, "channel_id") != Some(call.major) {
            self.record_call_violation(call, "a nonce of another channel's message");
        }
        Ok(Some(earlier))
    }

    /// The message replied to, without the one that it replies to itself.
    fn resolve_reference(&self, channel: u64, message: &Value) -> Result<Option<Value>, Answer> {
        let reference = &message["message_reference"];
        if reference.is_null() {
            return Ok(None);
        }
        let Some(id) = id_in(reference, "message_id") else {
            return Err(Answer::invalid_field("message_reference", "This field is required: message_id"));
        };
        let original = self.world.channels[&channel].messages.get(&id);
        match original.filter(|original| original.seen_by.is_none()) {
            Some(original) => {
                let mut value = original.value.clone();
                if let Some(value) = value.as_object_mut() {
                    value.remove("referenced_message");
                }
                Ok(Some(value))
            }
            None if reference["fail_if_not_exists"] == false => Ok(None),
            None => Err(Answer::outdated_field("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")),
        }
    }

    fn refuse_blocked(&self, message: &Value) -> Result<(), Answer> {
        let blocked = message["content"].as_str().is_some_and(|content| self.faults.blocks(content));
        if !blocked {
            return Ok(());
        }
        Err(Answer::refused(400, 200_000, "Message was blocked by automatic moderation"))
    }

    /// Makes a new message of the bot; its files wait in `uploads`.
    pub(super) fn compose(&mut self, channel: u64, body: Body) -> Result<Value, Answer> {
        let id = self.world.ids.next();
        let mut value = self.world.message_object(id, channel, self.world.bot, "");
        self.write(&mut value, &body.json, &body)?;
        self.uploads = body.files;
        Ok(value)
    }

    /// Applies the fields that a request sets to a message.
    pub(super) fn write(&mut self, value: &mut Value, changes: &Value, body: &Body) -> Result<(), Answer> {
        for key in WRITABLE {
            match &changes[key] {
                Value::Null => {}
                Value::String(content) => value[key] = json!(content.trim()),
                change => value[key] = change.clone(),
            }
        }
        let channel = value["channel_id"].as_str().unwrap_or_default().to_owned();
        if changes["attachments"].is_array() || !body.files.is_empty() {
            value["attachments"] = body.files.iter().map(|file| self.attachment(&channel, file)).collect();
        }
        if is_empty(value) {
            return Err(Answer::violation(400, 50006, "Cannot send an empty message"));
        }
        Ok(())
    }

    fn attachment(&mut self, channel: &str, (name, bytes): &(String, axum::body::Bytes)) -> Value {
        let id = self.world.ids.next();
        let url = format!("https://cdn.discordapp.com/attachments/{channel}/{id}/{name}?ex=0&is=0&hm=0");
        json!({
            "id": id.to_string(), "filename": name, "size": bytes.len(), "url": url, "proxy_url": url,
            "content_type": "text/plain; charset=utf-8",
        })
    }

    /// Adds a message of the bot to a channel, and dispatches its event unless only one user sees it.
    pub(super) fn publish(&mut self, channel: u64, value: Value, seen_by: Option<u64>, read: bool) -> u64 {
        let id = id_in(&value, "id").unwrap_or_default();
        let files = std::mem::take(&mut self.uploads);
        let message = Message { value, files, read, seen_by };
        if let Some(callback) = &self.on_message {
            callback(&self.as_seen(&message));
        }
        self.world.insert(channel, message);
        self.announce("MESSAGE_CREATE", id);
        id
    }

    /// Dispatches an event with the current state of a message, unless only one user sees it.
    pub(super) fn announce(&mut self, event: &str, message: u64) {
        let hidden = self.world.message(message).is_none_or(|message| message.seen_by.is_some());
        if let Some(value) = self.world.gateway_message(message).filter(|_| !hidden) {
            self.gateway.dispatch(event, value);
        }
    }

    pub(super) fn edit_message(&mut self, call: &Call, body: Body) -> Outcome {
        let message = self.visible_message(call)?;
        if id_in(&message.value["author"], "id") != Some(self.world.bot) {
            return Err(Answer::violation(403, 50005, "Cannot edit a message authored by another user"));
        }
        self.check(call, Kind::Edit, &body.json, &body)?;
        self.refuse_blocked(&body.json)?;
        let changes = body.json.clone();
        let answer = self.apply_edit(call.target, &changes, body)?;
        self.record_edit(call.target);
        Ok(answer)
    }

    /// Applies an edit to a message of the bot.
    pub(super) fn apply_edit(&mut self, id: u64, changes: &Value, body: Body) -> Outcome {
        let mut value = self.world.message(id).ok_or_else(Answer::unknown_message)?.value.clone();
        let old_flags = value["flags"].as_u64().unwrap_or(0);
        self.write(&mut value, changes, &body)?;
        // An edit cannot change whether a message is ephemeral, and ends the loading state of a deferred one.
        let flags = value["flags"].as_u64().unwrap_or(0) & !EPHEMERAL & !LOADING;
        value["flags"] = json!(flags | old_flags & EPHEMERAL);
        value["edited_timestamp"] = json!(timestamp_now());
        if let Some(message) = self.world.message_mut(id) {
            message.value = value.clone();
            if changes["attachments"].is_array() || !body.files.is_empty() {
                message.files = body.files;
            }
        }
        self.announce("MESSAGE_UPDATE", id);
        Ok(Answer::ok(value))
    }

    pub(super) fn delete_message(&mut self, call: &Call) -> Outcome {
        let message = self.visible_message(call)?;
        if id_in(&message.value["author"], "id") != Some(self.world.bot) {
            return Err(Answer::violation(403, 50013, "Missing Permissions"));
        }
        self.remove(&[call.target]);
        Ok(Answer::no_content())
    }

    /// Deletes messages of one channel and dispatches one event for all of them.
    pub(super) fn remove(&mut self, ids: &[u64]) {
        let visible = |id: &u64| self.world.message(*id).is_some_and(|message| message.seen_by.is_none());
        let announced: Vec<String> = ids.iter().filter(|id| visible(id)).map(u64::to_string).collect();
        let channels: Vec<u64> = ids.iter().filter_map(|id| self.world.remove_message(*id)).collect();
        let (Some(channel), Some(first)) = (channels.first(), announced.first()) else { return };
        let mut event = json!({"channel_id": channel.to_string()});
        if let Some(guild) = self.world.channels.get(channel).and_then(|channel| channel.guild) {
            event["guild_id"] = json!(guild.to_string());
        }
        if announced.len() == 1 {
            event["id"] = json!(first);
            self.gateway.dispatch("MESSAGE_DELETE", event);
        } else {
            event["ids"] = json!(announced);
            self.gateway.dispatch("MESSAGE_DELETE_BULK", event);
        }
    }
}

/// The `message_reference` of a reply.
pub(super) fn reference_to(original: &Value) -> Value {
    json!({"type": 0, "message_id": original["id"], "channel_id": original["channel_id"]})
}

fn nonce_text(nonce: &Value) -> Option<String> {
    match nonce {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
