//! The facts in memory, and which of them the file does not have yet. Pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::ledger::{Day, Ledger, LedgerBatch, SpendingKey};
use crate::{
    config::Credits,
    ids::{AgentId, ChannelId, FileId, GuildId, MessageId, first_id_at},
};

/// Most channels remembered. A tenth is dropped at a time when there are more: the longest unused first, those with an
/// agent or a reset mark last.
pub(super) const MAX_CHANNELS: usize = 50_000;

/// How long a channel that nobody made a choice for is remembered after its last message.
const UNUSED_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);

/// Most messages that are remembered as late; it takes a gateway that mixes up the order for one to be.
const MAX_LATE_MESSAGES: usize = 100;

/// Most files at Tess that are remembered: more than an account stores.
const MAX_PENDING_DELETIONS: usize = 100;

/// What is known of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) handled: Option<MessageId>,
    pub(super) agent: Option<AgentId>,
    pub(super) reset_mark: Option<MessageId>,
    /// The guild it is in; none for a direct message.
    pub(super) guild: Option<GuildId>,
    /// Its own answers to its agent's questions, as JSON.
    pub(super) options: Option<Arc<str>>,
}

/// A channel in which something was handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveChannel {
    /// The channel.
    pub channel: ChannelId,
    /// Its last message that was handled.
    pub handled: MessageId,
    /// The guild it is in; none for a direct message.
    pub guild: Option<GuildId>,
}

/// What is known of the bot itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) commands_hash: Option<String>,
    /// When it was last known to listen, in seconds since the Unix epoch.
    pub(super) last_seen: Option<u64>,
    /// Messages that were heard after a turn that answers a later one had begun, and are not settled yet.
    pub(super) late: BTreeSet<(ChannelId, MessageId)>,
    /// Files at Tess that are still to be deleted there.
    pub(super) pending_deletions: BTreeSet<FileId>,
}

impl Row {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Someone decided something here.
    fn has_choice(&self) -> bool {
        self.agent.is_some() || self.reset_mark.is_some() || self.options.is_some()
    }
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) channels: HashMap<ChannelId, Row>,
    pub(super) own: Own,
    pub(super) spent: BTreeMap<SpendingKey, Credits>,
}

/// What is to be written next.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The rows are all there are: what else the file holds has to go.
    pub(super) everything: bool,
    /// Rows to write; `None` where one has to go.
    pub(super) rows: Vec<(ChannelId, Option<Row>)>,
    pub(super) own: Option<Own>,
    pub(super) ledger: LedgerBatch,
}

/// The facts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    channels: HashMap<ChannelId, Row>,
    own: Own,
    ledger: Ledger,
    changed: HashSet<ChannelId>,
    own_changed: bool,
    /// Too much has changed to list it, or the file is a new one.
    all_changed: bool,
    /// Among the changes is one that must not be lost.
    urgent: bool,
}

impl Facts {
    /// What a file holds, without the channels that have not been used for long.
    pub(super) fn loaded(loaded: Loaded, now: SystemTime) -> Self {
        let ledger = Ledger::loaded(loaded.spent, Day::of(now));
        let mut facts = Self { own: loaded.own, ledger, ..Self::default() };
        let oldest = first_id_at(now - UNUSED_FOR);
        for (channel, row) in loaded.channels {
            if row.has_choice() || row.handled.is_some_and(|handled| handled >= oldest) {
                facts.channels.insert(channel, row);
            } else {
                facts.changed.insert(channel);
            }
        }
        facts.drop_surplus();
        facts
    }

    pub(super) fn row(&self, channel: ChannelId) -> Row {
        self.channels.get(&channel).cloned().unwrap_or_default()
    }

    /// The channel's mark: not past a message that came late and is not settled.
    pub(super) fn handled(&self, channel: ChannelId) -> Option<MessageId> {
        let handled = self.channels.get(&channel)?.handled?;
        Some(self.late(channel).next().map_or(handled, |late| handled.min(before(late))))
    }

    /// The channel's late messages, oldest first.
    pub(super) fn late(&self, channel: ChannelId) -> impl Iterator<Item = MessageId> {
        let of_channel = (channel, MessageId::new(1))..=(channel, MessageId::new(u64::MAX));
        self.own.late.range(of_channel).map(|(_, message)| *message)
    }

    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn add_spending(&mut self, by: SpendingKey, credits: Credits) {
        self.ledger.add(by, credits);
    }

    pub(super) fn active_since(&self, mark: MessageId) -> Vec<ActiveChannel> {
        let active = self.channels.iter().filter_map(|(channel, row)| {
            Some(ActiveChannel { channel: *channel, handled: self.handled(*channel)?, guild: row.guild })
        });
        active.filter(|active| active.handled >= mark).collect()
    }

    /// Something is about to be handled in a channel: it has to be known by then, and as what. A mark that is there stays.
    pub(super) fn track_channel(&mut self, channel: ChannelId, message: MessageId, guild: Option<GuildId>) {
        self.urgent |= self.change(channel, |row| {
            row.handled = row.handled.or(Some(before(message)));
            row.guild = guild;
        });
    }

    pub(super) fn set_agent(&mut self, channel: ChannelId, agent: Option<AgentId>) {
        self.urgent |= self.change(channel, |row| row.agent = agent);
    }

    pub(super) fn set_options(&mut self, channel: ChannelId, options: Option<&str>) {
        self.urgent |= self.change(channel, |row| row.options = options.map(Arc::from));
    }

    pub(super) fn advance_reset_mark(&mut self, channel: ChannelId, mark: MessageId) {
        self.urgent |= self.change(channel, |row| row.reset_mark = row.reset_mark.max(Some(mark)));
    }

    pub(super) fn advance_handled_mark(&mut self, channel: ChannelId, message: MessageId) {
        self.change(channel, |row| row.handled = row.handled.max(Some(message)));
    }

    pub(super) fn set_commands_hash(&mut self, hash: &str) {
        self.own_changed = true;
        self.own.commands_hash = Some(hash.to_owned());
    }

    pub(super) fn set_last_seen(&mut self, unix_seconds: u64) {
        self.own_changed = true;
        // Without any, a crash would leave no trace of when to look again.
        self.urgent |= self.own.last_seen.is_none();
        self.own.last_seen = self.own.last_seen.max(Some(unix_seconds));
    }

    pub(super) fn add_late_message(&mut self, channel: ChannelId, message: MessageId) {
        let late = &mut self.own.late;
        if late.len() < MAX_LATE_MESSAGES && late.insert((channel, message)) {
            (self.own_changed, self.urgent) = (true, true);
        }
    }

    pub(super) fn remove_late_messages(&mut self, channel: ChannelId, messages: &[MessageId]) {
        for message in messages {
            self.own_changed |= self.own.late.remove(&(channel, *message));
        }
    }

    pub(super) fn add_pending_deletion(&mut self, file: FileId) {
        if self.own.pending_deletions.len() < MAX_PENDING_DELETIONS && self.own.pending_deletions.insert(file) {
            (self.own_changed, self.urgent) = (true, true);
        }
    }

    pub(super) fn remove_pending_deletion(&mut self, file: FileId) {
        self.own_changed |= self.own.pending_deletions.remove(&file);
    }

    pub(super) fn forget(&mut self, channel: ChannelId) {
        let before = self.own.late.len();
        self.own.late.retain(|(of, _)| *of != channel);
        self.own_changed |= self.own.late.len() < before;
        self.change(channel, |row| *row = Row::default());
    }

    /// Whether the file lags behind.
    pub(super) fn is_changed(&self) -> bool {
        self.all_changed || self.own_changed || !self.changed.is_empty() || self.ledger.is_changed()
    }

    /// Whether the file should not lag behind for long.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// The next write starts from nothing: the file is a new one.
    pub(super) fn change_all(&mut self) {
        self.change_all_channels();
        self.ledger.change_all();
    }

    /// Takes what is to be written. If that fails, [`Facts::give_back`] it.
    pub(super) fn take_batch(&mut self) -> Batch {
        self.urgent = false;
        let everything = std::mem::take(&mut self.all_changed);
        let own_changed = std::mem::take(&mut self.own_changed);
        let changed = std::mem::take(&mut self.changed);
        let rows = if everything {
            self.channels.iter().map(|(channel, row)| (*channel, Some(row.clone()))).collect()
        } else {
            changed.into_iter().map(|channel| (channel, self.channels.get(&channel).cloned())).collect()
        };
        let own = (own_changed || everything).then(|| self.own.clone());
        Batch { everything, rows, own, ledger: self.ledger.take_batch() }
    }

    /// A batch was not written: its facts, as they are by then, belong to the next one.
    pub(super) fn give_back(&mut self, batch: &Batch) {
        self.own_changed |= batch.own.is_some();
        self.ledger.give_back(&batch.ledger);
        if batch.everything {
            self.change_all_channels();
        } else {
            batch.rows.iter().for_each(|(channel, _)| self.note(*channel));
        }
    }

    /// Whether the row is another one now.
    fn change(&mut self, channel: ChannelId, change: impl FnOnce(&mut Row)) -> bool {
        let before = self.row(channel);
        let mut row = before.clone();
        change(&mut row);
        if row == before {
            return false;
        }
        if row.is_empty() {
            self.channels.remove(&channel);
        } else {
            self.channels.insert(channel, row);
        }
        self.note(channel);
        self.drop_surplus();
        true
    }

    fn change_all_channels(&mut self) {
        self.all_changed = true;
        self.changed.clear();
    }

    /// Bounded, even if channels come and go for as long as the disk is full.
    fn note(&mut self, channel: ChannelId) {
        if self.changed.len() >= 2 * MAX_CHANNELS {
            self.change_all_channels();
        }
        if !self.all_changed {
            self.changed.insert(channel);
        }
    }

    fn drop_surplus(&mut self) {
        if self.channels.len() <= MAX_CHANNELS {
            return;
        }
        let surplus = self.channels.len() - MAX_CHANNELS + MAX_CHANNELS / 10;
        let mut by_worth: Vec<_> =
            self.channels.iter().map(|(channel, row)| (row.has_choice(), row.handled, *channel)).collect();
        by_worth.select_nth_unstable(surplus - 1);
        for (_, _, channel) in by_worth.into_iter().take(surplus) {
            self.channels.remove(&channel);
            self.note(channel);
        }
    }
}

/// The mark that is just before a message.
#[must_use]
pub fn before(message: MessageId) -> MessageId {
    MessageId::new(message.get().saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::posted_at;

    const CHANNEL: ChannelId = ChannelId::new(1);

    fn handled(id: u64) -> Row {
        Row { handled: Some(MessageId::new(id)), ..Row::default() }
    }

    #[test]
    fn what_was_not_written_is_written_next_as_it_is_by_then() {
        let mut facts = Facts::default();
        facts.advance_handled_mark(CHANNEL, MessageId::new(5));
        facts.set_commands_hash("abc");
        let batch = facts.take_batch();
        assert!(!facts.is_changed());
        facts.advance_handled_mark(CHANNEL, MessageId::new(6));
        facts.give_back(&batch);
        let batch = facts.take_batch();
        assert_eq!(
            (batch.rows, batch.own.unwrap().commands_hash.as_deref()),
            (vec![(CHANNEL, Some(handled(6)))], Some("abc"))
        );
    }

    #[test]
    fn only_what_people_decided_is_urgent() {
        let mut facts = Facts::default();
        facts.advance_handled_mark(CHANNEL, MessageId::new(5));
        assert!(!facts.is_urgent());
        facts.set_agent(CHANNEL, None);
        assert!(!facts.is_urgent(), "nothing has changed");
        facts.set_agent(CHANNEL, Some(AgentId(1)));
        assert!(facts.is_urgent());
    }

    #[test]
    fn a_channel_without_facts_needs_no_row() {
        let mut facts = Facts::default();
        facts.set_agent(CHANNEL, Some(AgentId(1)));
        facts.set_agent(CHANNEL, None);
        assert_eq!(facts.take_batch().rows, [(CHANNEL, None)]);
        assert!(facts.channels.is_empty());
    }

    #[test]
    fn long_unused_channels_are_dropped_unless_someone_chose_something_there() {
        let mark = 1_000 << 22;
        let now = posted_at(MessageId::new(mark)) + UNUSED_FOR;
        let chosen = Row { agent: Some(AgentId(1)), ..handled(1) };
        let rows = [(1, handled(mark - 1)), (2, handled(mark)), (3, chosen.clone())];
        let channels = rows.map(|(id, row)| (ChannelId::new(id), row)).into();
        let mut facts = Facts::loaded(Loaded { channels, ..Loaded::default() }, now);
        assert_eq!(facts.take_batch().rows, [(ChannelId::new(1), None)]);
        assert_eq!((facts.row(ChannelId::new(2)), facts.row(ChannelId::new(3))), (handled(mark), chosen));
    }

    #[test]
    fn the_number_of_channels_is_bounded_and_choices_stay_longest() {
        let mut facts = Facts::default();
        facts.set_agent(CHANNEL, Some(AgentId(1)));
        let last = 2 * MAX_CHANNELS as u64;
        for id in 2..=last {
            facts.advance_handled_mark(ChannelId::new(id), MessageId::new(id));
        }
        assert!(facts.channels.len() <= MAX_CHANNELS);
        assert_eq!(facts.row(CHANNEL).agent, Some(AgentId(1)));
        assert_eq!(facts.row(ChannelId::new(last)), handled(last));
        assert_eq!(facts.row(ChannelId::new(2)), Row::default());
    }

    #[test]
    fn changes_are_bounded_while_nothing_can_be_written() {
        let mut facts = Facts::default();
        for id in 1..=3 * MAX_CHANNELS as u64 {
            facts.advance_handled_mark(ChannelId::new(id), MessageId::new(id));
            facts.forget(ChannelId::new(id));
        }
        assert!(facts.changed.len() <= 2 * MAX_CHANNELS);
        let batch = facts.take_batch();
        assert!(batch.everything && batch.rows.is_empty());
    }
}
