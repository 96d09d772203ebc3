//! A simulator of Tess: agents, executions, waits, polls, streams, files, and what goes wrong with them.
//!
//! Strict: what the real service would refuse is refused, and what no configuration excuses (an unknown route, a missing
//! header, roles in the wrong order, a request during a rate limit) is also kept in [`TessSim::violations`].
//! Executions end by the clock, by polls or by [`TessSim::release`], never by a task of their own.

mod answers;
mod faults;
mod files;
mod net;
mod routes;
mod stream;
mod validate;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

pub use self::{
    answers::default_answer,
    faults::{Fault, Route},
    files::StoredFile,
    stream::StreamFault,
    world::Execution,
};
use self::{net::Gate, world::World};

/// How long the handle's methods wait for something to happen.
const HAPPENS_WITHIN: Duration = Duration::from_secs(10);

/// The chat agent that answers as a helper.
pub const HELPER: u64 = 8_794;

/// The chat agent with a Portuguese name.
pub const POET: u64 = 46_589;

/// The chat agent whose slug is hyphenated, and whose questions are many.
pub const REVIEWER: u64 = 51_002;

/// The agent of type `image`, which takes no conversation.
pub const PAINTER: u64 = 60_314;

/// How the simulated service is set up.
#[derive(Clone, Debug)]
pub struct TessOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The one key that is accepted.
    pub key: String,
    /// The workspace that `x-workspace-id` must name; `None` demands no header.
    pub workspace: Option<u64>,
    /// Requests a second before a 429 and a violation; 0 means no limit.
    pub requests_per_second: u32,
    /// How long after a 429 requests may still come that were sent before it was received.
    pub on_the_way: Duration,
    /// How long an execution takes.
    pub delay: Duration,
    /// When a wait is cut.
    pub wait_limit: Duration,
    /// What a wait that was cut gets.
    pub cut_wait: CutWait,
    /// Words of one event of a stream.
    pub words_per_piece: usize,
    /// Time between two events of a stream.
    pub pace: Duration,
    /// Longest file, in bytes.
    pub file_bytes: usize,
    /// Polls that find a file still waiting to be read.
    pub file_polls: usize,
    /// Whether a file that is stored already is stored once, under the same id. Seen with one client, and documented nowhere.
    pub one_id_for_equal_files: bool,
}

/// What a wait that was cut gets; both are on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutWait {
    /// HTTP 200 with an unfinished execution.
    Unfinished,
    /// HTTP 524 in plain text, without an id.
    Http524,
}

impl TessOptions {
    /// For a person who looks on: it thinks for a moment.
    pub fn for_people() -> Self {
        Self { delay: Duration::from_millis(900), ..Self::default() }
    }
}

impl Default for TessOptions {
    fn default() -> Self {
        Self {
            port: 0,
            key: "101|simulated-tess-key".to_owned(),
            workspace: None,
            requests_per_second: 0,
            on_the_way: Duration::from_millis(50),
            delay: Duration::ZERO,
            wait_limit: Duration::from_secs(100),
            cut_wait: CutWait::Unfinished,
            words_per_piece: 3,
            pace: Duration::ZERO,
            file_bytes: 32 * 1024 * 1024,
            file_polls: 1,
            one_id_for_equal_files: false,
        }
    }
}

/// The simulated service. Clones are handles of the same one; it stops with the last.
#[derive(Clone)]
pub struct TessSim {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    _server: Arc<AbortOnDropHandle<()>>,
}

/// What the handles and the routes share.
struct Shared {
    options: TessOptions,
    world: Mutex<World>,
    changed: watch::Sender<()>,
}

impl Shared {
    /// Never held across an await.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changed.send_replace(());
        result
    }

    /// Waits until `found` finds something, looking again after every change.
    async fn until<T>(&self, mut found: impl FnMut(&mut World) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            let result = found(&mut self.world());
            if let Some(result) = result {
                return result;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl TessSim {
    /// Starts the service with its agents.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound.
    pub async fn start(options: TessOptions) -> std::io::Result<Self> {
        let (listener, gate) = net::bind(options.port).await?;
        let world = Mutex::new(World::new(seeded_agents(), options.on_the_way));
        let shared = Arc::new(Shared { options, world, changed: watch::Sender::new(()) });
        let app = routes::router(shared.clone()).into_make_service_with_connect_info::<net::Cut>();
        let server = tokio::spawn(async move {
            // It only ends by being aborted.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { shared, gate, _server: Arc::new(AbortOnDropHandle::new(server)) })
    }

    /// The base address, with the `/api` of the older host; the routes are there without it as well.
    pub fn url(&self) -> String {
        format!("http://{}/api", self.gate.addr)
    }

    /// The key that is accepted.
    pub fn key(&self) -> &str {
        &self.shared.options.key
    }

    /// Faults that were queued and hit no request yet.
    pub fn unused_faults(&self) -> usize {
        self.shared.world().faults.values().map(std::collections::VecDeque::len).sum()
    }

    /// The workspace that requests have to name, if they have to.
    pub fn workspace(&self) -> Option<u64> {
        self.shared.options.workspace
    }

    /// An agent that answers whoever has no other.
    pub fn default_agent(&self) -> u64 {
        HELPER
    }

    /// An agent's title; empty when there is no such agent.
    pub fn title(&self, id: u64) -> String {
        let world = self.shared.world();
        world.agents.get(&id).and_then(|agent| agent["title"].as_str()).unwrap_or_default().to_owned()
    }

    /// Adds an agent, or replaces the one of the same `id`.
    pub fn add_agent(&self, id: u64, title: &str, kind: &str) {
        self.shared.change(|world| world.agents.insert(id, agent(id, title, &format!("agent-{id}"), kind)));
    }

    /// Adds a question to an agent, as `GET /agents/{id}` shows it. A required one has to be answered from now on.
    pub fn add_question(&self, id: u64, question: Value) {
        self.shared.change(|world| {
            let agent = world.agents.get_mut(&id);
            if let Some(questions) = agent.and_then(|agent| agent["questions"].as_array_mut()) {
                questions.push(question);
            }
        });
    }

    /// Removes an agent: from now on it is not found.
    pub fn remove_agent(&self, id: u64) {
        self.shared.change(|world| world.agents.remove(&id));
    }

    /// Computes the outputs from the `messages`, instead of [`default_answer`]. `answer` must not use the simulator.
    pub fn answer_with(&self, answer: impl Fn(&[Value]) -> String + Send + 'static) {
        self.shared.change(|world| world.answer = Box::new(answer));
    }

    /// Queues outputs for the next executions; after them they are computed again.
    pub fn answers<T: Into<String>>(&self, outputs: impl IntoIterator<Item = T>) {
        self.shared.change(|world| world.outputs.extend(outputs.into_iter().map(Into::into)));
    }

    /// Every execution that ran, oldest first; the last 10,000.
    pub fn executions(&self) -> Vec<Execution> {
        self.shared.world().log.iter().cloned().collect()
    }

    /// The next execution that was not read by this method; `None` after 10 s without one.
    pub async fn next_execution(&self) -> Option<Execution> {
        timeout(HAPPENS_WITHIN, self.shared.until(World::next_unread)).await.ok()
    }

    /// Executions that ran, and would have been charged.
    pub fn charged(&self) -> usize {
        self.shared.world().charged
    }

    /// Executions whose agent and body were those of an earlier one.
    pub fn repeats(&self) -> usize {
        self.shared.world().repeats()
    }

    /// `POST execute` requests received, refused ones included.
    pub fn execute_requests(&self) -> usize {
        self.shared.world().execute_requests
    }

    /// Waits until so many `POST execute` requests were received, at most 10 s; tells whether they were.
    pub async fn wait_for_execute_requests(&self, count: usize) -> bool {
        let enough = self.shared.until(|world| (world.execute_requests >= count).then_some(()));
        timeout(HAPPENS_WITHIN, enough).await.is_ok()
    }

    /// Requests for one agent's description received.
    pub fn agent_requests(&self) -> usize {
        self.shared.world().agent_requests
    }

    /// Polls received.
    pub fn polls(&self) -> usize {
        self.shared.world().polls
    }

    /// As [`TessSim::wait_for_execute_requests`], for polls.
    pub async fn wait_for_polls(&self, count: usize) -> bool {
        let enough = self.shared.until(|world| (world.polls >= count).then_some(()));
        timeout(HAPPENS_WITHIN, enough).await.is_ok()
    }

    /// From now on executions do not end.
    pub fn hold(&self) {
        self.shared.change(|world| world.hold = true);
    }

    /// The next execution does not end; several calls hold several.
    pub fn hold_next(&self) {
        self.shared.change(|world| world.hold_next += 1);
    }

    /// Executions end again, those held included.
    pub fn release(&self) {
        self.shared.change(World::release);
    }

    /// The oldest execution held ends.
    pub fn release_one(&self) {
        self.shared.change(World::release_one);
    }

    /// What a client did that no configuration excuses.
    pub fn violations(&self) -> Vec<String> {
        self.shared.world().violations.clone()
    }
}

/// The agents that are there from the start.
fn seeded_agents() -> Vec<Value> {
    let mut reviewer = agent(REVIEWER, "Code Reviewer", "code-reviewer-para-times-xK29dQ", "chat");
    reviewer["description"] = json!("Reads a diff and says what it would change");
    if let Some(questions) = reviewer["questions"].as_array_mut() {
        questions.push(json!({"type": "text", "name": "nome-da-empresa", "description": "Empresa", "required": false}));
        questions.push(json!({"type": "select", "name": "max_mode", "required": false, "options": [true, false]}));
    }
    vec![
        agent(HELPER, "Tess Helper", "tess-helper-pB9ujA", "chat"),
        agent(POET, "Poeta Brasileiro", "poeta-brasileiro", "chat"),
        reviewer,
        agent(PAINTER, "Aquarela", "aquarela", "image"),
    ]
}

fn agent(id: u64, title: &str, slug: &str, kind: &str) -> Value {
    let select = |name: &str, options: &[&str]| json!({"type": "select", "name": name, "description": "", "required": true, "options": options});
    json!({
        "id": id, "title": title, "description": null, "long_description": null, "workspace_id": 11,
        "visibility": "public", "slug": slug, "active": 1, "type": kind,
        "questions": [
            select("temperature", &["0", "0.25", "0.5", "0.75", "1"]),
            select("model", &["auto", "tess-5", "gpt-4o-mini", "claude-4-sonnet"]),
            select("tools", &["no-tools", "internet", "wikipedia"]),
            {"type": "number", "name": "root_id", "description": "", "required": false},
            {"type": "array", "name": "messages", "description": "", "required": true},
        ],
        "created_at": "2026-09-01T18:09:18.000000Z", "updated_at": "2026-09-01T18:09:18.000000Z",
    })
}
