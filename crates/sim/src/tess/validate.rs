//! Validation of the body of an execution.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Files of one execution.
const FILES: usize = 5;

/// The questions of every chat agent. The service requires no answer to them, although it says so.
const USUAL: [&str; 5] = ["messages", "root_id", "temperature", "model", "tools"];

/// Why a body is refused with 422.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) field: String,
    pub(super) message: String,
    /// Whether no configuration of the bot can cause it.
    pub(super) violation: bool,
}

impl Invalid {
    fn violation(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into(), violation: true }
    }

    fn answer(field: &str, message: String) -> Self {
        Self { field: field.to_owned(), message, violation: false }
    }

    /// The body of the refusal, in Laravel's form.
    pub(super) fn body(&self) -> Value {
        json!({"message": self.message, "errors": BTreeMap::from([(&self.field, [&self.message])])})
    }
}

/// Checks the options, the answers to the agent's questions, the files by their `status`, then the conversation.
pub(super) fn validate(agent: &Value, body: &Value, status: impl Fn(u64) -> Option<String>) -> Result<(), Invalid> {
    if !body.is_object() {
        return Err(Invalid::violation("body", "The body must be an object."));
    }
    for name in ["temperature", "model", "tools"] {
        option(agent, name, &body[name])?;
    }
    for question in agent["questions"].as_array().into_iter().flatten() {
        answer(question, body)?;
    }
    file_ids(&body["file_ids"], status)?;
    match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => conversation(messages),
        _ => Err(Invalid::violation("messages", "The messages field is required.")),
    }
}

/// Checks an option. Options are compared as text: the real service accepts the numbers 0 and 1 as well.
fn option(agent: &Value, name: &str, value: &Value) -> Result<(), Invalid> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let questions = agent["questions"].as_array();
    let question = questions.into_iter().flatten().find(|question| question["name"] == name);
    let options = question.and_then(|question| question["options"].as_array());
    let known = options.into_iter().flatten().any(|option| text(option) == text(value));
    if value.is_null() || known {
        return Ok(());
    }
    Err(Invalid::answer(name, format!("The selected {name} is invalid.")))
}

/// Checks the answer to one of the agent's own questions: it exists if required, and is one of the options if there are any.
fn answer(question: &Value, body: &Value) -> Result<(), Invalid> {
    let name = question["name"].as_str().unwrap_or_default();
    let value = &body[name];
    if USUAL.contains(&name) {
        return Ok(());
    }
    if value.is_null() && question["required"] == json!(true) && question["default"].is_null() {
        return Err(Invalid::answer(name, format!("The {name} field is required.")));
    }
    let options = question["options"].as_array();
    let chosen = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let known = |value: &Value| value.is_null() || options.is_none_or(|options| options.contains(value));
    if chosen.iter().all(known) {
        Ok(())
    } else {
        Err(Invalid::answer(name, format!("The selected {name} is invalid.")))
    }
}

fn file_ids(ids: &Value, status: impl Fn(u64) -> Option<String>) -> Result<(), Invalid> {
    let refuse = |message: String| Err(Invalid::violation("file_ids", message));
    let ids = match ids {
        Value::Null => return Ok(()),
        Value::Array(ids) if ids.len() <= FILES => ids,
        _ => return refuse(format!("The file_ids field must be an array of at most {FILES} ids.")),
    };
    for (index, id) in ids.iter().enumerate() {
        match id.as_u64().and_then(&status).as_deref() {
            Some("completed") => {}
            Some(status) => return refuse(format!("file_ids.{index} is {status}.")),
            None => return refuse(format!("The selected file_ids.{index} is invalid.")),
        }
    }
    Ok(())
}

fn conversation(messages: &[Value]) -> Result<(), Invalid> {
    let refuse = |message: String| Err(Invalid::violation("messages", message));
    let mut previous = None;
    for (index, message) in messages.iter().enumerate() {
        match message["content"].as_str() {
            Some(content) if !content.trim().is_empty() => {}
            _ => return refuse(format!("messages.{index}.content must be a text that is not empty.")),
        }
        match message["role"].as_str() {
            Some("system") => return refuse("The system role is not supported.".to_owned()),
            Some("developer") if index == 0 => continue,
            Some("developer") => return refuse("The developer role is only valid as first message.".to_owned()),
            Some(role @ ("user" | "assistant")) if previous != Some(role) => previous = Some(role),
            Some("user" | "assistant") => {
                return refuse(format!("messages.{index}: user and assistant must alternate."));
            }
            _ => return refuse(format!("messages.{index}.role is invalid.")),
        }
    }
    if previous == Some("user") { Ok(()) } else { refuse("The last message must be the user's.".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &Value) -> Result<(), String> {
        let agent = json!({"questions": [{"name": "temperature", "options": ["0", "1"]}]});
        validate(&agent, &json!({"messages": messages}), |_| None).map_err(|invalid| invalid.message)
    }

    fn said(role: &str) -> Value {
        json!({"role": role, "content": "x"})
    }

    #[test]
    fn a_conversation_alternates_and_ends_with_the_user() {
        assert_eq!(check(&json!([said("developer"), said("user"), said("assistant"), said("user")])), Ok(()));
        for wrong in [
            json!([]),
            json!([said("developer")]),
            json!([said("system"), said("user")]),
            json!([said("user"), said("user")]),
            json!([said("user"), said("assistant")]),
            json!([said("user"), said("developer"), said("user")]),
            json!([{"role": "user", "content": " "}]),
            json!([{"role": "user", "content": ["x"]}]),
        ] {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_compared_as_text() {
        let agent = json!({"questions": [{"name": "temperature", "options": ["0", "1"]}]});
        let check = |temperature: Value| {
            validate(&agent, &json!({"messages": [said("user")], "temperature": temperature}), |_| None)
        };
        assert!(check(json!("1")).is_ok() && check(json!(1)).is_ok());
        assert!(!check(json!("0.7")).unwrap_err().violation);
    }

    #[test]
    fn the_agents_own_questions_have_answers_that_it_takes() {
        let agent = json!({"questions": [
            {"name": "messages", "required": true},
            {"name": "empresa", "required": true},
            {"name": "max_mode", "options": [true, false]},
        ]});
        let check = |more: Value| {
            let mut body = json!({"messages": [said("user")]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            validate(&agent, &body, |_| None).map_err(|invalid| invalid.message)
        };
        assert_eq!(check(json!({"empresa": "x", "max_mode": true})), Ok(()));
        assert_eq!(check(json!({})), Err("The empresa field is required.".to_owned()));
        assert_eq!(
            check(json!({"empresa": "x", "max_mode": "true"})),
            Err("The selected max_mode is invalid.".to_owned())
        );
    }

    #[test]
    fn only_files_that_were_read_are_taken_and_at_most_five() {
        let check = |ids: Value| {
            let status =
                |id| [(1, "completed"), (2, "waiting")].iter().find(|file| file.0 == id).map(|file| file.1.to_owned());
            validate(&json!({}), &json!({"messages": [said("user")], "file_ids": ids}), status).is_ok()
        };
        assert!(check(json!([1, 1, 1, 1, 1])) && check(json!([])));
        for wrong in [json!([1, 1, 1, 1, 1, 1]), json!([2]), json!([3]), json!(["1"]), json!(1)] {
            assert!(!check(wrong.clone()), "{wrong}");
        }
    }
}
