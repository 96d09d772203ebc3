//! Discord's rules for messages, and the bot's own: it pings nobody, and posts with an enforced nonce.

use serde_json::Value;

use super::{
    answer::Answer,
    body::Body,
    json::{chars, list},
};

/// Unicode code points of a message.
const MAX_CONTENT_CHARS: usize = 2_000;

/// Characters of a nonce.
const MAX_NONCE_CHARS: usize = 25;

/// Files of a message.
const MAX_FILES: usize = 10;

/// Size of a file without boosts or Nitro.
const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;

/// Characters of all embeds of a message, and of one description.
const MAX_EMBED_CHARS: usize = 6_000;
const MAX_DESCRIPTION_CHARS: usize = 4_096;

/// Message flag of components v2, which the simulator does not support.
const COMPONENTS_V2: u64 = 1 << 15;

/// The `type` of a menu with texts.
const STRING_SELECT: u64 = 3;

/// What a request writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new message in a channel.
    Message,
    /// A change of a message in a channel.
    Edit,
    /// A response to an interaction, or a change of one.
    Response,
}

impl Kind {
    /// The fields that Discord reads.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Message => &[
                "content",
                "nonce",
                "enforce_nonce",
                "tts",
                "embeds",
                "allowed_mentions",
                "message_reference",
                "components",
                "sticker_ids",
                "attachments",
                "flags",
                "poll",
            ],
            Self::Edit => &["content", "embeds", "flags", "allowed_mentions", "components", "attachments"],
            Self::Response => &[
                "content",
                "tts",
                "embeds",
                "allowed_mentions",
                "components",
                "attachments",
                "flags",
                "poll",
                "username",
                "avatar_url",
                "thread_name",
                "applied_tags",
            ],
        }
    }
}

/// Checks a message. Returns the violations that Discord would accept.
///
/// # Errors
/// Discord's error when it would refuse the message.
pub(super) fn check_message(kind: Kind, message: &Value, body: &Body) -> Result<Vec<String>, Answer> {
    let Some(fields) = message.as_object() else {
        return Err(Answer::invalid_field("_", "Expected an object"));
    };
    let mut violations: Vec<String> = fields
        .keys()
        .filter(|key| !kind.fields().contains(&key.as_str()))
        .map(|key| format!("unknown field `{key}`, ignored by Discord"))
        .collect();
    check_content(&message["content"])?;
    check_nonce(&message["nonce"])?;
    check_embeds(&message["embeds"])?;
    check_components(&message["components"])?;
    check_files(message, body)?;
    if message["flags"].as_u64().is_some_and(|flags| flags & COMPONENTS_V2 != 0) {
        violations.push("components v2 are not simulated".to_owned());
    }
    if kind == Kind::Message && (message["nonce"].is_null() || message["enforce_nonce"] != true) {
        violations.push("no enforced nonce: a retry could post twice".to_owned());
    }
    if fields.get("content").is_some_and(|content| !content.is_null()) && !pings_nobody(&message["allowed_mentions"]) {
        violations.push("could ping: `allowed_mentions.parse` is not empty".to_owned());
    }
    Ok(violations)
}

/// Whether a message has nothing to display. <https://discord.com/developers/docs/resources/message#create-message>
pub(super) fn is_empty(message: &Value) -> bool {
    let has = |key: &str| !list(&message[key]).is_empty();
    let has_text = message["content"].as_str().is_some_and(|content| !content.trim().is_empty());
    !has_text && !["embeds", "attachments", "components", "sticker_items"].into_iter().any(has)
}

fn check_content(content: &Value) -> Result<(), Answer> {
    match content {
        Value::Null => Ok(()),
        Value::String(text) if text.chars().count() <= MAX_CONTENT_CHARS => Ok(()),
        Value::String(_) => Err(Answer::invalid_field("content", "Must be 2000 or fewer in length.")),
        _ => Err(Answer::invalid_field("content", "Could not interpret as string.")),
    }
}

fn check_nonce(nonce: &Value) -> Result<(), Answer> {
    match nonce {
        Value::String(text) if text.chars().count() > MAX_NONCE_CHARS => {
            Err(Answer::invalid_field("nonce", "Must be 25 or fewer in length."))
        }
        Value::Null | Value::String(_) | Value::Number(_) => Ok(()),
        _ => Err(Answer::invalid_field("nonce", "Could not interpret as string or integer.")),
    }
}

fn check_embeds(embeds: &Value) -> Result<(), Answer> {
    let embeds = list(embeds);
    if embeds.len() > 10 {
        return Err(Answer::invalid_field("embeds", "Must be 10 or fewer in length."));
    }
    let mut sum = 0;
    for embed in embeds {
        if chars(&embed["description"]) > MAX_DESCRIPTION_CHARS || chars(&embed["title"]) > 256 {
            return Err(Answer::invalid_field("embeds", "A description or title is too long."));
        }
        let fields = list(&embed["fields"]).iter();
        let fields: usize = fields.map(|field| chars(&field["name"]) + chars(&field["value"])).sum();
        sum += chars(&embed["description"]) + chars(&embed["title"]) + chars(&embed["footer"]["text"]) + fields;
    }
    if sum > MAX_EMBED_CHARS {
        return Err(Answer::invalid_field("embeds", "Embed size exceeds maximum size of 6000"));
    }
    Ok(())
}

fn check_components(rows: &Value) -> Result<(), Answer> {
    if list(rows).len() > 5 {
        return Err(Answer::invalid_field("components", "Must be 5 or fewer in length."));
    }
    let mut custom_ids = Vec::new();
    list(rows).iter().try_for_each(|row| check_row(row, &mut custom_ids))
}

/// Checks a row of components. `custom_ids` are those of the rows before; the row's own are added.
fn check_row<'a>(row: &'a Value, custom_ids: &mut Vec<&'a str>) -> Result<(), Answer> {
    let wrong = |message| Err(Answer::invalid_field("components", message));
    let Some(components) = row["components"].as_array().filter(|_| row["type"] == 1) else {
        return wrong("Expected an action row.");
    };
    if components.is_empty() || components.len() > 5 {
        return wrong("A row must have between 1 and 5 components.");
    }
    for component in components {
        let custom_id = component["custom_id"].as_str().unwrap_or_default();
        let is_link = component["style"] == 5;
        if !is_link && (custom_id.is_empty() || custom_id.chars().count() > 100 || custom_ids.contains(&custom_id)) {
            return wrong("A custom id must be unique and of 1 to 100 characters.");
        }
        custom_ids.push(custom_id);
        if chars(&component["label"]) > 80 {
            return wrong("A label must be 80 or fewer in length.");
        }
        if component["type"] == STRING_SELECT {
            check_menu(component)?;
            if components.len() > 1 {
                return wrong("A menu takes a whole row.");
            }
        }
    }
    Ok(())
}

/// Checks a menu. <https://discord.com/developers/docs/components/reference#string-select>
fn check_menu(menu: &Value) -> Result<(), Answer> {
    let wrong = |message| Err(Answer::invalid_field("options", message));
    let options = list(&menu["options"]);
    if !(1..=25).contains(&options.len()) {
        return wrong("Must be between 1 and 25 in length.");
    }
    let fits = |text: &Value| (1..=100).contains(&chars(text));
    if !options.iter().all(|option| fits(&option["label"]) && fits(&option["value"])) {
        return wrong("A label and a value must be of 1 to 100 characters.");
    }
    if options.iter().any(|option| !option["description"].is_null() && !fits(&option["description"])) {
        return wrong("A description must be of 1 to 100 characters.");
    }
    let is_duplicate = |(at, option): (usize, &Value)| options[..at].iter().any(|it| it["value"] == option["value"]);
    if options.iter().enumerate().any(is_duplicate) {
        return wrong("The values must be unique.");
    }
    let number = |key: &str| menu[key].as_u64().unwrap_or(1);
    let chosen = options.iter().filter(|option| option["default"] == true).count() as u64;
    if number("max_values") > options.len() as u64 || number("min_values") > number("max_values") {
        return wrong("min_values and max_values do not fit the options.");
    }
    if chosen > number("max_values") {
        return wrong("More defaults than max_values.");
    }
    Ok(())
}

fn check_files(message: &Value, body: &Body) -> Result<(), Answer> {
    if body.files.len() > MAX_FILES {
        return Err(Answer::invalid_field("attachments", "Must be 10 or fewer in length."));
    }
    if body.files.iter().any(|(_, bytes)| bytes.len() > MAX_FILE_BYTES) {
        return Err(Answer::violation(413, 40005, "Request entity too large"));
    }
    let declared = list(&message["attachments"]).iter();
    let numbers = declared.filter_map(|file| file["id"].as_u64().or_else(|| file["id"].as_str()?.parse().ok()));
    // A snowflake names a file that an edited message keeps.
    let mut new = numbers.filter(|number| *number < 1 << 22);
    if new.any(|number| usize::try_from(number).map_or(true, |number| number >= body.files.len())) {
        return Err(Answer::invalid_field("attachments", "An attachment without its file."));
    }
    Ok(())
}

fn pings_nobody(allowed: &Value) -> bool {
    let none = |key: &str| allowed[key].as_array().is_none_or(Vec::is_empty);
    let nobody_replied_to = allowed["replied_user"] != true;
    allowed["parse"].as_array().is_some_and(Vec::is_empty) && none("users") && none("roles") && nobody_replied_to
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use serde_json::json;

    use super::*;

    fn check(message: &Value) -> Result<Vec<String>, u16> {
        check_message(Kind::Message, message, &Body::default()).map_err(|answer| answer.status)
    }

    fn good(extra: &Value) -> Value {
        let mut message =
            json!({"content": "hi", "nonce": "1", "enforce_nonce": true, "allowed_mentions": {"parse": []}});
        crate::discord::json::merge(&mut message, extra);
        message
    }

    #[test]
    fn message_within_the_rules_is_accepted() {
        assert_eq!(check(&good(&json!({}))), Ok(vec![]));
    }

    #[test]
    fn content_length_is_counted_in_code_points() {
        assert_eq!(check(&good(&json!({"content": "🦀".repeat(2_000)}))), Ok(vec![]));
        assert_eq!(check(&good(&json!({"content": "a".repeat(2_001)}))), Err(400));
    }

    #[test]
    fn messages_that_break_the_bots_own_rules_are_violations() {
        let count = |extra: Value| check(&good(&extra)).unwrap().len();
        assert_eq!(count(json!({"nonce": null})), 1);
        assert_eq!(count(json!({"enforce_nonce": false})), 1);
        assert_eq!(count(json!({"allowed_mentions": {"parse": ["users"]}})), 1);
        assert_eq!(count(json!({"allowed_mentions": {"users": ["1"]}})), 1);
        assert_eq!(count(json!({"contents": "misspelt"})), 1);
    }

    #[test]
    fn files_must_be_uploaded_and_within_the_size_limit() {
        let body = |bytes: usize| Body { json: Value::Null, files: vec![("a".into(), Bytes::from(vec![0; bytes]))] };
        let declared = good(&json!({"attachments": [{"id": 0, "filename": "a"}]}));
        assert!(check_message(Kind::Message, &declared, &body(MAX_FILE_BYTES)).is_ok());
        assert!(check_message(Kind::Message, &declared, &body(MAX_FILE_BYTES + 1)).is_err());
        assert_eq!(check(&declared), Err(400));
    }

    #[test]
    fn menu_options_are_limited_to_25_and_have_unique_values() {
        let menu = |values: &[&str], extra: Value| {
            let options: Vec<_> = values.iter().map(|value| json!({"label": "x", "value": value})).collect();
            let mut menu = json!({"type": 3, "custom_id": "m", "options": options});
            crate::discord::json::merge(&mut menu, &extra);
            check(&good(&json!({"components": [{"type": 1, "components": [menu]}]})))
        };
        assert_eq!(menu(&["a", "b"], json!({"max_values": 2})), Ok(vec![]));
        assert_eq!(menu(&["a", "a"], json!({})), Err(400));
        assert_eq!(menu(&[], json!({})), Err(400));
        assert_eq!(menu(&["a"; 26], json!({})), Err(400));
        assert_eq!(menu(&["a", ""], json!({})), Err(400));
        assert_eq!(menu(&["a"], json!({"max_values": 2})), Err(400));
    }

    #[test]
    fn buttons_with_the_same_custom_id_are_refused() {
        let button = |id: &str| json!({"type": 2, "style": 1, "label": "x", "custom_id": id});
        let rows = |parts: Value| good(&json!({"components": [{"type": 1, "components": parts}]}));
        assert_eq!(check(&rows(json!([button("a"), button("b")]))), Ok(vec![]));
        assert_eq!(check(&rows(json!([button("a"), button("a")]))), Err(400));
    }
}
