//! The routes of the responses to interactions. The interaction's token authorizes them, not the bot's.
//! <https://discord.com/developers/docs/interactions/receiving-and-responding#endpoints>

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serenity::builder::{CreateInteractionResponse, CreateInteractionResponseFollowup, EditInteractionResponse};
use tokio::time::Instant;

use super::{
    engine::Discord,
    error::DiscordError,
    rate_limit::RouteKey,
    retry::{READ_TRIES, RetryPolicy},
};
use crate::ids::{ApplicationId, InteractionId};

/// Discord's code for an interaction that has its response already.
const ALREADY_ACKNOWLEDGED: u64 = 40060;

/// Addresses the responses to an interaction.
#[derive(Clone, Debug)]
pub(crate) struct InteractionAddress {
    /// The bot's application.
    pub application: ApplicationId,
    /// The interaction.
    pub id: InteractionId,
    /// Its token.
    pub token: SecretString,
}

impl Discord {
    /// Sends the first response to an interaction, which Discord accepts once and within three seconds.
    ///
    /// It is retried until `deadline` even where Discord may have taken it: a second one is refused with
    /// [`ALREADY_ACKNOWLEDGED`], which shows that the first was taken.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn respond(
        &self,
        to: &InteractionAddress,
        response: &CreateInteractionResponse,
        deadline: Instant,
    ) -> Result<(), DiscordError> {
        let key = RouteKey::of_interaction("interaction_callback", to.id.get());
        let path = format!("/interactions/{}/{}/callback", to.id, to.token.expose_secret());
        let tries = AtomicU32::new(0);
        let build = || {
            tries.fetch_add(1, Ordering::Relaxed);
            self.start_without_token(Method::POST, &path).json(response)
        };
        match self.request(key, RetryPolicy::HurriedUntil(deadline), build).await {
            Err(DiscordError::Refused { code: ALREADY_ACKNOWLEDGED, .. }) if tries.into_inner() > 1 => Ok(()),
            result => result.map(drop),
        }
    }

    /// Changes the response that was sent, or the message whose component was used. Doing it twice changes nothing.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn edit_response(
        &self,
        to: &InteractionAddress,
        response: &EditInteractionResponse,
    ) -> Result<(), DiscordError> {
        let key = RouteKey::of_interaction("edit_response", to.id.get());
        let path = format!("/webhooks/{}/{}/messages/@original", to.application, to.token.expose_secret());
        let build = || self.start_without_token(Method::PATCH, &path).json(response);
        self.request(key, RetryPolicy::Tries(READ_TRIES), build).await.map(drop)
    }

    /// Sends another message after the response. Retried until `deadline`, but only while Discord certainly did not take it:
    /// it enforces no nonce here.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn follow_up(
        &self,
        to: &InteractionAddress,
        message: &CreateInteractionResponseFollowup,
        deadline: Instant,
    ) -> Result<(), DiscordError> {
        let key = RouteKey::of_interaction("follow_up", to.id.get());
        let path = format!("/webhooks/{}/{}", to.application, to.token.expose_secret());
        let build = || self.start_without_token(Method::POST, &path).json(message);
        self.request(key, RetryPolicy::IfNotDone(deadline), build).await.map(drop)
    }
}
