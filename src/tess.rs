//! The Tess client: executes an agent with a conversation and waits for the end.
//!
//! An execution costs credits and Tess knows no idempotency key. So `POST execute` is repeated only when it certainly
//! did not run: after a 429, or when no connection came about. Whatever else goes wrong before an execution's id is
//! known is [`TessError::OutcomeUnknown`], and a person decides. Polls and look-ups cost nothing and may be repeated.
//!
//! What is known of Tess, and the test that holds it (in `tests/it/tess_client.rs` unless a module is named):
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
//! | 422 for an option that the agent does not have | `an_option_the_agent_does_not_have_is_refused` |
//! | "no credits", whatever the status | `no_credits_is_recognised`, `error::each_status_and_body_becomes_one_variant` |
//! | agents come in pages, with other types among them | `the_chat_agents_of_every_page_are_listed` |

mod detail;
mod error;
mod http;
mod limiter;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Request, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub use self::error::TessError;
pub use self::wire::{Agent, Question};
use self::{
    detail::Hidden,
    error::refusal,
    http::{Http, NoReply, Reply},
    limiter::{Class, Limiter, Ticket},
    wire::{Execution, State},
};
use crate::config::{AgentId, Pace, TessConfig};

/// How long a poll or a look-up may stay unanswered.
const LIGHT_REQUEST: Duration = Duration::from_secs(15);

/// How long a look-up of agents may take in all, waiting for a free request and for the end of a rate limit included.
const LOOK_UP: Duration = Duration::from_secs(45);

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

/// The numeric id of an execution, `agent-responses/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionId(pub u64);

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an agent answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The execution that wrote it.
    pub execution: ExecutionId,
    /// Markdown; never blank.
    pub output: String,
    /// Tess credits charged; 0 when Tess does not say.
    pub credits: f64,
}

/// A client of one token. Clones share the token's limiter.
#[derive(Clone)]
pub struct Tess {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    config: TessConfig,
    pace: Pace,
    limiter: Limiter,
}

impl Tess {
    /// A client that sends nothing yet.
    ///
    /// `http` should have a `connect_timeout`, so that a network that swallows packets is told apart from an execution
    /// that takes its time, and a `pool_idle_timeout` below the server's, so that no execution is sent into a
    /// connection that is just being closed.
    pub fn new(http: reqwest::Client, config: &TessConfig, pace: &Pace) -> Self {
        let inner = Inner {
            http: Http::new(http, config),
            config: config.clone(),
            pace: pace.clone(),
            limiter: Limiter::new(config.request_interval),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Executes `agent` with a conversation and waits for the end, at most `TESS_TIMEOUT` after the first time the
    /// request went out. The last message must be the user's.
    ///
    /// Dropping the future gives a place in the queue back; an execution that already runs goes on at Tess.
    ///
    /// # Errors
    ///
    /// Every variant of [`TessError`] but [`TessError::Unavailable`]. After [`TessError::OutcomeUnknown`] and
    /// [`TessError::TimedOut`] the execution may have been charged.
    pub async fn execute(&self, agent: AgentId, messages: &[ChatMessage]) -> Result<Answer, TessError> {
        self.inner.execute(agent, messages).await
    }

    /// What Tess knows of an agent.
    ///
    /// # Errors
    ///
    /// [`TessError::AgentNotFound`], [`TessError::Unavailable`] when Tess gave no readable answer, or why it refused.
    pub async fn agent(&self, agent: AgentId) -> Result<Agent, TessError> {
        let found = self.inner.look_up(&format!("/agents/{agent}"), Some(agent)).await?;
        wire::agent(&found).ok_or_else(|| TessError::Unavailable { detail: "not an agent's description".to_owned() })
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
    pub fn ahead(&self) -> usize {
        self.inner.limiter.waiting_executions()
    }
}

impl Inner {
    async fn execute(&self, agent: AgentId, messages: &[ChatMessage]) -> Result<Answer, TessError> {
        let hidden = Hidden::new(&self.config.api_key, messages);
        let request =
            self.http.post(&format!("/agents/{agent}/execute"), wire::execute_body(&self.config, messages))?;
        let ticket = self.limiter.ticket(Class::Execution);
        self.limiter.turn(&ticket).await;
        let deadline = Instant::now() + self.config.timeout;
        let started = match self.start(&request, &ticket, deadline).await? {
            Started::Execution(execution) => execution,
            Started::Refused(reply) => return Err(refused_execution(&reply, agent, &hidden)),
        };
        let id = started.id;
        match outcome(started, &hidden) {
            Some(outcome) => outcome,
            None => timeout_at(deadline, self.poll_to_the_end(id, &hidden))
                .await
                .unwrap_or(Err(TessError::TimedOut { waited: self.config.timeout })),
        }
    }

    /// Sends `POST execute` until it was taken or refused. The first turn of `ticket` has been waited for.
    async fn start(&self, request: &Request, ticket: &Ticket, deadline: Instant) -> Result<Started, TessError> {
        let mut backoff = self.pace.backoff_min;
        loop {
            let limit = self.pace.execute_request.min(deadline.saturating_duration_since(Instant::now()));
            let (nothing_ran, pause) = match self.http.send(request, limit).await {
                Ok(reply) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                    let retry_after = self.rate_limited(&reply);
                    (TessError::RateLimited { retry_after }, retry_after)
                }
                Ok(reply) => return started(reply),
                Err(NoReply::NotSent { detail }) => (TessError::NotSent { detail }, jittered(backoff)),
                Err(NoReply::Lost { .. }) if Instant::now() >= deadline => {
                    return Err(TessError::TimedOut { waited: self.config.timeout });
                }
                Err(NoReply::Lost { detail }) => return Err(TessError::OutcomeUnknown { detail }),
            };
            if Instant::now() + pause >= deadline {
                return Err(nothing_ran);
            }
            if let TessError::NotSent { detail } = &nothing_ran {
                tracing::debug!(%detail, pause_ms = pause.as_millis(), "Tess could not be reached, trying again");
                sleep(pause).await;
                backoff = (backoff * 2).min(self.pace.backoff_max);
            }
            // After a 429 the limiter itself is what waits: the ticket keeps its place before later ones.
            if timeout_at(deadline, self.limiter.turn(ticket)).await.is_err() {
                return Err(nothing_ran);
            }
        }
    }

    /// Asks for the execution until it ended. A poll may fail as it likes: the next one is as good.
    async fn poll_to_the_end(&self, id: ExecutionId, hidden: &Hidden<'_>) -> Result<Answer, TessError> {
        let request = self.http.get(&format!("/agent-responses/{id}"))?;
        loop {
            sleep(self.pace.poll_every).await;
            self.limiter.turn(&self.limiter.ticket(Class::Other)).await;
            let Ok(reply) = self.http.send(&request, LIGHT_REQUEST).await else { continue };
            if reply.status == StatusCode::TOO_MANY_REQUESTS {
                self.rate_limited(&reply);
            } else if reply.status.is_client_error() {
                // It was accepted and may have been charged: no refusal of a poll says that nothing ran.
                return Err(TessError::OutcomeUnknown { detail: hidden.refusal(reply.status, &reply.body) });
            } else if reply.status.is_success()
                && let Some(execution) = wire::execution(&reply.body)
                && let Some(outcome) = outcome(execution, hidden)
            {
                return outcome;
            }
        }
    }

    /// Reads what costs nothing. Only a 429 is waited for; the caller may ask again after any other error.
    async fn look_up(&self, path: &str, agent: Option<AgentId>) -> Result<Value, TessError> {
        let hidden = Hidden::new(&self.config.api_key, &[]);
        let request = self.http.get(path)?;
        let ticket = self.limiter.ticket(Class::Other);
        let mut over = TessError::Unavailable { detail: format!("no answer within {LOOK_UP:?}") };
        let answered = timeout(LOOK_UP, async {
            loop {
                self.limiter.turn(&ticket).await;
                let reply = match self.http.send(&request, LIGHT_REQUEST).await {
                    Ok(reply) => reply,
                    Err(NoReply::NotSent { detail }) => return Err(TessError::NotSent { detail }),
                    Err(NoReply::Lost { detail }) => return Err(TessError::Unavailable { detail }),
                };
                if reply.status == StatusCode::TOO_MANY_REQUESTS {
                    over = TessError::RateLimited { retry_after: self.rate_limited(&reply) };
                } else if reply.status.is_success() {
                    return serde_json::from_slice(&reply.body)
                        .map_err(|_| TessError::Unavailable { detail: "the answer is not JSON".to_owned() });
                } else {
                    return Err(refusal(&reply, agent, &hidden));
                }
            }
        });
        answered.await.unwrap_or(Err(over))
    }

    fn rate_limited(&self, reply: &Reply) -> Duration {
        let retry_after = reply.retry_after();
        tracing::warn!(retry_after_ms = retry_after.as_millis(), "Tess is rate limiting");
        self.limiter.pause(retry_after);
        retry_after
    }
}

/// How Tess took a `POST execute`.
enum Started {
    Execution(Execution),
    Refused(Reply),
}

fn started(reply: Reply) -> Result<Started, TessError> {
    if !reply.status.is_success() {
        return Ok(Started::Refused(reply));
    }
    wire::execution(&reply.body)
        .map(Started::Execution)
        .ok_or_else(|| TessError::OutcomeUnknown { detail: "the answer has no execution id".to_owned() })
}

fn refused_execution(reply: &Reply, agent: AgentId, hidden: &Hidden<'_>) -> TessError {
    match refusal(reply, Some(agent), hidden) {
        // A 5xx does not tell whether the agent runs behind it.
        TessError::Unavailable { detail } => TessError::OutcomeUnknown { detail },
        refused => refused,
    }
}

/// What an execution came to; `None` while it has not ended.
fn outcome(execution: Execution, hidden: &Hidden<'_>) -> Option<Result<Answer, TessError>> {
    let Execution { id, state, output, error, credits } = execution;
    match state {
        State::Unfinished => None,
        State::Succeeded if output.trim().is_empty() => Some(Err(TessError::Empty)),
        State::Succeeded => Some(Ok(Answer { execution: id, output, credits })),
        State::Failed => Some(Err(error::failure(&error, hidden))),
    }
}

/// Between half of a pause and all of it, so that many bots do not come back in one moment.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}
