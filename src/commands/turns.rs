//! Stopping the turn that runs and repeating the last one: two commands and their buttons.

use poise::serenity_prelude::{
    ComponentInteraction, CreateAllowedMentions, CreateInteractionResponse, CreateInteractionResponseMessage, Http,
    Permissions,
};
use tracing::warn;

use super::{Context, Data, Error, language, whisper};
use crate::{
    config::Language,
    conversation::control::{Person, Repeating, Stopping},
    ids::MessageId,
    reply::texts,
};

/// End the answer that is being worked on
#[poise::command(slash_command, description_localized("pt-BR", "Interrompe a resposta em andamento"))]
pub(super) async fn stop(ctx: Context<'_>) -> Result<(), Error> {
    let stopping = ctx.data().conversations.stop(ctx.channel_id(), None, person(ctx).await);
    whisper(ctx, told_of_stopping(language(ctx), stopping).unwrap_or(texts::turns::stopping(language(ctx)))).await
}

/// Ask the last question again
#[poise::command(slash_command, description_localized("pt-BR", "Refaz a última pergunta"))]
pub(super) async fn retry(ctx: Context<'_>) -> Result<(), Error> {
    let poise::Context::Application(application) = ctx else { return Ok(()) };
    let request = MessageId::new(application.interaction.id.get());
    let repeating = ctx.data().conversations.retry(ctx.channel_id(), None, person(ctx).await, request);
    whisper(ctx, told_of_repeating(language(ctx), repeating).unwrap_or(texts::turns::retrying(language(ctx)))).await
}

/// A Stop button; `about` is the newest message of its turn.
pub(super) async fn press_stop(http: &Http, data: &Data, press: &ComponentInteraction, about: &str) {
    let stopping = match about.parse() {
        Ok(message) => data.conversations.stop(press.channel_id, Some(message), presser(press)),
        Err(_) => Stopping::Nothing,
    };
    acknowledge(http, press, told_of_stopping(data.language_for(&press.locale), stopping)).await;
}

/// A Retry button; `about` is the newest message of its turn.
pub(super) async fn press_retry(http: &Http, data: &Data, press: &ComponentInteraction, about: &str) {
    let request = MessageId::new(press.id.get());
    let repeating = match about.parse() {
        Ok(message) => data.conversations.retry(press.channel_id, Some(message), presser(press), request),
        Err(_) => Repeating::Nothing,
    };
    acknowledge(http, press, told_of_repeating(data.language_for(&press.locale), repeating)).await;
}

/// What the person alone is told; `None` when the channel will show it.
fn told_of_stopping(language: Language, stopping: Stopping) -> Option<&'static str> {
    match stopping {
        Stopping::Begun => None,
        Stopping::NotAllowed => Some(texts::turns::not_requester(language)),
        Stopping::Nothing => Some(texts::turns::nothing_to_stop(language)),
    }
}

fn told_of_repeating(language: Language, repeating: Repeating) -> Option<&'static str> {
    match repeating {
        Repeating::Begun => None,
        Repeating::NotAllowed => Some(texts::turns::not_requester(language)),
        Repeating::Nothing => Some(texts::turns::nothing_to_retry(language)),
        Repeating::Busy => Some(texts::turns::busy(language)),
    }
}

async fn person(ctx: Context<'_>) -> Person {
    let permissions = ctx.author_member().await.and_then(|member| member.permissions);
    Person { user: ctx.author().id, moderates: permissions.is_some_and(may_moderate) }
}

fn presser(press: &ComponentInteraction) -> Person {
    let permissions = press.member.as_ref().and_then(|member| member.permissions);
    Person { user: press.user.id, moderates: permissions.is_some_and(may_moderate) }
}

fn may_moderate(permissions: Permissions) -> bool {
    permissions.intersects(Permissions::MANAGE_MESSAGES | Permissions::ADMINISTRATOR)
}

/// Answers a press within the three seconds Discord gives: with a text for the person alone, or with nothing to see.
async fn acknowledge(http: &Http, press: &ComponentInteraction, text: Option<&str>) {
    let response = match text {
        None => CreateInteractionResponse::Acknowledge,
        Some(text) => {
            let message = CreateInteractionResponseMessage::new().content(text).ephemeral(true);
            CreateInteractionResponse::Message(message.allowed_mentions(CreateAllowedMentions::new()))
        }
    };
    if let Err(error) = press.create_response(http, response).await {
        warn!(%error, "a button could not be answered");
    }
}
