//! `/agents`: the agents to choose from, a page at a time.

use std::time::Duration;

use poise::{
    CreateReply,
    serenity_prelude::{
        ComponentInteraction, CreateActionRow, CreateAllowedMentions, CreateButton, CreateInteractionResponse,
        CreateInteractionResponseMessage, Http,
    },
};
use tracing::warn;

use super::{Context, Data, Error, acknowledged, language};
use crate::{config::Language, ids::AgentId, reply::texts, tess::Agent};

/// What the ids of its buttons begin with; the page follows.
pub(super) const BUTTON: &str = "agents";

/// How long the list may take after the command, which can be told to wait.
const COMMAND_PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take after a press, which Discord wants answered within three seconds.
const PRESS_PATIENCE: Duration = Duration::from_secs(2);

/// List the agents that can answer in this channel
#[poise::command(slash_command, description_localized("pt-BR", "Lista os agentes que podem responder neste canal"))]
pub(super) async fn agents(ctx: Context<'_>) -> Result<(), Error> {
    let agents = acknowledged(ctx, true, ctx.data().agents.list(COMMAND_PATIENCE)).await?;
    let (text, rows) = shown(language(ctx), agents.as_deref(), 0, ctx.data().conversations.agent(ctx.channel_id()));
    ctx.send(CreateReply::default().content(text).components(rows).ephemeral(true)).await.map(drop)
}

/// Turns to the page that a button names. Only the command's caller sees the buttons.
pub(super) async fn turn_to(page: &str, press: &ComponentInteraction, data: &Data, http: &Http) {
    let agents = data.agents.list(PRESS_PATIENCE).await;
    let current = data.conversations.agent(press.channel_id);
    let (text, rows) = shown(data.language_for(&press.locale), agents.as_deref(), page.parse().unwrap_or(0), current);
    let message = CreateInteractionResponseMessage::new()
        .content(text)
        .components(rows)
        .allowed_mentions(CreateAllowedMentions::new());
    if let Err(error) = press.create_response(http, CreateInteractionResponse::UpdateMessage(message)).await {
        warn!(%error, "a page of agents could not be shown");
    }
}

/// A page and its buttons.
fn shown(
    language: Language,
    agents: Option<&[Agent]>,
    page: usize,
    current: AgentId,
) -> (String, Vec<CreateActionRow>) {
    let Some(agents) = agents else { return (texts::agents::list_unavailable(language).to_owned(), Vec::new()) };
    (texts::agents::page(language, agents, page, current), buttons(page, texts::agents::page_count(agents.len())))
}

/// Back and forth; none for a single page. The list may have become shorter since the button was shown.
fn buttons(page: usize, pages: usize) -> Vec<CreateActionRow> {
    if pages == 1 {
        return Vec::new();
    }
    let page = page.min(pages - 1);
    // The ids must differ, also where a button leads nowhere.
    let button = |sign: &str, to: Option<usize>| match to {
        Some(page) => CreateButton::new(format!("{BUTTON}:{page}")).label(sign),
        None => CreateButton::new(format!("{BUTTON}:none")).label(sign).disabled(true),
    };
    let (back, next) = (page.checked_sub(1), Some(page + 1).filter(|next| *next < pages));
    vec![CreateActionRow::Buttons(vec![button("◀", back), button("▶", next)])]
}
