//! What the parts of the conversation share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::{
    config::Config,
    conversation::{
        channels::{Channels, MAP_SHARDS},
        spending::Spending,
        tasks::Tasks,
        uploads::Uploads,
    },
    discord::Discord,
    ids::{AgentId, ChannelId, GuildId, UserId},
    intake::Origin,
    state::State,
    telemetry::Metrics,
    tess::{Options, Tess},
};

/// The outside world, made once.
pub(super) struct Services {
    pub(super) discord: Discord,
    pub(super) tess: Tess,
    pub(super) state: State,
    pub(super) metrics: Metrics,
    pub(super) config: Config,
}

/// The services, and what all conversations together are.
pub(super) struct Shared {
    pub(super) services: Services,
    pub(super) channels: Channels,
    /// The parent channel of each thread; kept only when the channels are limited.
    pub(super) threads: DashMap<ChannelId, ChannelId>,
    pub(super) spending: Spending,
    pub(super) uploads: Uploads,
    /// Guilds and channels whose missed messages are still being looked for.
    pub(super) pending_catch_ups: AtomicUsize,
    pub(super) tasks: Tasks,
    /// The bot's own user; 0 before READY.
    bot_user: AtomicU64,
}

impl Shared {
    pub(super) fn new(services: Services) -> Self {
        let (tasks, config, metrics) = (Tasks::default(), &services.config, &services.metrics);
        Self {
            channels: Channels::new(config.history, metrics.clone()),
            threads: DashMap::with_shard_amount(MAP_SHARDS),
            spending: Spending::new(config.budget, services.state.clone(), metrics.clone()),
            uploads: Uploads::new(services.tess.clone(), services.state.clone(), tasks.clone()),
            pending_catch_ups: AtomicUsize::new(0),
            tasks,
            bot_user: AtomicU64::new(0),
            services,
        }
    }

    pub(super) fn bot_user(&self) -> UserId {
        UserId::new(self.bot_user.load(Ordering::Relaxed).max(1))
    }

    pub(super) fn set_bot_user(&self, user: UserId) {
        self.bot_user.store(user.get(), Ordering::Relaxed);
    }

    /// `guild`: the one that the channel is in; a message from REST does not tell it.
    pub(super) fn place(&self, channel: ChannelId, guild: Option<GuildId>) -> Origin {
        Origin { is_direct: guild.is_none(), parent: self.threads.get(&channel).map(|parent| *parent) }
    }

    /// The agent that answers in a channel.
    pub(super) fn agent(&self, channel: ChannelId) -> AgentId {
        // One that was chosen before `TESS_AGENTS` left it out does not count.
        let tess = &self.services.config.tess;
        let chosen = self.services.state.agent(channel).filter(|agent| tess.allowed_agents.contains(*agent));
        chosen.unwrap_or(tess.agent)
    }

    /// Lets an agent answer in a channel from its next turn on; returns whether options for the agent before were dropped.
    pub(super) fn set_agent(&self, channel: ChannelId, agent: AgentId) -> bool {
        let (state, default) = (&self.services.state, self.services.config.tess.agent);
        let is_another = agent != state.agent(channel).unwrap_or(default);
        state.set_agent(channel, (agent != default).then_some(agent));
        let had_options = is_another && state.options(channel).is_some();
        if had_options {
            state.set_options(channel, None);
        }
        had_options
    }

    /// The channel's own values for its agent's settings. Those for an agent that does not count any more are not for the
    /// one in its place.
    pub(super) fn options(&self, channel: ChannelId) -> Options {
        let json = self.services.state.options(channel).filter(|_| self.has_chosen_agent(channel));
        // It was written from such a value.
        json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
    }

    /// Keeps the channel's own values for its agent's settings; `false`, and nothing changed, when they are too long.
    pub(super) fn set_options(&self, channel: ChannelId, options: &Options) -> bool {
        if !self.has_chosen_agent(channel) {
            self.set_agent(channel, self.services.config.tess.agent);
        }
        // Texts, numbers and booleans are always JSON.
        let json = serde_json::to_string(options).unwrap_or_default();
        self.services.state.set_options(channel, Some(&json).filter(|_| !options.is_empty()).map(String::as_str))
    }

    /// Whether the agent that answers in a channel is the one chosen there, or none was chosen.
    fn has_chosen_agent(&self, channel: ChannelId) -> bool {
        self.services.state.agent(channel).is_none_or(|chosen| chosen == self.agent(channel))
    }
}
