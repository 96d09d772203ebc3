//! The slash commands, and who may use them.
//!
//! poise defines them, reads their arguments and answers them through serenity's HTTP client; the gateway hands the
//! interactions in.

use std::{sync::Arc, time::Duration};

use poise::{
    BoxFuture, CreateReply, FrameworkContext, FrameworkError, FrameworkOptions,
    serenity_prelude::{
        self as serenity, AutocompleteChoice, ComponentInteraction, CreateAutocompleteResponse, FullEvent, Interaction,
        ModalInteraction, Permissions,
    },
};
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::{
    commands::agents::Agents,
    config::{Config, Language, RespondTo},
    conversation::Conversations,
    ids::{AgentId, ApplicationId, MessageId, UserId},
    reply::texts,
    telemetry::Metrics,
    tess::{Options, Tess, TessError},
};

mod agents;
mod context;
mod list;
mod settings;
mod turns;
mod usage;

/// Discord gives three seconds for the first answer to an interaction; after this time it is told that the answer comes.
/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-callback>
const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(1500);

type Error = serenity::Error;
type Context<'a> = poise::Context<'a, Data, Error>;

/// What the commands work with.
pub struct Data {
    conversations: Conversations,
    tess: Tess,
    agents: Agents,
    default_agent: AgentId,
    respond_to: RespondTo,
    language: Language,
    metrics: Metrics,
}

impl Data {
    /// The language of what only one person sees: that of the person's Discord, if the bot speaks it.
    fn language_for(&self, locale: &str) -> Language {
        Language::of_locale(locale).unwrap_or(self.language)
    }
}

/// The commands, ready to run.
pub struct Commands {
    options: FrameworkOptions<Data, Error>,
    data: Data,
    context: context::Detached,
}

impl Commands {
    /// The commands over the given conversations. `http` is serenity's client for answering interactions.
    ///
    /// # Errors
    /// When the loopback interface can not be used: commands need a socket there once.
    pub async fn new(
        http: Arc<serenity::Http>,
        conversations: Conversations,
        tess: Tess,
        config: &Config,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let options = FrameworkOptions {
            commands: vec![
                agent(),
                list::agents(),
                settings::settings(),
                reset(),
                turns::stop(),
                turns::retry(),
                usage::usage(),
                help(),
            ],
            on_error: |error| Box::pin(tell(error)) as BoxFuture<'_, ()>,
            allowed_mentions: Some(serenity::CreateAllowedMentions::new()),
            ..FrameworkOptions::default()
        };
        let agents = Agents::new(tess.clone(), config.tess.allowed_agents.clone());
        let (default_agent, respond_to, language) =
            (config.tess.agent, config.intake.respond_to, config.reply.language);
        let data = Data { conversations, tess, agents, default_agent, respond_to, language, metrics };
        Ok(Self { options, data, context: context::detached(http).await? })
    }

    /// The commands as Discord wants them registered.
    #[must_use]
    pub fn definition(&self) -> Value {
        let commands = poise::builtins::create_application_commands(&self.options.commands);
        serde_json::to_value(commands).unwrap_or_default()
    }

    /// The application is known from the READY event on.
    pub fn introduce(&self, application: ApplicationId) {
        self.context.serenity.http.set_application_id(application);
    }

    /// Runs an interaction to its end.
    pub async fn run(&self, interaction: Interaction, me: UserId) {
        match interaction {
            Interaction::Component(press) => self.press(&press).await,
            Interaction::Modal(modal) => self.submit(&modal).await,
            other => self.command(other, me).await,
        }
    }

    /// A button or a menu; its id begins with what it is for.
    async fn press(&self, press: &ComponentInteraction) {
        let http = self.http();
        let (what, about) = press.data.custom_id.split_once(':').unwrap_or((&press.data.custom_id, ""));
        match what {
            list::BUTTON => list::turn_to(about, press, &self.data, http).await,
            settings::PREFIX => settings::press(&self.data, http, press, about).await,
            "stop" => turns::press_stop(http, &self.data, press, about).await,
            "retry" => turns::press_retry(http, &self.data, press, about).await,
            _ => warn!(what, "a button of another version was pressed"),
        }
    }

    /// A form was sent; its id begins with what it is for, too.
    async fn submit(&self, modal: &ModalInteraction) {
        let (what, about) = modal.data.custom_id.split_once(':').unwrap_or((&modal.data.custom_id, ""));
        match what {
            settings::PREFIX => settings::submit(&self.data, self.http(), modal, about).await,
            _ => warn!(what, "a form of another version was sent"),
        }
    }

    fn http(&self) -> &serenity::Http {
        &self.context.serenity.http
    }

    async fn command(&self, interaction: Interaction, me: UserId) {
        let framework = FrameworkContext {
            serenity_context: &self.context.serenity,
            bot_id: me,
            options: &self.options,
            user_data: &self.data,
            shard_manager: &self.context.manager,
        };
        poise::dispatch_event(framework, FullEvent::InteractionCreate { interaction }).await;
    }
}

/// Show which agent answers in this channel, or switch to another
#[poise::command(
    slash_command,
    description_localized("pt-BR", "Mostra qual agente responde neste canal, ou troca por outro")
)]
async fn agent(
    ctx: Context<'_>,
    #[description = "The agent that answers here from now on"]
    #[description_localized("pt-BR", "O agente que responde aqui a partir de agora")]
    #[autocomplete = "complete_agent"]
    id: Option<String>,
) -> Result<(), Error> {
    match id {
        None => show_agent(ctx).await,
        Some(id) => switch_agent(ctx, &id).await,
    }
}

async fn complete_agent(ctx: Context<'_>, typed: &str) -> CreateAutocompleteResponse {
    let agents = ctx.data().agents.matching(typed, ACKNOWLEDGE_AFTER).await;
    let choice = |agent| AutocompleteChoice::new(agents::choice_name(agent), agent.id.to_string());
    CreateAutocompleteResponse::new().set_choices(agents.iter().map(choice).collect())
}

async fn show_agent(ctx: Context<'_>) -> Result<(), Error> {
    let data = ctx.data();
    let id = data.conversations.agent(ctx.channel_id());
    let agent = match acknowledged(ctx, true, data.agents.find(id)).await? {
        Ok(agent) => Some(agent),
        Err(error) => {
            warn!(%error, "the agent's title could not be asked for");
            None
        }
    };
    let is_default = id == data.default_agent;
    whisper(
        ctx,
        texts::agents::current(language(ctx), agent.as_ref().map(|agent| agent.title.as_str()), id, is_default),
    )
    .await
}

async fn switch_agent(ctx: Context<'_>, id: &str) -> Result<(), Error> {
    if !may_manage(ctx).await {
        return whisper(ctx, texts::commands::needs_manage_channels(language(ctx))).await;
    }
    let Ok(id) = id.trim().parse::<AgentId>() else {
        return whisper(ctx, texts::agents::unknown(language(ctx), id)).await;
    };
    if !ctx.data().agents.allows(id) {
        return whisper(ctx, texts::agents::not_allowed(language(ctx), id)).await;
    }
    // Asked of Tess itself: the cached list may be older than the agent, or than its end.
    let found = acknowledged(ctx, false, ctx.data().tess.agent(id)).await?;
    match found {
        Ok(agent) if !agent.is_chat() => whisper(ctx, texts::agents::not_chat(language(ctx), &agent.title)).await,
        Ok(agent) => {
            let (conversations, channel) = (&ctx.data().conversations, ctx.channel_id());
            // Those of another agent do not stay.
            let is_current = agent.id == conversations.agent(channel);
            let options = if is_current { conversations.options(channel) } else { Options::default() };
            let missing = agent.missing(&options);
            if !missing.is_empty() {
                return whisper(ctx, texts::agents::needs_answers(language(ctx), &agent.title, &missing)).await;
            }
            let dropped = conversations.set_agent(channel, agent.id);
            info!(channel.id = %ctx.channel_id(), agent.id = %agent.id, "agent switched");
            let dropped = if dropped { texts::settings::dropped(ctx.data().language) } else { "" };
            announce(ctx, texts::agents::switched(ctx.data().language, &agent.title, agent.id) + dropped).await
        }
        Err(TessError::AgentNotFound { .. }) => {
            whisper(ctx, texts::agents::unknown(language(ctx), &id.to_string())).await
        }
        Err(error) => {
            warn!(%error, agent.id = %id, "an agent could not be checked");
            whisper(ctx, texts::agents::unavailable(language(ctx))).await
        }
    }
}

/// In a guild, whether the caller may manage the channel; in a direct message, always.
async fn may_manage(ctx: Context<'_>) -> bool {
    match ctx.author_member().await {
        Some(member) => member.permissions.is_some_and(|permissions| {
            permissions.intersects(Permissions::MANAGE_CHANNELS | Permissions::ADMINISTRATOR)
        }),
        None => ctx.guild_id().is_none(),
    }
}

/// Forget what was said in this channel and start afresh
#[poise::command(slash_command, description_localized("pt-BR", "Esquece o que foi dito neste canal e começa de novo"))]
async fn reset(ctx: Context<'_>) -> Result<(), Error> {
    // The interaction's own id is a snowflake: everything older than this command goes.
    let poise::Context::Application(application) = ctx else { return Ok(()) };
    let mark = MessageId::new(application.interaction.id.get());
    ctx.data().conversations.reset(ctx.channel_id(), mark);
    info!(channel.id = %ctx.channel_id(), "history reset");
    announce(ctx, texts::commands::reset_done(ctx.data().language)).await
}

/// Show what this bot does and its commands
#[poise::command(slash_command, description_localized("pt-BR", "Mostra o que este bot faz e os comandos dele"))]
async fn help(ctx: Context<'_>) -> Result<(), Error> {
    let text = texts::commands::help(language(ctx), ctx.data().respond_to);
    whisper(ctx, text).await
}

/// Waits for something, and tells Discord in time that the answer comes later.
async fn acknowledged<T>(ctx: Context<'_>, ephemeral: bool, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => Ok(done),
        () = sleep(ACKNOWLEDGE_AFTER) => {
            if ephemeral { ctx.defer_ephemeral().await? } else { ctx.defer().await? }
            Ok(work.await)
        }
    }
}

/// The caller's language, for what nobody else sees.
fn language(ctx: Context<'_>) -> Language {
    ctx.data().language_for(ctx.locale().unwrap_or_default())
}

/// Answers the caller alone.
async fn whisper(ctx: Context<'_>, text: impl Into<String>) -> Result<(), Error> {
    ctx.send(CreateReply::default().content(text).ephemeral(true)).await.map(drop)
}

/// Answers for the whole channel to see.
async fn announce(ctx: Context<'_>, text: impl Into<String>) -> Result<(), Error> {
    ctx.send(CreateReply::default().content(text)).await.map(drop)
}

/// The one place where a command's failure is told.
async fn tell(error: FrameworkError<'_, Data, Error>) {
    match &error {
        FrameworkError::CommandPanic { ctx, .. } => {
            ctx.data().metrics.panicked();
            warn!(command = %ctx.command().name, "a command panicked; this is a bug in the bot");
        }
        FrameworkError::Command { ctx, error, .. } => {
            warn!(command = %ctx.command().name, %error, "a command could not be answered");
            return;
        }
        FrameworkError::UnknownInteraction { .. } | FrameworkError::CommandStructureMismatch { .. } => {
            warn!("a command of an older version was used");
        }
        other => warn!(error = %other, "a command failed"),
    }
    if let Some(ctx) = error.ctx()
        && let Err(error) = whisper(ctx, texts::errors::internal(language(ctx))).await
    {
        warn!(%error, "a command's failure could not be told");
    }
}
