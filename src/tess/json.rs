//! Reads JSON leniently: public clients and Tess's documents disagree about the types of many fields.

use serde_json::Value;

/// Returns a value as text; empty for null.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns an id, which is a number or a string of digits.
pub(super) fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns a finite number that is not negative, given as a number or a string.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number| number.is_finite() && *number >= 0.0)
}

/// Returns what an execution or a file cost, in Tess credits; 0 if that is unknown.
pub(super) fn credits(object: &Value) -> f64 {
    object.get("credits").and_then(number).unwrap_or_default()
}

/// Returns the reason in an `error`: a string, or an object with a reason in one of the fields seen.
pub(super) fn reason(error: &Value) -> String {
    let field = || ["message", "reason", "fail_reason"].iter().find_map(|name| error.get(name)?.as_str());
    error.as_str().or_else(field).unwrap_or_default().to_owned()
}

/// Returns the texts of `error`, `message`, `errors` and `messages` in an error's body, or a plain text; empty for HTML.
///
/// Nothing else of a body is read: it might repeat the request.
pub(super) fn error_text(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(text)) => text,
        Ok(body) => {
            let single = ["error", "message"].map(|name| body.get(name).map(reason));
            let fields = ["errors", "messages"].map(|name| body.get(name).and_then(field_errors));
            let texts = single.into_iter().chain(fields).flatten().filter(|text| !text.is_empty());
            texts.collect::<Vec<_>>().join("; ")
        }
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            // Truncated JSON looks like text; like HTML it has no sentence to show.
            if text.trim_start().starts_with(['<', '{', '[']) { String::new() } else { text.into_owned() }
        }
    }
}

/// The texts of a validation: a list by field's name.
fn field_errors(errors: &Value) -> Option<String> {
    let texts = |texts: &Value| match texts {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => reason(other),
    };
    let fields = errors.as_object()?.iter().map(|(name, error)| format!("{name}: {}", texts(error)));
    Some(fields.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_is_read_in_every_form() {
        for (body, expected) in [
            (r#"{"error":"a","message":"b"}"#, "a; b"),
            (r#"{"error":{"message":"a","input":"secret"}}"#, "a"),
            (r#"{"error":null,"message":"b","input":"secret"}"#, "b"),
            (r#"{"message":"m","errors":{"model":["bad","worse"],"tools":"odd"}}"#, "m; model: bad worse; tools: odd"),
            (r#"{"error":"Validation failed","messages":[{"content":"secret"}]}"#, "Validation failed"),
            (r#""plain""#, "plain"),
            ("error code: 524", "error code: 524"),
            ("<!DOCTYPE html><p>secret", ""),
            (r#"{"error":"cut"#, ""),
            ("[1]", ""),
            ("", ""),
        ] {
            assert_eq!(error_text(body.as_bytes()), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn reading_an_error_never_panics(body in any::<Vec<u8>>()) {
            let _ = error_text(&body);
        }
    }
}
