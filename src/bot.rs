//! The bot: builds the parts, runs them, and stops them in order.

mod events;
mod last_seen;

use std::future::pending;

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Duration, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{info, warn};

use self::{events::Events, last_seen::LastSeen};
use crate::{
    check,
    clients::clients,
    commands::Commands,
    config::Config,
    conversation::Conversations,
    discord::Discord,
    gateway::{Fatal, Gateway},
    ops::{self, Readiness},
    state::State,
    telemetry::Metrics,
    tess::Tess,
};

/// How long interactions may take to end once the turns have ended at shutdown.
const INTERACTIONS_GRACE: Duration = Duration::from_secs(2);

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
    /// Builds the parts; opens the state file and the health server's port, and sends no request.
    ///
    /// # Errors
    /// What the operator has to change.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let state = State::open(&config.state_path, config.timings.state_flush_interval, metrics.clone())?;
        let health = match config.health_addr {
            Some(address) => {
                let bound = TcpListener::bind(address).await;
                Some(bound.with_context(|| format!("HEALTH_ADDR: {address} cannot be listened on"))?)
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

    /// The metrics of this bot.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Runs until `stop`, then stops the parts in order: accepts no more messages, lets running turns end or cancels them, closes the
    /// gateway, writes the state, and stops the health server last.
    ///
    /// # Errors
    /// When Discord rejects the bot for good: its token, its intents, its number of guilds, or its version. The text says what to do.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { config, state, metrics, conversations, commands, discord, tess, gateway, ready, health } = self;
        let stop_health = CancellationToken::new();
        let health = health
            .map(|listener| tokio::spawn(ops::serve(listener, metrics.clone(), ready.clone(), stop_health.clone())));
        let _check = AbortOnDropHandle::new(tokio::spawn(check_default_agent(config.clone(), tess)));
        conversations.delete_leftover_uploads();
        let mut events = Events::new(conversations.clone(), commands, discord.clone(), state.clone(), stop.clone());
        let interactions = events.interactions().clone();
        let last_seen =
            LastSeen { state: &state, conversations: &conversations, readiness: &ready, timings: &config.timings };
        let close_gateway = CancellationToken::new();
        let shut_down = async {
            stop.cancelled().await;
            info!("shutting down");
            last_seen.record();
            conversations.shut_down(config.shutdown_grace).await;
            interactions.close();
            if timeout(INTERACTIONS_GRACE, interactions.wait()).await.is_err() {
                warn!(interactions = interactions.len(), "interactions unfinished at shutdown");
            }
            close_gateway.cancel();
            // The gateway ends the select once it has closed its connection.
            pending::<()>().await;
        };
        let result = tokio::select! {
            result = gateway.run(&close_gateway, |event| events.on_event(event)) => result,
            () = discord.token_rejected() => Err(Fatal::BadToken),
            () = shut_down => Ok(()),
            never = last_seen.record_at_intervals() => match never {},
        };
        if result.is_err() {
            conversations.shut_down(Duration::ZERO).await;
        }
        state.close().await;
        stop_health.cancel();
        if let Some(health) = health {
            // Whether the server failed makes no difference at this point.
            let _ = health.await;
        }
        info!("shut down");
        Ok(result?)
    }
}

/// Logs what is wrong with the default agent, before anyone asks it. The bot runs on, because Tess may be corrected meanwhile.
async fn check_default_agent(config: Config, tess: Tess) {
    for problem in check::default_agent_problems(&config, &tess).await {
        warn!(problem, "default agent cannot answer");
    }
}
