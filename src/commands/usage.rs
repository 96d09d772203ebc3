//! `/usage`: what was spent.

use std::time::Duration;

use poise::serenity_prelude::Permissions;

use crate::{
    commands::{Context, Error, language, whisper},
    reply::texts,
};

/// How long the agents' titles may take to come: without them their numbers do.
const TITLES_PATIENCE: Duration = Duration::from_secs(1);

/// Whose use is shown.
#[derive(Clone, Copy, Debug, poise::ChoiceParameter)]
enum Scope {
    #[name = "me"]
    Me,
    #[name = "server"]
    Server,
}

/// Show what your messages have cost, or this server's
#[poise::command(
    slash_command,
    description_localized("pt-BR", "Mostra quanto suas mensagens custaram, ou as deste servidor")
)]
pub(super) async fn usage(
    ctx: Context<'_>,
    #[description = "Your own use, or the server's for those who manage it"]
    #[description_localized("pt-BR", "O seu uso, ou o do servidor para quem o gerencia")]
    scope: Option<Scope>,
) -> Result<(), Error> {
    let conversations = &ctx.data().conversations;
    let text = match (scope.unwrap_or(Scope::Me), ctx.guild_id()) {
        (Scope::Me, _) => texts::usage::user_report(language(ctx), &conversations.usage_of(ctx.author().id)),
        (Scope::Server, None) => texts::usage::needs_server(language(ctx)).to_owned(),
        (Scope::Server, Some(_)) if !manages(ctx).await => texts::usage::needs_permission(language(ctx)).to_owned(),
        (Scope::Server, Some(guild)) => {
            let agents = ctx.data().agents.list(TITLES_PATIENCE).await;
            let title_of = |id| agents.iter().flat_map(|agents| &**agents).find(|agent| agent.id == id);
            texts::usage::server_report(language(ctx), &conversations.usage_in(guild), |id| {
                title_of(id).map(|agent| agent.title.clone())
            })
        }
    };
    whisper(ctx, text).await
}

/// Whether the caller manages the guild or this channel of it.
async fn manages(ctx: Context<'_>) -> bool {
    let managing = Permissions::MANAGE_GUILD | Permissions::MANAGE_CHANNELS | Permissions::ADMINISTRATOR;
    let permissions = ctx.author_member().await.and_then(|member| member.permissions);
    permissions.is_some_and(|permissions| permissions.intersects(managing))
}
