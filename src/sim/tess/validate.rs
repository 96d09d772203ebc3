//! What makes an execution's body valid.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Why a body is refused with 422.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) field: &'static str,
    pub(super) message: String,
    /// Whether no configuration excuses it.
    pub(super) violation: bool,
}

impl Invalid {
    fn violation(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into(), violation: true }
    }

    /// Laravel's form.
    pub(super) fn body(&self) -> Value {
        json!({"message": self.message, "errors": BTreeMap::from([(self.field, [&self.message])])})
    }
}

/// Checks the options against the agent's own, then the conversation.
pub(super) fn validate(agent: &Value, body: &Value) -> Result<(), Invalid> {
    if !body.is_object() {
        return Err(Invalid::violation("body", "The body must be an object."));
    }
    for name in ["temperature", "model", "tools"] {
        option(agent, name, &body[name])?;
    }
    if body["stream"] == json!(true) {
        return Err(Invalid::violation("stream", "The simulator does not stream."));
    }
    match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => conversation(messages),
        _ => Err(Invalid::violation("messages", "The messages field is required.")),
    }
}

/// Options are compared as text, so the numbers 0 and 1 pass as they do at the real service.
fn option(agent: &Value, name: &'static str, value: &Value) -> Result<(), Invalid> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let questions = agent["questions"].as_array();
    let question = questions.into_iter().flatten().find(|question| question["name"] == name);
    let options = question.and_then(|question| question["options"].as_array());
    let known = options.into_iter().flatten().any(|option| text(option) == text(value));
    if value.is_null() || known {
        return Ok(());
    }
    Err(Invalid { field: name, message: format!("The selected {name} is invalid."), violation: false })
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
        validate(&agent, &json!({"messages": messages})).map_err(|invalid| invalid.message)
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
        let body = |temperature: Value| json!({"messages": [said("user")], "temperature": temperature});
        assert!(validate(&agent, &body(json!("1"))).is_ok() && validate(&agent, &body(json!(1))).is_ok());
        assert!(!validate(&agent, &body(json!("0.7"))).unwrap_err().violation);
    }
}
