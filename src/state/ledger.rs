//! What was spent, by day, place, person and agent, and which of it is not in the file yet. Pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    mem,
    ops::RangeInclusive,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    config::Credits,
    ids::{AgentId, ChannelId, GuildId, UserId},
};

/// Days stored, today included.
pub(super) const MAX_DAYS: u32 = 60;

/// Most rows stored; the oldest are dropped first.
pub(super) const MAX_ROWS: usize = 100_000;

/// Seconds of a day; Unix time has no leap seconds.
const DAY_SECONDS: u64 = 24 * 3_600;

/// A day of UTC, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Day(pub u32);

impl Day {
    /// Returns the day of a moment.
    #[must_use]
    pub(crate) fn of(moment: SystemTime) -> Self {
        let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(u32::try_from(seconds / DAY_SECONDS).unwrap_or(u32::MAX))
    }

    /// Returns when it starts.
    #[must_use]
    pub(crate) fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::from(self.0) * DAY_SECONDS)
    }

    /// Returns when the next day starts.
    #[must_use]
    pub(crate) fn end(self) -> SystemTime {
        self.start() + Duration::from_secs(DAY_SECONDS)
    }

    /// Returns the last `days` days, this one included.
    #[must_use]
    pub(crate) fn last(self, days: u32) -> RangeInclusive<Self> {
        Self(self.0.saturating_sub(days.saturating_sub(1)))..=self
    }
}

/// What a sum of credits was spent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SpendingKey {
    /// The day: the first field, so that rows are in the order in which they are dropped.
    pub day: Day,
    /// The guild of the channel; none for a direct message.
    pub guild: Option<GuildId>,
    /// The channel or thread.
    pub channel: ChannelId,
    /// The author of the newest message of the turn, who pays for all that it answers.
    pub user: UserId,
    /// The agent that answered.
    pub agent: AgentId,
}

/// What has to be written next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LedgerChanges {
    /// The rows replace everything in the file.
    pub(super) everything: bool,
    /// Rows to write; `None` deletes one.
    pub(super) rows: Vec<(SpendingKey, Option<Credits>)>,
}

/// What was spent.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<SpendingKey, Credits>,
    changed: BTreeSet<SpendingKey>,
    /// Too much has changed to list it, or the file is new.
    all_changed: bool,
}

impl Ledger {
    /// Takes over what a file holds, without days that are too old.
    pub(super) fn loaded(rows: BTreeMap<SpendingKey, Credits>, today: Day) -> Self {
        let mut ledger = Self { rows, ..Self::default() };
        ledger.drop_old(today);
        ledger
    }

    pub(super) fn add(&mut self, by: SpendingKey, credits: Credits) {
        if credits == Credits::ZERO {
            return;
        }
        let row = self.rows.entry(by).or_default();
        *row = *row + credits;
        self.mark_changed(by);
        self.drop_old(by.day);
    }

    /// Sums what was spent on `days` by the key that `group` returns for each row; rows without a key are left out.
    pub(super) fn sums<K: Eq + Hash>(
        &self,
        days: RangeInclusive<Day>,
        group: impl Fn(&SpendingKey) -> Option<K>,
    ) -> HashMap<K, Credits> {
        let mut sums = HashMap::new();
        let newest_first = self.rows.iter().rev();
        let rows =
            newest_first.skip_while(|(by, _)| by.day > *days.end()).take_while(|(by, _)| by.day >= *days.start());
        for (by, credits) in rows {
            if let Some(key) = group(by) {
                let sum: &mut Credits = sums.entry(key).or_default();
                *sum = *sum + *credits;
            }
        }
        sums
    }

    pub(super) fn is_changed(&self) -> bool {
        self.all_changed || !self.changed.is_empty()
    }

    /// Makes the next write start from nothing.
    pub(super) fn mark_all_changed(&mut self) {
        self.all_changed = true;
        self.changed.clear();
    }

    /// Takes the changes to write. If that fails, [`Ledger::restore`] them.
    pub(super) fn take_changes(&mut self) -> LedgerChanges {
        let everything = mem::take(&mut self.all_changed);
        let changed = mem::take(&mut self.changed);
        let rows = if everything {
            self.rows.iter().map(|(by, credits)| (*by, Some(*credits))).collect()
        } else {
            changed.into_iter().map(|by| (by, self.rows.get(&by).copied())).collect()
        };
        LedgerChanges { everything, rows }
    }

    /// Adds changes that were not written to the next ones, with the values of now.
    pub(super) fn restore(&mut self, changes: &LedgerChanges) {
        if changes.everything {
            self.mark_all_changed();
        } else {
            changes.rows.iter().for_each(|(by, _)| self.mark_changed(*by));
        }
    }

    fn drop_old(&mut self, today: Day) {
        let oldest = *today.last(MAX_DAYS).start();
        while let Some((&by, _)) = self.rows.first_key_value()
            && (by.day < oldest || self.rows.len() > MAX_ROWS)
        {
            self.rows.remove(&by);
            self.mark_changed(by);
        }
    }

    /// Bounded, even if rows come and go while the disk is full.
    fn mark_changed(&mut self, by: SpendingKey) {
        if self.changed.len() >= 2 * MAX_ROWS {
            self.mark_all_changed();
        }
        if !self.all_changed {
            self.changed.insert(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Credits = Credits::from_micro(1);
    const TODAY: Day = Day(20_000);

    fn by(day: u32, user: u64) -> SpendingKey {
        SpendingKey {
            day: Day(day),
            guild: None,
            channel: ChannelId::new(1),
            user: UserId::new(user),
            agent: AgentId(1),
        }
    }

    fn users(ledger: &Ledger, days: RangeInclusive<Day>) -> BTreeMap<u64, u64> {
        let sums = ledger.sums(days, |by| Some(by.user.get()));
        sums.into_iter().map(|(user, credits)| (user, credits.micro())).collect()
    }

    #[test]
    fn a_day_lasts_from_midnight_to_midnight_utc() {
        let last_moment = TODAY.end() - Duration::from_nanos(1);
        assert_eq!([Day::of(TODAY.start()), Day::of(last_moment), Day::of(TODAY.end())], [TODAY, TODAY, Day(20_001)]);
        assert_eq!((TODAY.last(1), TODAY.last(7)), (TODAY..=TODAY, Day(19_994)..=TODAY));
    }

    #[test]
    fn amounts_are_summed_by_the_given_key() {
        let mut ledger = Ledger::default();
        for (day, user) in [(19_999, 1), (20_000, 1), (20_000, 1), (20_000, 2), (20_001, 1)] {
            ledger.add(by(day, user), ONE);
        }
        assert_eq!(users(&ledger, TODAY..=TODAY), [(1, 2), (2, 1)].into());
        assert_eq!(users(&ledger, Day(0)..=TODAY), [(1, 3), (2, 1)].into());
        let days = ledger.sums(Day(0)..=Day(u32::MAX), |by| (by.user.get() == 1).then_some(by.day.0));
        assert_eq!(days, [(19_999, ONE), (20_000, ONE + ONE), (20_001, ONE)].into());
    }

    #[test]
    fn zero_credits_add_no_row() {
        let mut ledger = Ledger::default();
        ledger.add(by(20_000, 1), Credits::ZERO);
        assert!(!ledger.is_changed());
    }

    #[test]
    fn old_days_are_dropped_from_memory_and_from_the_file() {
        let mut ledger = Ledger::loaded([(by(19_940, 1), ONE), (by(19_941, 2), ONE)].into(), TODAY);
        assert_eq!(ledger.take_changes().rows, [(by(19_940, 1), None)]);
        ledger.add(by(20_001, 3), ONE);
        assert_eq!(ledger.take_changes().rows, [(by(19_941, 2), None), (by(20_001, 3), Some(ONE))]);
    }

    #[test]
    fn the_number_of_rows_is_bounded_and_the_oldest_are_dropped_first() {
        let mut ledger = Ledger::default();
        ledger.add(by(19_999, 1), ONE);
        for user in 1..=MAX_ROWS as u64 {
            ledger.add(by(20_000, user), ONE);
        }
        assert_eq!(ledger.rows.len(), MAX_ROWS);
        assert!(users(&ledger, Day(19_999)..=Day(19_999)).is_empty());
    }

    #[test]
    fn changes_that_were_not_written_are_written_next_with_current_values() {
        let mut ledger = Ledger::default();
        ledger.add(by(20_000, 1), ONE);
        let changes = ledger.take_changes();
        assert!(!ledger.is_changed());
        ledger.add(by(20_000, 1), ONE);
        ledger.restore(&changes);
        assert_eq!(ledger.take_changes().rows, [(by(20_000, 1), Some(ONE + ONE))]);
    }

    #[test]
    fn changes_are_bounded_while_the_file_cannot_be_written() {
        let mut ledger = Ledger::default();
        for user in 1..=2 * MAX_ROWS as u64 + 1 {
            ledger.add(by(20_000, user), ONE);
        }
        assert!(ledger.changed.is_empty());
        let changes = ledger.take_changes();
        assert!(changes.everything && changes.rows.len() == MAX_ROWS);
    }
}
