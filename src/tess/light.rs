//! Requests that execute nothing: look-ups and polls. They may be repeated.

use std::time::Duration;

use reqwest::{Request, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    Inner, TessError,
    detail::Hidden,
    error::refusal,
    http::{NoReply, Reply},
    limiter::Class,
};
use crate::ids::AgentId;

/// How long a poll or a look-up may stay unanswered.
pub(super) const LIGHT_REQUEST: Duration = Duration::from_secs(15);

/// How long a look-up may take in all, waiting for a free request and for the end of a rate limit included.
pub(super) const LOOK_UP: Duration = Duration::from_secs(45);

impl Inner {
    /// Reads what costs nothing.
    pub(super) async fn look_up(&self, path: &str, agent: Option<AgentId>) -> Result<Value, TessError> {
        let reply = self.send(&self.http.get(path)?, LIGHT_REQUEST, LOOK_UP).await?;
        if !reply.status.is_success() {
            return Err(refusal(&reply, agent, &Hidden::new(&self.config.api_key, &[])));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|_| TessError::Unavailable { detail: "the answer is not JSON".to_owned() })
    }

    /// Sends `request` in its turn; each try may take `limit`, all of it `within`. Only a 429 is waited for; the caller
    /// may ask again after any error.
    pub(super) async fn send(&self, request: &Request, limit: Duration, within: Duration) -> Result<Reply, TessError> {
        let ticket = self.limiter.ticket(Class::Other);
        let mut over = TessError::Unavailable { detail: format!("no answer within {within:?}") };
        let answered = timeout(within, async {
            loop {
                self.limiter.turn(&ticket).await;
                match self.http.send(request, limit).await {
                    Ok(reply) if reply.status == StatusCode::TOO_MANY_REQUESTS => {
                        over = TessError::RateLimited { retry_after: self.rate_limited(&reply) };
                    }
                    Ok(reply) => return Ok(reply),
                    Err(NoReply::NotSent { detail }) => return Err(TessError::NotSent { detail }),
                    Err(NoReply::Lost { detail }) => return Err(TessError::Unavailable { detail }),
                }
            }
        });
        answered.await.unwrap_or(Err(over))
    }

    /// Asks again and again until `end` finds one. A poll may fail as it likes: the next one is as good.
    pub(super) async fn poll<T>(&self, path: &str, mut end: impl FnMut(&Reply) -> Option<T>) -> Result<T, TessError> {
        let request = self.http.get(path)?;
        loop {
            sleep(self.timings.poll_interval).await;
            self.limiter.turn(&self.limiter.ticket(Class::Other)).await;
            let Ok(reply) = self.http.send(&request, LIGHT_REQUEST).await else { continue };
            if reply.status == StatusCode::TOO_MANY_REQUESTS {
                self.rate_limited(&reply);
            } else if let Some(end) = end(&reply) {
                return Ok(end);
            }
        }
    }

    pub(super) fn rate_limited(&self, reply: &Reply) -> Duration {
        let retry_after = reply.retry_after();
        tracing::warn!(retry_after_ms = retry_after.as_millis(), "Tess is rate limiting");
        self.limiter.pause(retry_after);
        retry_after
    }
}
