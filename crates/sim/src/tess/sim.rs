//! The handle of a running simulator.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    agents::{HELPER, agent, seeded_agents},
    files::StoredFile,
    net::{self, Gate},
    routes,
    state::{Shared, TessOptions},
    world::{Execution, World},
};

/// How long the methods of the handle wait.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// A running Tess. Clones are handles of the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct TessSim {
    pub(super) shared: Arc<Shared>,
    pub(super) gate: Arc<Gate>,
    _server: Arc<AbortOnDropHandle<()>>,
}

impl TessSim {
    /// Starts a Tess with some agents.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: TessOptions) -> io::Result<Self> {
        let (listener, gate) = net::bind(options.port).await?;
        let world = Mutex::new(World::new(seeded_agents(), options.rate_limit_grace));
        let shared = Arc::new(Shared { options, world, changed: watch::Sender::new(()) });
        let app = routes::router(shared.clone()).into_make_service_with_connect_info::<net::Cut>();
        let server = tokio::spawn(async move {
            // It runs until it is aborted.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { shared, gate, _server: Arc::new(AbortOnDropHandle::new(server)) })
    }

    /// The base URL with the `/api` of the older host. The routes exist without it as well.
    pub fn url(&self) -> String {
        format!("http://{}/api", self.gate.addr)
    }

    /// The accepted API key.
    pub fn key(&self) -> &str {
        &self.shared.options.key
    }

    /// The number of faults that were injected and met no request so far.
    pub fn unused_faults(&self) -> usize {
        self.shared.world().faults.values().map(VecDeque::len).sum()
    }

    /// The workspace that requests must name, if any.
    pub fn workspace(&self) -> Option<u64> {
        self.shared.options.workspace
    }

    /// The id of the default agent.
    pub fn default_agent(&self) -> u64 {
        HELPER
    }

    /// The title of an agent; empty when there is no such agent.
    pub fn title(&self, id: u64) -> String {
        let world = self.shared.world();
        world.agents.get(&id).and_then(|agent| agent["title"].as_str()).unwrap_or_default().to_owned()
    }

    /// Adds an agent, or replaces the one with this id.
    pub fn add_agent(&self, id: u64, title: &str, kind: &str) {
        self.shared.change(|world| world.agents.insert(id, agent(id, title, &format!("agent-{id}"), kind)));
    }

    /// Adds a question to an agent, in the form of `GET /agents/{id}`. Executions must answer a required one.
    pub fn add_question(&self, id: u64, question: Value) {
        self.shared.change(|world| {
            let agent = world.agents.get_mut(&id);
            if let Some(questions) = agent.and_then(|agent| agent["questions"].as_array_mut()) {
                questions.push(question);
            }
        });
    }

    /// Removes an agent.
    pub fn remove_agent(&self, id: u64) {
        self.shared.change(|world| world.agents.remove(&id));
    }

    /// Computes outputs from the `messages`, in place of [`default_answer`](super::default_answer). `answer` must not use
    /// the simulator.
    pub fn answer_with(&self, answer: impl Fn(&[Value]) -> String + Send + 'static) {
        self.shared.change(|world| world.answer = Box::new(answer));
    }

    /// Queues outputs for the next executions; later ones are computed again.
    pub fn answers<T: Into<String>>(&self, outputs: impl IntoIterator<Item = T>) {
        self.shared.change(|world| world.outputs.extend(outputs.into_iter().map(Into::into)));
    }

    /// The last 10,000 executions, oldest first.
    pub fn executions(&self) -> Vec<Execution> {
        self.shared.world().log.iter().cloned().collect()
    }

    /// Waits for the next execution that this method did not return before; `None` after 10 s.
    pub async fn next_execution(&self) -> Option<Execution> {
        timeout(WAIT_LIMIT, self.shared.until(World::next_unread)).await.ok()
    }

    /// The number of executions, each of which would be charged.
    pub fn charged(&self) -> usize {
        self.shared.world().charged
    }

    /// The number of executions whose agent and body equal those of an earlier one.
    pub fn repeats(&self) -> usize {
        self.shared.world().repeats()
    }

    /// The number of `POST execute` requests, including refused ones.
    pub fn execute_requests(&self) -> usize {
        self.shared.world().execute_requests
    }

    /// Waits for this many `POST execute` requests; false after 10 s.
    pub async fn wait_for_execute_requests(&self, count: usize) -> bool {
        let enough = self.shared.until(|world| (world.execute_requests >= count).then_some(()));
        timeout(WAIT_LIMIT, enough).await.is_ok()
    }

    /// The number of requests for the description of an agent.
    pub fn agent_requests(&self) -> usize {
        self.shared.world().agent_requests
    }

    /// The number of polls.
    pub fn polls(&self) -> usize {
        self.shared.world().polls
    }

    /// Waits for this many polls; false after 10 s.
    pub async fn wait_for_polls(&self, count: usize) -> bool {
        let enough = self.shared.until(|world| (world.polls >= count).then_some(()));
        timeout(WAIT_LIMIT, enough).await.is_ok()
    }

    /// Holds all executions from now on: they do not end.
    pub fn hold(&self) {
        self.shared.change(|world| world.hold = true);
    }

    /// Holds the next execution; several calls hold several.
    pub fn hold_next(&self) {
        self.shared.change(|world| world.hold_next += 1);
    }

    /// Releases all held executions and holds no more.
    pub fn release(&self) {
        self.shared.change(World::release);
    }

    /// Releases the oldest held execution.
    pub fn release_one(&self) {
        self.shared.change(World::release_one);
    }

    /// Errors of the client that no configuration can cause.
    pub fn violations(&self) -> Vec<String> {
        self.shared.world().violations.clone()
    }

    /// The stored files, oldest first.
    pub fn files(&self) -> Vec<StoredFile> {
        self.shared.world().files.all().cloned().collect()
    }

    /// The number of files that were ever stored.
    pub fn files_received(&self) -> u64 {
        self.shared.world().files.received
    }

    /// Fails the processing of the next file; several calls fail several.
    pub fn fail_file_next(&self) {
        self.shared.change(|world| world.files.failing += 1);
    }

    /// Queues `generated_files` for the next execution.
    pub fn generated_files_next(&self, files: Value) {
        self.shared.change(|world| world.generated.push_back(files));
    }
}
