//! Writes request bodies and reads reply bodies, as leniently as Tess's documents differ.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    agent::Agent,
    defaults,
    files::{GeneratedFile, generated_files},
    json,
    request::{Answer, ChatMessage, Request},
};
use crate::{
    config::TessConfig,
    ids::{ExecutionId, FileId},
};

/// The pause after a 429 that names none.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The longest pause that a 429 is granted; the next one asks for the rest.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The shortest pause, so that "0" does not cause a busy loop.
const MIN_RETRY_AFTER: Duration = Duration::from_millis(10);

/// One page of `GET /agents`.
#[derive(Debug)]
pub(super) struct AgentPage {
    pub(super) agents: Vec<Agent>,
    pub(super) last_page: usize,
}

/// An execution in a reply.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) id: ExecutionId,
    pub(super) report: Report,
}

impl Execution {
    /// Returns the answer of an execution that succeeded.
    pub(super) fn into_answer(self) -> Answer {
        let Self { id, report: Report { output, credits, files, .. } } = self;
        Answer { execution: id, output, credits, files }
    }
}

/// One event of a stream; its output is a piece of the whole.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: Option<ExecutionId>,
    pub(super) report: Report,
}

/// The state of an execution.
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

/// How the answer to an execution is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In one reply, when it is complete.
    Whole,
    /// In pieces, while it is written.
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
    /// Tess expects the answers to the agent's own questions at the root.
    #[serde(flatten)]
    options: BTreeMap<&'a str, Value>,
}

/// The body of `POST execute`.
pub(super) fn execute_body(config: &TessConfig, request: &Request<'_>, delivery: Delivery) -> String {
    let defaults = defaults::defaults(config).map(|(name, value)| (name, json!(value)));
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

/// Reads an execution: `responses[0]` of an execute, the whole body of a poll. `None` if it has no id.
pub(super) fn execution(body: &[u8]) -> Option<Execution> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let places = [body.pointer("/responses/0"), body.get("data"), Some(&body)];
    let (execution, id) = places.into_iter().flatten().find_map(|place| Some((place, json::id(place.get("id")?)?)))?;
    let mut report = report(execution);
    if report.files.is_empty() {
        report.files = generated_files(&body);
    }
    Some(Execution { id: ExecutionId(id), report })
}

/// Reads an event of a stream; `None` if it is not an object.
pub(super) fn event(data: &[u8]) -> Option<Event> {
    let event: Value = serde_json::from_slice(data).ok()?;
    event.as_object()?;
    Some(Event { id: event.get("id").and_then(json::id).map(ExecutionId), report: report(&event) })
}

fn report(execution: &Value) -> Report {
    Report {
        state: execution.get("status").and_then(Value::as_str).map_or(State::Unfinished, state),
        output: execution.get("output").map(json::text).unwrap_or_default(),
        error: execution.get("error").map(json::reason).unwrap_or_default(),
        credits: json::credits(execution),
        files: generated_files(execution),
    }
}

/// Reads a status. One that no source records counts as unfinished, so that it is polled again.
fn state(status: &str) -> State {
    match status.to_ascii_lowercase().as_str() {
        "succeeded" | "completed" | "done" => State::Succeeded,
        "failed" | "error" | "canceled" | "cancelled" => State::Failed,
        _ => State::Unfinished,
    }
}

/// Reads a page of agents; entries that are not agents are left out.
pub(super) fn agents(page: &Value) -> AgentPage {
    let data = page.get("data").and_then(Value::as_array);
    AgentPage {
        agents: data.into_iter().flatten().filter_map(Agent::read).collect(),
        last_page: page.get("last_page").and_then(json::id).and_then(|page| page.try_into().ok()).unwrap_or(1),
    }
}

/// Returns how long a 429 asks to wait: from its body, else its header, else a default; within bounds.
pub(super) fn retry_after(body: &[u8], header: Option<&str>) -> Duration {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let in_body = body.get("retry_after").and_then(json::number);
    let seconds = in_body.or_else(|| header?.trim().parse().ok());
    let pause =
        seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds.min(MAX_RETRY_AFTER.as_secs_f64())).ok());
    pause.unwrap_or(DEFAULT_RETRY_AFTER).clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
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
    fn a_reply_without_an_id_is_not_an_execution() {
        for body in [json!({}), json!([]), json!({"responses": []}), json!({"template_id": 8794}), json!({"id": "x"})] {
            assert!(read(&body).is_none(), "{body}");
        }
        assert!(execution(b"error code: 524").is_none());
        assert!(execution(br#"{"responses":[{"id":477333"#).is_none());
    }

    #[test]
    fn an_id_is_found_even_if_other_fields_are_missing_or_odd() {
        let execution = read(&json!({"responses": {"id": 1}, "id": 2, "status": 3, "output": null, "credits": "0.5"}));
        let Execution { id, report } = execution.unwrap();
        assert_eq!((id, report.state, report.output.as_str()), (ExecutionId(2), State::Unfinished, ""));
        assert_eq!(report.credits, 0.5);
    }

    #[test]
    fn a_pause_is_read_from_the_body_then_the_header_then_the_default() {
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

    proptest! {
        #[test]
        fn reading_never_panics(body in any::<Vec<u8>>(), header in any::<Option<String>>()) {
            let _ = execution(&body);
            let _ = event(&body);
            let pause = retry_after(&body, header.as_deref());
            prop_assert!(pause >= MIN_RETRY_AFTER && pause <= MAX_RETRY_AFTER);
        }
    }
}
