//! Catch-up: messages that came while the bot was away are found and answered.
//!
//! After each READY (a restart, an outage, a session that could not be resumed) these channels are asked for what came after their
//! handled mark: those that the bot was active in, and those of its guilds in which something was said since the bot was last known
//! to be connected. Each is asked once a session, and not at all where the guild's `last_message_id` says that nothing is new. While
//! Discord does not answer, it is asked again until the next READY.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::FutureExt as _;
use tokio::{sync::Semaphore, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, warn};

use crate::{
    backoff::Backoff,
    conversation::{
        channel::{Channel, Input},
        rebuild,
        shared::Shared,
    },
    discord::{DiscordError, Page, model::Message},
    event::KnownChannel,
    ids::{ChannelId, GuildId, MessageId, UserId, first_id_at, posted_at},
    intake::{self, Decision, Origin},
    state::ActiveChannel,
};

/// Channels that are asked after one READY. With [`CONCURRENT_REQUESTS`] it takes minutes to ask so many.
const MAX_CHANNELS: usize = 5_000;

/// Requests under way at once: the others are for people who wait now.
const CONCURRENT_REQUESTS: usize = 2;

/// Messages of one request, Discord's limit.
const PAGE: usize = 100;

/// Requests for one channel.
const MAX_PAGES: usize = 20;

/// A channel that was silent for so long before the catch-up's window is not asked at each start.
const ACTIVE_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// Counts a guild or channel whose missed messages are still to be found, for as long as it exists.
struct PendingCatchUp(Arc<Shared>);

impl PendingCatchUp {
    fn begin(shared: &Arc<Shared>) -> Self {
        let before = shared.pending_catch_ups.fetch_add(1, Ordering::Relaxed);
        shared.services.metrics.set_catching_up(before + 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for PendingCatchUp {
    fn drop(&mut self) {
        let before = self.0.pending_catch_ups.fetch_sub(1, Ordering::Relaxed);
        self.0.services.metrics.set_catching_up(before - 1);
    }
}

/// The catch-up of one gateway session; it ends when this is dropped.
pub(crate) struct CatchUp {
    session: Session,
    /// Guilds of READY whose channels are not known yet.
    expected: HashMap<GuildId, PendingCatchUp>,
    _ends: DropGuard,
}

/// What the tasks of one session share.
#[derive(Clone)]
struct Session {
    shared: Arc<Shared>,
    channels: Arc<Mutex<SessionChannels>>,
    permits: Arc<Semaphore>,
    ended: CancellationToken,
    /// Nothing older is answered.
    oldest: MessageId,
    /// When the bot was last known to be connected.
    last_connected: Option<MessageId>,
}

/// What is done about a channel.
enum Added {
    Ask,
    NothingNew,
    /// It was added before.
    Known,
}

/// The channels of one session.
#[derive(Default)]
struct SessionChannels {
    /// Those that a guild has named, or that are asked.
    known: HashSet<ChannelId>,
    asked: usize,
}

impl SessionChannels {
    fn add(&mut self, channel: ChannelId, has_news: bool) -> Added {
        if !self.known.insert(channel) {
            return Added::Known;
        }
        if !has_news {
            return Added::NothingNew;
        }
        self.asked += 1;
        if self.asked == MAX_CHANNELS + 1 {
            warn!(limit = MAX_CHANNELS, "too many channels have news; missed messages in the others are not answered");
        }
        if self.asked <= MAX_CHANNELS { Added::Ask } else { Added::NothingNew }
    }
}

impl CatchUp {
    /// Begins after a READY, which named `guilds`. Channels that no guild names (direct messages, archived threads) are asked
    /// after a while. `None`: catch-up is switched off.
    pub(super) fn begin(shared: &Arc<Shared>, guilds: Vec<GuildId>) -> Option<Self> {
        let (config, state) = (&shared.services.config, &shared.services.state);
        if config.catch_up.is_zero() {
            return None;
        }
        if state.last_seen().is_none() {
            // The first start ever: there is nothing from before, and whatever is said from here on is found again.
            state.set_last_seen(SystemTime::now());
        }
        let session = Session {
            shared: Arc::clone(shared),
            channels: Arc::default(),
            permits: Arc::new(Semaphore::new(CONCURRENT_REQUESTS)),
            ended: shared.tasks.draining.child_token(),
            oldest: first_id_at(SystemTime::now().checked_sub(config.catch_up).unwrap_or(UNIX_EPOCH)),
            last_connected: state.last_seen().map(first_id_at),
        };
        session.ask_direct_messages();
        let (rest, pending) = (session.clone(), PendingCatchUp::begin(shared));
        shared.tasks.tracker.spawn(async move {
            rest.ask_the_rest().await;
            drop(pending);
        });
        let expected = guilds.into_iter().map(|guild| (guild, PendingCatchUp::begin(shared))).collect();
        let ends = session.ended.clone().drop_guard();
        Some(Self { session, expected, _ends: ends })
    }

    /// A guild became available. One that READY did not name has just invited the bot: nothing in it was said to the bot.
    pub(crate) fn on_guild(&mut self, guild: GuildId, channels: &[KnownChannel]) {
        if let Some(_pending) = self.expected.remove(&guild) {
            self.session.ask_guild(guild, channels);
        }
    }

    /// A guild will not become available any more.
    pub(crate) fn on_guild_gone(&mut self, guild: GuildId) {
        self.expected.remove(&guild);
    }
}

impl Session {
    fn ask_guild(&self, guild: GuildId, channels: &[KnownChannel]) {
        let services = &self.shared.services;
        for channel in channels {
            let place = Origin { is_direct: false, parent: channel.parent };
            if !intake::is_enabled_channel(channel.id, &services.config.intake, place) {
                continue;
            }
            let Some(newest) = channel.last_message else { continue };
            let Some(after) = services.state.handled_mark(channel.id).or(self.last_connected) else { continue };
            self.ask_later(channel.id, after.max(self.oldest), newest, Some(guild));
        }
    }

    /// No guild ever names a direct message.
    fn ask_direct_messages(&self) {
        for active in self.active().into_iter().filter(|active| active.guild.is_none()) {
            self.ask_later(active.channel, active.handled.max(self.oldest), MessageId::new(u64::MAX), None);
        }
    }

    async fn ask_the_rest(&self) {
        let settle = self.shared.services.config.timings.guilds_wait;
        if self.ended.run_until_cancelled(sleep(settle)).await.is_none() {
            return;
        }
        for active in self.active() {
            self.ask_later(active.channel, active.handled.max(self.oldest), MessageId::new(u64::MAX), active.guild);
        }
        // Nothing names the channels any more that an earlier session left waiting.
        for channel in self.shared.channels.ids(Channel::is_catching_up) {
            if !self.channels().known.contains(&channel) {
                self.shared.end_catch_up(channel, None);
            }
        }
    }

    fn active(&self) -> Vec<ActiveChannel> {
        let oldest = first_id_at(posted_at(self.oldest) - ACTIVE_WITHIN);
        self.shared.services.state.active_since(oldest, MAX_CHANNELS)
    }

    fn ask_later(&self, channel: ChannelId, after: MessageId, newest: MessageId, guild: Option<GuildId>) {
        let added = self.channels().add(channel, newest > after);
        match added {
            Added::Ask => {}
            Added::NothingNew => return self.shared.end_catch_up(channel, None),
            Added::Known => return,
        }
        let after = self.shared.begin_catch_up(channel, after, guild);
        let (session, pending) = (self.clone(), PendingCatchUp::begin(&self.shared));
        self.shared.tasks.tracker.spawn(async move {
            // When the session ends, the next one asks again, and until then the channel's turns wait.
            let ask = session.ended.run_until_cancelled(session.ask(channel, after, guild));
            let asked = AssertUnwindSafe(ask).catch_unwind().await.unwrap_or_else(|_panic| {
                session.shared.services.metrics.panicked();
                error!(channel.id = %channel, "catch-up of a channel panicked; this is a bug in the bot");
                Some(None)
            });
            if let Some(newest) = asked.filter(|_| !session.ended.is_cancelled()) {
                session.shared.end_catch_up(channel, newest);
            }
            drop(pending);
        });
    }

    fn channels(&self) -> MutexGuard<'_, SessionChannels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds what was missed in a channel and receives it; returns the newest message that was read.
    async fn ask(&self, channel: ChannelId, after: MessageId, guild: Option<GuildId>) -> Option<MessageId> {
        // Never closed.
        let _permit = self.permits.acquire().await.ok()?;
        let timings = &self.shared.services.config.timings;
        let mut backoff = Backoff::new(timings.backoff_min, timings.backoff_max);
        let messages = loop {
            match self.messages_after(channel, after).await {
                Ok(messages) => break messages,
                Err(error) => {
                    warn!(channel.id = %channel, %error, "missed messages not read");
                    if !matches!(error, DiscordError::Unavailable { .. }) {
                        return None;
                    }
                }
            }
            sleep(backoff.next_pause()).await;
        };
        let newest = messages.last().map(|message| message.id);
        self.shared.receive_missed(channel, &messages, guild).await;
        newest
    }

    /// A channel's messages after `after` in ascending order, up to [`MAX_PAGES`] pages.
    async fn messages_after(&self, channel: ChannelId, mut after: MessageId) -> Result<Vec<Message>, DiscordError> {
        let mut messages = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.shared.services.discord.messages(channel, Page::After(after), PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map_or(after, |newest| newest.id);
            messages.extend(page);
            if is_last {
                return Ok(messages);
            }
        }
        let read = messages.len();
        warn!(channel.id = %channel, read, "too many missed messages; the newest of them are not answered");
        Ok(messages)
    }
}

impl Shared {
    /// Lets a channel's turns wait for its missed messages; returns after which message any session wanted to look.
    fn begin_catch_up(self: &Arc<Self>, id: ChannelId, after: MessageId, guild: Option<GuildId>) -> MessageId {
        self.channels.ensure(id, guild, || self.services.state.handled_mark(id));
        self.dispatch(id, Input::CatchUpBegan { after });
        self.channels.get(id).and_then(|channel| channel.catch_up_after()).unwrap_or(after)
    }

    /// Lets a channel's turns go on; `newest`: up to where its missed messages were read.
    fn end_catch_up(self: &Arc<Self>, id: ChannelId, newest: Option<MessageId>) {
        self.dispatch(id, Input::CatchUpEnded { newest });
        self.channels.remove_if_empty(id);
    }

    /// Receives the missed messages of a channel, which are one turn, and after them what was said to others meanwhile.
    async fn receive_missed(self: &Arc<Self>, channel: ChannelId, messages: &[Message], guild: Option<GuildId>) {
        let bot_user = self.bot_user();
        let leftovers = rebuild::leftovers(messages, bot_user);
        for leftover in &leftovers {
            // One of a turn that runs now is that turn's to delete.
            if self.channels.get(channel).is_none_or(|channel| channel.is_idle()) {
                self.delete_leftover(channel, *leftover).await;
            }
        }
        let answered = answered_up_to(messages.iter().filter(|message| !leftovers.contains(&message.id)), bot_user);
        let place = self.place(channel, guild);
        let decide = |message: &Message| intake::decide(message, bot_user, &self.services.config.intake, place);
        // A reply to a later message does not answer one that came after its turn had begun.
        let late = self.services.state.late_messages(channel);
        let is_unanswered = |id: MessageId| answered.is_none_or(|answered| id > answered) || late.contains(&id);
        let missed: Vec<&Message> = messages
            .iter()
            .filter(|message| is_unanswered(message.id) && decide(message) == Decision::Answer)
            .collect();
        if !missed.is_empty() {
            info!(channel.id = %channel, messages = missed.len(), "answering missed messages");
            self.services.metrics.caught_up(missed.len() as u64);
        }
        // Otherwise the rebuild finds the context before the first of them.
        let has_history =
            self.channels.get(channel).is_some_and(|channel| channel.is_rebuilt || !channel.history.is_empty());
        let first = missed.first().map(|message| message.id);
        let is_context = |message: &Message| has_history || first.is_some_and(|first| message.id > first);
        for message in &missed {
            self.receive(message, guild);
        }
        for message in messages.iter().filter(|message| is_context(message) && decide(message) == Decision::Context) {
            self.receive(message, guild);
        }
    }
}

/// The newest message that one of the bot's own answers or error texts is a reply to. One without a reference answered messages that
/// were deleted by then.
fn answered_up_to<'m>(messages: impl Iterator<Item = &'m Message>, bot_user: UserId) -> Option<MessageId> {
    let own = messages.filter(|message| message.author.id == bot_user && message.is_plain());
    own.filter_map(Message::replies_to).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_with_nothing_new_do_not_count_towards_the_limit() {
        let mut channels = SessionChannels::default();
        let mut add = |id: usize, has_news| channels.add(ChannelId::new(id as u64), has_news);
        assert!((1..=2 * MAX_CHANNELS).all(|id| matches!(add(id, false), Added::NothingNew)));
        let with_news = 2 * MAX_CHANNELS + 1..;
        assert!(with_news.take(MAX_CHANNELS).all(|id| matches!(add(id, true), Added::Ask)));
        assert!(matches!(add(usize::MAX, true), Added::NothingNew), "there is a bound");
        assert!(matches!(add(1, true), Added::Known));
    }
}
