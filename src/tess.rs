//! The Tess client: executes an agent with a conversation and waits for the end.
//!
//! An execution costs credits and Tess knows no idempotency key. So `POST execute` is repeated only when it certainly
//! did not run: after a 429, or when no connection came about. Whatever else goes wrong before an execution's id is
//! known is [`TessError::OutcomeUnknown`], and a person decides. Polls and look-ups cost nothing and may be repeated.
//!
//! There are two ways to wait. [`Tess::execute`] has the answer at its end; [`Tess::stream`] has the text as it is
//! written, and the execution's id with its first words. Both share all else: the limiter, what is refused, the poll.
//!
//! What is known of Tess, and the test that holds it (in `tests` unless a module is named):
//!
//! | fact | test |
//! |---|---|
//! | the bearer key, `Accept` and, when set, `x-workspace-id` | `an_execution_carries_the_key_the_workspace_and_the_options_that_are_set` |
//! | `temperature`, `model` and `tools` are optional | `options_that_are_not_set_are_not_sent` |
//! | one token, about one request a second | `requests_keep_the_interval_of_the_token` |
//! | a 429 says `retry_after` in its body, else `Retry-After`, else nothing | `wire::a_pause_is_read_from_the_body_then_the_header_then_guessed` |
//! | a 429 ran nothing | `a_rate_limited_execution_waits_as_told_and_runs_once` |
//! | a wait is cut at 100 s with an unfinished answer | `an_execution_longer_than_the_wait_is_polled_to_its_end` |
//! | or by 524 in plain text, while the run goes on | `a_524_in_plain_text_leaves_the_outcome_unknown_and_is_not_repeated` |
//! | succeeded, completed and done are the end | `every_word_for_success_is_an_answer` |
//! | failed, error, canceled and cancelled too, at HTTP 200 | `every_word_for_failure_is_a_failure` |
//! | any other status is not the end | `an_unknown_status_is_polled_like_a_running_one` |
//! | `error` is absent, null, a string or an object | `the_error_of_a_failed_execution_is_read_in_every_form` |
//! | ids are numbers or strings of digits | `wire::ids_may_be_numbers_or_strings` |
//! | `credits` may be null | `unknown_credits_count_as_none` |
//! | a success may have no output | `a_success_without_output_is_empty` |
//! | 401 and 403 for a wrong key | `a_wrong_key_is_unauthorized`, `error::each_status_and_body_becomes_one_variant` |
//! | 403 for a foreign workspace | `a_foreign_workspace_is_told_from_a_wrong_key` |
//! | 422 when the workspace's header is missing | `a_missing_workspace_is_asked_for` |
//! | 404 for an agent that is unknown or not visible | `an_agent_that_is_gone_is_not_found` |
//! | a 404 with a web page comes from another host than the API | `error::each_status_and_body_becomes_one_variant` |
//! | the API is at two addresses | `advice::the_other_host_is_suggested_where_the_set_one_fails` |
//! | 422 for an option that the agent does not have | `an_option_the_agent_does_not_have_is_refused` |
//! | "no credits", whatever the status | `no_credits_is_recognised`, `error::each_status_and_body_becomes_one_variant` |
//! | agents come in pages, with other types among them | `the_chat_agents_of_every_page_are_listed` |
//! | an agent's own fields are at the root of the body | `a_channels_options_come_before_the_defaults` |
//! | options are texts, numbers or booleans | `agent::a_select_takes_its_options_as_tess_gave_them` |
//! | the options of a `multiselect` may be in its description | `agent::a_multiselect_takes_several_of_its_options_each_once` |
//! | `required` is not enforced for the usual questions | `agent::only_unusual_required_questions_without_an_answer_are_missing` |
//! | `temperature` is one of the agent's texts, not any number | `defaults_that_the_agent_does_not_have_are_named_with_what_it_has` |
//! | `stream: true` answers with events, one JSON a `data:` line | `a_stream_is_asked_for_and_its_text_grows` |
//! | `output` of an event is a piece | `a_stream_is_asked_for_and_its_text_grows` |
//! | comments, `[DONE]`, CRLF, lines that are not JSON | `stream::only_the_events_are_seen`, `a_line_that_is_not_json_is_passed_over` |
//! | a stream may break off, and its execution goes on | `a_stream_that_breaks_off_is_finished_by_polling` |
//! | a stream may end as failed | `a_stream_that_ends_as_failed_is_a_failure` |
//! | `generated_files` in an answer, in a form that no source shows | `files::generated_files_are_read_in_every_form_that_has_an_address` |
//! | a file is `waiting`, then `completed` or `failed` | `a_file_is_sent_waited_for_and_read_by_an_execution` |
//! | `file_ids` takes 5 files that are `completed` | `a_file_that_tess_does_not_know_is_refused` |
//! | 413 for a file that is too long | `a_file_that_is_too_long_is_refused` |
//! | an account stores 30 files | `a_full_storage_is_told_from_a_file_that_is_refused` |

mod advice;
mod agent;
mod detail;
mod error;
mod execution;
mod files;
mod http;
mod light;
mod limiter;
mod options;
mod stream;
mod wire;

use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

pub use self::{
    agent::{Agent, Question},
    error::TessError,
    files::{
        AUDIO_EXTENSIONS, DOCUMENT_EXTENSIONS, FileKind, GeneratedFile, IMAGE_EXTENSIONS, MAX_AUDIO_BYTES,
        MAX_FILE_BYTES, MAX_FILES_PER_EXECUTION, MAX_STORED_FILES, VIDEO_EXTENSIONS,
    },
    options::{InvalidDefault, InvalidOption, Options},
};
use self::{http::Http, limiter::Limiter, wire::Delivery};
use crate::{
    config::{TessConfig, Timings},
    ids::{AgentId, ExecutionId, FileId},
};

/// Agents of one page of the list.
const AGENTS_PER_PAGE: usize = 50;

/// Pages of agents read at most: 1,000 agents.
const AGENT_PAGES: usize = 20;

/// Who said a message of the `messages` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions; only as the first message. Tess refuses `system`.
    Developer,
    /// People.
    User,
    /// The agent.
    Assistant,
}

/// One element of the `messages` array of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// What is asked of an agent.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The agent to execute.
    pub agent: AgentId,
    /// The conversation; the last message must be the user's.
    pub messages: &'a [ChatMessage],
    /// The answers to the agent's own questions.
    pub options: &'a Options,
    /// Files to read, at most [`MAX_FILES_PER_EXECUTION`]; each has been waited for.
    pub files: &'a [FileId],
}

/// What an agent answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The execution that wrote it.
    pub execution: ExecutionId,
    /// Markdown; blank only when there are files.
    pub output: String,
    /// Tess credits charged; 0 when Tess does not say.
    pub credits: f64,
    /// The files it made, at most 10.
    pub files: Vec<GeneratedFile>,
}

/// A client of one token. Clones share the token's limiter.
#[derive(Clone)]
pub struct Tess {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    config: TessConfig,
    timings: Timings,
    limiter: Limiter,
}

impl Tess {
    /// A client that sends nothing yet.
    ///
    /// `http` should have a `connect_timeout`, so that a network that swallows packets is told apart from an execution
    /// that takes its time, and a `pool_idle_timeout` below the server's, so that no execution is sent into a
    /// connection that is just being closed.
    pub fn new(http: reqwest::Client, config: &TessConfig, timings: &Timings) -> Self {
        let inner = Inner {
            http: Http::new(http, config),
            config: config.clone(),
            timings: timings.clone(),
            limiter: Limiter::new(config.request_interval),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Executes an agent with a conversation and waits for the end, at most `TESS_TIMEOUT` after the first time the
    /// request went out.
    ///
    /// Dropping the future gives a place in the queue back; an execution that already runs goes on at Tess.
    ///
    /// # Errors
    ///
    /// Every variant of [`TessError`] but [`TessError::Unavailable`] and those of files. After
    /// [`TessError::OutcomeUnknown`] and [`TessError::TimedOut`] the execution may have been charged.
    pub async fn execute(&self, request: &Request<'_>) -> Result<Answer, TessError> {
        self.inner.execute(request, Delivery::Whole, |_| {}).await
    }

    /// As [`Tess::execute`], but `on_text` gets the whole text so far whenever there is more of it; it should be quick.
    ///
    /// A stream that breaks off is finished by polling its execution, without further calls of `on_text`. Only the
    /// answer is the whole truth: a text that was shown may be part of an execution that failed.
    ///
    /// # Errors
    ///
    /// As [`Tess::execute`]. A stream that breaks off before its first event is [`TessError::OutcomeUnknown`].
    pub async fn stream(&self, request: &Request<'_>, on_text: impl FnMut(&str)) -> Result<Answer, TessError> {
        self.inner.execute(request, Delivery::Stream, on_text).await
    }

    /// Sends a file of at most [`MAX_FILE_BYTES`]; `process` has it read, which costs credits, and which an execution needs.
    ///
    /// # Errors
    ///
    /// [`TessError::FileRefused`], [`TessError::StorageFull`], or as [`Tess::agent`]. After [`TessError::Unavailable`]
    /// the file may be stored under an id that nobody knows.
    pub async fn upload(&self, name: &str, mime: &str, bytes: Vec<u8>, process: bool) -> Result<FileId, TessError> {
        self.inner.upload(name, mime, bytes, process).await
    }

    /// Waits until Tess has read a file; what that cost, in Tess credits.
    ///
    /// # Errors
    ///
    /// [`TessError::FileRefused`] when it could not be read, [`TessError::TimedOut`] at `deadline`.
    pub async fn wait_for_file(&self, file: FileId, deadline: Instant) -> Result<f64, TessError> {
        self.inner.wait_for_file(file, deadline).await
    }

    /// Deletes a file; one that is gone already is no error.
    ///
    /// # Errors
    ///
    /// As [`Tess::agent`].
    pub async fn delete_file(&self, file: FileId) -> Result<(), TessError> {
        self.inner.delete_file(file).await
    }

    /// What `TESS_MODEL`, `TESS_TEMPERATURE` or `TESS_TOOLS` says to the question `name`.
    pub fn default_option(&self, name: &str) -> Option<&str> {
        options::defaults(&self.inner.config).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// `TESS_MODEL`, `TESS_TEMPERATURE` and `TESS_TOOLS`, as far as `agent` would refuse them.
    pub fn invalid_defaults(&self, agent: &Agent) -> Vec<InvalidDefault> {
        options::bad_defaults(&self.inner.config, agent)
    }

    /// What the operator has to change after an error, as words that fit after a semicolon; `None` when waiting or
    /// asking again is all there is to do.
    pub fn advice(&self, error: &TessError) -> Option<String> {
        advice::advice(error, &self.inner.config.api_url)
    }

    /// What Tess knows of an agent.
    ///
    /// # Errors
    ///
    /// [`TessError::AgentNotFound`], [`TessError::Unavailable`] when Tess gave no readable answer, or why it refused.
    pub async fn agent(&self, agent: AgentId) -> Result<Agent, TessError> {
        let found = self.inner.look_up(&format!("/agents/{agent}"), Some(agent)).await?;
        Agent::read(&found).ok_or_else(|| TessError::Unavailable { detail: "not an agent's description".to_owned() })
    }

    /// The chat agents that the key sees, at most 1,000.
    ///
    /// # Errors
    ///
    /// As [`Tess::agent`]; a page that fails fails the list.
    pub async fn chat_agents(&self) -> Result<Vec<Agent>, TessError> {
        let mut agents = Vec::new();
        for page in 1..=AGENT_PAGES {
            let path = format!("/agents?type=chat&page={page}&per_page={AGENTS_PER_PAGE}");
            let found = wire::agents(&self.inner.look_up(&path, None).await?);
            agents.extend(found.agents.into_iter().filter(Agent::is_chat));
            if page >= found.last_page {
                break;
            }
        }
        Ok(agents)
    }

    /// Executions that now wait for a free request.
    pub fn queued_executions(&self) -> usize {
        self.inner.limiter.queued_executions()
    }
}

#[cfg(test)]
mod tests;
