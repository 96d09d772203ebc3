//! The client: what the rest of the bot can ask of Tess.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    advice,
    agent::Agent,
    defaults::{self, InvalidDefault},
    error::TessError,
    execution,
    request::{Answer, Request},
    transport::Transport,
    upload::{self, Upload},
    wire::{self, Delivery},
};
use crate::{
    config::{TessConfig, Timings},
    ids::{AgentId, FileId},
    telemetry::Metrics,
};

/// Agents of one page of the list.
const AGENTS_PER_PAGE: usize = 50;

/// Most pages of agents that are read: 1,000 agents.
const MAX_AGENT_PAGES: usize = 20;

/// A client of one token. Clones share the token's limiter.
#[derive(Clone)]
pub(crate) struct Tess {
    transport: Arc<Transport>,
}

impl Tess {
    /// Builds a client; sends nothing.
    ///
    /// `http` should have a `connect_timeout`, to distinguish a network that drops packets from an execution that takes
    /// long, and a `pool_idle_timeout` below the server's, so that no execution is sent on a connection that the server
    /// is closing.
    pub(crate) fn new(http: reqwest::Client, config: &TessConfig, timings: &Timings, metrics: Metrics) -> Self {
        Self { transport: Arc::new(Transport::new(http, config, timings, metrics)) }
    }

    /// Executes an agent with a conversation and waits for the end, at most `TESS_TIMEOUT` after the request was first
    /// sent.
    ///
    /// Dropping the future leaves the queue; an execution that already runs continues at Tess.
    ///
    /// # Errors
    ///
    /// Every variant of [`TessError`] except [`TessError::Unavailable`] and those about files. After
    /// [`TessError::OutcomeUnknown`] and [`TessError::TimedOut`] the execution may have been charged.
    pub(crate) async fn execute(&self, request: &Request<'_>) -> Result<Answer, TessError> {
        execution::execute(&self.transport, request, Delivery::Whole, |_| {}).await
    }

    /// Executes like [`Tess::execute`], and calls `on_text` with the whole text so far whenever it grows; the callback
    /// should be quick.
    ///
    /// If the stream breaks off, its execution is polled, without further calls of `on_text`. Only the returned answer is
    /// final: the texts before it may belong to an execution that fails.
    ///
    /// # Errors
    ///
    /// As [`Tess::execute`]. A stream that breaks off before its first event is [`TessError::OutcomeUnknown`].
    pub(crate) async fn stream(&self, request: &Request<'_>, on_text: impl FnMut(&str)) -> Result<Answer, TessError> {
        execution::execute(&self.transport, request, Delivery::Stream, on_text).await
    }

    /// Uploads a file of at most [`MAX_FILE_BYTES`](super::files::MAX_FILE_BYTES). With `process` Tess reads it, which costs credits and which an
    /// execution needs.
    ///
    /// # Errors
    ///
    /// [`TessError::FileRefused`], [`TessError::StorageFull`], or as [`Tess::agent`]. After [`TessError::Unavailable`]
    /// the file may be stored under an unknown id.
    pub(crate) async fn upload(
        &self,
        name: &str,
        mime: &str,
        bytes: Vec<u8>,
        process: bool,
    ) -> Result<FileId, TessError> {
        upload::upload(&self.transport, Upload { name, mime, bytes, process }).await
    }

    /// Waits until Tess has processed a file, and returns what that cost, in Tess credits.
    ///
    /// # Errors
    ///
    /// [`TessError::FileRefused`] if it could not be read, [`TessError::TimedOut`] at `deadline`.
    pub(crate) async fn wait_for_file(&self, file: FileId, deadline: Instant) -> Result<f64, TessError> {
        upload::wait(&self.transport, file, deadline).await
    }

    /// Deletes a file; one that is gone already is not an error.
    ///
    /// # Errors
    ///
    /// As [`Tess::agent`].
    pub(crate) async fn delete_file(&self, file: FileId) -> Result<(), TessError> {
        upload::delete(&self.transport, file).await
    }

    /// Returns the answer of `TESS_MODEL`, `TESS_TEMPERATURE` or `TESS_TOOLS` to the question `name`.
    pub(crate) fn default_option(&self, name: &str) -> Option<&str> {
        defaults::defaults(&self.transport.config).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns those of `TESS_MODEL`, `TESS_TEMPERATURE` and `TESS_TOOLS` that `agent` would refuse.
    pub(crate) fn invalid_defaults(&self, agent: &Agent) -> Vec<InvalidDefault> {
        defaults::invalid_defaults(&self.transport.config, agent)
    }

    /// Returns what the operator has to do after an error, in words that fit after a semicolon; `None` if only waiting or
    /// asking again helps.
    pub(crate) fn advice(&self, error: &TessError) -> Option<String> {
        advice::advice(error, &self.transport.config.api_url)
    }

    /// Looks up an agent.
    ///
    /// # Errors
    ///
    /// [`TessError::AgentNotFound`], [`TessError::Unavailable`] if Tess gave no readable answer, or why it refused.
    pub(crate) async fn agent(&self, agent: AgentId) -> Result<Agent, TessError> {
        let found = self.transport.look_up(&format!("/agents/{agent}"), Some(agent)).await?;
        Agent::read(&found).ok_or_else(|| TessError::Unavailable { detail: "not an agent's description".to_owned() })
    }

    /// Lists the chat agents that the key sees, at most 1,000.
    ///
    /// # Errors
    ///
    /// As [`Tess::agent`]; a page that fails fails the list.
    pub(crate) async fn chat_agents(&self) -> Result<Vec<Agent>, TessError> {
        let mut agents = Vec::new();
        for page in 1..=MAX_AGENT_PAGES {
            let path = format!("/agents?type=chat&page={page}&per_page={AGENTS_PER_PAGE}");
            let found = wire::agents(&self.transport.look_up(&path, None).await?);
            agents.extend(found.agents.into_iter().filter(Agent::is_chat));
            if page >= found.last_page {
                break;
            }
        }
        Ok(agents)
    }

    /// Returns how many executions wait for the limiter.
    pub(crate) fn queued_executions(&self) -> usize {
        self.transport.limiter.queued_executions()
    }
}
