//! Discord's REST, as far as the bot uses it. Nothing is decided here.
//!
//! Every request has a time limit and a bounded body, keeps to Discord's rate limits, and is repeated only where that is
//! safe: reading is, and creating a message is because each carries a `nonce` that Discord enforces, so a message whose
//! outcome is unknown (time-out, 5xx, an answer cut short) is sent again without ever appearing twice.
//!
//! serenity's own client is not used for this: it has no time-outs, forgets the global limit between tasks, loops on a
//! malformed header, and calls a message that was created but whose answer it could not read an error.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    config::{DiscordConfig, Timings},
    discord::{
        answer::{Answer, Refusal},
        button::Button,
        model::Message,
        rate_limit::{RateLimits, RouteKey, Wait},
    },
    ids::{ApplicationId, ChannelId, MessageId},
    telemetry::Metrics,
};

mod account;
mod answer;
pub mod button;
mod cdn;
pub mod model;
mod post;
mod rate_limit;

pub use self::{
    account::{ChannelInfo, GuildInfo, Me, RoleInfo},
    cdn::FetchError,
    post::{Nonce, Post},
};

/// Who the bot says it is; Discord demands this form.
/// <https://discord.com/developers/docs/reference#user-agent>
pub const USER_AGENT: &str = concat!("DiscordBot (https://github.com/tess-discord, ", env!("CARGO_PKG_VERSION"), ")");

/// Tries of a request that only reads.
const READ_TRIES: u32 = 4;

/// Longest wait of such a request for a rate limit: someone waits for what it reads.
const READ_WAIT: Duration = Duration::from_secs(10);

/// Pauses before a request is repeated, with jitter so that many channels do not return together.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15)).with_jitter(0.5);

/// Discord's codes for a reply where the bot may not read the message history.
const NO_HISTORY: [u64; 2] = [160_002, 160_009];

/// Discord's code for a message that is not there (any more).
const UNKNOWN_MESSAGE: u64 = 10008;

/// Why a request to Discord came to nothing, named by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum DiscordError {
    /// 401: the token is wrong or was reset. Nothing is sent any more.
    #[error("Discord refused the bot's token")]
    Unauthorized,
    /// Another 4xx: Discord will refuse the same request again.
    #[error("Discord refused: {status}, code {code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Discord's own error code; 0 when the body had none.
        code: u64,
        /// Discord's words, which never repeat what was sent.
        message: String,
    },
    /// The message replied to is not there (any more).
    #[error("the message replied to is gone")]
    UnknownReference,
    /// No certain answer within the time given.
    #[error("Discord did not answer for certain: {detail}")]
    Unavailable {
        /// The last cause.
        detail: String,
    },
}

impl DiscordError {
    /// Whether the bot may speak in the channel, but not reply to a message there.
    #[must_use]
    pub fn forbids_replies(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if NO_HISTORY.contains(code))
    }

    /// Whether the bot may not speak in the channel at all, rather than not say this one thing.
    #[must_use]
    pub fn closes_channel(&self) -> bool {
        // Missing access, missing permissions, unknown channel, archived or locked thread, no direct messages to this user.
        const CLOSED: [u64; 7] = [50001, 50013, 10003, 50083, 160_005, 50007, 50278];
        matches!(self, Self::Refused { status, code, .. } if CLOSED.contains(code) || (*code == 0 && matches!(status, 403 | 404)))
    }
}

/// Which of a channel's messages are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Page {
    /// The newest of all.
    Newest,
    /// Those after this one.
    After(MessageId),
}

/// Where a new session is opened, and how many Discord still allows.
/// <https://discord.com/developers/docs/events/gateway#session-start-limit-object>
#[derive(Clone, Debug)]
pub struct SessionStarts {
    /// The gateway.
    pub url: String,
    /// IDENTIFYs left.
    pub remaining: u32,
    /// When `remaining` is full again.
    pub reset_after: Duration,
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Discord {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    /// With the version, without a trailing slash.
    base: String,
    authorization: header::HeaderValue,
    limits: Mutex<RateLimits>,
    /// Told whenever a request has its answer.
    arrived: Notify,
    /// Cancelled by the first 401: whatever followed would be one more invalid request.
    token_rejected: CancellationToken,
    request_limit: Duration,
    delivery_limit: Duration,
    metrics: Metrics,
}

/// How long a request is tried again.
#[derive(Clone, Copy)]
enum Patience {
    /// Not at all, not even to wait for a rate limit.
    Once,
    /// A few times.
    Tries(u32),
    /// Until an answer is certain or the time is over.
    Until(Instant),
}

impl Patience {
    fn is_over(self, tried: u32) -> bool {
        match self {
            Self::Once => true,
            Self::Tries(most) => tried >= most,
            Self::Until(end) => Instant::now() >= end,
        }
    }
}

impl Discord {
    /// A client for the given account.
    ///
    /// # Errors
    /// When the token can not be a header's value.
    pub fn new(
        http: reqwest::Client,
        config: &DiscordConfig,
        timings: &Timings,
        metrics: Metrics,
    ) -> Result<Self, header::InvalidHeaderValue> {
        let mut authorization = header::HeaderValue::try_from(format!("Bot {}", config.token.expose_secret()))?;
        authorization.set_sensitive(true);
        let inner = Inner {
            http,
            base: format!("{}/api/v10", config.api_url),
            authorization,
            limits: Mutex::new(RateLimits::new(Instant::now(), config.requests_per_second)),
            arrived: Notify::new(),
            token_rejected: CancellationToken::new(),
            request_limit: timings.discord_request_timeout,
            delivery_limit: timings.delivery_timeout,
            metrics,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Waits until Discord refuses the token.
    pub async fn token_rejected(&self) {
        self.inner.token_rejected.cancelled().await;
    }

    /// Posts a message and stays at it until it is certain to be there, or certainly refused. `None`: it was posted, and deleted
    /// before its id was known.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn post(&self, channel: ChannelId, post: &Post<'_>) -> Result<Option<MessageId>, DiscordError> {
        #[derive(Deserialize)]
        struct Created {
            id: MessageId,
        }
        let key = RouteKey { name: "create_message", major: channel.get() };
        let path = format!("/channels/{channel}/messages");
        let patience = Patience::Until(Instant::now() + self.inner.delivery_limit);
        let sent = self.read::<Created>(key, patience, || self.message_request(&path, post)).await;
        match sent {
            Ok(created) => Ok(Some(created.id)),
            Err(DiscordError::Refused { code: UNKNOWN_MESSAGE, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn message_request(&self, path: &str, post: &Post<'_>) -> RequestBuilder {
        let body = post::body(post);
        let request = self.start(Method::POST, path);
        let Some(file) = post.file else { return request.json(&body) };
        let part = reqwest::multipart::Part::text(file.to_owned()).file_name("answer.md");
        let part = part.mime_str("text/markdown").unwrap_or_else(|_| reqwest::multipart::Part::text(file.to_owned()));
        request.multipart(reqwest::multipart::Form::new().text("payload_json", body.to_string()).part("files[0]", part))
    }

    /// Changes a message's text (`None`: it stays) and its buttons, and stays at it like [`Discord::post`]: doing it twice changes
    /// nothing. `false`: it is gone.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: Option<&str>,
        buttons: &[Button],
    ) -> Result<bool, DiscordError> {
        let key = RouteKey { name: "edit_message", major: channel.get() };
        let path = format!("/channels/{channel}/messages/{message}");
        let mut body = json!({"components": button::rows(buttons), "allowed_mentions": post::pings_nobody()});
        if let Some(content) = content {
            body["content"] = json!(content);
        }
        let patience = Patience::Until(Instant::now() + self.inner.delivery_limit);
        match self.request(key, patience, || self.start(Method::PATCH, &path).json(&body)).await {
            Ok(_) => Ok(true),
            Err(DiscordError::Refused { code: UNKNOWN_MESSAGE, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes a message; one that is gone already is fine.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn delete(&self, channel: ChannelId, message: MessageId) -> Result<(), DiscordError> {
        let key = RouteKey { name: "delete_message", major: channel.get() };
        let path = format!("/channels/{channel}/messages/{message}");
        match self.request(key, Patience::Tries(READ_TRIES), || self.start(Method::DELETE, &path)).await {
            Ok(_) | Err(DiscordError::Refused { code: UNKNOWN_MESSAGE, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows "is typing" for ten seconds. Never waits for a rate limit and is never repeated: a late one would be a lie.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn trigger_typing(&self, channel: ChannelId) -> Result<(), DiscordError> {
        let key = RouteKey { name: "typing", major: channel.get() };
        let path = format!("/channels/{channel}/typing");
        self.request(key, Patience::Once, || self.start(Method::POST, &path).header(header::CONTENT_LENGTH, 0)).await?;
        Ok(())
    }

    /// Up to `most` (1 to 100) messages of a channel, oldest first.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn messages(&self, channel: ChannelId, page: Page, most: usize) -> Result<Vec<Message>, DiscordError> {
        let key = RouteKey { name: "get_messages", major: channel.get() };
        let mut path = format!("/channels/{channel}/messages?limit={}", most.clamp(1, 100));
        if let Page::After(id) = page {
            path.push_str(&format!("&after={id}"));
        }
        let values: Vec<Value> = self.read(key, Patience::Tries(READ_TRIES), || self.start(Method::GET, &path)).await?;
        let mut messages: Vec<Message> = values.into_iter().filter_map(Message::read).collect();
        messages.sort_by_key(|message| message.id);
        Ok(messages)
    }

    /// Where the gateway is.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn gateway_url(&self) -> Result<String, DiscordError> {
        #[derive(Deserialize)]
        struct Gateway {
            url: String,
        }
        let key = RouteKey { name: "gateway", major: 0 };
        let gateway: Gateway = self.read(key, Patience::Tries(1), || self.start(Method::GET, "/gateway")).await?;
        Ok(gateway.url)
    }

    /// Where a new session is opened, and how many may be started.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn session_starts(&self) -> Result<SessionStarts, DiscordError> {
        #[derive(Deserialize)]
        struct Gateway {
            url: String,
            session_start_limit: Limit,
        }
        #[derive(Deserialize)]
        struct Limit {
            remaining: u32,
            /// Milliseconds.
            reset_after: u64,
        }
        let key = RouteKey { name: "gateway_bot", major: 0 };
        let gateway: Gateway = self.read(key, Patience::Tries(1), || self.start(Method::GET, "/gateway/bot")).await?;
        let Gateway { url, session_start_limit: Limit { remaining, reset_after } } = gateway;
        Ok(SessionStarts { url, remaining, reset_after: Duration::from_millis(reset_after) })
    }

    /// Replaces the application's slash commands.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub async fn register_commands(&self, application: ApplicationId, commands: &Value) -> Result<(), DiscordError> {
        let key = RouteKey { name: "commands", major: 0 };
        let path = format!("/applications/{application}/commands");
        let patience = Patience::Tries(READ_TRIES);
        self.request(key, patience, || self.start(Method::PUT, &path).json(commands)).await?;
        Ok(())
    }

    fn start(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.inner.http.request(method, format!("{}{path}", self.inner.base));
        request.header(header::AUTHORIZATION, &self.inner.authorization).header(header::USER_AGENT, USER_AGENT)
    }

    /// A request whose answer is read as JSON; an answer that can not be read is as good as none.
    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        key: RouteKey,
        patience: Patience,
        build: impl Fn() -> RequestBuilder,
    ) -> Result<T, DiscordError> {
        let mut tried = 0;
        loop {
            let body = self.request(key, patience, &build).await?;
            tried += 1;
            match serde_json::from_slice(&body) {
                Ok(value) => return Ok(value),
                Err(_) if patience.is_over(tried) => {
                    return Err(DiscordError::Unavailable { detail: "an answer that is not what it should be".into() });
                }
                Err(_) => sleep(RETRIES.pause_after(tried)).await,
            }
        }
    }

    /// A request, repeated until it is certain or `patience` is over; the body of its success.
    async fn request(
        &self,
        key: RouteKey,
        patience: Patience,
        build: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, DiscordError> {
        let mut tried = 0;
        loop {
            let place = self.wait_for_place(key, patience).await?;
            let answer = self.attempt(build()).await;
            self.learn(key, &answer);
            drop(place);
            tried += 1;
            let detail = match answer {
                Answer::Success { body, .. } => return Ok(body),
                // The pause is the limit's own.
                Answer::Limited { .. } if !patience.is_over(tried) => continue,
                Answer::Limited { .. } => return Err(limited()),
                Answer::Refused(refusal) => return Err(self.refused(refusal)),
                Answer::Unknown { detail, .. } => detail,
            };
            if patience.is_over(tried) {
                return Err(DiscordError::Unavailable { detail });
            }
            sleep(RETRIES.pause_after(tried)).await;
        }
    }

    /// What an answer says of the limits.
    fn learn(&self, key: RouteKey, answer: &Answer) {
        self.inner.metrics.discord_request(key.name, answer.status());
        let now = Instant::now();
        match answer {
            Answer::Success { quota: Some(quota), .. } => self.inner.limits(|limits| limits.learn(key, *quota, now)),
            Answer::Limited { scope, retry_after, counts } => {
                self.inner.metrics.discord_rate_limited(scope.name());
                self.inner.limits(|limits| {
                    limits.limit(key, *scope, *retry_after, now);
                    if *counts {
                        limits.count_invalid(now);
                    }
                });
            }
            Answer::Success { .. } | Answer::Refused(_) | Answer::Unknown { .. } => {}
        }
    }

    async fn attempt(&self, request: RequestBuilder) -> Answer {
        match timeout(self.inner.request_limit, async { Answer::read(request.send().await?).await }).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::Unknown { status: None, detail: error.without_url().to_string() },
            Err(_) => Answer::Unknown { status: None, detail: "no answer in time".into() },
        }
    }

    fn refused(&self, refusal: Refusal) -> DiscordError {
        let Refusal { status, code, message, unknown_reference } = refusal;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.inner.limits(|limits| limits.count_invalid(Instant::now()));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.inner.token_rejected.cancel();
            return DiscordError::Unauthorized;
        }
        if unknown_reference {
            return DiscordError::UnknownReference;
        }
        DiscordError::Refused { status: status.as_u16(), code, message }
    }

    async fn wait_for_place(&self, key: RouteKey, patience: Patience) -> Result<Place<'_>, DiscordError> {
        let end = match patience {
            Patience::Once => Instant::now(),
            Patience::Tries(_) => Instant::now() + READ_WAIT,
            Patience::Until(end) => end,
        };
        loop {
            if self.inner.token_rejected.is_cancelled() {
                return Err(DiscordError::Unauthorized);
            }
            // Listens before it looks, so that no answer is missed in between.
            let mut arrived = pin!(self.inner.arrived.notified());
            arrived.as_mut().enable();
            match self.inner.limits(|limits| limits.take(key, Instant::now())) {
                Ok(()) => return Ok(Place { inner: &self.inner, key }),
                Err(Wait::Until(free_at)) if free_at < end => sleep_until(free_at).await,
                Err(Wait::ForAnswer) if !matches!(patience, Patience::Once) => {
                    timeout_at(end, arrived).await.map_err(|_| limited())?;
                }
                Err(_) => return Err(limited()),
            }
        }
    }
}

impl Inner {
    fn limits<T>(&self, change: impl FnOnce(&mut RateLimits) -> T) -> T {
        change(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request's place on its route, until it has its answer or is given up.
struct Place<'a> {
    inner: &'a Inner,
    key: RouteKey,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.inner.limits(|limits| limits.arrived(self.key));
        self.inner.arrived.notify_waiters();
    }
}

fn limited() -> DiscordError {
    DiscordError::Unavailable { detail: "rate limited".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_closes_the_channel_and_a_blocked_word_does_not() {
        let refused = |status, code| DiscordError::Refused { status, code, message: String::new() };
        assert!(refused(403, 50013).closes_channel());
        assert!(refused(404, 10003).closes_channel());
        assert!(!refused(400, 200_000).closes_channel());
        assert!(!DiscordError::Unavailable { detail: String::new() }.closes_channel());
    }
}
