//! Slash commands, buttons, modals and autocompletion: what the bot answers to them, within their times.
//! <https://discord.com/developers/docs/interactions/receiving-and-responding>

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    DiscordSim, SimMessage, State,
    checks::Kind,
    rest::{Answer, Body, Outcome},
    routes::Call,
    world::{EPHEMERAL, LOADING},
};

/// The time for the first response.
const RESPONSE_TIME: Duration = Duration::from_secs(3);

/// The time a token is good for.
const TOKEN_TIME: Duration = Duration::from_secs(15 * 60);

/// Interactions kept; the oldest goes first.
const INTERACTIONS_KEPT: usize = 1_024;

/// `type` of an interaction.
pub(super) const COMMAND: u64 = 2;
pub(super) const COMPONENT: u64 = 3;
pub(super) const AUTOCOMPLETE: u64 = 4;
pub(super) const MODAL_SUBMIT: u64 = 5;

/// `type` of a response.
const MESSAGE: u64 = 4;
const DEFERRED_MESSAGE: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;
const MODAL: u64 = 9;

/// Type of the message that answers a slash command.
const CHAT_INPUT_COMMAND: u64 = 20;

pub(super) struct Interaction {
    pub(super) kind: u64,
    pub(super) channel: u64,
    pub(super) user: u64,
    pub(super) at: Instant,
    /// The message whose component was used.
    pub(super) source: Option<u64>,
    pub(super) callback: Option<Value>,
    /// The message that `@original` names.
    pub(super) original: Option<u64>,
    pub(super) followups: Vec<u64>,
}

/// What a person sees after a command, a button or a modal.
#[derive(Clone, Debug)]
pub struct SimResponse {
    /// `type` of the callback: 4 message, 5 deferred, 6 and 7 update, 8 choices, 9 modal.
    pub kind: u64,
    /// Only the user sees it.
    pub ephemeral: bool,
    /// The bot took its time with a type 5 first.
    pub deferred: bool,
    /// The text as it is now.
    pub content: String,
    /// Names and values offered for completion.
    pub choices: Vec<(String, Value)>,
    /// The buttons and menus as it is now.
    pub components: Value,
    /// The modal, with `custom_id`, `title` and `components`.
    pub modal: Option<Value>,
}

/// A command, button or modal that a person used.
#[derive(Clone)]
pub struct InteractionHandle {
    pub(super) sim: DiscordSim,
    pub(super) id: u64,
}

impl InteractionHandle {
    /// The interaction's id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits until the bot has responded, and for the edit that follows a deferred response. Panics after 10 s.
    pub async fn response(&self) -> SimResponse {
        self.sim.wait_for("a response to an interaction", |state| state.response_of(self.id)).await
    }

    /// Waits for the callback alone, and returns it as sent. Panics after 10 s.
    pub async fn callback(&self) -> Value {
        let callback = |state: &mut State| state.interactions.get(&self.id)?.callback.clone();
        self.sim.wait_for("an interaction callback", callback).await
    }

    /// The message that answers it, when there is one: a new one, or the one whose button was pressed.
    #[must_use]
    pub fn message(&self) -> Option<SimMessage> {
        self.sim.message(self.sim.shared.look(|state| state.interactions.get(&self.id)?.original)?)
    }

    /// Sends the form that it opened, with the texts of its fields by their ids. Waits for the form.
    ///
    /// # Panics
    /// When it opened none, or a field is unknown, or holds less or more than it may.
    pub async fn submit(&self, texts: &[(&str, &str)]) -> Self {
        let user = self.sim.shared.look(|state| {
            let user = state.interactions.get(&self.id).map(|it| it.user).unwrap_or_default();
            state.world.user_name(user).to_owned()
        });
        self.submit_as(&user, texts).await
    }

    /// As [`InteractionHandle::submit`], sent by somebody else, as only a forged request can be.
    ///
    /// # Panics
    /// As that.
    pub async fn submit_as(&self, user: &str, texts: &[(&str, &str)]) -> Self {
        let callback = self.callback().await;
        assert_eq!(callback["type"], MODAL, "no form was opened: {callback}");
        let form = &callback["data"];
        for (id, text) in texts {
            let mut fields = form["components"].as_array().into_iter().flatten().map(|row| &row["components"][0]);
            let field =
                fields.find(|field| field["custom_id"] == *id).unwrap_or_else(|| panic!("no field {id}: {form}"));
            let most = field["max_length"].as_u64().unwrap_or(4_000);
            let is_missing = text.is_empty() && field["required"] != false;
            assert!(!is_missing && text.chars().count() as u64 <= most, "{id} can not be sent: {field}");
        }
        let (channel, source) = self.sim.shared.look(|state| {
            let interaction = &state.interactions[&self.id];
            (interaction.channel, interaction.source)
        });
        self.sim.send_form(channel, user, form["custom_id"].as_str().unwrap_or_default(), texts, source)
    }

    /// The messages sent after the response.
    #[must_use]
    pub fn followups(&self) -> Vec<SimMessage> {
        let of = |state: &mut State| state.interactions.get(&self.id).map(|it| it.followups.clone());
        let ids = self.sim.shared.look(of).unwrap_or_default();
        ids.into_iter().filter_map(|id| self.sim.message(id)).collect()
    }
}

impl State {
    pub(super) fn remember(&mut self, id: u64, interaction: Interaction) {
        self.interactions.insert(id, interaction);
        if self.interactions.len() > INTERACTIONS_KEPT {
            self.interactions.pop_first();
        }
    }

    fn response_of(&self, id: u64) -> Option<SimResponse> {
        let interaction = self.interactions.get(&id)?;
        let callback = interaction.callback.as_ref()?;
        let kind = callback["type"].as_u64().unwrap_or_default();
        let original = interaction.original.and_then(|id| self.world.message(id)).map(|message| &message.value);
        let flags = original.and_then(|message| message["flags"].as_u64()).unwrap_or_default();
        if flags & LOADING != 0 {
            return None;
        }
        let choices = callback["data"]["choices"].as_array().into_iter().flatten();
        Some(SimResponse {
            kind,
            ephemeral: flags & EPHEMERAL != 0,
            deferred: kind == DEFERRED_MESSAGE,
            content: original.and_then(|message| message["content"].as_str()).unwrap_or_default().to_owned(),
            choices: choices
                .map(|choice| (choice["name"].as_str().unwrap_or_default().to_owned(), choice["value"].clone()))
                .collect(),
            components: original.map(|message| message["components"].clone()).unwrap_or_default(),
            modal: (kind == MODAL).then(|| callback["data"].clone()),
        })
    }

    pub(super) fn callback(&mut self, call: &Call, body: Body) -> Outcome {
        let unknown = || Answer::mistake(404, 10062, "Unknown interaction");
        let interaction = self.interactions.get(&call.major).ok_or_else(unknown)?;
        if interaction.callback.is_some() {
            return Err(Answer::mistake(400, 40060, "Interaction has already been acknowledged."));
        }
        if interaction.at.elapsed() > RESPONSE_TIME {
            return Err(unknown());
        }
        let callback = body.json.clone();
        let (kind, data) = (callback["type"].as_u64().unwrap_or_default(), &callback["data"]);
        let source = interaction.source;
        let original = match (kind, interaction.kind) {
            (MESSAGE, COMMAND | COMPONENT | MODAL_SUBMIT) => {
                self.check(call, Kind::Answer, data, &body)?;
                Some(self.respond(call.major, Body { json: data.clone(), files: body.files })?)
            }
            (DEFERRED_MESSAGE, COMMAND | COMPONENT | MODAL_SUBMIT) => Some(self.defer(call.major, data)),
            (DEFERRED_UPDATE, COMPONENT | MODAL_SUBMIT) if source.is_some() => source,
            (UPDATE, COMPONENT | MODAL_SUBMIT) if source.is_some() => {
                self.check(call, Kind::Answer, data, &body)?;
                self.rewrite(source.unwrap_or_default(), data, Body { json: Value::Null, files: body.files })?;
                source
            }
            (CHOICES, AUTOCOMPLETE) => check_choices(data).map(|()| None)?,
            (MODAL, COMMAND | COMPONENT) => check_modal(data).map(|()| None)?,
            _ => return Err(Answer::invalid("type", "Not a response for this kind of interaction.")),
        };
        if let Some(interaction) = self.interactions.get_mut(&call.major) {
            (interaction.callback, interaction.original) = (Some(callback), original);
        }
        Ok(Answer::done())
    }

    /// Sends a new message in answer to an interaction.
    fn respond(&mut self, id: u64, body: Body) -> Result<u64, Answer> {
        let channel = self.interactions[&id].channel;
        let flags = body.json["flags"].as_u64().unwrap_or_default();
        let mut value = self.compose(channel, body)?;
        self.sign(id, &mut value);
        let seen_by = (flags & EPHEMERAL != 0).then(|| self.interactions[&id].user);
        Ok(self.publish(channel, value, seen_by, true))
    }

    /// "Tess is thinking…".
    fn defer(&mut self, id: u64, data: &Value) -> u64 {
        let interaction = &self.interactions[&id];
        let (channel, user) = (interaction.channel, interaction.user);
        let flags = data["flags"].as_u64().unwrap_or_default() & EPHEMERAL;
        let message = self.world.ids.next();
        let mut value = self.world.message_object(message, channel, self.world.bot, "");
        value["flags"] = json!(flags | LOADING);
        self.sign(id, &mut value);
        self.publish(channel, value, (flags != 0).then_some(user), true)
    }

    /// Marks a message as the answer to an interaction.
    fn sign(&self, id: u64, value: &mut Value) {
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

    /// The interaction of a webhook request, once it has been acknowledged and while its token is good.
    fn acknowledged(&self, call: &Call) -> Result<&Interaction, Answer> {
        let interaction = self.interactions.get(&call.major).filter(|interaction| interaction.callback.is_some());
        let interaction = interaction.ok_or_else(|| Answer::mistake(404, 10015, "Unknown Webhook"))?;
        if interaction.at.elapsed() > TOKEN_TIME {
            return Err(Answer::mistake(401, 50027, "Invalid Webhook Token"));
        }
        Ok(interaction)
    }

    /// The message that a webhook request names.
    fn named(&self, call: &Call) -> Result<u64, Answer> {
        let interaction = self.acknowledged(call)?;
        let id = match call.message {
            0 => interaction.original,
            id if interaction.followups.contains(&id) || interaction.original == Some(id) => Some(id),
            _ => None,
        };
        let id = id.filter(|id| self.world.message(*id).is_some());
        id.ok_or_else(|| Answer::refusal(404, 10008, "Unknown Message"))
    }

    pub(super) fn follow_up(&mut self, call: &Call, body: Body) -> Outcome {
        let original = self.acknowledged(call)?.original;
        self.check(call, Kind::Answer, &body.json, &body)?;
        let is_loading = |id: &u64| {
            let message = self.world.message(*id);
            message.is_some_and(|message| message.value["flags"].as_u64().unwrap_or_default() & LOADING != 0)
        };
        if let Some(original) = original.filter(is_loading) {
            // The first follow-up after a deferred response takes its place.
            let changes = body.json.clone();
            return self.rewrite(original, &changes, body);
        }
        let id = self.respond(call.major, body)?;
        if let Some(interaction) = self.interactions.get_mut(&call.major) {
            interaction.followups.push(id);
        }
        Ok(Answer::ok(self.world.message(id).map(|message| message.value.clone()).unwrap_or_default()))
    }

    pub(super) fn read_original(&mut self, call: &Call) -> Outcome {
        let id = self.named(call)?;
        Ok(Answer::ok(self.world.message(id).map(|message| message.value.clone()).unwrap_or_default()))
    }

    pub(super) fn edit_original(&mut self, call: &Call, body: Body) -> Outcome {
        let id = self.named(call)?;
        self.check(call, Kind::Answer, &body.json, &body)?;
        let changes = body.json.clone();
        self.rewrite(id, &changes, body)
    }

    pub(super) fn delete_original(&mut self, call: &Call) -> Outcome {
        let id = self.named(call)?;
        self.remove(&[id]);
        Ok(Answer::done())
    }
}

fn check_choices(data: &Value) -> Result<(), Answer> {
    let Some(choices) = data["choices"].as_array() else {
        return Err(Answer::invalid("choices", "This field is required"));
    };
    if choices.len() > 25 {
        return Err(Answer::invalid("choices", "Must be 25 or fewer in length."));
    }
    let fits = |value: &Value| value.as_str().is_some_and(|text| (1..=100).contains(&text.chars().count()));
    let is_good = |choice: &Value| fits(&choice["name"]) && (choice["value"].is_number() || fits(&choice["value"]));
    if choices.iter().all(is_good) { Ok(()) } else { Err(Answer::invalid("choices", "Must be 1 to 100 in length.")) }
}

fn check_modal(data: &Value) -> Result<(), Answer> {
    let fits = |key: &str, most: usize| data[key].as_str().is_some_and(|it| (1..=most).contains(&it.chars().count()));
    let rows = data["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_field = |row: &Value| {
        let field = &row["components"][0];
        let chars = |key: &str| field[key].as_str().map_or(0, |text| text.chars().count());
        let most = usize::try_from(field["max_length"].as_u64().unwrap_or(4_000)).unwrap_or(usize::MAX);
        let is_short = chars("placeholder") <= 100 && chars("value") <= most.min(4_000);
        field["type"] == 4 && (1..=45).contains(&chars("label")) && (1..=100).contains(&chars("custom_id")) && is_short
    };
    let is_form = (1..=5).contains(&rows.len()) && rows.iter().all(is_field);
    if fits("title", 45) && fits("custom_id", 100) && is_form {
        Ok(())
    } else {
        Err(Answer::invalid("title", "A modal has a title of 1 to 45 characters, an id, and 1 to 5 fields."))
    }
}
