//! The routes of interactions: callbacks, follow-ups, and edits of the response.
//! <https://discord.com/developers/docs/interactions/receiving-and-responding>

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Outcome},
    body::Body,
    checks::Kind,
    json::{chars, list},
    observed::SimResponse,
    routes::Call,
    state::{Interaction, State},
    world::{EPHEMERAL, LOADING, Message},
};

/// How long the bot may take for the first response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a token is valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Interactions kept; the oldest is dropped first.
const INTERACTIONS_KEPT: usize = 1_024;

/// The `type` of an interaction.
pub(super) const COMMAND: u64 = 2;
pub(super) const COMPONENT: u64 = 3;
pub(super) const AUTOCOMPLETE: u64 = 4;
pub(super) const MODAL_SUBMIT: u64 = 5;

/// The `type` of a callback.
const MESSAGE: u64 = 4;
const DEFERRED_MESSAGE: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;
pub(super) const MODAL: u64 = 9;

/// The `type` of the message that responds to a command.
const CHAT_INPUT_COMMAND: u64 = 20;

impl State {
    pub(super) fn add_interaction(&mut self, id: u64, interaction: Interaction) {
        self.interactions.insert(id, interaction);
        if self.interactions.len() > INTERACTIONS_KEPT {
            self.interactions.pop_first();
        }
    }

    /// What the user sees; `None` before the response, and while a deferred one is loading.
    pub(super) fn response_of(&self, id: u64) -> Option<SimResponse> {
        let interaction = self.interactions.get(&id)?;
        let callback = interaction.callback.as_ref()?;
        let kind = callback["type"].as_u64().unwrap_or_default();
        let original = interaction.original.and_then(|id| self.world.message(id));
        let flags = original.map_or(0, Message::flags);
        if flags & LOADING != 0 {
            return None;
        }
        Some(SimResponse {
            kind,
            ephemeral: flags & EPHEMERAL != 0,
            deferred: kind == DEFERRED_MESSAGE,
            content: original.map_or("", Message::content).to_owned(),
            choices: list(&callback["data"]["choices"])
                .iter()
                .map(|choice| (choice["name"].as_str().unwrap_or_default().to_owned(), choice["value"].clone()))
                .collect(),
            components: original.map(|message| message.value["components"].clone()).unwrap_or_default(),
            modal: (kind == MODAL).then(|| callback["data"].clone()),
        })
    }

    pub(super) fn receive_callback(&mut self, call: &Call, body: Body) -> Outcome {
        let unknown = || Answer::violation(404, 10062, "Unknown interaction");
        let interaction = self.interactions.get(&call.major).ok_or_else(unknown)?;
        if let Some(callback) = &interaction.callback {
            // A client that never received the answer to its callback sends the same one again.
            let is_retry = *callback == body.json;
            let answer = if is_retry { Answer::refused } else { Answer::violation };
            return Err(answer(400, 40060, "Interaction has already been acknowledged."));
        }
        if interaction.at.elapsed() > RESPONSE_TIMEOUT {
            return Err(unknown());
        }
        let callback = body.json.clone();
        let (kind, data) = (callback["type"].as_u64().unwrap_or_default(), &callback["data"]);
        let source = interaction.source;
        let original = match (kind, interaction.kind) {
            (MESSAGE, COMMAND | COMPONENT | MODAL_SUBMIT) => {
                self.check(call, Kind::Response, data, &body)?;
                Some(self.respond(call.major, Body { json: data.clone(), files: body.files })?)
            }
            (DEFERRED_MESSAGE, COMMAND | COMPONENT | MODAL_SUBMIT) => Some(self.defer(call.major, data)),
            (DEFERRED_UPDATE, COMPONENT | MODAL_SUBMIT) if source.is_some() => source,
            (UPDATE, COMPONENT | MODAL_SUBMIT) if source.is_some() => {
                self.check(call, Kind::Response, data, &body)?;
                self.apply_edit(source.unwrap_or_default(), data, Body { json: Value::Null, files: body.files })?;
                source
            }
            (CHOICES, AUTOCOMPLETE) => check_choices(data).map(|()| None)?,
            (MODAL, COMMAND | COMPONENT) => check_modal(data).map(|()| None)?,
            _ => return Err(Answer::invalid_field("type", "Not a response for this kind of interaction.")),
        };
        if let Some(interaction) = self.interactions.get_mut(&call.major) {
            (interaction.callback, interaction.original) = (Some(callback), original);
        }
        Ok(Answer::no_content())
    }

    /// Posts a new message as a response to an interaction.
    fn respond(&mut self, id: u64, body: Body) -> Result<u64, Answer> {
        let channel = self.interactions[&id].channel;
        let flags = body.json["flags"].as_u64().unwrap_or_default();
        let mut value = self.compose(channel, body)?;
        self.add_metadata(id, &mut value);
        let seen_by = (flags & EPHEMERAL != 0).then(|| self.interactions[&id].user);
        Ok(self.publish(channel, value, seen_by, true))
    }

    /// Posts a deferred response, shown as "Tess is thinking…".
    fn defer(&mut self, id: u64, data: &Value) -> u64 {
        let interaction = &self.interactions[&id];
        let (channel, user) = (interaction.channel, interaction.user);
        let flags = data["flags"].as_u64().unwrap_or_default() & EPHEMERAL;
        let message = self.world.ids.next();
        let mut value = self.world.message_object(message, channel, self.world.bot, "");
        value["flags"] = json!(flags | LOADING);
        self.add_metadata(id, &mut value);
        self.publish(channel, value, (flags != 0).then_some(user), true)
    }

    /// Adds the fields of a response to an interaction to a message.
    fn add_metadata(&self, id: u64, value: &mut Value) {
        let interaction = &self.interactions[&id];
        let application = self.world.application.to_string();
        value["type"] = json!(if interaction.kind == COMMAND { CHAT_INPUT_COMMAND } else { 0 });
        let metadata = |kind| {
            json!({
                "id": id.to_string(), "type": kind, "user": self.world.user_object(interaction.user),
                "authorizing_integration_owners": {},
            })
        };
        value["interaction_metadata"] = metadata(interaction.kind);
        if interaction.kind == MODAL_SUBMIT {
            value["interaction_metadata"]["triggering_interaction_metadata"] = metadata(COMMAND);
        }
        (value["application_id"], value["webhook_id"]) = (json!(application), json!(application));
    }

    /// The interaction of a webhook request, which must be acknowledged and whose token must be valid.
    fn acknowledged(&self, call: &Call) -> Result<&Interaction, Answer> {
        let interaction = self.interactions.get(&call.major).filter(|interaction| interaction.callback.is_some());
        let interaction = interaction.ok_or_else(|| Answer::violation(404, 10015, "Unknown Webhook"))?;
        if interaction.at.elapsed() > TOKEN_LIFETIME {
            return Err(Answer::violation(401, 50027, "Invalid Webhook Token"));
        }
        Ok(interaction)
    }

    /// The message that a webhook request refers to.
    fn webhook_message(&self, call: &Call) -> Result<u64, Answer> {
        let interaction = self.acknowledged(call)?;
        let id = match call.target {
            0 => interaction.original,
            id if interaction.followups.contains(&id) || interaction.original == Some(id) => Some(id),
            _ => None,
        };
        let id = id.filter(|id| self.world.message(*id).is_some());
        id.ok_or_else(Answer::unknown_message)
    }

    pub(super) fn follow_up(&mut self, call: &Call, body: Body) -> Outcome {
        let original = self.acknowledged(call)?.original;
        self.check(call, Kind::Response, &body.json, &body)?;
        let is_loading = |id: &u64| self.world.message(*id).is_some_and(|message| message.flags() & LOADING != 0);
        if let Some(original) = original.filter(is_loading) {
            // The first follow-up after a deferred response replaces it.
            let changes = body.json.clone();
            return self.apply_edit(original, &changes, body);
        }
        let id = self.respond(call.major, body)?;
        if let Some(interaction) = self.interactions.get_mut(&call.major) {
            interaction.followups.push(id);
        }
        Ok(Answer::ok(self.world.message(id).map(|message| message.value.clone()).unwrap_or_default()))
    }

    pub(super) fn read_original(&mut self, call: &Call) -> Outcome {
        let id = self.webhook_message(call)?;
        Ok(Answer::ok(self.world.message(id).map(|message| message.value.clone()).unwrap_or_default()))
    }

    pub(super) fn edit_original(&mut self, call: &Call, body: Body) -> Outcome {
        let id = self.webhook_message(call)?;
        self.check(call, Kind::Response, &body.json, &body)?;
        let changes = body.json.clone();
        self.apply_edit(id, &changes, body)
    }

    pub(super) fn delete_original(&mut self, call: &Call) -> Outcome {
        let id = self.webhook_message(call)?;
        self.remove(&[id]);
        Ok(Answer::no_content())
    }
}

fn check_choices(data: &Value) -> Result<(), Answer> {
    let Some(choices) = data["choices"].as_array() else {
        return Err(Answer::invalid_field("choices", "This field is required"));
    };
    if choices.len() > 25 {
        return Err(Answer::invalid_field("choices", "Must be 25 or fewer in length."));
    }
    let fits = |value: &Value| (1..=100).contains(&chars(value));
    let is_good = |choice: &Value| fits(&choice["name"]) && (choice["value"].is_number() || fits(&choice["value"]));
    if choices.iter().all(is_good) {
        Ok(())
    } else {
        Err(Answer::invalid_field("choices", "Must be 1 to 100 in length."))
    }
}

fn check_modal(data: &Value) -> Result<(), Answer> {
    let fits = |key: &str, max: usize| (1..=max).contains(&chars(&data[key]));
    let rows = list(&data["components"]);
    let is_field = |row: &Value| {
        let field = &row["components"][0];
        let length = |key: &str| chars(&field[key]);
        let max = usize::try_from(field["max_length"].as_u64().unwrap_or(4_000)).unwrap_or(usize::MAX);
        let is_short = length("placeholder") <= 100 && length("value") <= max.min(4_000);
        field["type"] == 4
            && (1..=45).contains(&length("label"))
            && (1..=100).contains(&length("custom_id"))
            && is_short
    };
    let has_fields = (1..=5).contains(&rows.len()) && rows.iter().all(is_field);
    if fits("title", 45) && fits("custom_id", 100) && has_fields {
        Ok(())
    } else {
        Err(Answer::invalid_field("title", "A modal has a title of 1 to 45 characters, an id, and 1 to 5 fields."))
    }
}
