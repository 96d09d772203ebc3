//! The conversations: what was said in each channel, and what is asked next, one turn at a time.
//!
//! A message joins its channel's history as soon as it is received. In an idle channel a turn starts; in a busy one the message
//! waits, and the next turn answers all that waits at once, as a person would. Each message that is accepted is settled once
//! ([`crate::telemetry::Outcome`]), and only then does the channel's *handled mark* move past it: what a shutdown or a crash leaves
//! unsettled lies after the mark, and the next start's [catch-up](catch_up) finds it.
//!
//! # Layout, from the bottom up
//!
//! | file | what it does |
//! |---|---|
//! | [`control`] | stopping and repeating a turn: who may, the results, the buttons |
//! | [`channel`] | pure: one channel as a state machine, inputs in, effects out |
//! | [`channels`] | the map of channels; the one door through which they change; eviction |
//! | [`budget`], [`spending`] | pure: who may ask how much; the ledger around it |
//! | [`tasks`], [`uploads`], [`shared`] | tasks and shutdown; files at Tess; the services, and what all conversations share |
//! | [`turn_context`], [`posting`] | what every step of a turn works with; replies and texts |
//! | [`attachments`], [`prompt`] | the turn's files; the request to the agent |
//! | [`live`], [`delivery`], [`notices`] | the reply as Discord shows it; the end of a turn; what is posted beside the answer |
//! | [`turn`] | the story of one turn: prepare, execute, deliver |
//! | [`rebuild`] | a history from Discord's own messages |
//! | [`driver`] | performs the channels' effects, one task for each channel that has work |
//! | [`catch_up`] | missed messages after READY |

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tracing::info;

use crate::{
    config::Config,
    discord::{
        Discord,
        model::{Deletion, Message},
    },
    ids::{AgentId, ChannelId, GuildId, MessageId, UserId},
    intake,
    reply::texts::usage::{ServerUsage, UserUsage},
    state::State,
    telemetry::Metrics,
    tess::{Options, Tess},
};

mod attachments;
mod budget;
pub(crate) mod catch_up;
mod channel;
mod channels;
pub(crate) mod control;
mod delivery;
mod driver;
mod live;
mod notices;
mod posting;
mod prompt;
mod rebuild;
mod shared;
mod spending;
mod tasks;
mod turn;
mod turn_context;
mod uploads;

use self::{
    catch_up::CatchUp,
    channel::{Input, Reply},
    control::{Requester, RetryResult, StopResult},
    shared::{Services, Shared},
};

/// All conversations of a bot. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Conversations {
    shared: Arc<Shared>,
}

impl Conversations {
    /// No conversation is in memory yet.
    pub(crate) fn new(config: &Config, discord: Discord, tess: Tess, state: State, metrics: Metrics) -> Self {
        let services = Services { discord, tess, state, metrics, config: config.clone() };
        Self { shared: Arc::new(Shared::new(services)) }
    }

    /// Deletes, in the background, the files that an earlier process left at Tess.
    pub(crate) fn delete_leftover_uploads(&self) {
        self.shared.uploads.delete_leftovers();
    }

    /// Sets the bot's own user, as READY names it.
    pub(crate) fn set_bot_user(&self, user: UserId) {
        self.shared.set_bot_user(user);
    }

    /// Begins a catch-up after READY, which named `guilds`; dropping it ends it. `None` when it is switched off.
    pub(crate) fn begin_catch_up(&self, guilds: Vec<GuildId>) -> Option<CatchUp> {
        CatchUp::begin(&self.shared, guilds)
    }

    /// Whether no missed messages are being looked for; false once shutdown began.
    pub(crate) fn has_caught_up(&self) -> bool {
        let shared = &self.shared;
        !shared.tasks.draining.is_cancelled() && shared.pending_catch_ups.load(Ordering::Relaxed) == 0
    }

    /// Records the parent channel of a thread, where it matters.
    pub(crate) fn record_thread(&self, thread: ChannelId, parent: ChannelId) {
        if self.shared.services.config.intake.channels.contains(&parent) {
            self.shared.threads.insert(thread, parent);
        }
    }

    /// Handles a posted message. Whether it comes once, twice or late makes no difference.
    pub(crate) fn on_message(&self, message: &Message) {
        self.shared.receive(message, message.guild_id);
    }

    /// Applies an edit to the history; ignores the bot's own messages, which only the bot edits.
    pub(crate) fn on_edit(&self, message: &Message) {
        let (shared, bot_user) = (&self.shared, self.shared.bot_user());
        let Some(channel) = shared.channels.get(message.channel_id) else { return };
        if message.author.id != bot_user {
            let text = intake::render(message, bot_user, channel.quote(message));
            drop(channel);
            shared.dispatch(message.channel_id, Input::Edit { message: message.id, text: &text });
        }
    }

    /// Forgets deleted messages; those that were waiting are not answered.
    pub(crate) fn on_deletion(&self, deletion: &Deletion) {
        let deleted: HashSet<MessageId> = deletion.messages().collect();
        let deleted: Vec<MessageId> = deleted.into_iter().collect();
        self.shared.dispatch(deletion.channel_id, Input::Deletion(&deleted));
        self.shared.services.state.remove_late_messages(deletion.channel_id, &deleted);
    }

    /// Forgets a channel or thread that was deleted, or hidden from the bot.
    pub(crate) fn on_channel_gone(&self, channel: ChannelId) {
        let shared = &self.shared;
        shared.threads.remove(&channel);
        shared.services.state.remove_channel(channel);
        shared.dispatch(channel, Input::Gone);
        shared.channels.remove_if_empty(channel);
    }

    /// Forgets the channels of a guild that the bot is not in any more.
    pub(crate) fn on_guild_gone(&self, guild: GuildId) {
        for channel in self.shared.channels.ids(|channel| channel.guild == Some(guild)) {
            self.on_channel_gone(channel);
        }
    }

    /// Forgets all that was said in a channel up to `mark`, for good: a restart does not bring it back, and an answer to it
    /// that is on its way is dropped.
    pub(crate) fn reset(&self, channel: ChannelId, mark: MessageId) {
        let state = &self.shared.services.state;
        state.advance_reset_mark(channel, mark);
        let late: Vec<_> = state.late_messages(channel).into_iter().filter(|message| *message <= mark).collect();
        state.remove_late_messages(channel, &late);
        self.shared.dispatch(channel, Input::Reset(mark));
    }

    /// Moves the handled marks of idle channels to the bot's own messages there that are older than the last call.
    pub(crate) fn advance_marks(&self) {
        // What was left for the next start then looks idle, and is not handled.
        if self.shared.tasks.draining.is_cancelled() {
            return;
        }
        for channel in self.shared.channels.ids(channel::Channel::has_own_messages) {
            self.shared.dispatch(channel, Input::AgeOwnMessages);
        }
    }

    /// Stops the turn that runs in a channel; with `message`, only if that is the newest message that it answers.
    pub(crate) fn stop(&self, channel: ChannelId, message: Option<MessageId>, by: Requester) -> StopResult {
        let Reply::Stop(result) = self.shared.dispatch(channel, Input::Stop { message, by }) else {
            return StopResult::NothingRuns;
        };
        if result == StopResult::Stopping {
            info!(channel.id = %channel, user.id = %by.user, "turn stopped by a user");
        }
        result
    }

    /// Repeats the last turn of a channel; the new answer replaces the old one in the history. With `message`, only if that is
    /// the newest message that it answered. `request`: the id of what asks for it, which no other request has.
    pub(crate) fn retry(
        &self,
        channel: ChannelId,
        message: Option<MessageId>,
        by: Requester,
        request: MessageId,
    ) -> RetryResult {
        if self.shared.tasks.draining.is_cancelled() {
            return RetryResult::NothingToRepeat;
        }
        let Reply::Retry(result) = self.shared.dispatch(channel, Input::Retry { message, by, request }) else {
            return RetryResult::NothingToRepeat;
        };
        if result == RetryResult::Repeating {
            info!(channel.id = %channel, user.id = %by.user, "turn repeated by a user");
        }
        result
    }

    /// The agent that answers in a channel.
    pub(crate) fn agent(&self, channel: ChannelId) -> AgentId {
        self.shared.agent(channel)
    }

    /// Lets another agent answer in a channel from its next turn on; returns whether [options](Self::options) for the agent before
    /// were dropped.
    pub(crate) fn set_agent(&self, channel: ChannelId, agent: AgentId) -> bool {
        self.shared.set_agent(channel, agent)
    }

    /// The channel's own values for its agent's settings.
    pub(crate) fn options(&self, channel: ChannelId) -> Options {
        self.shared.options(channel)
    }

    /// Keeps the channel's own values for its agent's settings, from its next turn on. `false`, and nothing changed, when
    /// they are longer than [`crate::state::MAX_OPTIONS_BYTES`].
    #[must_use]
    pub(crate) fn set_options(&self, channel: ChannelId, options: &Options) -> bool {
        self.shared.set_options(channel, options)
    }

    /// What a user's messages have cost, wherever they were posted.
    pub(crate) fn usage_of(&self, user: UserId) -> UserUsage {
        self.shared.spending.of_user(user)
    }

    /// What a guild's messages have cost, and for whom, where and with which agents most of it in the last 30 days.
    pub(crate) fn usage_in(&self, guild: GuildId) -> ServerUsage {
        self.shared.spending.of_guild(guild)
    }

    /// Accepts no more messages, and gives running turns up to `grace` to end. What is not answered then is left for the next
    /// start's catch-up.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        self.shared.tasks.shut_down(grace).await;
        for channel in self.shared.channels.ids(|_| true) {
            self.shared.dispatch(channel, Input::Shutdown);
        }
    }
}
