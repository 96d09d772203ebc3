//! Discord's REST API, as far as the bot uses it. Decides nothing.
//!
//! Every request has a time limit and a bounded body, obeys Discord's rate limits, and is retried only where that is safe:
//! reads are, and creating a message is because each carries a `nonce` that Discord enforces, so that a message whose outcome is
//! unknown (time-out, 5xx, a truncated answer) is sent again without ever appearing twice.
//!
//! [`engine`] sends the requests; the other files are the routes, one method each. serenity's types and builders make the
//! bodies. Its client is not used: it has no time-outs, forgets the global limit between tasks, loops on a malformed header, and
//! reports a message that was created as an error when it cannot read the answer.

use std::sync::{Arc, Mutex};

use reqwest::header;
use secrecy::ExposeSecret;
use serenity::builder::CreateAllowedMentions;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{DiscordConfig, Timings},
    discord::{engine::Engine, rate_limit::RateLimits},
    telemetry::Metrics,
};

pub(crate) mod account;
mod answer;
mod application;
pub(crate) mod button;
mod cdn;
mod engine;
pub(crate) mod interaction;
mod messages;
pub(crate) mod model;
mod post;
mod rate_limit;
mod responses;
#[cfg(test)]
mod tls_tests;

pub(crate) use self::{
    account::{ChannelInfo, GuildInfo},
    application::SessionStarts,
    cdn::FetchError,
    messages::Page,
    post::{Nonce, Post},
    responses::InteractionAddress,
};

/// The `User-Agent` of every request, in the form that Discord requires.
/// <https://discord.com/developers/docs/reference#user-agent>
pub(crate) const USER_AGENT: &str =
    concat!("DiscordBot (https://github.com/tess-discord, ", env!("CARGO_PKG_VERSION"), ")");

/// Tries of a request that is safe to repeat and that a person waits for.
const READ_TRIES: u32 = 4;

/// Discord's codes for a reply where the bot may not read the message history.
const NO_HISTORY: [u64; 2] = [160_002, 160_009];

/// Discord's code for a message that does not exist (any more).
const UNKNOWN_MESSAGE: u64 = 10008;

/// Why a request to Discord failed, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscordError {
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
        /// Discord's explanation, which never repeats what was sent.
        message: String,
    },
    /// The message replied to does not exist (any more).
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
    /// Whether the bot may post in the channel, but not reply to a message there.
    #[must_use]
    pub(crate) fn forbids_replies(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if NO_HISTORY.contains(code))
    }

    /// Whether the bot may not post in the channel at all, rather than not post this one message.
    #[must_use]
    pub(crate) fn closes_channel(&self) -> bool {
        // Missing access, missing permissions, unknown channel, archived or locked thread, no direct messages to this user.
        const CLOSED: [u64; 7] = [50001, 50013, 10003, 50083, 160_005, 50007, 50278];
        matches!(self, Self::Refused { status, code, .. } if CLOSED.contains(code) || (*code == 0 && matches!(status, 403 | 404)))
    }
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Discord {
    engine: Arc<Engine>,
}

impl Discord {
    /// A client for the given account.
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
}

/// The `allowed_mentions` of every message: nothing in it pings, and a reply does not ping either.
pub(crate) fn no_mentions() -> CreateAllowedMentions {
    CreateAllowedMentions::new().replied_user(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_permission_closes_the_channel_and_a_blocked_word_does_not() {
        let refused = |status, code| DiscordError::Refused { status, code, message: String::new() };
        assert!(refused(403, 50013).closes_channel());
        assert!(refused(404, 10003).closes_channel());
        assert!(!refused(400, 200_000).closes_channel());
        assert!(!DiscordError::Unavailable { detail: String::new() }.closes_channel());
    }
}
