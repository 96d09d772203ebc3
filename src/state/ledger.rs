//! What was spent, by day and by who and where, and what of it the file does not have yet. Pure.

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

/// Days kept, today included.
pub(super) const DAYS_KEPT: u32 = 60;

/// Most rows kept: of a bot that many people use, as many days as fit. The oldest are dropped first.
pub(super) const ROWS_KEPT: usize = 100_000;

/// Seconds of a day; Unix time knows no leap seconds.
const DAY_SECONDS: u64 = 24 * 3_600;

/// A day of UTC, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub u32);

impl Day {
    /// The day that a moment is in.
    #[must_use]
    pub fn of(moment: SystemTime) -> Self {
        let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(u32::try_from(seconds / DAY_SECONDS).unwrap_or(u32::MAX))
    }

    /// When it begins.
    #[must_use]
    pub fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::from(self.0) * DAY_SECONDS)
    }

    /// When the next one begins.
    #[must_use]
    pub fn end(self) -> SystemTime {
        self.start() + Duration::from_secs(DAY_SECONDS)
    }

    /// The last `days` days up to this one, itself included.
    #[must_use]
    pub fn last(self, days: u32) -> RangeInclusive<Self> {
        Self(self.0.saturating_sub(days.saturating_sub(1)))..=self
    }
}

/// When, for whom and where something was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpendingKey {
    /// The day: the first field, so that rows are in the order in which they are dropped.
    pub day: Day,
    /// The guild of the channel; none for a direct message.
    pub guild: Option<GuildId>,
    /// The channel or thread.
    pub channel: ChannelId,
    /// Who wrote the newest message of the turn: that one pays for all it answers.
    pub user: UserId,
    /// The agent that answered.
    pub agent: AgentId,
}

/// What is to be written next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LedgerBatch {
    /// The rows are all there are: what else the file holds has to go.
    pub(super) everything: bool,
    /// Rows to write; `None` where one has to go.
    pub(super) rows: Vec<(SpendingKey, Option<Credits>)>,
}

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<SpendingKey, Credits>,
    changed: BTreeSet<SpendingKey>,
    /// Too much has changed to list it, or the file is a new one.
    all_changed: bool,
}

impl Ledger {
    /// What a file holds, without the days that are over for too long.
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
        self.note(by);
        self.drop_old(by.day);
    }

    /// What was spent on `days`, added up by what `group` makes of each row; a row it makes nothing of is left out.
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

    /// The next write starts from nothing.
    pub(super) fn change_all(&mut self) {
        self.all_changed = true;
        self.changed.clear();
    }

    /// Takes what is to be written. If that fails, [`Ledger::give_back`] it.
    pub(super) fn take_batch(&mut self) -> LedgerBatch {
        let everything = mem::take(&mut self.all_changed);
        let changed = mem::take(&mut self.changed);
        let rows = if everything {
            self.rows.iter().map(|(by, credits)| (*by, Some(*credits))).collect()
        } else {
            changed.into_iter().map(|by| (by, self.rows.get(&by).copied())).collect()
        };
        LedgerBatch { everything, rows }
    }

    /// A batch was not written: its rows, as they are by then, belong to the next one.
    pub(super) fn give_back(&mut self, batch: &LedgerBatch) {
        if batch.everything {
            self.change_all();
        } else {
            batch.rows.iter().for_each(|(by, _)| self.note(*by));
        }
    }

    fn drop_old(&mut self, today: Day) {
        let oldest = *today.last(DAYS_KEPT).start();
        while let Some((&by, _)) = self.rows.first_key_value()
            && (by.day < oldest || self.rows.len() > ROWS_KEPT)
        {
            self.rows.remove(&by);
            self.note(by);
        }
    }

    /// Bounded, even if rows come and go for as long as the disk is full.
    fn note(&mut self, by: SpendingKey) {
        if self.changed.len() >= 2 * ROWS_KEPT {
            self.change_all();
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
    fn a_day_is_utcs_from_midnight_to_midnight() {
        let last_moment = TODAY.end() - Duration::from_nanos(1);
        assert_eq!([Day::of(TODAY.start()), Day::of(last_moment), Day::of(TODAY.end())], [TODAY, TODAY, Day(20_001)]);
        assert_eq!((TODAY.last(1), TODAY.last(7)), (TODAY..=TODAY, Day(19_994)..=TODAY));
    }

    #[test]
    fn amounts_are_added_up_by_whatever_is_asked_for() {
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
    fn what_costs_nothing_needs_no_row() {
        let mut ledger = Ledger::default();
        ledger.add(by(20_000, 1), Credits::ZERO);
        assert!(!ledger.is_changed());
    }

    #[test]
    fn days_that_are_over_for_long_are_dropped_from_memory_and_from_the_file() {
        let mut ledger = Ledger::loaded([(by(19_940, 1), ONE), (by(19_941, 2), ONE)].into(), TODAY);
        assert_eq!(ledger.take_batch().rows, [(by(19_940, 1), None)]);
        ledger.add(by(20_001, 3), ONE);
        assert_eq!(ledger.take_batch().rows, [(by(19_941, 2), None), (by(20_001, 3), Some(ONE))]);
    }

    #[test]
    fn the_number_of_rows_is_bounded_and_the_oldest_go_first() {
        let mut ledger = Ledger::default();
        ledger.add(by(19_999, 1), ONE);
        for user in 1..=ROWS_KEPT as u64 {
            ledger.add(by(20_000, user), ONE);
        }
        assert_eq!(ledger.rows.len(), ROWS_KEPT);
        assert!(users(&ledger, Day(19_999)..=Day(19_999)).is_empty());
    }

    #[test]
    fn what_was_not_written_is_written_next_as_it_is_by_then() {
        let mut ledger = Ledger::default();
        ledger.add(by(20_000, 1), ONE);
        let batch = ledger.take_batch();
        assert!(!ledger.is_changed());
        ledger.add(by(20_000, 1), ONE);
        ledger.give_back(&batch);
        assert_eq!(ledger.take_batch().rows, [(by(20_000, 1), Some(ONE + ONE))]);
    }

    #[test]
    fn changes_are_bounded_while_nothing_can_be_written() {
        let mut ledger = Ledger::default();
        for user in 1..=2 * ROWS_KEPT as u64 + 1 {
            ledger.add(by(20_000, user), ONE);
        }
        assert!(ledger.changed.is_empty());
        let batch = ledger.take_batch();
        assert!(batch.everything && batch.rows.len() == ROWS_KEPT);
    }
}
