//! The conversations: what each channel has said, what is asked next, one turn at a time.
//!
//! A message becomes part of its channel's history as soon as it is heard. If nothing is being asked in that channel, a turn
//! starts; otherwise it waits, and the next turn answers all that waits at once, as a person would. Each message that is taken
//! to be answered is settled exactly once ([`Outcome`]), and only then does the channel's *handled* mark move past it, so that
//! what a stop or a crash leaves unsettled is found again by the next start ([`catch_up`]).

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};

use crate::{
    config::{AllowedAgents, Config, Credits, HistoryConfig, IntakeConfig, Language, ReplyMode, Timings},
    conversation::{
        budget::Budgets,
        channel::{Channel, Heard, Waiting},
        credits::Alert,
        marks::{Held, OwnMarks},
    },
    discord::{
        Discord,
        model::{Deletion, Message},
    },
    history::Entry,
    ids::{AgentId, ChannelId, GuildId, MessageId, UserId},
    intake::{self, Decision, Origin},
    state::State,
    telemetry::{Metrics, Outcome},
    tess::{Options, Tess},
};

mod budget;
pub mod catch_up;
mod channel;
pub mod control;
mod credits;
mod deliver;
mod files;
mod live;
mod marks;
mod rebuild;
mod request;
mod turn;

/// Everything runs on one thread, so nobody waits for a lock: the least a map can have, for its size is asked for at each change.
const SHARDS: usize = 2;

/// How long turns that are given up may take to end.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(2);

/// What is freed when all histories together are over their bound, in per cent of it: enough that it is not done for each message.
const EVICTED_PERCENT: usize = 10;

/// All conversations of a bot. Cheap to clone.
#[derive(Clone)]
pub struct Conversations {
    inner: Arc<Inner>,
}

struct Inner {
    channels: DashMap<ChannelId, Channel>,
    /// The channel of each thread that was heard of; kept only when the channels are limited.
    parents: DashMap<ChannelId, ChannelId>,
    /// The bot's own user; 0 before it is known.
    me: AtomicU64,
    /// Bytes of all histories together.
    bytes: AtomicUsize,
    discord: Discord,
    tess: Tess,
    state: State,
    metrics: Metrics,
    intake: IntakeConfig,
    limits: HistoryConfig,
    budgets: Mutex<Budgets>,
    /// What a user may spend a day.
    day_limit: Option<Credits>,
    alert: Mutex<Alert>,
    agent: AgentId,
    allowed_agents: AllowedAgents,
    instructions: Option<String>,
    /// Between two requests to Tess.
    request_interval: Duration,
    notice_after: Duration,
    reply_mode: ReplyMode,
    retry_button: bool,
    language: Language,
    catch_up: Duration,
    timings: Timings,
    /// Places for files on their way from Discord to Tess.
    file_places: Arc<Semaphore>,
    file_holders: files::Holders,
    own_marks: Mutex<OwnMarks>,
    /// Channels that are still to be looked at for missed messages.
    to_look_at: AtomicUsize,
    /// Those of them whose turns wait for it, so that what was missed is not answered after what is said now.
    held: DashMap<ChannelId, Held>,
    turns: TaskTracker,
    /// No new turn starts.
    stopping: CancellationToken,
    /// Running turns are given up.
    given_up: CancellationToken,
}

impl Conversations {
    /// No conversation yet.
    #[must_use]
    pub fn new(config: &Config, discord: Discord, tess: Tess, state: State, metrics: Metrics) -> Self {
        let inner = Inner {
            channels: DashMap::with_shard_amount(SHARDS),
            parents: DashMap::with_shard_amount(SHARDS),
            me: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            discord,
            tess,
            state,
            metrics,
            intake: config.intake.clone(),
            limits: config.history,
            budgets: Mutex::new(Budgets::new(config.budget)),
            day_limit: config.budget.user_day,
            alert: Mutex::default(),
            agent: config.tess.agent,
            allowed_agents: config.tess.allowed_agents.clone(),
            instructions: config.tess.instructions.clone(),
            request_interval: config.tess.request_interval,
            notice_after: config.reply.notice_after,
            reply_mode: config.reply.mode,
            language: config.reply.language,
            retry_button: config.reply.retry_button,
            catch_up: config.catch_up,
            timings: config.timings.clone(),
            file_holders: files::Holders::default(),
            file_places: Arc::new(Semaphore::new(files::AT_ONCE)),
            to_look_at: AtomicUsize::new(0),
            held: DashMap::with_shard_amount(SHARDS),
            own_marks: Mutex::default(),
            turns: TaskTracker::new(),
            stopping: CancellationToken::new(),
            given_up: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Deletes at Tess, in the background, the files that an earlier process left there.
    pub fn clear_storage(&self) {
        self.inner.delete_lent();
    }

    /// The bot learns who it is.
    pub fn introduce(&self, me: UserId) {
        self.inner.me.store(me.get(), Ordering::Relaxed);
    }

    /// A thread of a channel was heard of.
    pub fn know_thread(&self, thread: ChannelId, parent: ChannelId) {
        if self.inner.intake.channels.contains(&parent) {
            self.inner.parents.insert(thread, parent);
        }
    }

    /// A message was posted. Whether it comes once, twice or late makes no difference.
    pub fn hear(&self, message: &Message) {
        self.inner.hear(message, message.guild_id);
    }

    /// A message was edited: the history says what the channel says. The bot's own are edited by nobody else, and known.
    pub fn edit(&self, message: &Message) {
        let inner = &self.inner;
        if message.author.id == inner.me() {
            return;
        }
        inner.change(message.channel_id, |channel| {
            let words = intake::render(message, inner.me(), channel.quote(message));
            channel.history.edit(message.id, &words);
        });
    }

    /// Messages were deleted: they are forgotten, and those that still waited are not answered.
    pub fn delete(&self, deletion: &Deletion) {
        let gone: HashSet<MessageId> = deletion.messages().collect();
        let inner = &self.inner;
        let unanswered = inner.change(deletion.channel_id, |channel| {
            for message in &gone {
                channel.history.remove(*message);
            }
            channel.give_up_waiting(|message| gone.contains(&message))
        });
        inner.state.remove_late_messages(deletion.channel_id, &gone.into_iter().collect::<Vec<_>>());
        inner.cancel(deletion.channel_id, unanswered.unwrap_or(0), "deleted");
    }

    /// A channel or thread is gone.
    pub fn forget(&self, channel: ChannelId) {
        let inner = &self.inner;
        inner.parents.remove(&channel);
        inner.release(channel);
        inner.state.remove_channel(channel);
        let unanswered = inner.change(channel, Channel::leave);
        inner.cancel(channel, unanswered.unwrap_or(0), "channel_gone");
        // Where a turn still ends, an empty one stays.
        inner.drop_idle(channel);
        inner.show_histories();
    }

    /// The bot was taken out of a guild: nothing of it is kept.
    pub fn forget_guild(&self, guild: GuildId) {
        let of_guild = self.inner.channels.iter().filter(|channel| channel.guild == Some(guild));
        let channels: Vec<ChannelId> = of_guild.map(|channel| *channel.key()).collect();
        for channel in channels {
            self.forget(channel);
        }
    }

    /// Forgets all that was said in a channel up to `mark`, for good: a restart does not bring it back, and an answer to any of it
    /// that is still on its way is dropped.
    pub fn reset(&self, channel: ChannelId, mark: MessageId) {
        let inner = &self.inner;
        inner.state.advance_reset_mark(channel, mark);
        let late = inner.state.late_messages(channel).into_iter().filter(|message| *message <= mark);
        inner.state.remove_late_messages(channel, &late.collect::<Vec<_>>());
        let cleared = inner.change(channel, |channel| (channel.clear(mark), channel.take_void_offer()));
        let Some((unanswered, offered)) = cleared else { return };
        inner.cancel(channel, unanswered, "reset");
        if let Some(offered) = offered {
            inner.withdraw_offer(channel, offered);
        }
    }

    /// Whether nothing is left to be looked at for missed messages. Nobody knows once looking was stopped.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        !self.inner.stopping.is_cancelled() && self.inner.to_look_at.load(Ordering::Relaxed) == 0
    }

    /// The agent that answers in a channel.
    #[must_use]
    pub fn agent(&self, channel: ChannelId) -> AgentId {
        self.inner.agent(channel)
    }

    /// Lets another agent answer in a channel, from the next turn on. Whether the channel had [`Conversations::options`]: those were
    /// for the agent before, and are dropped.
    pub fn set_agent(&self, channel: ChannelId, agent: AgentId) -> bool {
        self.inner.set_agent(channel, agent)
    }

    /// The channel's own answers to its agent's questions.
    #[must_use]
    pub fn options(&self, channel: ChannelId) -> Options {
        self.inner.options(channel)
    }

    /// Keeps the channel's answers to its agent's questions, for its next turn and all later ones. `false`, and nothing changed, when
    /// they are too long together: [`crate::state::MAX_OPTIONS_BYTES`].
    #[must_use]
    pub fn set_options(&self, channel: ChannelId, options: &Options) -> bool {
        let inner = &self.inner;
        if !inner.has_its_choice(channel) {
            inner.set_agent(channel, inner.agent);
        }
        // Texts, numbers and booleans are always JSON.
        let json = serde_json::to_string(options).unwrap_or_default();
        inner.state.set_options(channel, Some(&json).filter(|_| !options.is_empty()).map(String::as_str))
    }

    /// Takes no more messages, and gives running turns up to `grace` to end. What is not answered then is left for the
    /// next start's catch-up.
    pub async fn close(&self, grace: Duration) {
        let inner = &self.inner;
        inner.stopping.cancel();
        inner.turns.close();
        if timeout(grace, inner.turns.wait()).await.is_err() {
            warn!(turns = inner.turns.len(), "stopping with turns unfinished; the next start takes them up");
            inner.given_up.cancel();
            if timeout(GIVEN_UP_WITHIN, inner.turns.wait()).await.is_err() {
                error!(
                    turns = inner.turns.len(),
                    "turns did not end when they were given up; this is a bug in the bot"
                );
            }
        }
        let mut left = 0;
        for mut channel in inner.channels.iter_mut() {
            left += channel.give_up_waiting(|_| true);
        }
        inner.metrics.settle(Outcome::Cancelled("stopped"), left as u64);
    }
}

impl Inner {
    fn me(&self) -> UserId {
        UserId::new(self.me.load(Ordering::Relaxed).max(1))
    }

    fn place(&self, channel: ChannelId, guild: Option<GuildId>) -> Origin {
        Origin { is_direct: guild.is_none(), parent: self.parents.get(&channel).map(|parent| *parent) }
    }

    fn agent(&self, channel: ChannelId) -> AgentId {
        // One that was chosen before `TESS_AGENTS` left it out no longer counts.
        let chosen = self.state.agent(channel).filter(|agent| self.allowed_agents.contains(*agent));
        chosen.unwrap_or(self.agent)
    }

    /// Whether the agent that answers in a channel is the one it chose, or it chose none.
    fn has_its_choice(&self, channel: ChannelId) -> bool {
        self.state.agent(channel).is_none_or(|chosen| chosen == self.agent(channel))
    }

    fn set_agent(&self, channel: ChannelId, agent: AgentId) -> bool {
        let is_another = agent != self.state.agent(channel).unwrap_or(self.agent);
        let chosen = (agent != self.agent).then_some(agent);
        self.state.set_agent(channel, chosen);
        let had_options = is_another && self.state.options(channel).is_some();
        if had_options {
            self.state.set_options(channel, None);
        }
        had_options
    }

    /// `guild`: the one it was posted in, which a message from REST does not tell.
    fn hear(self: &Arc<Self>, message: &Message, guild: Option<GuildId>) {
        if self.stopping.is_cancelled() {
            return;
        }
        let id = message.channel_id;
        if message.author.id == self.me() {
            return self.own_marks().hear(id, message.id);
        }
        let decision = intake::decide(message, self.me(), &self.intake, self.place(id, guild));
        if decision == Decision::Ignore || self.state.reset_mark(id).is_some_and(|mark| message.id <= mark) {
            return;
        }
        self.channels.entry(id).or_insert_with(|| {
            let channel = Channel::new(guild, self.state.handled_mark(id));
            self.bytes.fetch_add(channel.bytes(), Ordering::Relaxed);
            channel
        });
        let is_held = self.held.contains_key(&id);
        let heard = self.change(id, |channel| {
            let words = intake::render(message, self.me(), channel.quote(message));
            let entry = Entry::person(message.id, message.author_name(), &words);
            let waiting = Waiting { message: message.id, user: message.author.id };
            let heard = channel.hear(waiting, entry, decision == Decision::Answer, is_held);
            if self.intake.files && matches!(heard, Heard::Waits { .. }) {
                channel.bring(files::attached(message, self.me()));
            }
            channel.trim(&self.limits);
            if matches!(heard, Heard::Waits { .. }) && channel.is_late(message.id) {
                self.state.add_late_message(id, message.id);
            }
            heard
        });
        match heard {
            Some(Heard::Again) => debug!(message.id = %message.id, "a message was delivered again"),
            Some(Heard::Noted) | None => {}
            Some(Heard::Waits { idle, overflow }) => {
                self.metrics.take(1);
                self.metrics.settle(Outcome::Skipped("overload"), overflow as u64);
                let missed = self.held.get(&id).map(|held| MessageId::new(held.after.get() + 1));
                self.state.track_channel(id, missed.unwrap_or(message.id), guild);
                if idle {
                    self.turns.spawn(turn::run(Arc::clone(self), id));
                }
            }
        }
        self.keep_within_bound();
    }

    /// Changes a channel that is known, and keeps the total of bytes true.
    fn change<T>(&self, id: ChannelId, change: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        let mut channel = self.channels.get_mut(&id)?;
        let before = channel.bytes();
        let result = change(&mut channel);
        let after = channel.bytes();
        drop(channel);
        // Wrapping: a difference, whichever way it goes.
        self.bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        self.show_histories();
        Some(result)
    }

    /// Drops a channel if nothing goes on in it; the bytes that it took.
    fn drop_idle(&self, id: ChannelId) -> Option<usize> {
        let (_, channel) = self.channels.remove_if(&id, |_, channel| channel.is_idle())?;
        let bytes = channel.bytes();
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(bytes)
    }

    fn show_histories(&self) {
        self.metrics.set_histories(self.bytes.load(Ordering::Relaxed), self.channels.len());
    }

    fn cancel(&self, channel: ChannelId, messages: usize, why: &'static str) {
        if messages > 0 {
            info!(channel.id = %channel, messages, why, "not answering");
            self.metrics.settle(Outcome::Cancelled(why), messages as u64);
        }
    }

    /// Drops the histories of the channels that were silent longest, when all together are too large. Discord still has them.
    fn keep_within_bound(&self) {
        let total = self.bytes.load(Ordering::Relaxed);
        if total <= self.limits.total_bytes {
            return;
        }
        let idle = self.channels.iter().filter(|channel| channel.is_idle());
        let mut idle: Vec<(Instant, ChannelId)> = idle.map(|channel| (channel.used(), *channel.key())).collect();
        idle.sort_unstable();
        let mut excess = total - self.limits.total_bytes * (100 - EVICTED_PERCENT) / 100;
        let mut evicted = 0;
        for (_, id) in idle {
            if excess == 0 {
                break;
            }
            if let Some(bytes) = self.drop_idle(id) {
                excess = excess.saturating_sub(bytes);
                evicted += 1;
            }
        }
        self.metrics.histories_evicted(evicted);
        self.show_histories();
    }
}
