//! Sends requests in their turn: the limiter's order, rate limits, polls.

use std::time::Duration;

use reqwest::{Request, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    error::TessError,
    http::{Http, NoReply, Reply},
    limiter::{Class, Limiter},
    redact::Redactor,
    refusal::refusal,
    request::ChatMessage,
};
use crate::{
    config::{TessConfig, Timings},
    ids::AgentId,
    telemetry::Metrics,
};

/// How long a poll or a look-up may stay unanswered.
pub(super) const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a look-up may take in all: the wait for the limiter and for the end of a rate limit included.
pub(super) const LOOK_UP_DEADLINE: Duration = Duration::from_secs(45);

/// What all requests of one token share.
pub(super) struct Transport {
    pub(super) http: Http,
    pub(super) config: TessConfig,
    pub(super) timings: Timings,
    pub(super) limiter: Limiter,
}

impl Transport {
    pub(super) fn new(client: reqwest::Client, config: &TessConfig, timings: &Timings, metrics: Metrics) -> Self {
        Self {
            http: Http::new(client, config),
            config: config.clone(),
            timings: timings.clone(),
            limiter: Limiter::new(config.request_interval, metrics),
        }
    }

    /// Returns what removes the key and the texts of `messages` from error details.
    pub(super) fn redactor<'a>(&'a self, messages: &'a [ChatMessage]) -> Redactor<'a> {
        Redactor::new(&self.config.api_key, messages)
    }

    /// Reads JSON from a path that costs nothing. `agent`: the one that a 404 means.
    pub(super) async fn look_up(&self, path: &str, agent: Option<AgentId>) -> Result<Value, TessError> {
        let reply = self.send(&self.http.get(path)?, LOOK_UP_TIMEOUT, LOOK_UP_DEADLINE).await?;
        if !reply.status.is_success() {
            return Err(refusal(&reply, agent, &self.redactor(&[])));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|_| TessError::Unavailable { detail: "the answer is not JSON".to_owned() })
    }

    /// Sends a request that executes nothing: each try may take `limit`, all of them `deadline`. Repeats it only after a 429.
    pub(super) async fn send(
        &self,
        request: &Request,
        limit: Duration,
        deadline: Duration,
    ) -> Result<Reply, TessError> {
        let ticket = self.limiter.ticket(Class::Other);
        let mut timed_out = TessError::Unavailable { detail: format!("no answer within {deadline:?}") };
        let answered = timeout(deadline, async {
            loop {
                self.limiter.acquire(&ticket).await;
                match self.http.send(request, limit).await {
                    Ok(reply) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                        timed_out = TessError::RateLimited { retry_after: self.pause_for(&reply) };
                    }
                    Ok(reply) => return Ok(reply),
                    Err(NoReply::NotSent { detail }) => return Err(TessError::NotSent { detail }),
                    Err(NoReply::Lost { detail }) => return Err(TessError::Unavailable { detail }),
                }
            }
        });
        answered.await.unwrap_or(Err(timed_out))
    }

    /// Polls until `end` finds an end in a reply. A poll that fails is ignored: the next one serves as well.
    pub(super) async fn poll<T>(&self, path: &str, mut end: impl FnMut(&Reply) -> Option<T>) -> Result<T, TessError> {
        let request = self.http.get(path)?;
        loop {
            sleep(self.timings.poll_interval).await;
            self.limiter.acquire(&self.limiter.ticket(Class::Other)).await;
            let Ok(reply) = self.http.send(&request, LOOK_UP_TIMEOUT).await else { continue };
            if reply.status == StatusCode::TOO_MANY_REQUESTS {
                self.pause_for(&reply);
            } else if let Some(end) = end(&reply) {
                return Ok(end);
            }
        }
    }

    /// Holds all requests for as long as a 429 asks, and returns that time.
    pub(super) fn pause_for(&self, reply: &Reply) -> Duration {
        let retry_after = reply.retry_after();
        tracing::warn!(retry_after_ms = retry_after.as_millis(), "Tess is rate limiting");
        self.limiter.pause(retry_after);
        retry_after
    }
}
