//! Runs one execution: asks for it once, and waits for its end.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{
    error::TessError,
    http::{Events, NoReply, Opened, Reply},
    limiter::{Class, Ticket},
    redact::Redactor,
    refusal::{failure, refusal},
    request::{Answer, Request},
    transport::Transport,
    wire::{self, Delivery, Execution, Report, State},
};
use crate::{
    backoff::Backoff,
    ids::{AgentId, ExecutionId},
};

/// How long a stream may be silent once its execution is known; then a poll is the better way to wait. Before that, the
/// execution could not be found again, so that the timeout of the request applies.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Executes an agent and waits for the end. Calls `on_text` with all text so far whenever a stream brings more of it.
pub(super) async fn execute(
    transport: &Transport,
    request: &Request<'_>,
    delivery: Delivery,
    mut on_text: impl FnMut(&str),
) -> Result<Answer, TessError> {
    let redactor = transport.redactor(request.messages);
    let body = wire::execute_body(&transport.config, request, delivery).into_bytes();
    let post = transport.http.post(&format!("/agents/{}/execute", request.agent), "application/json", body)?;
    let ticket = transport.limiter.ticket(Class::Execution);
    transport.limiter.acquire(&ticket).await;
    let time_limit = transport.config.timeout;
    let deadline = Instant::now() + time_limit;
    let opened = start(transport, &post, &ticket, deadline).await?;
    let ended = timeout_at(deadline, async {
        let execution = match opened {
            // Tess may send either, whatever was asked for.
            Opened::Reply(reply) => started(&reply, request.agent, &redactor)?,
            Opened::Events(events) => follow(transport, events, &mut on_text).await?,
        };
        let id = execution.id;
        match outcome(execution, &redactor) {
            Some(outcome) => outcome,
            None => poll(transport, id, &redactor).await,
        }
    });
    ended.await.unwrap_or(Err(TessError::TimedOut { waited: time_limit }))
}

/// Sends `POST execute` until it is accepted or refused. The caller has already acquired `ticket` once.
async fn start(
    transport: &Transport,
    post: &reqwest::Request,
    ticket: &Ticket,
    deadline: Instant,
) -> Result<Opened, TessError> {
    let mut backoff = Backoff::new(transport.timings.backoff_min, transport.timings.backoff_max).with_jitter(0.5);
    loop {
        let limit = transport.timings.execute_timeout.min(deadline.saturating_duration_since(Instant::now()));
        let (not_run, pause) = match transport.http.open(post, limit).await {
            Ok(Opened::Reply(reply)) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = transport.pause_for(&reply);
                (TessError::RateLimited { retry_after }, retry_after)
            }
            Ok(opened) => return Ok(opened),
            Err(NoReply::NotSent { detail }) => (TessError::NotSent { detail }, backoff.next_pause()),
            Err(NoReply::Lost { .. }) if Instant::now() >= deadline => {
                return Err(TessError::TimedOut { waited: transport.config.timeout });
            }
            Err(NoReply::Lost { detail }) => return Err(TessError::OutcomeUnknown { detail }),
        };
        if Instant::now() + pause >= deadline {
            return Err(not_run);
        }
        if let TessError::NotSent { detail } = &not_run {
            tracing::debug!(%detail, pause_ms = pause.as_millis(), "Tess not reached, retrying");
            sleep(pause).await;
        }
        // After a 429 the limiter itself waits: the ticket keeps its position before later ones.
        if timeout_at(deadline, transport.limiter.acquire(ticket)).await.is_err() {
            return Err(not_run);
        }
    }
}

/// Reads a stream to the end of its execution. If the stream breaks off, the execution is returned as unfinished.
async fn follow(
    transport: &Transport,
    mut events: Events,
    on_text: &mut impl FnMut(&str),
) -> Result<Execution, TessError> {
    let mut id = None;
    let mut text = String::new();
    let detail = loop {
        let idle_limit = if id.is_some() { STREAM_IDLE_TIMEOUT } else { transport.timings.execute_timeout };
        let event = match timeout(idle_limit, events.next()).await {
            Ok(Ok(event)) => event,
            Ok(Err(why)) => break why,
            Err(_) => break format!("no event within {idle_limit:?}"),
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
    tracing::debug!(execution.id = %id, %detail, "stream broke off, polling for its end");
    Ok(Execution { id, report: Report::default() })
}

async fn poll(transport: &Transport, id: ExecutionId, redactor: &Redactor<'_>) -> Result<Answer, TessError> {
    let end = |reply: &Reply| {
        if reply.status.is_client_error() {
            // The execution was accepted and may have been charged: no refusal of a poll says that nothing ran.
            return Some(Err(TessError::OutcomeUnknown { detail: redactor.refusal(reply.status, &reply.body) }));
        }
        let execution = reply.status.is_success().then(|| wire::execution(&reply.body))??;
        outcome(execution, redactor)
    };
    transport.poll(&format!("/agent-responses/{id}"), end).await?
}

/// Reads the execution in the reply to `POST execute`.
fn started(reply: &Reply, agent: AgentId, redactor: &Redactor<'_>) -> Result<Execution, TessError> {
    if reply.status.is_success() {
        return wire::execution(&reply.body)
            .ok_or_else(|| TessError::OutcomeUnknown { detail: "the answer has no execution id".to_owned() });
    }
    Err(match refusal(reply, Some(agent), redactor) {
        // After a 5xx the agent may be running nevertheless.
        TessError::Unavailable { detail } => TessError::OutcomeUnknown { detail },
        refused => refused,
    })
}

/// Returns the outcome of an execution; `None` while it has not ended.
fn outcome(execution: Execution, redactor: &Redactor<'_>) -> Option<Result<Answer, TessError>> {
    let Report { state, output, error, credits, files, .. } = &execution.report;
    match state {
        State::Unfinished => None,
        State::Succeeded if output.trim().is_empty() && files.is_empty() => {
            Some(Err(TessError::Empty { credits: *credits }))
        }
        State::Succeeded => Some(Ok(execution.into_answer())),
        State::Failed => Some(Err(failure(error, redactor))),
    }
}
