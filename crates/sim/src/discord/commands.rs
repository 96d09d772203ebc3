//! Registration of commands, and Discord's rules for their definitions.
//! <https://discord.com/developers/docs/interactions/application-commands>

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Outcome},
    body::Body,
    json::{chars, id_in, list},
    routes::Call,
    state::State,
};

/// Commands of an application.
const MAX_COMMANDS: usize = 100;

/// Options of a command, and choices of an option.
const MAX_OPTIONS: usize = 25;

/// Characters of the names, descriptions and values of a command with all its options.
const MAX_COMMAND_CHARS: usize = 8_000;

/// The `type` of a slash command.
const CHAT_INPUT: u64 = 1;

/// The `type` of options that contain options.
const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;

impl State {
    /// `GET` and `PUT /applications/{app}/commands`.
    pub(super) fn serve_commands(&mut self, call: &Call, body: Body) -> Outcome {
        if call.major != self.world.application {
            let message = "You are not authorized to perform this action on this application";
            return Err(Answer::violation(403, 20012, message));
        }
        if call.method == Method::PUT {
            self.command_puts += 1;
            let Value::Array(definitions) = body.json else {
                return Err(Answer::invalid_field("_", "Expected a list of commands"));
            };
            check_all(&definitions)?;
            self.commands = definitions.into_iter().map(|definition| self.register(definition)).collect();
        }
        Ok(Answer::ok(json!(self.commands)))
    }

    /// Adds the fields that Discord adds to a definition. A known name keeps its id.
    fn register(&mut self, mut definition: Value) -> Value {
        drop_nulls(&mut definition);
        let known = self.commands.iter().find(|command| command["name"] == definition["name"]);
        let id = known.and_then(|command| id_in(command, "id")).unwrap_or_else(|| self.world.ids.next());
        definition["id"] = json!(id.to_string());
        definition["application_id"] = json!(self.world.application.to_string());
        definition["version"] = json!(self.world.ids.next().to_string());
        if definition["type"].is_null() {
            definition["type"] = json!(CHAT_INPUT);
        }
        definition
    }
}

fn check_all(definitions: &[Value]) -> Result<(), Answer> {
    if definitions.len() > MAX_COMMANDS {
        return Err(Answer::violation(400, 30032, "Maximum number of application commands reached (100)"));
    }
    for (index, definition) in definitions.iter().enumerate() {
        if definitions[..index].iter().any(|other| same(definition, other, "name") && same(definition, other, "type")) {
            return Err(Answer::invalid_field("name", "Application command names must be unique"));
        }
        check(definition)?;
    }
    Ok(())
}

fn check(definition: &Value) -> Result<(), Answer> {
    let permissions = &definition["default_member_permissions"];
    if !permissions.is_null() && permissions.as_str().is_none_or(|bits| bits.parse::<u64>().is_err()) {
        return Err(Answer::invalid_field(
            "default_member_permissions",
            "Could not interpret as a bitset in a string.",
        ));
    }
    if definition["type"].as_u64().unwrap_or(CHAT_INPUT) != CHAT_INPUT {
        let length = chars(&definition["name"]);
        let good = (1..=32).contains(&length) && chars(&definition["description"]) == 0;
        return if good { Ok(()) } else { Err(Answer::invalid_field("name", "Context commands have a name alone.")) };
    }
    check_node(definition)?;
    if size(definition) > MAX_COMMAND_CHARS {
        return Err(Answer::invalid_field("_", "Command exceeds maximum size of 8000"));
    }
    Ok(())
}

/// Checks the name, the description and the options of a command or an option.
fn check_node(node: &Value) -> Result<(), Answer> {
    if !node["name"].as_str().is_some_and(is_name) {
        return Err(Answer::invalid_field("name", "String value did not match validation regex."));
    }
    if !(1..=100).contains(&chars(&node["description"])) {
        return Err(Answer::invalid_field("description", "Must be between 1 and 100 in length."));
    }
    let options = list(&node["options"]);
    if options.len() > MAX_OPTIONS || list(&node["choices"]).len() > MAX_OPTIONS {
        return Err(Answer::invalid_field("options", "Must be 25 or fewer in length."));
    }
    check_options(options)?;
    options.iter().try_for_each(check_node)
}

/// Checks the options of a command or an option, but not the options in them.
fn check_options(options: &[Value]) -> Result<(), Answer> {
    let mut optional_seen = false;
    for (index, option) in options.iter().enumerate() {
        if option["type"].as_u64().is_none_or(|kind| !(1..=11).contains(&kind)) {
            return Err(Answer::invalid_field("type", "Not an option type."));
        }
        if options[..index].iter().any(|other| same(option, other, "name")) {
            return Err(Answer::invalid_field("options", "Option names must be unique"));
        }
        let required = option["required"] == true;
        let has_options = matches!(option["type"].as_u64(), Some(SUB_COMMAND | SUB_COMMAND_GROUP));
        if required && optional_seen {
            return Err(Answer::invalid_field(
                "options",
                "Required options must be placed before non-required options",
            ));
        }
        optional_seen |= !required && !has_options;
        if option["autocomplete"] == true && !list(&option["choices"]).is_empty() {
            return Err(Answer::invalid_field("choices", "Not together with autocomplete."));
        }
    }
    Ok(())
}

/// Whether a name matches `^[-_'\p{L}\p{N}]{1,32}$` and is in lower case.
fn is_name(name: &str) -> bool {
    let good = |c: char| matches!(c, '-' | '_' | '\'') || c.is_alphanumeric();
    (1..=32).contains(&name.chars().count()) && name.chars().all(good) && name.to_lowercase() == name
}

fn size(node: &Value) -> usize {
    let choices = list(&node["choices"]).iter().map(|choice| chars(&choice["name"]) + chars(&choice["value"]));
    let options = list(&node["options"]).iter().map(size);
    chars(&node["name"]) + chars(&node["description"]) + choices.sum::<usize>() + options.sum::<usize>()
}

fn same(one: &Value, other: &Value, key: &str) -> bool {
    one[key] == other[key]
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(extra: &Value) -> Option<u16> {
        let mut command = json!({"name": "ask", "description": "Ask the agent"});
        crate::discord::json::merge(&mut command, extra);
        check_all(&[command]).err().map(|answer| answer.status)
    }

    #[test]
    fn valid_command_is_accepted() {
        let option = json!({"type": 3, "name": "prompt", "description": "What to ask", "required": true});
        assert_eq!(status(&json!({"options": [option], "default_member_permissions": "16"})), None);
    }

    #[test]
    fn commands_need_a_lower_case_name_and_a_description() {
        assert_eq!(status(&json!({"name": "Ask"})), Some(400));
        assert_eq!(status(&json!({"name": "ask me"})), Some(400));
        assert_eq!(status(&json!({"description": ""})), Some(400));
        assert_eq!(status(&json!({"description": "x".repeat(101)})), Some(400));
    }

    #[test]
    fn required_options_come_first_and_permissions_are_strings() {
        let option = |name: &str, required| json!({"type": 3, "name": name, "description": "x", "required": required});
        assert_eq!(status(&json!({"options": [option("a", false), option("b", true)]})), Some(400));
        assert_eq!(status(&json!({"options": [option("a", true), option("a", true)]})), Some(400));
        assert_eq!(status(&json!({"default_member_permissions": 16})), Some(400));
    }
}
