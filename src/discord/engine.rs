//! The request engine: authorization, time limits, rate limits and retries, the same for every route.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Answer, Refusal},
    error::DiscordError,
    rate_limit::{RateLimits, RouteKey, Wait},
    retry::RetryPolicy,
};
use crate::{
    backoff::Backoff,
    config::{DiscordConfig, Timings},
    telemetry::Metrics,
};

/// The `User-Agent` of every request, in the form that Discord requires.
/// <https://discord.com/developers/docs/reference#user-agent>
pub(super) const USER_AGENT: &str =
    concat!("DiscordBot (https://github.com/tess-discord, ", env!("CARGO_PKG_VERSION"), ")");

/// Pauses before a request is repeated, with jitter so that many channels do not return together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15)).with_jitter(0.5);

/// What all clones of a client share.
pub(super) struct Engine {
    pub(super) http: reqwest::Client,
    /// With the version, without a trailing slash.
    pub(super) base: String,
    authorization: header::HeaderValue,
    limits: Mutex<RateLimits>,
    /// Notified whenever a request has its answer.
    answered: Notify,
    /// Cancelled by the first 401: every later request would only count as one more invalid request.
    token_rejected: CancellationToken,
    pub(super) request_limit: Duration,
    pub(super) delivery_limit: Duration,
    pub(super) metrics: Metrics,
}

/// The client of Discord's REST API. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Discord {
    pub(super) engine: Arc<Engine>,
}

impl Discord {
    /// Creates a client for the given account.
    ///
    /// # Errors
    /// When the token cannot be the value of a header.
    pub(crate) fn new(
        http: reqwest::Client,
        config: &DiscordConfig,
        timings: &Timings,
        metrics: Metrics,
    ) -> Result<Self, header::InvalidHeaderValue> {
        let mut authorization = header::HeaderValue::try_from(format!("Bot {}", config.token.expose_secret()))?;
        authorization.set_sensitive(true);
        let engine = Engine {
            http,
            base: format!("{}/api/v10", config.api_url),
            authorization,
            limits: Mutex::new(RateLimits::new(Instant::now(), config.requests_per_second)),
            answered: Notify::new(),
            token_rejected: CancellationToken::new(),
            request_limit: timings.discord_request_timeout,
            delivery_limit: timings.delivery_timeout,
            metrics,
        };
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Waits until Discord refuses the token.
    pub(crate) async fn token_rejected(&self) {
        self.engine.token_rejected.cancelled().await;
    }

    /// A request with the bot's token.
    pub(super) fn start(&self, method: Method, path: &str) -> RequestBuilder {
        self.start_without_token(method, path).header(header::AUTHORIZATION, &self.engine.authorization)
    }

    /// A request to a route that Discord authorizes by a token in its path.
    pub(super) fn start_without_token(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.engine.http.request(method, format!("{}{path}", self.engine.base));
        request.header(header::USER_AGENT, USER_AGENT)
    }

    /// Sends a request whose answer is read as JSON; one that cannot be read counts as no answer.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        key: RouteKey,
        retry: RetryPolicy,
        build: impl Fn() -> RequestBuilder,
    ) -> Result<T, DiscordError> {
        let mut tried = 0;
        loop {
            let body = self.request(key, retry, &build).await?;
            tried += 1;
            match serde_json::from_slice(&body) {
                Ok(value) => return Ok(value),
                Err(_) if retry.is_over(tried) => {
                    return Err(DiscordError::Unavailable { detail: "the answer could not be read".into() });
                }
                Err(_) => sleep(RETRIES.pause_after(tried)).await,
            }
        }
    }

    /// Sends a request until its outcome is certain or `retry` is over; the body of its success.
    pub(super) async fn request(
        &self,
        key: RouteKey,
        retry: RetryPolicy,
        build: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, DiscordError> {
        let limit = retry.request_limit(self.engine.request_limit);
        let mut tried = 0;
        loop {
            let permit = self.permit(key, retry).await?;
            let answer = attempt(build(), limit).await;
            self.learn(key, &answer);
            drop(permit);
            tried += 1;
            let (detail, may_repeat) = match answer {
                Answer::Success { body, .. } => return Ok(body),
                // The pause is the limit's own.
                Answer::Limited { .. } if !retry.is_over(tried) => continue,
                Answer::Limited { .. } => return Err(limited()),
                Answer::Refused(refusal) => return Err(self.refused(key, refusal)),
                Answer::NotSent { detail } => (detail, true),
                Answer::Unknown { detail, .. } => (detail, retry.repeats_uncertain()),
            };
            if !may_repeat || retry.is_over(tried) {
                return Err(DiscordError::Unavailable { detail });
            }
            sleep(RETRIES.pause_after(tried)).await;
        }
    }

    /// Learns from an answer what it says about the limits.
    fn learn(&self, key: RouteKey, answer: &Answer) {
        self.engine.metrics.discord_request(key.name, answer.status());
        let now = Instant::now();
        match answer {
            Answer::Success { quota: Some(quota), .. } => self.engine.limits(|limits| limits.learn(key, *quota, now)),
            Answer::Limited { scope, retry_after, counts } => {
                self.engine.metrics.discord_rate_limited(scope.name());
                self.engine.limits(|limits| {
                    limits.limit(key, *scope, *retry_after, now);
                    if *counts {
                        limits.count_invalid(now);
                    }
                });
            }
            Answer::Success { .. } | Answer::Refused(_) | Answer::NotSent { .. } | Answer::Unknown { .. } => {}
        }
    }

    fn refused(&self, key: RouteKey, refusal: Refusal) -> DiscordError {
        let Refusal { status, code, message, unknown_reference } = refusal;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.engine.limits(|limits| limits.count_invalid(Instant::now()));
        }
        // A route of an interaction does not know the bot's token: it is the interaction's own that is refused.
        if status == StatusCode::UNAUTHORIZED && key.has_bot_token {
            self.engine.token_rejected.cancel();
            return DiscordError::Unauthorized;
        }
        if unknown_reference {
            return DiscordError::UnknownReference;
        }
        DiscordError::Refused { status: status.as_u16(), code, message }
    }

    /// Waits until a request may be sent.
    async fn permit(&self, key: RouteKey, retry: RetryPolicy) -> Result<Permit<'_>, DiscordError> {
        let end = retry.wait_end();
        loop {
            if self.engine.token_rejected.is_cancelled() {
                return Err(DiscordError::Unauthorized);
            }
            // Registered before the limits are asked, so that no answer is missed in between.
            let mut answered = pin!(self.engine.answered.notified());
            answered.as_mut().enable();
            match self.engine.limits(|limits| limits.take(key, Instant::now())) {
                Ok(()) => return Ok(Permit { engine: &self.engine, key }),
                Err(Wait::Until(free_at)) if free_at < end => sleep_until(free_at).await,
                Err(Wait::ForAnswer) if !matches!(retry, RetryPolicy::Once) => {
                    timeout_at(end, answered).await.map_err(|_| limited())?;
                }
                Err(_) => return Err(limited()),
            }
        }
    }
}

impl Engine {
    fn limits<T>(&self, change: impl FnOnce(&mut RateLimits) -> T) -> T {
        change(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request's permit on its route, until it has its answer or is dropped.
struct Permit<'a> {
    engine: &'a Engine,
    key: RouteKey,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.engine.limits(|limits| limits.release(self.key));
        self.engine.answered.notify_waiters();
    }
}

async fn attempt(request: RequestBuilder, limit: Duration) -> Answer {
    match timeout(limit, async { Answer::read(request.send().await?).await }).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if error.is_connect() => Answer::NotSent { detail: error.without_url().to_string() },
        Ok(Err(error)) => Answer::Unknown { status: None, detail: error.without_url().to_string() },
        Err(_) => Answer::Unknown { status: None, detail: "no answer in time".into() },
    }
}

fn limited() -> DiscordError {
    DiscordError::Unavailable { detail: "rate limited".into() }
}
