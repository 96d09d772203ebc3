//! One execution: asked for once, followed to its end.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{
    Answer, Inner, Request, TessError,
    detail::Hidden,
    error::{failure, refusal},
    http::{NoReply, Opened, Reply},
    limiter::{Class, Ticket},
    stream::Events,
    wire::{self, Delivery, Execution, Report, State},
};
use crate::{
    backoff::Backoff,
    ids::{AgentId, ExecutionId},
};

/// How long a stream whose execution is known may bring nothing. After it a poll is the better way to wait; before, the
/// execution could not be found again, so the patience is that of the request itself.
const STREAM_IDLE: Duration = Duration::from_secs(60);

impl Inner {
    /// Executes, and calls `on_text` with all text so far whenever a stream brings more of it.
    pub(super) async fn execute(
        &self,
        request: &Request<'_>,
        delivery: Delivery,
        mut on_text: impl FnMut(&str),
    ) -> Result<Answer, TessError> {
        let hidden = Hidden::new(&self.config.api_key, request.messages);
        let body = wire::execute_body(&self.config, request, delivery);
        let post =
            self.http.post(&format!("/agents/{}/execute", request.agent), "application/json", body.into_bytes())?;
        let ticket = self.limiter.ticket(Class::Execution);
        self.limiter.turn(&ticket).await;
        let deadline = Instant::now() + self.config.timeout;
        let opened = self.start(&post, &ticket, deadline).await?;
        let ended = timeout_at(deadline, async {
            let execution = match opened {
                // Either may come, whatever was asked for.
                Opened::Reply(reply) => started(&reply, request.agent, &hidden)?,
                Opened::Events(events) => self.follow(events, &mut on_text).await?,
            };
            let id = execution.id;
            match outcome(execution, &hidden) {
                Some(outcome) => outcome,
                None => self.poll_execution(id, &hidden).await,
            }
        });
        ended.await.unwrap_or(Err(TessError::TimedOut { waited: self.config.timeout }))
    }

    /// Sends `POST execute` until it was taken or refused. The first turn of `ticket` has been waited for.
    async fn start(&self, post: &reqwest::Request, ticket: &Ticket, deadline: Instant) -> Result<Opened, TessError> {
        let mut backoff = Backoff::new(self.timings.backoff_min, self.timings.backoff_max).with_jitter(0.5);
        loop {
            let limit = self.timings.execute_timeout.min(deadline.saturating_duration_since(Instant::now()));
            let (nothing_ran, pause) = match self.http.open(post, limit).await {
                Ok(Opened::Reply(reply)) if reply.status == reqwest::StatusCode::TOO_MANY_REQUESTS => {
                    let retry_after = self.rate_limited(&reply);
                    (TessError::RateLimited { retry_after }, retry_after)
                }
                Ok(opened) => return Ok(opened),
                Err(NoReply::NotSent { detail }) => (TessError::NotSent { detail }, backoff.next_pause()),
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
            }
            // After a 429 the limiter itself is what waits: the ticket keeps its place before later ones.
            if timeout_at(deadline, self.limiter.turn(ticket)).await.is_err() {
                return Err(nothing_ran);
            }
        }
    }

    /// Reads a stream to the end of its execution. One that breaks off leaves the execution unfinished.
    async fn follow(&self, mut events: Events, on_text: &mut impl FnMut(&str)) -> Result<Execution, TessError> {
        let mut id = None;
        let mut text = String::new();
        let detail = loop {
            let idle = if id.is_some() { STREAM_IDLE } else { self.timings.execute_timeout };
            let event = match timeout(idle, events.next()).await {
                Ok(Ok(event)) => event,
                Ok(Err(why)) => break why,
                Err(_) => break format!("the stream brought nothing for {idle:?}"),
            };
            id = id.or(event.id);
            if !event.report.output.is_empty() {
                text.push_str(&event.report.output);
                on_text(&text);
            }
            if let Some(id) = id
                && event.report.state != State::Unfinished
            {
                return Ok(Execution { id, report: Report { output: text, ..event.report } });
            }
        };
        let Some(id) = id else { return Err(TessError::OutcomeUnknown { detail }) };
        tracing::debug!(execution.id = %id, %detail, "a stream broke off, asking for its end");
        Ok(Execution { id, report: Report::default() })
    }

    async fn poll_execution(&self, id: ExecutionId, hidden: &Hidden<'_>) -> Result<Answer, TessError> {
        let end = |reply: &Reply| {
            if reply.status.is_client_error() {
                // It was accepted and may have been charged: no refusal of a poll says that nothing ran.
                return Some(Err(TessError::OutcomeUnknown { detail: hidden.refusal(reply.status, &reply.body) }));
            }
            let execution = reply.status.is_success().then(|| wire::execution(&reply.body))??;
            outcome(execution, hidden)
        };
        self.poll(&format!("/agent-responses/{id}"), end).await?
    }
}

/// The execution in the answer to `POST execute`.
fn started(reply: &Reply, agent: AgentId, hidden: &Hidden<'_>) -> Result<Execution, TessError> {
    if reply.status.is_success() {
        return wire::execution(&reply.body)
            .ok_or_else(|| TessError::OutcomeUnknown { detail: "the answer has no execution id".to_owned() });
    }
    Err(match refusal(reply, Some(agent), hidden) {
        // A 5xx does not tell whether the agent runs behind it.
        TessError::Unavailable { detail } => TessError::OutcomeUnknown { detail },
        refused => refused,
    })
}

/// What an execution came to; `None` while it has not ended.
fn outcome(execution: Execution, hidden: &Hidden<'_>) -> Option<Result<Answer, TessError>> {
    let Execution { id, report: Report { state, output, error, credits, files } } = execution;
    match state {
        State::Unfinished => None,
        State::Succeeded if output.trim().is_empty() && files.is_empty() => Some(Err(TessError::Empty { credits })),
        State::Succeeded => Some(Ok(Answer { execution: id, output, credits, files })),
        State::Failed => Some(Err(failure(&error, hidden))),
    }
}
