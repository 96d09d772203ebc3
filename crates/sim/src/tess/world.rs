//! The state of the service: agents, executions, queued faults and outputs.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Range,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    answers,
    fault::{Fault, Route, StreamFault},
    files::Files,
};

/// Executions and violations kept.
const KEPT: usize = 10_000;

/// The first id, above 2^22 as those of the real service.
const FIRST_ID: u64 = 21_300_921;

/// The window in which requests per second are counted. It is shorter than a second to allow for jitter of the network.
const RATE_WINDOW: Duration = Duration::from_millis(900);

/// Computes an output from the `messages`.
type AnswerFn = Box<dyn Fn(&[Value]) -> String + Send>;

/// An execution, as requested.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The execution's id.
    pub id: u64,
    /// The executed agent.
    pub agent: u64,
    /// The `messages` of the body.
    pub messages: Value,
    /// The whole body.
    pub body: Value,
    /// Those of `accept`, `content-type`, `user-agent` and `x-workspace-id` that were sent.
    pub headers: BTreeMap<String, String>,
    /// The time of the request.
    pub at: Instant,
}

/// The course of an execution.
#[derive(Debug)]
pub(super) struct Run {
    agent: u64,
    input: String,
    pub(super) output: String,
    /// Its `generated_files`; null omits the field.
    generated: Value,
    /// A status for the last event of a stream that differs from the true one.
    final_status: Option<String>,
    /// The error of a failed execution; null omits the field.
    failed: Option<Value>,
    null_credits: bool,
    /// The earliest time of its end.
    pub(super) ready_at: Instant,
    held: bool,
    /// Events that a held stream sends.
    held_after: usize,
    /// Polls that still return it unfinished; `None` when it does not end by polls.
    polls_left: Option<usize>,
    /// Creation time in seconds after the start of the service.
    created: u64,
}

impl Run {
    /// Whether nothing but time keeps it from ending.
    pub(super) fn is_free(&self) -> bool {
        !self.held && self.polls_left.is_none()
    }

    /// Whether a stream may send an event after this many.
    pub(super) fn may_send(&self, sent: usize) -> bool {
        !self.held || sent < self.held_after
    }

    pub(super) fn has_ended(&self) -> bool {
        self.is_free() && Instant::now() >= self.ready_at
    }

    pub(super) fn ends_by_polls(&self) -> bool {
        self.polls_left.is_some()
    }

    /// The execution in Tess's JSON; `unfinished` is the status while it runs.
    fn view(&self, id: u64, unfinished: &str) -> Value {
        let ended = self.has_ended();
        let status = match &self.failed {
            _ if !ended => unfinished,
            Some(_) => "failed",
            None => "succeeded",
        };
        let mut view = json!({
            "id": id, "status": status, "input": self.input,
            "output": if status == "succeeded" { self.output.as_str() } else { "" },
            "credits": self.credits(ended), "root_id": id, "template_id": self.agent,
            "created_at": timestamp(self.created), "updated_at": timestamp(self.created + u64::from(ended) * 2),
        });
        if let Some(error) = self.failed.as_ref().filter(|error| ended && !error.is_null()) {
            view["error"] = error.clone();
        }
        if status == "succeeded" && !self.generated.is_null() {
            view["generated_files"] = self.generated.clone();
        }
        view
    }

    fn credits(&self, ended: bool) -> Value {
        let characters = self.input.chars().count() + self.output.chars().count();
        match (&self.failed, ended) {
            _ if self.null_credits => Value::Null,
            (Some(_), true) => json!(0),
            (None, true) => json!(characters as f64 / 1_000.0),
            (_, false) => json!(0.000337),
        }
    }
}

/// The state of the service.
pub(super) struct World {
    pub(super) agents: BTreeMap<u64, Value>,
    runs: BTreeMap<u64, Run>,
    pub(super) log: VecDeque<Execution>,
    /// The last id that [`World::next_unread`] returned.
    last_read: u64,
    next_id: u64,
    pub(super) faults: HashMap<Route, VecDeque<Fault>>,
    pub(super) outputs: VecDeque<String>,
    pub(super) answer: AnswerFn,
    pub(super) hold: bool,
    pub(super) hold_next: usize,
    /// After how many events the next streams are held.
    pub(super) hold_stream: VecDeque<usize>,
    pub(super) files: Files,
    /// `generated_files` of the next executions.
    pub(super) generated: VecDeque<Value>,
    pub(super) charged: usize,
    pub(super) polls: usize,
    pub(super) agent_requests: usize,
    pub(super) execute_requests: usize,
    pub(super) violations: Vec<String>,
    /// Times of the requests in the window of the rate limit.
    recent: VecDeque<Instant>,
    /// The time in which a request violates a 429.
    pause: Option<Range<Instant>>,
    /// How long after a 429 a request may arrive that was sent before the client read it.
    rate_limit_grace: Duration,
    started: Instant,
}

impl World {
    pub(super) fn new(agents: Vec<Value>, rate_limit_grace: Duration) -> Self {
        let by_id = agents.into_iter().filter_map(|agent| Some((agent["id"].as_u64()?, agent)));
        Self {
            agents: by_id.collect(),
            runs: BTreeMap::new(),
            log: VecDeque::new(),
            last_read: 0,
            next_id: FIRST_ID,
            faults: HashMap::new(),
            outputs: VecDeque::new(),
            answer: Box::new(answers::default_answer),
            hold: false,
            hold_next: 0,
            hold_stream: VecDeque::new(),
            files: Files::default(),
            generated: VecDeque::new(),
            charged: 0,
            polls: 0,
            agent_requests: 0,
            execute_requests: 0,
            violations: Vec::new(),
            recent: VecDeque::new(),
            pause: None,
            rate_limit_grace,
            started: Instant::now(),
        }
    }

    pub(super) fn record_violation(&mut self, what: impl Into<String>) {
        if self.violations.len() < KEPT {
            self.violations.push(what.into());
        }
    }

    /// Uses up the next fault of a route.
    pub(super) fn next_fault(&mut self, route: Route) -> Option<Fault> {
        let fault = self.faults.get_mut(&route)?.pop_front()?;
        if let Fault::RateLimit { retry_after: Some(seconds), .. } = fault {
            let now = Instant::now();
            self.pause =
                Duration::try_from_secs_f64(seconds).ok().map(|pause| now + self.rate_limit_grace..now + pause);
        }
        Some(fault)
    }

    /// Counts a request; false when it exceeds the rate limit or comes during the pause of a 429.
    pub(super) fn within_rate(&mut self, per_second: u32) -> bool {
        let now = Instant::now();
        if self.pause.as_ref().is_some_and(|pause| pause.contains(&now)) {
            self.record_violation("a request during the pause that a 429 demanded");
            return false;
        }
        if per_second == 0 {
            return true;
        }
        self.recent.retain(|at| now < *at + RATE_WINDOW);
        if self.recent.len() >= per_second as usize {
            self.record_violation(format!("more than {per_second} request(s) in a second"));
            return false;
        }
        self.recent.push_back(now);
        true
    }

    /// Starts an execution for a valid request; returns its id.
    pub(super) fn run(
        &mut self,
        agent: u64,
        body: Value,
        headers: BTreeMap<String, String>,
        delay: Duration,
        fault: Option<&Fault>,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.charged += 1;
        let messages = body["messages"].clone();
        let last = messages.as_array().and_then(|messages| messages.last()?["content"].as_str()).unwrap_or_default();
        let held_after = if body["stream"] == json!(true) { self.hold_stream.pop_front() } else { None };
        let run = Run {
            agent,
            input: last.to_owned(),
            output: self.output(&messages, fault),
            failed: match fault {
                Some(Fault::Failed(error) | Fault::Stream { fault: StreamFault::Fail(error), .. }) => {
                    Some(error.clone())
                }
                _ => None,
            },
            generated: self.generated.pop_front().unwrap_or_default(),
            final_status: match fault {
                Some(Fault::Status(status)) => Some(status.clone()),
                _ => None,
            },
            null_credits: matches!(fault, Some(Fault::NullCredits)),
            ready_at: Instant::now() + delay,
            held: self.hold || self.hold_next > 0 || held_after.is_some(),
            held_after: held_after.unwrap_or_default(),
            polls_left: match fault {
                Some(Fault::Unfinished(polls)) => Some(*polls),
                _ => None,
            },
            created: self.started.elapsed().as_secs(),
        };
        self.hold_next = self.hold_next.saturating_sub(1);
        self.runs.insert(id, run);
        self.log.push_back(Execution { id, agent, messages, body, headers, at: Instant::now() });
        if self.log.len() > KEPT {
            self.log.pop_front();
            self.runs.pop_first();
        }
        id
    }

    /// The output of an execution: none with some faults, else a queued one, else a computed one.
    fn output(&mut self, messages: &Value, fault: Option<&Fault>) -> String {
        if matches!(fault, Some(Fault::Empty | Fault::Failed(_))) {
            return String::new();
        }
        let queued = self.outputs.pop_front();
        queued.unwrap_or_else(|| (self.answer)(messages.as_array().map_or(&[], Vec::as_slice)))
    }

    pub(super) fn find(&self, id: u64) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// The body of `GET /agent-responses/{id}`; counts as a poll.
    pub(super) fn poll(&mut self, id: u64) -> Option<Value> {
        let run = self.runs.get_mut(&id)?;
        run.polls_left = run.polls_left.and_then(|left| left.checked_sub(1));
        Some(run.view(id, "running"))
    }

    /// The body of `POST execute`. The agent's id is a string in it, and a number in the execution inside.
    pub(super) fn execute_response(&self, id: u64, waited: bool, fault: Option<&Fault>) -> Value {
        let Some(run) = self.runs.get(&id) else { return Value::Null };
        let mut view = run.view(id, if waited { "running" } else { "starting" });
        if let Some(Fault::Status(status)) = fault {
            view["status"] = json!(status);
        }
        json!({"template_id": run.agent.to_string(), "responses": [view]})
    }

    /// The JSON of a stream's event: with a piece of the output, or the last one. `None` when only polls end the execution.
    pub(super) fn stream_event(&self, id: u64, piece: Option<&str>) -> Option<Value> {
        let run = self.runs.get(&id).filter(|run| piece.is_some() || !run.ends_by_polls())?;
        let mut event = run.view(id, "running");
        if event.get("error").is_none() {
            event["error"] = Value::Null;
        }
        event["output"] = json!(piece.unwrap_or_default());
        if piece.is_some() {
            event["status"] = json!("running");
            event["credits"] = Value::Null;
        } else if event["status"] == "succeeded" {
            event["status"] = json!(run.final_status.as_deref().unwrap_or("completed"));
        }
        Some(event)
    }

    /// Forgets the pause of a 429, for a client that restarted.
    pub(super) fn forget_pause(&mut self) {
        self.pause = None;
    }

    /// The oldest execution that this method did not return before.
    pub(super) fn next_unread(&mut self) -> Option<Execution> {
        let next = self.log.iter().find(|execution| execution.id > self.last_read)?.clone();
        self.last_read = next.id;
        Some(next)
    }

    /// The number of executions whose agent and body equal those of an earlier one.
    pub(super) fn repeats(&self) -> usize {
        let is_repeat = |(index, execution): &(usize, &Execution)| {
            let mut earlier = self.log.iter().take(*index);
            earlier.any(|other| other.agent == execution.agent && other.body == execution.body)
        };
        self.log.iter().enumerate().filter(is_repeat).count()
    }

    pub(super) fn release(&mut self) {
        self.hold = false;
        self.hold_next = 0;
        self.runs.values_mut().for_each(|run| run.held = false);
    }

    pub(super) fn release_one(&mut self) {
        if let Some(run) = self.runs.values_mut().find(|run| run.held) {
            run.held = false;
        }
    }
}

/// Formats a time of a fixed day; clients only need that it increases.
fn timestamp(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("2026-09-02T{hours:02}:{minutes:02}:{seconds:02}.000000Z")
}
