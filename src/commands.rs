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
        caller::{Caller, Right},
        data::Data,
        error::CommandError,
        respond::{Reply, Responder},
        table::{Call, Command, Options, Pressed, Submitted},
    },
    config::Config,
    conversation::Conversations,
    discord::{
        Discord, InteractionAddress,
        interaction::{Interaction, Request},
    },
    ids::ApplicationId,
    reply::texts,
    telemetry::Metrics,
    tess::Tess,
};

mod about;
mod agent;
mod agent_directory;
mod agents;
mod caller;
mod data;
#[cfg(test)]
mod docs;
mod error;
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
    about::COMMAND,
];

/// What interactions count as that no command of this version handles.
const UNKNOWN: &str = "unknown";

/// The type of the events that carry interactions, as metrics count them.
const EVENT_TYPE: &str = "INTERACTION_CREATE";

/// The commands, ready to run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Commands {
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
    pub(crate) fn new(
        discord: Discord,
        conversations: Conversations,
        tess: Tess,
        config: &Config,
        metrics: Metrics,
    ) -> Self {
        let data = Data::new(conversations, tess, config);
        Self { inner: Arc::new(Inner { discord, data, metrics, application: OnceLock::new() }) }
    }

    /// The commands as Discord registers them.
    #[must_use]
    pub(crate) fn definition(&self) -> Value {
        table::definition(COMMANDS)
    }

    /// Sets the application, which READY names and which responses are addressed to.
    pub(crate) fn set_application(&self, application: ApplicationId) {
        // A bot has one application, so a later READY names the same.
        let _ = self.inner.application.set(application);
    }

    /// Handles an interaction to its end. Whatever fails, a panic included, is logged and reported to the caller.
    pub(crate) async fn run(&self, interaction: Interaction) {
        let Some(application) = self.inner.application.get().copied() else { return };
        let caller = Caller::new(&interaction, self.inner.data.language);
        let Interaction { id, token, request, .. } = interaction;
        let address = InteractionAddress { application, id, token };
        let mut respond = Responder::new(self.inner.discord.clone(), address, &request);
        let call = Call { data: &self.inner.data, caller: &caller, respond: &mut respond, id };
        let subject = subject_of(&request);
        // A completion comes with each letter that is typed, and counts nothing.
        if !matches!(request, Request::Completion { .. }) {
            self.inner.metrics.command(subject);
        }
        let Err(error) = catch_panic(handle(call, &request)).await else { return };
        warn!(interaction = subject, %error, "interaction failed");
        let report = match error {
            // What could not be sent is not followed by more.
            CommandError::Discord(_) => return,
            CommandError::Missing(_) | CommandError::Unreadable => {
                self.inner.metrics.gateway_undecodable(EVENT_TYPE);
                texts::commands::not_understood(caller.language)
            }
            CommandError::Unknown => texts::commands::not_understood(caller.language),
            CommandError::Panicked => {
                self.inner.metrics.panicked();
                texts::errors::internal(caller.language)
            }
        };
        if let Err(error) = respond.report(report).await {
            warn!(interaction = subject, %error, "failed to report a failed interaction");
        }
    }
}

/// Makes an error of a panic.
async fn catch_panic(handled: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    AssertUnwindSafe(handled).catch_unwind().await.unwrap_or(Err(CommandError::Panicked))
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

/// The reply to a caller who lacks the right that is required.
fn refusal(caller: &Caller, required: Option<Right>) -> Option<Reply> {
    let lacking = required.filter(|right| !caller.may(*right))?;
    let text = match lacking {
        Right::ManageChannel => texts::commands::needs_manage_channels(caller.language),
        Right::ModerateTurns => texts::turns::not_requester(caller.language),
        Right::SeeServerUsage => texts::usage::needs_permission(caller.language),
    };
    Some(Reply::private(text))
}

/// What an interaction belongs to, for the log and the metrics: a name of the bot's own, never what a person wrote.
fn subject_of(request: &Request) -> &'static str {
    match request {
        Request::Command { name, .. } | Request::Completion { name, .. } => {
            table::command(COMMANDS, name).map_or(UNKNOWN, |command| command.name)
        }
        Request::Press { custom_id, .. } | Request::Form { custom_id, .. } => {
            table::components(COMMANDS, custom_id).map_or(UNKNOWN, |(components, _)| components.prefix)
        }
        Request::Unreadable => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::table::Text;

    #[tokio::test]
    async fn panic_in_a_handler_becomes_an_error() {
        let handled = catch_panic(async { panic!("on purpose") }).await;
        assert!(matches!(handled, Err(CommandError::Panicked)), "{handled:?}");
        assert!(catch_panic(async { Ok(()) }).await.is_ok());
    }

    #[test]
    fn definitions_keep_the_limits_of_discord() {
        let fits = |text: Text| [text.english, text.portuguese].map(|text| (1..=100).contains(&text.chars().count()));
        for command in COMMANDS {
            assert!(!command.name.is_empty() && command.name.bytes().all(|byte| byte.is_ascii_lowercase()));
            let options = command.options.iter().map(|option| option.description);
            for text in options.chain([command.description]) {
                assert_eq!(fits(text), [true, true], "{}", command.name);
            }
        }
    }

    #[test]
    fn interactions_count_as_names_of_the_bot_and_never_as_text_from_outside() {
        let command = |name: &str| Request::Command { name: name.to_owned(), options: Vec::new() };
        let press = |custom_id: &str| Request::Press { custom_id: custom_id.to_owned(), values: Vec::new() };
        let form = |custom_id: &str| Request::Form { custom_id: custom_id.to_owned(), text: None };
        for (request, expected) in [
            (command("help"), "help"),
            (command("of-another-version"), "unknown"),
            (press("stop:17"), "stop"),
            (press("agent:17"), "unknown"),
            (form("settings:set:model"), "settings"),
            (form("x"), "unknown"),
            (Request::Unreadable, "unknown"),
        ] {
            assert_eq!(subject_of(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn names_and_prefixes_identify_a_command() {
        let names: BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        let all = COMMANDS.iter().filter_map(|command| command.components.as_ref());
        let prefixes: Vec<_> = all.map(|components| components.prefix).collect();
        assert_eq!(prefixes.iter().collect::<BTreeSet<_>>().len(), prefixes.len());
        assert!(prefixes.iter().all(|prefix| !prefix.contains(':')), "{prefixes:?}");
    }

    #[test]
    fn custom_ids_of_other_versions_are_unknown() {
        let (_, subject) = table::components(COMMANDS, "settings:page:2:a").unwrap();
        assert_eq!(subject, "page:2:a");
        for custom_id in ["", "other", "other:settings", ":settings"] {
            assert!(matches!(table::components(COMMANDS, custom_id), Err(CommandError::Unknown)), "{custom_id}");
        }
    }
}
