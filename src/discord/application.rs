//! The routes of the application: where its gateway is, and its slash commands.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    engine::Discord,
    error::DiscordError,
    rate_limit::RouteKey,
    retry::{READ_TRIES, RetryPolicy},
};
use crate::ids::ApplicationId;

/// Where a new session is opened, and how many Discord still allows.
/// <https://discord.com/developers/docs/events/gateway#session-start-limit-object>
#[derive(Clone, Debug)]
pub(crate) struct SessionStarts {
    /// The gateway.
    pub url: String,
    /// IDENTIFYs left.
    pub remaining: u32,
    /// When `remaining` is full again.
    pub reset_after: Duration,
}

impl Discord {
    /// Where the gateway is.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn gateway_url(&self) -> Result<String, DiscordError> {
        #[derive(Deserialize)]
        struct Gateway {
            url: String,
        }
        let key = RouteKey::of_bot("gateway", 0);
        let gateway: Gateway = self.read(key, RetryPolicy::Tries(1), || self.start(Method::GET, "/gateway")).await?;
        Ok(gateway.url)
    }

    /// Where a new session is opened, and how many may be started.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn session_starts(&self) -> Result<SessionStarts, DiscordError> {
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
        let key = RouteKey::of_bot("gateway_bot", 0);
        let build = || self.start(Method::GET, "/gateway/bot");
        let gateway: Gateway = self.read(key, RetryPolicy::Tries(1), build).await?;
        let Gateway { url, session_start_limit: Limit { remaining, reset_after } } = gateway;
        Ok(SessionStarts { url, remaining, reset_after: Duration::from_millis(reset_after) })
    }

    /// Replaces the application's slash commands.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn register_commands(
        &self,
        application: ApplicationId,
        commands: &Value,
    ) -> Result<(), DiscordError> {
        let key = RouteKey::of_bot("commands", 0);
        let path = format!("/applications/{application}/commands");
        let build = || self.start(Method::PUT, &path).json(commands);
        self.request(key, RetryPolicy::Tries(READ_TRIES), build).await.map(drop)
    }
}
