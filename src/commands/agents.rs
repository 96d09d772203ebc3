//! `/agents`: the agents to choose from, a page at a time.

use std::time::Duration;

use serenity::builder::{CreateActionRow, CreateButton};

use super::{
    caller::Caller,
    data::Data,
    error::CommandError,
    respond::{Reply, Visibility},
    table::{Call, Command, Components, Pressed, Text, Usage, Users},
};
use crate::reply::texts;

/// What the custom ids of its buttons begin with; the page follows.
const PREFIX: &str = "agents";

/// How long the list may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) const COMMAND: Command = Command {
    name: "agents",
    description: Text {
        english: "List the agents that can answer in this channel",
        portuguese: "Lista os agentes que podem responder neste canal",
    },
    options: &[],
    usage: &[Usage {
        options: "",
        effect: Text {
            english: "lists the agents to choose from, to you alone",
            portuguese: "lista, só para você, os agentes que podem ser escolhidos",
        },
        users: Users::Everyone,
    }],
    requires: None,
    run: |call, _| Box::pin(agents(call)),
    complete: None,
    components: Some(Components {
        prefix: PREFIX,
        requires: None,
        press: |call, pressed| Box::pin(turn_page(call, pressed)),
        submit: None,
    }),
};

async fn agents(call: Call<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    Ok(respond.reply_with(Visibility::Private, page(data, caller, 0)).await?)
}

/// Shows the page that a button names. Only the command's caller sees the buttons.
async fn turn_page(call: Call<'_>, pressed: Pressed<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    Ok(respond.update_with(page(data, caller, pressed.subject.parse().unwrap_or(0))).await?)
}

/// A page with its buttons.
async fn page(data: &Data, caller: &Caller, page: usize) -> Reply {
    let Some(agents) = data.agents.list(LIST_TIMEOUT).await else {
        return Reply::private(texts::agents::list_unavailable(caller.language));
    };
    // Without a channel no agent of the list is the current one.
    let current = caller.channel().map_or(data.default_agent, |channel| data.conversations.agent(channel));
    let text = texts::agents::page(caller.language, &agents, page, current);
    Reply::private(text).rows(buttons(page, texts::agents::page_count(agents.len())))
}

/// The buttons to the pages before and after; none for a single page. The list may have become shorter since the button was
/// shown.
fn buttons(page: usize, pages: usize) -> Vec<CreateActionRow> {
    if pages == 1 {
        return Vec::new();
    }
    let page = page.min(pages - 1);
    // Custom ids must differ, also those of disabled buttons.
    let button = |sign: &str, to: Option<usize>| match to {
        Some(page) => CreateButton::new(format!("{PREFIX}:{page}")).label(sign),
        None => CreateButton::new(format!("{PREFIX}:none")).label(sign).disabled(true),
    };
    let (back, next) = (page.checked_sub(1), Some(page + 1).filter(|next| *next < pages));
    vec![CreateActionRow::Buttons(vec![button("◀", back), button("▶", next)])]
}
