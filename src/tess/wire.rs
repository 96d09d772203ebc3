//! What goes over the wire: bodies written and, as tolerantly as Tess's documents differ, bodies read.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Agent, ChatMessage, Request,
    files::{GeneratedFile, generated_files},
    options,
};
use crate::{
    config::TessConfig,
    ids::{ExecutionId, FileId},
};

/// The pause after a 429 that names none.
const RETRY_AFTER_UNSAID: Duration = Duration::from_secs(5);

/// The longest pause a 429 may ask for; what is left of it is asked for by the next one.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The shortest one, so that "0" makes no busy loop.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(10);

/// One page of `GET /agents`.
#[derive(Debug)]
pub(super) struct AgentPage {
    pub(super) agents: Vec<Agent>,
    pub(super) last_page: usize,
}

/// An execution as an answer shows it.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) id: ExecutionId,
    pub(super) report: Report,
}

/// One event of a stream; the output in it is a piece.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: Option<ExecutionId>,
    pub(super) report: Report,
}

/// How an execution goes.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) state: State,
    pub(super) output: String,
    /// Why it failed; empty when Tess does not say.
    pub(super) error: String,
    pub(super) credits: f64,
    pub(super) files: Vec<GeneratedFile>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Unfinished,
    Succeeded,
    Failed,
}

/// How the answer to an execution comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// At once, at its end.
    Whole,
    /// In pieces, as it is written.
    Stream,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecuteBody<'a> {
    messages: &'a [ChatMessage],
    wait_execution: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(rename = "file_ids", skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [FileId],
    /// The agent's own questions have their answers at the root.
    #[serde(flatten)]
    options: BTreeMap<&'a str, Value>,
}

/// The body of `POST execute`.
pub(super) fn execute_body(config: &TessConfig, request: &Request<'_>, delivery: Delivery) -> String {
    let defaults = options::defaults(config).map(|(name, value)| (name, json!(value)));
    let chosen = request.options.iter().map(|(name, value)| (name, value.clone()));
    let body = ExecuteBody {
        messages: request.messages,
        wait_execution: delivery == Delivery::Whole,
        stream: delivery == Delivery::Stream,
        files: request.files,
        options: defaults.chain(chosen).collect(),
    };
    serde_json::to_string(&body).expect("texts, numbers and booleans are always JSON")
}

/// The execution in an answer: `responses[0]` of an execute, the whole of a poll. `None` when there is no id in it.
pub(super) fn execution(body: &[u8]) -> Option<Execution> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let places = [body.pointer("/responses/0"), body.get("data"), Some(&body)];
    let (execution, id) = places.into_iter().flatten().find_map(|place| Some((place, id(place.get("id")?)?)))?;
    let mut report = report(execution);
    if report.files.is_empty() {
        report.files = generated_files(&body);
    }
    Some(Execution { id: ExecutionId(id), report })
}

/// An event of a stream; `None` for what is not an object.
pub(super) fn event(data: &[u8]) -> Option<Event> {
    let event: Value = serde_json::from_slice(data).ok()?;
    event.as_object()?;
    Some(Event { id: event.get("id").and_then(id).map(ExecutionId), report: report(&event) })
}

fn report(execution: &Value) -> Report {
    Report {
        state: execution.get("status").and_then(Value::as_str).map_or(State::Unfinished, state),
        output: execution.get("output").map(text).unwrap_or_default(),
        error: execution.get("error").map(said).unwrap_or_default(),
        credits: credits(execution),
        files: generated_files(execution),
    }
}

/// What an execution or a file cost; nothing when that is unknown.
pub(super) fn credits(of: &Value) -> f64 {
    of.get("credits").and_then(number).unwrap_or_default()
}

/// What a word that no source knows means is left to the next poll.
fn state(status: &str) -> State {
    match status.to_ascii_lowercase().as_str() {
        "succeeded" | "completed" | "done" => State::Succeeded,
        "failed" | "error" | "canceled" | "cancelled" => State::Failed,
        _ => State::Unfinished,
    }
}

/// A page of agents; what is not an agent is left out.
pub(super) fn agents(page: &Value) -> AgentPage {
    let data = page.get("data").and_then(Value::as_array);
    AgentPage {
        agents: data.into_iter().flatten().filter_map(Agent::read).collect(),
        last_page: page.get("last_page").and_then(id).and_then(|page| page.try_into().ok()).unwrap_or(1),
    }
}

/// For how long a 429 asks to wait: its body, else its header, else a guess; within bounds.
pub(super) fn retry_after(body: &[u8], header: Option<&str>) -> Duration {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let in_body = body.get("retry_after").and_then(number);
    let seconds = in_body.or_else(|| header?.trim().parse().ok());
    let pause =
        seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64())).ok());
    pause.unwrap_or(RETRY_AFTER_UNSAID).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

/// What an error's body says: the texts of `error`, `message`, `errors` and `messages`, or a plain text. Empty for HTML.
///
/// Nothing else of a body is read: it might repeat the request.
pub(super) fn error_text(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::String(text)) => text,
        Ok(body) => {
            let single = ["error", "message"].map(|name| body.get(name).map(said));
            let fields = ["errors", "messages"].map(|name| body.get(name).and_then(said_of_fields));
            let texts = single.into_iter().chain(fields).flatten().filter(|text| !text.is_empty());
            texts.collect::<Vec<_>>().join("; ")
        }
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            // Cut JSON looks like text; like HTML it has no sentence to show.
            if text.trim_start().starts_with(['<', '{', '[']) { String::new() } else { text.into_owned() }
        }
    }
}

/// An `error`: a string, or an object with a reason in one of the fields seen.
pub(super) fn said(error: &Value) -> String {
    let reason = || ["message", "reason", "fail_reason"].iter().find_map(|name| error.get(name)?.as_str());
    error.as_str().or_else(reason).unwrap_or_default().to_owned()
}

/// The texts of a validation: a list by field's name.
fn said_of_fields(errors: &Value) -> Option<String> {
    let texts = |texts: &Value| match texts {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => said(other),
    };
    let fields = errors.as_object()?.iter().map(|(name, error)| format!("{name}: {}", texts(error)));
    Some(fields.collect::<Vec<_>>().join("; "))
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

pub(super) fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::AgentId;

    fn read(body: &Value) -> Option<Execution> {
        execution(body.to_string().as_bytes())
    }

    #[test]
    fn ids_may_be_numbers_or_strings() {
        for id in [json!(4773337), json!("4773337")] {
            let wrapped =
                json!({"template_id": id, "responses": [{"id": id, "status": "starting", "template_id": id}]});
            for body in [wrapped, json!({"id": id, "template_id": id}), json!({"data": {"id": id}})] {
                let execution = read(&body).unwrap();
                let found = (execution.id, execution.report.state);
                assert_eq!(found, (ExecutionId(4773337), State::Unfinished), "{body}");
            }
            assert_eq!(Agent::read(&json!({"id": id})).unwrap().id, AgentId(4773337));
        }
    }

    #[test]
    fn an_answer_without_an_id_is_no_execution() {
        for body in [json!({}), json!([]), json!({"responses": []}), json!({"template_id": 8794}), json!({"id": "x"})] {
            assert!(read(&body).is_none(), "{body}");
        }
        assert!(execution(b"error code: 524").is_none());
        assert!(execution(br#"{"responses":[{"id":477333"#).is_none());
    }

    #[test]
    fn an_id_is_found_whatever_else_is_missing_or_odd() {
        let execution = read(&json!({"responses": {"id": 1}, "id": 2, "status": 3, "output": null, "credits": "0.5"}));
        let Execution { id, report } = execution.unwrap();
        assert_eq!((id, report.state, report.output.as_str()), (ExecutionId(2), State::Unfinished, ""));
        assert_eq!(report.credits, 0.5);
    }

    #[test]
    fn a_pause_is_read_from_the_body_then_the_header_then_guessed() {
        let secs = Duration::from_secs_f64;
        for (body, header, expected) in [
            (r#"{"error":"Rate limit exceeded","retry_after":7}"#, Some("3"), secs(7.0)),
            (r#"{"retry_after":"1.5"}"#, None, secs(1.5)),
            (r#"{"error":"Rate limit exceeded"}"#, Some("3"), secs(3.0)),
            ("<html>", Some("3"), secs(3.0)),
            ("<html>", Some("Wed, 21 Oct 2026 07:28:00 GMT"), secs(5.0)),
            ("", None, secs(5.0)),
            (r#"{"retry_after":-1}"#, None, secs(5.0)),
            (r#"{"retry_after":1e300}"#, None, secs(60.0)),
            ("", Some("3600"), secs(60.0)),
            (r#"{"retry_after":0}"#, None, secs(0.01)),
        ] {
            assert_eq!(retry_after(body.as_bytes(), header), expected, "{body} {header:?}");
        }
    }

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
        fn no_body_makes_reading_panic(body in any::<Vec<u8>>(), header in any::<Option<String>>()) {
            let _ = execution(&body);
            let _ = event(&body);
            let _ = error_text(&body);
            let pause = retry_after(&body, header.as_deref());
            prop_assert!(pause >= RETRY_AFTER_MIN && pause <= RETRY_AFTER_MAX);
        }
    }
}
