//! The facts in memory, and which of them are not in the file yet. Pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::ledger::{Day, Ledger, LedgerChanges, SpendingKey};
use crate::{
    config::Credits,
    ids::{AgentId, ChannelId, FileId, GuildId, MessageId, first_id_at},
};

/// Most channels stored. Beyond it a tenth is evicted at a time: the least recently used first, those with an agent or a
/// reset mark last.
pub(super) const MAX_CHANNELS: usize = 50_000;

/// How long a channel without a choice is stored after its last message.
const MAX_UNUSED: Duration = Duration::from_secs(90 * 24 * 3_600);

/// Most late messages stored. A message is late only if the gateway delivers out of order.
const MAX_LATE_MESSAGES: usize = 100;

/// Most pending deletions stored: more than an account stores files.
const MAX_PENDING_DELETIONS: usize = 100;

/// What is known of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ChannelFacts {
    pub(super) handled: Option<MessageId>,
    pub(super) agent: Option<AgentId>,
    pub(super) reset_mark: Option<MessageId>,
    /// None for a direct message.
    pub(super) guild: Option<GuildId>,
    /// The answers to its agent's questions, as JSON.
    pub(super) options: Option<Arc<str>>,
}

/// A channel with a handled mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActiveChannel {
    /// The channel.
    pub channel: ChannelId,
    /// Its handled mark.
    pub handled: MessageId,
    /// Its guild; none for a direct message.
    pub guild: Option<GuildId>,
}

/// What is known of the bot itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BotFacts {
    pub(super) commands_hash: Option<String>,
    /// When it was last known to receive messages, in seconds since the Unix epoch.
    pub(super) last_seen: Option<u64>,
    /// Messages that arrived after a turn for a later one had started, and are not settled.
    pub(super) late: BTreeSet<(ChannelId, MessageId)>,
    /// Files that have to be deleted at Tess.
    pub(super) pending_deletions: BTreeSet<FileId>,
}

impl ChannelFacts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether somebody made a choice for the channel.
    fn has_choice(&self) -> bool {
        self.agent.is_some() || self.reset_mark.is_some() || self.options.is_some()
    }
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) channels: HashMap<ChannelId, ChannelFacts>,
    pub(super) bot: BotFacts,
    pub(super) spent: BTreeMap<SpendingKey, Credits>,
}

/// What has to be written next.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The rows replace everything in the file.
    pub(super) everything: bool,
    /// Rows to write; `None` deletes one.
    pub(super) rows: Vec<(ChannelId, Option<ChannelFacts>)>,
    pub(super) bot: Option<BotFacts>,
    pub(super) ledger: LedgerChanges,
}

/// The facts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    channels: HashMap<ChannelId, ChannelFacts>,
    bot: BotFacts,
    ledger: Ledger,
    changed: HashSet<ChannelId>,
    bot_changed: bool,
    /// Too much has changed to list it, or the file is new.
    all_changed: bool,
    /// A change has to be written at once.
    urgent: bool,
}

impl Facts {
    /// Takes over what a file holds, without the channels that have not been used for a long time.
    pub(super) fn loaded(loaded: Loaded, now: SystemTime) -> Self {
        let ledger = Ledger::loaded(loaded.spent, Day::of(now));
        let mut facts = Self { bot: loaded.bot, ledger, ..Self::default() };
        let oldest = first_id_at(now - MAX_UNUSED);
        for (channel, row) in loaded.channels {
            if row.has_choice() || row.handled.is_some_and(|handled| handled >= oldest) {
                facts.channels.insert(channel, row);
            } else {
                facts.changed.insert(channel);
            }
        }
        facts.evict_surplus();
        facts
    }

    pub(super) fn row(&self, channel: ChannelId) -> ChannelFacts {
        self.channels.get(&channel).cloned().unwrap_or_default()
    }

    /// Returns the channel's handled mark, which stays before its late messages.
    pub(super) fn handled(&self, channel: ChannelId) -> Option<MessageId> {
        let handled = self.channels.get(&channel)?.handled?;
        Some(self.late(channel).next().map_or(handled, |late| handled.min(before(late))))
    }

    /// Returns the channel's late messages, oldest first.
    pub(super) fn late(&self, channel: ChannelId) -> impl Iterator<Item = MessageId> {
        let of_channel = (channel, MessageId::new(1))..=(channel, MessageId::new(u64::MAX));
        self.bot.late.range(of_channel).map(|(_, message)| *message)
    }

    pub(super) fn bot(&self) -> &BotFacts {
        &self.bot
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

    /// Records a channel before `message` is handled. An existing handled mark stays.
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
        self.bot_changed = true;
        self.bot.commands_hash = Some(hash.to_owned());
    }

    pub(super) fn set_last_seen(&mut self, unix_seconds: u64) {
        self.bot_changed = true;
        // Without it, a start after a crash does not know from when to catch up.
        self.urgent |= self.bot.last_seen.is_none();
        self.bot.last_seen = self.bot.last_seen.max(Some(unix_seconds));
    }

    pub(super) fn add_late_message(&mut self, channel: ChannelId, message: MessageId) {
        let late = &mut self.bot.late;
        if late.len() < MAX_LATE_MESSAGES && late.insert((channel, message)) {
            (self.bot_changed, self.urgent) = (true, true);
        }
    }

    pub(super) fn remove_late_messages(&mut self, channel: ChannelId, messages: &[MessageId]) {
        for message in messages {
            self.bot_changed |= self.bot.late.remove(&(channel, *message));
        }
    }

    pub(super) fn add_pending_deletion(&mut self, file: FileId) {
        if self.bot.pending_deletions.len() < MAX_PENDING_DELETIONS && self.bot.pending_deletions.insert(file) {
            (self.bot_changed, self.urgent) = (true, true);
        }
    }

    pub(super) fn remove_pending_deletion(&mut self, file: FileId) {
        self.bot_changed |= self.bot.pending_deletions.remove(&file);
    }

    pub(super) fn remove_channel(&mut self, channel: ChannelId) {
        let before = self.bot.late.len();
        self.bot.late.retain(|(of, _)| *of != channel);
        self.bot_changed |= self.bot.late.len() < before;
        self.change(channel, |row| *row = ChannelFacts::default());
    }

    /// Whether there are changes to write.
    pub(super) fn is_changed(&self) -> bool {
        self.all_changed || self.bot_changed || !self.changed.is_empty() || self.ledger.is_changed()
    }

    /// Whether the changes have to be written at once.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Makes the next write start from nothing, for a new file.
    pub(super) fn mark_all_changed(&mut self) {
        self.mark_all_channels_changed();
        self.ledger.mark_all_changed();
    }

    /// Takes the changes to write. If that fails, [`Facts::restore`] them.
    pub(super) fn take_changes(&mut self) -> Changes {
        self.urgent = false;
        let everything = std::mem::take(&mut self.all_changed);
        let bot_changed = std::mem::take(&mut self.bot_changed);
        let changed = std::mem::take(&mut self.changed);
        let rows = if everything {
            self.channels.iter().map(|(channel, row)| (*channel, Some(row.clone()))).collect()
        } else {
            changed.into_iter().map(|channel| (channel, self.channels.get(&channel).cloned())).collect()
        };
        let bot = (bot_changed || everything).then(|| self.bot.clone());
        Changes { everything, rows, bot, ledger: self.ledger.take_changes() }
    }

    /// Adds changes that were not written to the next ones, with the values of now.
    pub(super) fn restore(&mut self, changes: &Changes) {
        self.bot_changed |= changes.bot.is_some();
        self.ledger.restore(&changes.ledger);
        if changes.everything {
            self.mark_all_channels_changed();
        } else {
            changes.rows.iter().for_each(|(channel, _)| self.mark_changed(*channel));
        }
    }

    /// Changes a channel's facts; returns whether they differ now.
    fn change(&mut self, channel: ChannelId, change: impl FnOnce(&mut ChannelFacts)) -> bool {
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
        self.mark_changed(channel);
        self.evict_surplus();
        true
    }

    fn mark_all_channels_changed(&mut self) {
        self.all_changed = true;
        self.changed.clear();
    }

    /// Bounded, even if channels come and go while the disk is full.
    fn mark_changed(&mut self, channel: ChannelId) {
        if self.changed.len() >= 2 * MAX_CHANNELS {
            self.mark_all_channels_changed();
        }
        if !self.all_changed {
            self.changed.insert(channel);
        }
    }

    fn evict_surplus(&mut self) {
        if self.channels.len() <= MAX_CHANNELS {
            return;
        }
        let surplus = self.channels.len() - MAX_CHANNELS + MAX_CHANNELS / 10;
        let mut by_worth: Vec<_> =
            self.channels.iter().map(|(channel, row)| (row.has_choice(), row.handled, *channel)).collect();
        by_worth.select_nth_unstable(surplus - 1);
        for (_, _, channel) in by_worth.into_iter().take(surplus) {
            self.channels.remove(&channel);
            self.mark_changed(channel);
        }
    }
}

/// Returns the mark just before a message.
#[must_use]
pub(crate) fn before(message: MessageId) -> MessageId {
    MessageId::new(message.get().saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::posted_at;

    const CHANNEL: ChannelId = ChannelId::new(1);

    fn handled(id: u64) -> ChannelFacts {
        ChannelFacts { handled: Some(MessageId::new(id)), ..ChannelFacts::default() }
    }

    #[test]
    fn changes_that_were_not_written_are_written_next_with_current_values() {
        let mut facts = Facts::default();
        facts.advance_handled_mark(CHANNEL, MessageId::new(5));
        facts.set_commands_hash("abc");
        let changes = facts.take_changes();
        assert!(!facts.is_changed());
        facts.advance_handled_mark(CHANNEL, MessageId::new(6));
        facts.restore(&changes);
        let changes = facts.take_changes();
        assert_eq!(
            (changes.rows, changes.bot.unwrap().commands_hash.as_deref()),
            (vec![(CHANNEL, Some(handled(6)))], Some("abc"))
        );
    }

    #[test]
    fn only_choices_are_urgent() {
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
        assert_eq!(facts.take_changes().rows, [(CHANNEL, None)]);
        assert!(facts.channels.is_empty());
    }

    #[test]
    fn channels_unused_for_long_are_dropped_unless_they_have_a_choice() {
        let mark = 1_000 << 22;
        let now = posted_at(MessageId::new(mark)) + MAX_UNUSED;
        let chosen = ChannelFacts { agent: Some(AgentId(1)), ..handled(1) };
        let rows = [(1, handled(mark - 1)), (2, handled(mark)), (3, chosen.clone())];
        let channels = rows.map(|(id, row)| (ChannelId::new(id), row)).into();
        let mut facts = Facts::loaded(Loaded { channels, ..Loaded::default() }, now);
        assert_eq!(facts.take_changes().rows, [(ChannelId::new(1), None)]);
        assert_eq!((facts.row(ChannelId::new(2)), facts.row(ChannelId::new(3))), (handled(mark), chosen));
    }

    #[test]
    fn the_number_of_channels_is_bounded_and_choices_are_evicted_last() {
        let mut facts = Facts::default();
        facts.set_agent(CHANNEL, Some(AgentId(1)));
        let last = 2 * MAX_CHANNELS as u64;
        for id in 2..=last {
            facts.advance_handled_mark(ChannelId::new(id), MessageId::new(id));
        }
        assert!(facts.channels.len() <= MAX_CHANNELS);
        assert_eq!(facts.row(CHANNEL).agent, Some(AgentId(1)));
        assert_eq!(facts.row(ChannelId::new(last)), handled(last));
        assert_eq!(facts.row(ChannelId::new(2)), ChannelFacts::default());
    }

    #[test]
    fn changes_are_bounded_while_the_file_cannot_be_written() {
        let mut facts = Facts::default();
        for id in 1..=3 * MAX_CHANNELS as u64 {
            facts.advance_handled_mark(ChannelId::new(id), MessageId::new(id));
            facts.remove_channel(ChannelId::new(id));
        }
        assert!(facts.changed.len() <= 2 * MAX_CHANNELS);
        let changes = facts.take_changes();
        assert!(changes.everything && changes.rows.is_empty());
    }
}
