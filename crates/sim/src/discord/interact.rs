//! Interactions of users: commands, buttons, menus, modals and completions.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    interactions::{AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, MODAL_SUBMIT},
    json::{id_in, list, malform, merge},
    observed::{SimMessage, SimResponse},
    routes::interaction_token,
    sim::DiscordSim,
    state::{Interaction, State},
};

/// The `type` of a command's option.
const SUB_COMMAND: u64 = 1;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const BOOLEAN: u64 = 5;
const NUMBER: u64 = 10;

impl DiscordSim {
    /// A user runs a slash command. Options are given by name, e.g. `{"prompt": "hi"}`; an object is a sub-command.
    pub fn slash(&self, channel: u64, user: &str, name: &str, options: &Value) -> InteractionHandle {
        let data = self.command_data(name, options);
        self.interact(channel, user, COMMAND, None, &data)
    }

    /// A user types into an option with autocompletion.
    pub fn autocomplete(&self, channel: u64, user: &str, name: &str, option: &str, value: &str) -> InteractionHandle {
        let mut data = self.command_data(name, &json!({ option: value }));
        data["options"][0]["focused"] = json!(true);
        self.interact(channel, user, AUTOCOMPLETE, None, &data)
    }

    /// A user presses a button. Panics when the message has no such enabled button.
    pub fn press(&self, message: u64, custom_id: &str, user: &str) -> InteractionHandle {
        self.choose(message, custom_id, user, &[])
    }

    /// A user chooses values in a menu. Panics when the message has no such enabled menu.
    pub fn choose(&self, message: u64, custom_id: &str, user: &str, values: &[&str]) -> InteractionHandle {
        let value = self.shared.read(|state| state.world.message(message).map(|message| message.value.clone()));
        let value = value.unwrap_or_else(|| panic!("there is no message {message}"));
        let mut components = list(&value["components"]).iter().flat_map(|row| list(&row["components"]));
        let component = components.find(|it| it["custom_id"] == custom_id && it["disabled"] != true);
        let component = component.unwrap_or_else(|| panic!("message {message} has no enabled component {custom_id}"));
        let data = json!({"custom_id": custom_id, "component_type": component["type"], "values": values});
        let channel = id_in(&value, "channel_id").unwrap_or_default();
        self.interact(channel, user, COMPONENT, Some(message), &data)
    }

    /// A user submits a modal with the texts of its fields by id, whether or not one was opened.
    pub fn submit_modal(&self, channel: u64, user: &str, custom_id: &str, texts: &[(&str, &str)]) -> InteractionHandle {
        self.send_modal(channel, user, custom_id, texts, None)
    }

    /// Submits a modal; `source` is the message whose component opened it.
    fn send_modal(
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

    /// The `data` of a command's interaction.
    fn command_data(&self, name: &str, options: &Value) -> Value {
        self.shared.change(|state| {
            let definition = state.commands.iter().find(|command| command["name"] == name).cloned();
            let definition = definition.unwrap_or_default();
            let id = id_in(&definition, "id").unwrap_or_else(|| state.world.ids.next());
            json!({"id": id.to_string(), "name": name, "type": 1, "options": options_of(options, &definition)})
        })
    }

    fn interact(&self, channel: u64, user: &str, kind: u64, source: Option<u64>, data: &Value) -> InteractionHandle {
        let id = self.shared.change(|state| state.interact(channel, user, kind, source, data));
        InteractionHandle { sim: self.clone(), id }
    }
}

/// An interaction of a user.
#[derive(Clone)]
pub struct InteractionHandle {
    sim: DiscordSim,
    id: u64,
}

impl InteractionHandle {
    /// The interaction's id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the bot's response; after a deferred one, for the edit that follows. Panics after 10 s.
    pub async fn response(&self) -> SimResponse {
        self.sim.wait_for("a response to an interaction", |state| state.response_of(self.id)).await
    }

    /// Waits for the bot's callback and returns its body. Panics after 10 s.
    pub async fn callback(&self) -> Value {
        let callback = |state: &mut State| state.interactions.get(&self.id)?.callback.clone();
        self.sim.wait_for("an interaction callback", callback).await
    }

    /// The message of the response: a new one, or the updated one with the button. `None` when there is no message.
    #[must_use]
    pub fn message(&self) -> Option<SimMessage> {
        self.sim.message(self.sim.shared.read(|state| state.interactions.get(&self.id)?.original)?)
    }

    /// Waits for the modal that the interaction opens and submits it with the texts of its fields by id.
    ///
    /// # Panics
    /// When it opens none, when a field is unknown, and when the length of a text is outside its limits.
    pub async fn submit(&self, texts: &[(&str, &str)]) -> Self {
        let user = self.sim.shared.read(|state| {
            let user = state.interactions.get(&self.id).map(|it| it.user).unwrap_or_default();
            state.world.user_name(user).to_owned()
        });
        self.submit_as(&user, texts).await
    }

    /// [`Self::submit`] by another user. Only a forged request can do this.
    ///
    /// # Panics
    /// For the same reasons.
    pub async fn submit_as(&self, user: &str, texts: &[(&str, &str)]) -> Self {
        let callback = self.callback().await;
        assert_eq!(callback["type"], MODAL, "no modal was opened: {callback}");
        let modal = &callback["data"];
        for (id, text) in texts {
            let mut fields = list(&modal["components"]).iter().map(|row| &row["components"][0]);
            let field = fields.find(|field| field["custom_id"] == *id);
            let field = field.unwrap_or_else(|| panic!("no field {id}: {modal}"));
            let max = field["max_length"].as_u64().unwrap_or(4_000);
            let is_missing = text.is_empty() && field["required"] != false;
            assert!(!is_missing && text.chars().count() as u64 <= max, "{id} cannot be sent: {field}");
        }
        let (channel, source) = self.sim.shared.read(|state| {
            let interaction = &state.interactions[&self.id];
            (interaction.channel, interaction.source)
        });
        self.sim.send_modal(channel, user, modal["custom_id"].as_str().unwrap_or_default(), texts, source)
    }

    /// The follow-up messages.
    #[must_use]
    pub fn followups(&self) -> Vec<SimMessage> {
        let of = |state: &mut State| state.interactions.get(&self.id).map(|it| it.followups.clone());
        let ids = self.sim.shared.read(of).unwrap_or_default();
        ids.into_iter().filter_map(|id| self.sim.message(id)).collect()
    }
}

impl State {
    /// Creates an interaction and dispatches its event; returns the id.
    fn interact(&mut self, channel: u64, user: &str, kind: u64, source: Option<u64>, data: &Value) -> u64 {
        let (id, user) = (self.world.ids.next(), self.world.user(user));
        let locale = self.world.locales.get(&user).map_or("en-US", String::as_str);
        let mut event = json!({
            "id": id.to_string(), "application_id": self.world.application.to_string(), "type": kind, "data": data,
            "token": interaction_token(id), "version": 1, "channel_id": channel.to_string(), "locale": locale,
            "entitlements": [], "attachment_size_limit": 10_485_760,
            "app_permissions": self.world.permissions(self.world.bot),
        });
        merge(&mut event, &self.interaction_context(channel, user));
        if let Some(message) = source.and_then(|id| self.world.message(id)) {
            event["message"] = message.value.clone();
        }
        if let Some((pointer, value)) = self.faults.malformed_field.take() {
            malform(&mut event, &pointer, value);
        }
        let at = Instant::now();
        let followups = Vec::new();
        let interaction = Interaction { kind, channel, user, at, source, callback: None, original: None, followups };
        self.add_interaction(id, interaction);
        self.gateway.dispatch("INTERACTION_CREATE", event);
        id
    }

    /// The fields of an interaction that describe its user, channel and guild.
    fn interaction_context(&self, channel: u64, user: u64) -> Value {
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

/// Options in the form of an interaction. Their types come from the definition, or from the values without one.
fn options_of(options: &Value, definition: &Value) -> Value {
    let Some(options) = options.as_object() else {
        return if options.is_array() { options.clone() } else { json!([]) };
    };
    let option = |(name, value): (&String, &Value)| {
        let defined = list(&definition["options"]).iter().find(|option| option["name"] == **name);
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
