//! The slash commands, with the buttons, menus and forms of their messages.
//!
//! Each command has a file of its own and one entry in [`COMMANDS`]: its definition in both languages, who may use it, and its
//! handlers ([`table`]). A handler sees the [`caller`] and answers through [`respond`].

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use futures_util::FutureExt as _;
use serde_json::Value;
use tracing::warn;

use crate::{
    commands::{
        agent_directory::AgentDirectory,
        caller::{Caller, Right},
        respond::{Reply, Responder},
        table::{Call, Command, CommandError, Options, Pressed, Submitted},
    },
    config::{Config, Language, RespondTo},
    conversation::Conversations,
    discord::{
        Discord, InteractionAddress,
        interaction::{Interaction, Request},
    },
    ids::{AgentId, ApplicationId},
    reply::texts,
    telemetry::Metrics,
    tess::Tess,
};

mod agent;
mod agent_directory;
mod agents;
mod caller;
mod help;
mod reset;
mod respond;
mod retry;
mod settings;
mod stop;
mod table;
mod usage;

/// Every command, in the order in which they are registered.
const COMMANDS: &[Command] = &[
    agent::COMMAND,
    agents::COMMAND,
    settings::COMMAND,
    reset::COMMAND,
    stop::COMMAND,
    retry::COMMAND,
    usage::COMMAND,
    help::COMMAND,
];

/// The type of the events that carry interactions, as metrics count them.
const EVENT_TYPE: &str = "INTERACTION_CREATE";

/// What the commands work with.
struct Data {
    conversations: Conversations,
    tess: Tess,
    agents: AgentDirectory,
    default_agent: AgentId,
    respond_to: RespondTo,
    language: Language,
}

/// The commands, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    inner: Arc<Inner>,
}

struct Inner {
    discord: Discord,
    data: Data,
    metrics: Metrics,
    application: OnceLock<ApplicationId>,
}

impl Commands {
    /// The commands over the given conversations.
    #[must_use]
    pub fn new(discord: Discord, conversations: Conversations, tess: Tess, config: &Config, metrics: Metrics) -> Self {
        let data = Data {
            conversations,
            agents: AgentDirectory::new(tess.clone(), config.tess.allowed_agents.clone()),
            tess,
            default_agent: config.tess.agent,
            respond_to: config.intake.respond_to,
            language: config.reply.language,
        };
        Self { inner: Arc::new(Inner { discord, data, metrics, application: OnceLock::new() }) }
    }

    /// The commands as Discord registers them.
    #[must_use]
    pub fn definition(&self) -> Value {
        table::definition(COMMANDS)
    }

    /// Sets the application, which READY names and which responses are addressed to.
    pub fn set_application(&self, application: ApplicationId) {
        // A bot has one application, so a later READY names the same.
        let _ = self.inner.application.set(application);
    }

    /// Handles an interaction to its end. Whatever fails, a panic included, is logged and reported to the caller.
    pub async fn run(&self, interaction: Interaction) {
        let Some(application) = self.inner.application.get().copied() else { return };
        let caller = Caller::new(&interaction, self.inner.data.language);
        let Interaction { id, token, request, .. } = interaction;
        let address = InteractionAddress { application, id, token };
        let mut respond = Responder::new(self.inner.discord.clone(), address, &request);
        let call = Call { data: &self.inner.data, caller: &caller, respond: &mut respond, id };
        let handled = AssertUnwindSafe(handle(call, &request)).catch_unwind().await;
        let subject = subject_of(&request);
        let report = match handled {
            Ok(Ok(())) => return,
            Ok(Err(CommandError::Discord(error))) => {
                warn!(interaction = subject, %error, "response to an interaction failed");
                return;
            }
            Ok(Err(error)) => {
                if matches!(error, CommandError::Missing(_) | CommandError::Unreadable) {
                    self.inner.metrics.gateway_undecodable(EVENT_TYPE);
                }
                warn!(interaction = subject, %error, "interaction not handled");
                texts::commands::not_understood(caller.language)
            }
            Err(_panic) => {
                self.inner.metrics.panicked();
                warn!(interaction = subject, "command panicked; this is a bug in the bot");
                texts::errors::internal(caller.language)
            }
        };
        if let Err(error) = respond.report(report).await {
            warn!(interaction = subject, %error, "failed to report the failure of a command");
        }
    }
}

async fn handle(call: Call<'_>, request: &Request) -> Result<(), CommandError> {
    match request {
        Request::Command { name, options } => {
            let command = table::command(COMMANDS, name)?;
            if let Some(refusal) = refusal(call.caller, command.requires) {
                return Ok(call.respond.reply(refusal).await?);
            }
            (command.run)(call, Options(options)).await
        }
        Request::Completion { name, typed } => {
            let choices = match table::command(COMMANDS, name)?.complete {
                Some(complete) => complete(call.data, typed).await,
                None => Vec::new(),
            };
            Ok(call.respond.complete(choices).await?)
        }
        Request::Press { custom_id, values } => {
            let (components, subject) = table::components(COMMANDS, custom_id)?;
            if let Some(refusal) = refusal(call.caller, components.requires) {
                return Ok(call.respond.update(refusal).await?);
            }
            (components.press)(call, Pressed { subject, values }).await
        }
        Request::Form { custom_id, text } => {
            let (components, subject) = table::components(COMMANDS, custom_id)?;
            if let Some(refusal) = refusal(call.caller, components.requires) {
                return Ok(call.respond.update(refusal).await?);
            }
            let submit = components.submit.ok_or(CommandError::Unknown)?;
            submit(call, Submitted { subject, text: text.as_deref() }).await
        }
        Request::Unreadable => Err(CommandError::Unreadable),
    }
}

/// What a caller is told who lacks the right that is required.
fn refusal(caller: &Caller, required: Option<Right>) -> Option<Reply> {
    let lacking = required.filter(|right| !caller.may(*right))?;
    let text = match lacking {
        Right::ManageChannel => texts::commands::needs_manage_channels(caller.language),
        Right::ModerateTurns => texts::turns::not_requester(caller.language),
        Right::SeeServerUsage => texts::usage::needs_permission(caller.language),
    };
    Some(Reply::private(text))
}

/// What an interaction is about, for the log: a name of ours, never what a person wrote.
fn subject_of(request: &Request) -> &str {
    match request {
        Request::Command { name, .. } | Request::Completion { name, .. } => {
            table::command(COMMANDS, name).map_or("unknown", |command| command.name)
        }
        Request::Press { custom_id, .. } | Request::Form { custom_id, .. } => {
            table::components(COMMANDS, custom_id).map_or("unknown", |(components, _)| components.prefix)
        }
        Request::Unreadable => "unreadable",
    }
}
