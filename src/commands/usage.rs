//! `/usage`: what was spent.

use std::time::Duration;

use super::{
    caller::{Caller, Right},
    data::Data,
    error::CommandError,
    respond::{Reply, Visibility},
    table::{Call, Command, CommandOptionDef, OptionKind, Options, Text, Usage, Users},
};
use crate::{ids::GuildId, reply::texts};

/// How long the agents' titles may take; without them their numbers are shown.
const TITLES_TIMEOUT: Duration = Duration::from_secs(1);

/// The option that says whose use is shown, and its choices.
const SCOPE: &str = "scope";
const SCOPES: &[&str] = &["me", "server"];

/// The index of "server".
const SERVER: &str = "1";

pub(super) const COMMAND: Command = Command {
    name: "usage",
    description: Text {
        english: "Show what your messages have cost, or this server's",
        portuguese: "Mostra quanto suas mensagens custaram, ou as deste servidor",
    },
    options: &[CommandOptionDef {
        name: SCOPE,
        description: Text {
            english: "Your own use, or the server's for those who manage it",
            portuguese: "O seu uso, ou o do servidor para quem o gerencia",
        },
        kind: OptionKind::Choice(SCOPES),
    }],
    usage: &[
        Usage {
            options: "",
            effect: Text {
                english: "shows what your messages have cost: today, 7 days, 30 days",
                portuguese: "mostra quanto suas mensagens custaram: hoje, em 7 e em 30 dias",
            },
            users: Users::Everyone,
        },
        Usage {
            options: " scope:server",
            effect: Text {
                english: "shows what the server has cost: 14 days, by user, channel and agent",
                portuguese: "mostra quanto o servidor custou: 14 dias, por pessoa, canal e agente",
            },
            users: Users::With(Right::SeeServerUsage),
        },
    ],
    // Everybody may see what they spent themselves.
    requires: None,
    run: |call, options| Box::pin(usage(call, options)),
    complete: None,
    components: None,
};

async fn usage(call: Call<'_>, options: Options<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let language = caller.language;
    if options.get(SCOPE) != Some(SERVER) {
        let text = texts::usage::user_report(language, &data.conversations.usage_of(caller.user()?));
        return Ok(respond.reply(Reply::private(text)).await?);
    }
    let Some(guild) = caller.guild()? else {
        return Ok(respond.reply(Reply::private(texts::usage::needs_server(language))).await?);
    };
    if !caller.may(Right::SeeServerUsage) {
        return Ok(respond.reply(Reply::private(texts::usage::needs_permission(language))).await?);
    }
    Ok(respond.reply_with(Visibility::Private, of_server(data, caller, guild)).await?)
}

async fn of_server(data: &Data, caller: &Caller, guild: GuildId) -> Reply {
    let agents = data.agents.list(TITLES_TIMEOUT).await;
    let title_of = |id| agents.iter().flat_map(|agents| &**agents).find(|agent| agent.id == id);
    let used = data.conversations.usage_in(guild);
    Reply::private(texts::usage::server_report(caller.language, &used, |id| {
        title_of(id).map(|agent| agent.title.clone())
    }))
}
