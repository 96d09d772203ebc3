//! Interactions: what a person asks of the bot with a command, a completion, a button, a menu or a form.
//!
//! They are read leniently: a field that is missing or malformed costs that field alone. An interaction that has an id and a
//! token can always be answered, so it is handed on even when nothing else in it can be read ([`Request::Unreadable`]).
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object>

use std::num::NonZeroU64;

use secrecy::SecretString;
use serde_json::Value;
use serenity::model::Permissions;

use crate::ids::{ChannelId, GuildId, InteractionId, UserId};

/// `type` of an interaction.
const COMMAND: u64 = 2;
const COMPONENT: u64 = 3;
const AUTOCOMPLETE: u64 = 4;
const MODAL_SUBMIT: u64 = 5;

/// `context` of an interaction in a guild.
const IN_GUILD: u64 = 0;

/// Most characters of a token; Discord's have about 200.
const TOKEN_CHARS: usize = 1_024;

/// Something that a person asked of the bot, and to which Discord expects a response within three seconds.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    /// Its id, a snowflake: when it was made.
    pub id: InteractionId,
    /// Lets the bot respond, for fifteen minutes. A secret.
    pub token: SecretString,
    /// Who asked.
    pub user: Option<UserId>,
    /// The channel it was made in.
    pub channel: Option<ChannelId>,
    /// Where that channel is.
    pub origin: Origin,
    /// The language of the person's Discord client; empty when unknown.
    pub locale: String,
    /// What is asked for.
    pub request: Request,
}

/// Where an interaction was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a direct message with the bot.
    Direct,
    /// In a guild.
    Guild {
        /// The guild.
        id: Option<GuildId>,
        /// What the person may do in the channel; nothing when that could not be read.
        permissions: Permissions,
    },
}

/// What an interaction asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A slash command.
    Command {
        /// The command's name.
        name: String,
        /// The options that were given.
        options: Vec<CommandOption>,
    },
    /// Choices for an option that is being typed.
    Completion {
        /// The command's name.
        name: String,
        /// What was typed so far.
        typed: String,
    },
    /// A button or a menu.
    Press {
        /// The id that the bot gave it.
        custom_id: String,
        /// What was chosen; empty for a button.
        values: Vec<String>,
    },
    /// A form that was sent.
    Form {
        /// The id that the bot gave it.
        custom_id: String,
        /// The text of its first field.
        text: Option<String>,
    },
    /// It could not be read what is asked for.
    Unreadable,
}

/// An option of a command, as a person filled it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandOption {
    /// Its name.
    pub name: String,
    /// Its value; a number as its digits.
    pub value: String,
}

impl Interaction {
    /// Reads an interaction. `None`: it has no id or no token, so it cannot be answered.
    #[must_use]
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let member = &value["member"];
        let channels = [&value["channel_id"], &value["channel"]["id"], &value["message"]["channel_id"]];
        Some(Self {
            id: id(&value["id"])?,
            token: value["token"].as_str().filter(|token| is_token(token))?.into(),
            user: id(&member["user"]["id"]).or_else(|| id(&value["user"]["id"])),
            channel: channels.into_iter().find_map(id),
            origin: Origin::read(value),
            locale: value["locale"].as_str().unwrap_or_default().to_owned(),
            request: Request::read(value["type"].as_u64(), &value["data"]).unwrap_or(Request::Unreadable),
        })
    }
}

impl Origin {
    /// Any trace of a guild counts as one: nobody may gain the rights of a direct message from a malformed field.
    fn read(value: &Value) -> Self {
        let traces = [&value["guild_id"], &value["guild"], &value["member"]];
        if traces.into_iter().all(Value::is_null) && value["context"] != IN_GUILD {
            return Self::Direct;
        }
        let permissions = number(&value["member"]["permissions"]).map(Permissions::from_bits_truncate);
        Self::Guild {
            id: id(&value["guild_id"]).or_else(|| id(&value["guild"]["id"])),
            permissions: permissions.unwrap_or(Permissions::empty()),
        }
    }
}

impl Request {
    fn read(kind: Option<u64>, data: &Value) -> Option<Self> {
        let name = || data["name"].as_str().map(str::to_owned);
        let custom_id = || data["custom_id"].as_str().map(str::to_owned);
        Some(match kind? {
            COMMAND => Self::Command { name: name()?, options: list(&data["options"]).filter_map(option).collect() },
            // Even without a name it is answered as what it is: Discord accepts no message in response.
            AUTOCOMPLETE => Self::Completion { name: name().unwrap_or_default(), typed: typed(data) },
            COMPONENT => Self::Press {
                custom_id: custom_id()?,
                values: list(&data["values"]).filter_map(|value| value.as_str().map(str::to_owned)).collect(),
            },
            MODAL_SUBMIT => Self::Form { custom_id: custom_id()?, text: first_text(&data["components"]) },
            _ => return None,
        })
    }
}

fn option(option: &Value) -> Option<CommandOption> {
    Some(CommandOption { name: option["name"].as_str()?.to_owned(), value: text(&option["value"])? })
}

/// The value of the option that has the focus.
fn typed(data: &Value) -> String {
    let focused = list(&data["options"]).find(|option| option["focused"] == true);
    focused.and_then(|option| text(&option["value"])).unwrap_or_default()
}

/// Fields are in rows of one; newer forms have labels around them instead.
/// <https://discord.com/developers/docs/components/reference#label>
fn first_text(rows: &Value) -> Option<String> {
    let fields = list(rows).flat_map(|row| list(&row["components"]).chain([&row["component"]]));
    fields.into_iter().find_map(|field| field["value"].as_str()).map(str::to_owned)
}

/// A snowflake, which Discord writes as a string. Zero is none.
fn id<Id: From<NonZeroU64>>(value: &Value) -> Option<Id> {
    number(value).and_then(NonZeroU64::new).map(Id::from)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A token becomes part of a path, so nothing in it may change the path.
fn is_token(token: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=~+:".contains(&byte);
    (1..=TOKEN_CHARS).contains(&token.len()) && token.bytes().all(is_safe) && !token.starts_with('.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn interaction(kind: u64, data: &Value) -> Value {
        json!({
            "id": "10", "application_id": "1", "type": kind, "token": "aW50ZXJhY3Rpb24-_.1", "version": 1, "data": data,
            "guild_id": "20", "channel_id": "30", "locale": "pt-BR", "context": 0, "guild": {"id": "20"},
            "member": {"user": {"id": "40"}, "permissions": "16"}, "channel": {"id": "30", "type": 0},
            "message": {"id": "50", "channel_id": "30", "author": {"id": "1", "public_flags": 0}},
        })
    }

    /// One of each kind, and what it asks for.
    fn samples() -> [(Value, Request); 4] {
        let (name, custom_id) = ("agent".to_owned(), "settings:option:model".to_owned());
        let options = vec![CommandOption { name: "id".to_owned(), value: "8794".to_owned() }];
        let option = json!({"type": 3, "name": "id", "value": "8794", "focused": true});
        let command = json!({"id": "60", "type": 1, "name": "agent", "options": [option]});
        let press = json!({"custom_id": custom_id, "component_type": 3, "values": ["=auto"]});
        let field = json!({"type": 4, "custom_id": "value", "value": "hi"});
        let form = json!({"custom_id": custom_id, "components": [{"type": 1, "components": [field]}]});
        [
            (interaction(COMMAND, &command), Request::Command { name: name.clone(), options }),
            (interaction(AUTOCOMPLETE, &command), Request::Completion { name, typed: "8794".to_owned() }),
            (
                interaction(COMPONENT, &press),
                Request::Press { custom_id: custom_id.clone(), values: vec!["=auto".to_owned()] },
            ),
            (interaction(MODAL_SUBMIT, &form), Request::Form { custom_id, text: Some("hi".to_owned()) }),
        ]
    }

    /// The pointers to every field of a value, at any depth.
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
            _ => return,
        };
        for (key, value) in inner {
            let at = format!("{at}/{key}");
            pointers(value, &at, found);
            found.push(at);
        }
    }

    /// The value with one field taken away, or with each of several wrong values in its place.
    fn mutations(value: &Value, pointer: &str) -> Vec<Value> {
        let wrong = [json!(null), json!(7), json!("odd"), json!(true), json!([]), json!({}), json!(-1.5)];
        let with = |wrong: Value| {
            let mut value = value.clone();
            *value.pointer_mut(pointer).unwrap() = wrong;
            value
        };
        let mut mutations: Vec<Value> = wrong.map(with).into();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut without = value.clone();
        if let Some(parent) = without.pointer_mut(parent).and_then(Value::as_object_mut) {
            parent.remove(key);
        }
        mutations.push(without);
        mutations
    }

    #[test]
    fn every_kind_of_interaction_is_read() {
        for (value, request) in samples() {
            let read = Interaction::read(&value).unwrap();
            assert_eq!(read.request, request);
            assert_eq!((read.id.get(), read.user.unwrap().get(), read.channel.unwrap().get()), (10, 40, 30));
            let permissions = Permissions::MANAGE_CHANNELS;
            assert_eq!(read.origin, Origin::Guild { id: Some(GuildId::new(20)), permissions });
            assert_eq!(read.locale, "pt-BR");
        }
    }

    #[test]
    fn malformed_field_costs_that_field_alone() {
        let asked_for = ["/type", "/data", "/data/name", "/data/custom_id"];
        for (value, request) in samples() {
            let mut found = Vec::new();
            pointers(&value, "", &mut found);
            assert!(found.len() > 25, "{found:?}");
            for pointer in found {
                for mutated in mutations(&value, &pointer) {
                    let read = Interaction::read(&mutated);
                    if ["/id", "/token"].contains(&pointer.as_str()) {
                        // Without them there is nothing to answer; another number is another id.
                        continue;
                    }
                    let read = read.unwrap_or_else(|| panic!("{pointer}: {mutated}"));
                    let is_about_data = pointer.starts_with("/data/");
                    if asked_for.contains(&pointer.as_str()) {
                        assert!(read.request == Request::Unreadable || read.request != request, "{pointer}: {mutated}");
                    } else if is_about_data {
                        assert_ne!(read.request, Request::Unreadable, "{pointer}: {mutated}");
                    } else {
                        assert_eq!(read.request, request, "{pointer}: {mutated}");
                    }
                    assert!(matches!(read.origin, Origin::Guild { .. }), "{pointer}: {mutated}");
                }
            }
        }
    }

    #[test]
    fn interaction_without_id_or_token_cannot_be_answered() {
        let (value, _) = samples()[0].clone();
        for (field, wrong) in [("id", json!("0")), ("id", json!(null)), ("token", json!(7)), ("token", json!(""))] {
            let mut value = value.clone();
            value[field] = wrong;
            assert!(Interaction::read(&value).is_none(), "{value}");
        }
    }

    #[test]
    fn token_cannot_change_the_path_it_becomes_part_of() {
        for token in ["..", "a/b", "a?b", "a#b", "a%2fb", "a\\b", "a b", "á"] {
            assert!(!is_token(token), "{token}");
        }
    }

    #[test]
    fn permissions_that_cannot_be_read_are_none_at_all() {
        let (mut value, _) = samples()[0].clone();
        for odd in [json!(null), json!([]), json!("all"), json!("-1")] {
            value["member"]["permissions"] = odd;
            let origin = Interaction::read(&value).unwrap().origin;
            assert_eq!(origin, Origin::Guild { id: Some(GuildId::new(20)), permissions: Permissions::empty() });
        }
    }

    #[test]
    fn without_any_trace_of_a_guild_it_is_a_direct_message() {
        let direct = json!({"id": "1", "token": "t", "type": 2, "user": {"id": "2"}, "context": 1, "guild_id": null});
        let read = Interaction::read(&direct).unwrap();
        assert_eq!((read.origin, read.user), (Origin::Direct, Some(UserId::new(2))));
    }

    #[test]
    fn the_field_of_a_form_may_stand_in_a_label() {
        let rows = json!([{"type": 10}, {"type": 18, "component": {"type": 4, "custom_id": "value", "value": "hi"}}]);
        assert_eq!(first_text(&rows).as_deref(), Some("hi"));
    }

    #[test]
    fn token_is_not_printed() {
        let (value, _) = samples()[0].clone();
        let printed = format!("{:?}", Interaction::read(&value).unwrap());
        assert!(!printed.contains("aW50ZXJhY3Rpb24"), "{printed}");
    }
}
