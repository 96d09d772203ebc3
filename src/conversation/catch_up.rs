//! Catching up: messages that arrived while nobody listened are found and answered.
//!
//! After each READY (a restart, an outage, a session that could not be resumed) the channels the bot was active in are asked
//! for what came after their handled mark, and so are the channels of a guild in which something was said since the bot was last
//! known to listen. Each is asked once a session, and not at all where the guild's own `last_message_id` says that nothing is new;
//! while Discord does not answer, it is asked again until the next READY begins anew.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::Semaphore, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::{
    backoff::Backoff,
    conversation::{Conversations, Inner, rebuild},
    discord::{DiscordError, Page, model::Message},
    event::KnownChannel,
    ids::{ChannelId, GuildId, MessageId, UserId, first_id_at, posted_at},
    intake::{self, Decision, Origin},
    state::ActiveChannel,
};

/// Channels that are asked after one READY. At [`AT_ONCE`] requests it takes minutes to get through so many.
const MOST_CHANNELS: usize = 5_000;

/// Requests under way at once: the others are for people who wait now.
const AT_ONCE: usize = 2;

/// Messages in one request, Discord's most.
const PAGE: usize = 100;

/// Most requests for one channel.
const MOST_PAGES: usize = 20;

/// Something that is still to be looked at, counted for as long as it lives.
struct Look(Arc<Inner>);

impl Look {
    fn ahead(inner: &Arc<Inner>) -> Self {
        let before = inner.to_look_at.fetch_add(1, Ordering::Relaxed);
        inner.metrics.set_catching_up(before + 1);
        Self(Arc::clone(inner))
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let before = self.0.to_look_at.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.set_catching_up(before - 1);
    }
}

/// One session's catching up; it ends when this is dropped.
pub struct CatchUp {
    session: Session,
    /// Guilds that have not told of their channels yet.
    awaited: HashMap<GuildId, Look>,
    _ends: DropGuard,
}

/// What its tasks share.
#[derive(Clone)]
struct Session {
    conversations: Conversations,
    channels: Arc<Mutex<Channels>>,
    places: Arc<Semaphore>,
    over: CancellationToken,
    /// Nothing older is answered.
    oldest: MessageId,
    /// When the bot was last known to listen.
    listened: Option<MessageId>,
}

/// What is done about a channel that is told of.
enum Added {
    Asks,
    HasNoNews,
    /// It was told of before.
    Known,
}

/// The channels of one session.
#[derive(Default)]
struct Channels {
    /// Those that a guild told of, or that are asked.
    known: HashSet<ChannelId>,
    asked: usize,
}

impl Channels {
    fn add(&mut self, channel: ChannelId, has_news: bool) -> Added {
        if !self.known.insert(channel) {
            return Added::Known;
        }
        if !has_news {
            return Added::HasNoNews;
        }
        self.asked += 1;
        if self.asked == MOST_CHANNELS + 1 {
            warn!(most = MOST_CHANNELS, "too many channels have news: in the others, what was missed is not answered");
        }
        if self.asked <= MOST_CHANNELS { Added::Asks } else { Added::HasNoNews }
    }
}

impl CatchUp {
    /// Begins after a READY, which named `guilds`. The channels that no guild tells of (direct messages, archived threads) are asked after
    /// a while.
    #[must_use]
    pub fn begin(conversations: &Conversations, guilds: Vec<GuildId>) -> Option<Self> {
        let inner = &conversations.inner;
        if inner.catch_up.is_zero() {
            return None;
        }
        if inner.state.last_seen().is_none() {
            // The first start ever: there is nothing from before, and from here on whatever is said is found again.
            inner.state.set_last_seen(SystemTime::now());
        }
        let session = Session {
            conversations: conversations.clone(),
            channels: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            over: inner.stopping.child_token(),
            oldest: first_id_at(SystemTime::now().checked_sub(inner.catch_up).unwrap_or(UNIX_EPOCH)),
            listened: inner.state.last_seen().map(first_id_at),
        };
        session.ask_direct();
        let rest = session.clone();
        let (settle, look) = (inner.timings.guilds_wait, Look::ahead(inner));
        inner.turns.spawn(async move {
            rest.ask_the_rest(settle).await;
            drop(look);
        });
        let awaited = guilds.into_iter().map(|guild| (guild, Look::ahead(inner))).collect();
        let ends = session.over.clone().drop_guard();
        Some(Self { session, awaited, _ends: ends })
    }

    /// A guild became available. What was said in one that the bot has just been invited to was not said to it.
    pub fn look_at(&mut self, guild: GuildId, channels: &[KnownChannel]) {
        if let Some(_look) = self.awaited.remove(&guild) {
            self.session.look_at(guild, channels);
        }
    }

    /// A guild will not become available any more.
    pub fn forget(&mut self, guild: GuildId) {
        self.awaited.remove(&guild);
    }
}

impl Session {
    fn look_at(&self, guild: GuildId, channels: &[KnownChannel]) {
        let inner = &self.conversations.inner;
        for channel in channels {
            let place = Origin { is_direct: false, parent: channel.parent };
            if !intake::is_enabled_channel(channel.id, &inner.intake, place) {
                continue;
            }
            let Some(newest) = channel.last_message else { continue };
            let Some(after) = inner.state.handled_mark(channel.id).or(self.listened) else { continue };
            self.ask_later(channel.id, after.max(self.oldest), newest, Some(guild));
        }
    }

    /// No guild ever tells of a direct message.
    fn ask_direct(&self) {
        for active in self.active().into_iter().filter(|active| active.guild.is_none()) {
            self.ask_later(active.channel, active.handled.max(self.oldest), MessageId::new(u64::MAX), None);
        }
    }

    fn active(&self) -> Vec<ActiveChannel> {
        self.conversations.inner.state.active_since(self.oldest_active(), MOST_CHANNELS)
    }

    async fn ask_the_rest(&self, settle: Duration) {
        if self.over.run_until_cancelled(sleep(settle)).await.is_none() {
            return;
        }
        for active in self.active() {
            self.ask_later(active.channel, active.handled.max(self.oldest), MessageId::new(u64::MAX), active.guild);
        }
        // Nobody tells any more of what is left over from an earlier session.
        let inner = &self.conversations.inner;
        let held: Vec<ChannelId> = inner.held.iter().map(|held| *held.key()).collect();
        for channel in held {
            if !self.channels().known.contains(&channel) {
                inner.release(channel);
            }
        }
    }

    /// A channel that was silent for a day before is not worth a request at each start.
    fn oldest_active(&self) -> MessageId {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        first_id_at(posted_at(self.oldest) - DAY)
    }

    fn ask_later(&self, channel: ChannelId, after: MessageId, newest: MessageId, guild: Option<GuildId>) {
        let inner = &self.conversations.inner;
        match self.channels().add(channel, newest > after) {
            Added::Asks => {}
            Added::HasNoNews => return inner.release(channel),
            Added::Known => return,
        }
        let (this, look, after) = (self.clone(), Look::ahead(inner), inner.hold(channel, after));
        inner.turns.spawn(async move {
            // The next session looks again, and until then the channel stays held.
            let asked = this.over.run_until_cancelled(this.ask(channel, after, guild)).await;
            if let Some(newest) = asked.filter(|_| !this.over.is_cancelled()) {
                this.conversations.inner.release(channel);
                if let Some(newest) = newest {
                    this.conversations.inner.set_looked_at(channel, newest);
                }
            }
            drop(look);
        });
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest message that is known of by then.
    async fn ask(&self, channel: ChannelId, after: MessageId, guild: Option<GuildId>) -> Option<MessageId> {
        // Never closed.
        let _place = self.places.acquire().await.ok()?;
        let inner = &self.conversations.inner;
        let mut backoff = Backoff::new(inner.timings.backoff_min, inner.timings.backoff_max);
        let messages = loop {
            match self.posted_after(channel, after).await {
                Ok(messages) => break messages,
                Err(error) => {
                    warn!(channel.id = %channel, %error, "could not look for missed messages");
                    if !matches!(error, DiscordError::Unavailable { .. }) {
                        return None;
                    }
                }
            }
            sleep(backoff.next_pause()).await;
        };
        let newest = messages.last().map(|message| message.id);
        inner.take_up(channel, messages, guild).await;
        newest
    }

    /// What was posted in a channel after a message, oldest first, up to [`MOST_PAGES`] of it.
    async fn posted_after(&self, channel: ChannelId, mut after: MessageId) -> Result<Vec<Message>, DiscordError> {
        let mut messages = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.conversations.inner.discord.messages(channel, Page::After(after), PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map_or(after, |newest| newest.id);
            messages.extend(page);
            if is_last {
                return Ok(messages);
            }
        }
        warn!(channel.id = %channel, read = messages.len(), "more was said than is read: the newest of what was missed is not answered");
        Ok(messages)
    }
}

impl Inner {
    /// All up to `newest` was looked at. Unless some of it waits, that needs not be asked for again.
    fn set_looked_at(&self, channel: ChannelId, newest: MessageId) {
        let is_idle = self.channels.get(&channel).is_none_or(|channel| channel.is_idle());
        // Where the bot was never active, that it listens is mark enough.
        if is_idle && self.state.handled_mark(channel).is_some() {
            self.advance_handled_mark(channel, newest);
        }
    }

    /// Takes the missed messages of a channel, which are one turn, and what was said to others between them.
    async fn take_up(self: &Arc<Self>, channel: ChannelId, messages: Vec<Message>, guild: Option<GuildId>) {
        let me = self.me();
        let place = self.place(channel, guild);
        let leftovers = rebuild::leftovers(&messages, me);
        for leftover in &leftovers {
            // One of a turn that runs now is its own to take away.
            if self.channels.get(&channel).is_none_or(|channel| channel.is_idle()) {
                self.delete_leftover(channel, *leftover).await;
            }
        }
        let answered = answered_up_to(messages.iter().filter(|message| !leftovers.contains(&message.id)), me);
        let decide = |message: &Message| intake::decide(message, me, &self.intake, place);
        // The reply to a later message is none to one that came after its turn had begun.
        let late = self.state.late_messages(channel);
        let missed: Vec<&Message> = messages
            .iter()
            .filter(|message| answered.is_none_or(|answered| message.id > answered) || late.contains(&message.id))
            .filter(|message| decide(message) == Decision::Answer)
            .collect();
        if !missed.is_empty() {
            info!(channel.id = %channel, messages = missed.len(), "answering what was missed");
            self.metrics.caught_up(missed.len() as u64);
        }
        // Where nothing is remembered, rebuilding finds what was said to others before the first of them.
        let is_remembered = self.channels.contains_key(&channel);
        let first = missed.first().map(|message| message.id);
        let is_context = |message: &Message| is_remembered || first.is_some_and(|first| message.id > first);
        for message in &missed {
            self.hear(message, guild);
        }
        for message in messages.iter().filter(|message| is_context(message) && decide(message) == Decision::Context) {
            self.hear(message, guild);
        }
    }
}

/// The newest message that one of the bot's own answers, or error texts, is a reply to. One that is a reply to nothing was for messages
/// that were all gone by then.
fn answered_up_to<'m>(messages: impl Iterator<Item = &'m Message>, me: UserId) -> Option<MessageId> {
    let own = messages.filter(|message| message.author.id == me && message.is_plain());
    own.filter_map(Message::replies_to).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_with_nothing_new_do_not_count_against_those_that_are_looked_at() {
        let mut channels = Channels::default();
        let mut add = |id: usize, has_news| channels.add(ChannelId::new(id as u64), has_news);
        assert!((1..=2 * MOST_CHANNELS).all(|id| matches!(add(id, false), Added::HasNoNews)));
        let with_news = 2 * MOST_CHANNELS + 1..;
        assert!(with_news.take(MOST_CHANNELS).all(|id| matches!(add(id, true), Added::Asks)));
        assert!(matches!(add(usize::MAX, true), Added::HasNoNews), "there is a bound");
        assert!(matches!(add(1, true), Added::Known));
    }
}
