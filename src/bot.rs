//! The bot: its parts built, run, and stopped in order.

use std::{convert::Infallible, future::pending, time::SystemTime};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Duration, MissedTickBehavior, interval, timeout},
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tracing::{info, warn};

use crate::{
    check,
    clients::clients,
    commands::Commands,
    config::{Config, Timings},
    conversation::{Conversations, catch_up::CatchUp},
    discord::{Discord, interaction::Interaction},
    event::{Event, KnownChannel},
    gateway::{Fatal, Gateway},
    ids::ApplicationId,
    ops::{self, Readiness},
    state::State,
    telemetry::Metrics,
    tess::Tess,
};

/// Interactions that may be under way at once. Beyond it Discord tells the caller that the bot did not answer.
const MOST_INTERACTIONS: usize = 200;

/// How long commands may go on after a stop was asked for.
const COMMANDS_GRACE: Duration = Duration::from_secs(2);

/// A bot that is ready to run.
pub struct Bot {
    config: Config,
    state: State,
    metrics: Metrics,
    conversations: Conversations,
    commands: Commands,
    discord: Discord,
    tess: Tess,
    gateway: Gateway,
    ready: watch::Receiver<Readiness>,
    health: Option<TcpListener>,
}

impl Bot {
    /// Builds the parts: opens the state file and the health server's port, contacts nobody.
    ///
    /// # Errors
    /// What the operator has to put right, in words.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let state = State::open(&config.state_path, config.timings.state_flush_interval, metrics.clone())?;
        let health = match config.health_addr {
            Some(address) => {
                let bound = TcpListener::bind(address).await;
                Some(bound.with_context(|| format!("HEALTH_ADDR: {address} can not be listened on"))?)
            }
            None => None,
        };
        let (discord, tess) = clients(&config, &metrics)?;
        let conversations = Conversations::new(&config, discord.clone(), tess.clone(), state.clone(), metrics.clone());
        let commands = Commands::new(discord.clone(), conversations.clone(), tess.clone(), &config, metrics.clone());
        let (readiness, ready) = watch::channel(Readiness::Starting);
        let gateway = Gateway::new(discord.clone(), &config, metrics.clone(), readiness);
        Ok(Self { config, state, metrics, conversations, commands, discord, tess, gateway, ready, health })
    }

    /// What the bot counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Runs until `stop`, then stops in order: no more messages are taken, running turns end or are given up, the gateway is
    /// closed, what is known is written, the health server goes last.
    ///
    /// # Errors
    /// When Discord will not have this bot as it is: [`crate::gateway::Fatal`].
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let healthy = CancellationToken::new();
        let health = self.health.map(|listener| {
            tokio::spawn(ops::serve(listener, self.metrics.clone(), self.ready.clone(), healthy.clone()))
        });
        let _defaults = AbortOnDropHandle::new(tokio::spawn(check_defaults(self.config.clone(), self.tess)));
        self.conversations.delete_leftover_uploads();
        let (hang_up, token_rejected) = (CancellationToken::new(), self.discord.clone());
        let mut events = Events {
            conversations: self.conversations.clone(),
            commands: self.commands,
            discord: self.discord,
            state: self.state.clone(),
            stop: stop.clone(),
            interactions: TaskTracker::new(),
            catch_up: None,
        };
        let interactions = events.interactions.clone();
        let grace = self.config.shutdown_grace;
        let (ready, timings) = (&self.ready, &self.config.timings);
        let listening = Listening { state: &self.state, conversations: &self.conversations, ready, timings };
        let attending = self.gateway.run(&hang_up, |event| events.on(event));
        let drain = async {
            stop.cancelled().await;
            info!("stopping");
            listening.note();
            self.conversations.shut_down(grace).await;
            interactions.close();
            if timeout(COMMANDS_GRACE, interactions.wait()).await.is_err() {
                warn!("stopping with commands unanswered");
            }
            hang_up.cancel();
            pending::<()>().await;
        };
        let result = tokio::select! {
            result = attending => result,
            () = token_rejected.token_rejected() => Err(Fatal::BadToken),
            () = drain => Ok(()),
            never = listening.keep_noting() => match never {},
        };
        if result.is_err() {
            self.conversations.shut_down(Duration::ZERO).await;
        }
        self.state.close().await;
        healthy.cancel();
        if let Some(health) = health {
            // It ends by itself; how is of no interest any more.
            let _ = health.await;
        }
        info!("stopped");
        Ok(result?)
    }
}

/// Tells the operator early what people would be told later. The bot runs on: it may be put right in Tess.
async fn check_defaults(config: Config, tess: Tess) {
    for problem in check::default_agent_problems(&config, &tess).await {
        warn!(problem, "the default agent would not answer");
    }
}

/// Notes that the bot listened until a moment ago, so that the next start knows since when it did not.
struct Listening<'a> {
    state: &'a State,
    conversations: &'a Conversations,
    ready: &'a watch::Receiver<Readiness>,
    timings: &'a Timings,
}

impl Listening<'_> {
    /// While it still catches up, what came before is not all heard yet.
    fn note(&self) {
        if *self.ready.borrow() == Readiness::Up && self.conversations.has_caught_up() {
            self.state.set_last_seen(SystemTime::now() - self.timings.undetected_disconnect);
        }
    }

    async fn keep_noting(&self) -> Infallible {
        let mut ticks = interval(self.timings.last_seen_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.conversations.advance_marks();
            self.note();
        }
    }
}

/// Where each event goes.
struct Events {
    conversations: Conversations,
    commands: Commands,
    discord: Discord,
    state: State,
    stop: CancellationToken,
    interactions: TaskTracker,
    catch_up: Option<CatchUp>,
}

impl Events {
    fn on(&mut self, event: Event) {
        match event {
            Event::Ready { me, application, guilds } => {
                info!(bot.id = %me, "connected to Discord");
                self.conversations.set_bot_user(me);
                self.commands.set_application(application);
                self.catch_up = self.conversations.begin_catch_up(guilds);
                self.register_commands(application);
            }
            Event::Guild(guild, channels) => {
                self.know(&channels);
                if let Some(catch_up) = &mut self.catch_up {
                    catch_up.on_guild(guild, &channels);
                }
            }
            Event::Channels(channels) => self.know(&channels),
            Event::Message(message) => self.conversations.on_message(&message),
            Event::Edit(message) => self.conversations.on_edit(&message),
            Event::Deletion(deletion) => self.conversations.on_deletion(&deletion),
            Event::ChannelGone(channel) => self.conversations.on_channel_gone(channel),
            Event::GuildGone(guild) => {
                self.conversations.on_guild_gone(guild);
                if let Some(catch_up) = &mut self.catch_up {
                    catch_up.on_guild_gone(guild);
                }
            }
            Event::Interaction(interaction) => self.interact(*interaction),
        }
    }

    fn know(&self, channels: &[KnownChannel]) {
        for channel in channels {
            if let Some(parent) = channel.parent {
                self.conversations.record_thread(channel.id, parent);
            }
        }
    }

    fn interact(&self, interaction: Interaction) {
        if self.stop.is_cancelled() || self.interactions.len() >= MOST_INTERACTIONS {
            warn!("an interaction is left unanswered: the bot stops, or too many are under way");
            return;
        }
        let commands = self.commands.clone();
        self.interactions.spawn(async move { commands.run(interaction).await });
    }

    /// Registers the commands when they are not the ones that were registered last: Discord counts it.
    fn register_commands(&self, application: ApplicationId) {
        let definition = self.commands.definition();
        let registered = format!("{application}:{}", fingerprint(&definition.to_string()));
        if self.state.commands_hash().as_ref() == Some(&registered) {
            return;
        }
        let (discord, state) = (self.discord.clone(), self.state.clone());
        self.interactions.spawn(async move {
            match discord.register_commands(application, &definition).await {
                Ok(()) => state.set_commands_hash(&registered),
                Err(error) => {
                    warn!(%error, "the slash commands could not be registered; the next connection tries again");
                }
            }
        });
    }
}

/// FNV-1a: stable over builds, which the standard library's hash does not promise to be.
fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
