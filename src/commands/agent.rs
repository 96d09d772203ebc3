//! `/agent`: the agent that answers in a channel.

use serenity::builder::AutocompleteChoice;
use tracing::{info, warn};

use super::{
    agent_directory,
    caller::{Caller, Right},
    data::Data,
    error::CommandError,
    respond::{ACKNOWLEDGE_AFTER, Reply, Visibility},
    table::{Call, Command, CommandOptionDef, OptionKind, Options, Text, Usage, Users},
};
use crate::{
    ids::{AgentId, ChannelId},
    reply::texts,
    tess::{self, Agent, TessError},
};

/// The option that names an agent.
const ID: &str = "id";

pub(super) const COMMAND: Command = Command {
    name: "agent",
    description: Text {
        english: "Show which agent answers in this channel, or switch to another",
        portuguese: "Mostra qual agente responde neste canal, ou troca por outro",
    },
    options: &[CommandOptionDef {
        name: ID,
        description: Text {
            english: "The agent that answers here from now on",
            portuguese: "O agente que responde aqui a partir de agora",
        },
        kind: OptionKind::Completed,
    }],
    usage: &[
        Usage {
            options: "",
            effect: Text {
                english: "shows which agent answers in this channel",
                portuguese: "mostra qual agente responde no canal",
            },
            users: Users::Everyone,
        },
        Usage {
            options: " id:…",
            effect: Text {
                english: "chooses the agent of this channel; type a name and pick one",
                portuguese: "escolhe o agente do canal; digite um nome e selecione",
            },
            users: Users::With(Right::ManageChannel),
        },
    ],
    // Everybody may see which agent it is.
    requires: None,
    run: |call, options| Box::pin(agent(call, options)),
    complete: Some(|data, typed| Box::pin(complete(data, typed))),
    components: None,
};

async fn agent(call: Call<'_>, options: Options<'_>) -> Result<(), CommandError> {
    let Call { data, caller, respond, .. } = call;
    let channel = caller.channel()?;
    match options.get(ID) {
        None => respond.reply_with(Visibility::Private, show(data, caller, channel)).await?,
        Some(_) if !caller.may(Right::ManageChannel) => {
            respond.reply(Reply::private(texts::commands::needs_manage_channels(caller.language))).await?;
        }
        Some(id) => respond.reply_with(Visibility::Public, switch(data, caller, channel, id)).await?,
    }
    Ok(())
}

async fn complete(data: &Data, typed: &str) -> Vec<AutocompleteChoice> {
    let agents = data.agents.matching(typed, ACKNOWLEDGE_AFTER).await;
    let choice = |agent| AutocompleteChoice::new(agent_directory::choice_name(agent), agent.id.to_string());
    agents.iter().map(choice).collect()
}

async fn show(data: &Data, caller: &Caller, channel: ChannelId) -> Reply {
    let id = data.conversations.agent(channel);
    let agent = match data.agents.find(id).await {
        Ok(agent) => Some(agent),
        Err(error) => {
            warn!(%error, agent.id = %id, "agent title unavailable");
            None
        }
    };
    let (title, is_default) = (agent.as_ref().map(|agent| agent.title.as_str()), id == data.default_agent);
    Reply::private(texts::agents::current(caller.language, title, id, is_default))
}

async fn switch(data: &Data, caller: &Caller, channel: ChannelId, id: &str) -> Reply {
    let language = caller.language;
    let Ok(id) = id.trim().parse::<AgentId>() else {
        return Reply::private(texts::agents::unknown(language, id));
    };
    if !data.agents.allows(id) {
        return Reply::private(texts::agents::not_allowed(language, id));
    }
    // Tess itself is asked: the cached list may be older than the agent, or than its deletion.
    match data.tess.agent(id).await {
        Ok(agent) if !agent.is_chat() => Reply::private(texts::agents::not_chat(language, &agent.title)),
        Ok(agent) => switch_to(data, caller, channel, &agent),
        Err(TessError::AgentNotFound { .. }) => Reply::private(texts::agents::unknown(language, &id.to_string())),
        Err(error) => {
            warn!(%error, agent.id = %id, "agent lookup failed");
            Reply::private(texts::agents::unavailable(language))
        }
    }
}

fn switch_to(data: &Data, caller: &Caller, channel: ChannelId, agent: &Agent) -> Reply {
    let conversations = &data.conversations;
    // The settings of another agent do not apply to this one.
    let is_current = agent.id == conversations.agent(channel);
    let settings = if is_current { conversations.options(channel) } else { tess::Options::default() };
    let missing = agent.missing(&settings);
    if !missing.is_empty() {
        return Reply::private(texts::agents::needs_answers(caller.language, &agent.title, &missing));
    }
    let dropped = conversations.set_agent(channel, agent.id);
    info!(channel.id = %channel, agent.id = %agent.id, "agent switched");
    let dropped = if dropped { texts::settings::dropped(data.language) } else { "" };
    Reply::public(texts::agents::switched(data.language, &agent.title, agent.id) + dropped)
}
