//! Who may ask how much. Pure: the time and what was spent are handed in.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use crate::{
    config::{BudgetConfig, Credits},
    ids::{GuildId, UserId},
    state::Day,
    telemetry::SkipReason,
};

/// Users whose last minute is remembered, and refusals that are remembered as told. Beyond it the older half is forgotten: these
/// users get a fresh minute, or are told once more that they have to wait.
const MAX_USERS: usize = 10_000;

/// The window of `MESSAGES_PER_USER_MINUTE`.
const MINUTE: Duration = Duration::from_secs(60);

/// A limit that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reached {
    /// `CREDITS_PER_DAY`.
    Day(Credits),
    /// `CREDITS_PER_GUILD_DAY`.
    GuildDay(GuildId, Credits),
    /// `CREDITS_PER_USER_DAY`.
    UserDay(Credits),
    /// `MESSAGES_PER_USER_MINUTE`.
    UserMinute(usize),
}

impl Reached {
    /// The reason of a refused message's outcome.
    pub(super) fn reason(self) -> SkipReason {
        match self {
            Self::Day(_) => SkipReason::Budget,
            Self::GuildDay(..) => SkipReason::GuildBudget,
            Self::UserDay(_) => SkipReason::UserBudget,
            Self::UserMinute(_) => SkipReason::UserMinute,
        }
    }
}

/// Why a message is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reached: Reached,
    /// When the limit allows messages again.
    pub(super) opens: SystemTime,
    /// Whether this is the first refusal for this limit that the user is told of.
    pub(super) is_new: bool,
}

/// A message that is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) user: UserId,
    pub(super) guild: Option<GuildId>,
    /// When it was posted.
    pub(super) posted: SystemTime,
}

/// What was spent today before an [`Ask`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SpentToday {
    pub(super) user: Credits,
    pub(super) guild: Credits,
    pub(super) all: Credits,
}

/// The budgets, and what counts towards them.
#[derive(Debug)]
pub(super) struct Budgets {
    limits: BudgetConfig,
    /// When each user posted the messages of the last minute that were admitted; never empty.
    minutes: HashMap<UserId, Vec<SystemTime>>,
    /// Until when a user is not told again of a limit.
    told: HashMap<(UserId, Reached), SystemTime>,
}

impl Budgets {
    pub(super) fn new(limits: BudgetConfig) -> Self {
        Self { limits, minutes: HashMap::new(), told: HashMap::new() }
    }

    /// Whether there is any limit.
    pub(super) fn is_limited(&self) -> bool {
        self.limits_credits() || self.limits.user_minute.is_some()
    }

    /// Whether any limit depends on what was spent.
    pub(super) fn limits_credits(&self) -> bool {
        let BudgetConfig { user_day, guild_day, day, user_minute: _ } = self.limits;
        [user_day, guild_day, day].iter().any(Option::is_some)
    }

    /// Admits a message and counts it, or refuses it. The cost of running turns is not known, so a day's budget can be
    /// exceeded by that much.
    pub(super) fn admit(&mut self, ask: Ask, spent: SpentToday, now: SystemTime) -> Result<(), Refusal> {
        let refused = match self.day_reached(ask.guild, spent) {
            Some(reached) => Err((reached, Day::of(now).end())),
            None => self.count(ask, now),
        };
        refused.map_err(|(reached, opens)| Refusal {
            reached,
            opens,
            is_new: self.record_told(ask.user, reached, opens, now),
        })
    }

    /// The widest budget that is used up.
    fn day_reached(&self, guild: Option<GuildId>, spent: SpentToday) -> Option<Reached> {
        let used_up = |limit: Option<Credits>, spent| limit.filter(|limit| spent >= *limit);
        let day = used_up(self.limits.day, spent.all).map(Reached::Day);
        let in_guild = || Some(Reached::GuildDay(guild?, used_up(self.limits.guild_day, spent.guild)?));
        let of_user = || used_up(self.limits.user_day, spent.user).map(Reached::UserDay);
        day.or_else(in_guild).or_else(of_user)
    }

    /// Counts by the time of posting: messages of several minutes that arrive together, after a long turn or an outage, are no
    /// flood.
    fn count(&mut self, ask: Ask, now: SystemTime) -> Result<(), (Reached, SystemTime)> {
        let Some(most) = self.limits.user_minute else { return Ok(()) };
        if self.minutes.len() >= MAX_USERS && !self.minutes.contains_key(&ask.user) {
            make_room(&mut self.minutes, |times| times.iter().max().copied());
        }
        let times = self.minutes.entry(ask.user).or_default();
        times.retain(|posted| *posted + MINUTE > now);
        if let Some(oldest) = times.iter().min().filter(|_| times.len() >= most) {
            return Err((Reached::UserMinute(most), *oldest + MINUTE));
        }
        // A clock of Discord's that is ahead must not make the window longer.
        times.push(ask.posted.min(now));
        Ok(())
    }

    /// Returns whether a user is told of a limit for the first time, and records it.
    fn record_told(&mut self, user: UserId, reached: Reached, opens: SystemTime, now: SystemTime) -> bool {
        let about = (user, reached);
        if self.told.get(&about).is_some_and(|until| *until > now) {
            return false;
        }
        if self.told.len() >= MAX_USERS {
            make_room(&mut self.told, |until| Some(*until));
        }
        self.told.insert(about, opens);
        true
    }
}

/// Drops the older half by `time`, so that the cost of reading all of them is shared by many insertions.
fn make_room<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, time: impl Fn(&V) -> Option<SystemTime>) {
    let mut times: Vec<_> = map.values().map(&time).collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    map.retain(|_, value| time(value) > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const GUILD: GuildId = GuildId::new(9);

    fn credits(number: f64) -> Credits {
        Credits::from_number(number)
    }

    /// Noon, and some seconds.
    fn at(seconds: u64) -> SystemTime {
        Day(20_000).start() + Duration::from_secs(12 * 3_600 + seconds)
    }

    fn ask(user: UserId, seconds: u64) -> Ask {
        Ask { user, guild: Some(GUILD), posted: at(seconds) }
    }

    fn by_the_minute(most: usize) -> Budgets {
        Budgets::new(BudgetConfig { user_minute: Some(most), ..BudgetConfig::default() })
    }

    /// A message that is taken up as soon as it is posted.
    fn admit(budgets: &mut Budgets, user: UserId, seconds: u64) -> Result<(), Refusal> {
        budgets.admit(ask(user, seconds), SpentToday::default(), at(seconds))
    }

    fn day_budgets() -> Budgets {
        let [user_day, guild_day, day] = [1.0, 10.0, 100.0].map(|limit| Some(credits(limit)));
        Budgets::new(BudgetConfig { user_day, guild_day, day, user_minute: None })
    }

    fn spent(user: f64, guild: f64, all: f64) -> SpentToday {
        SpentToday { user: credits(user), guild: credits(guild), all: credits(all) }
    }

    #[test]
    fn without_limits_every_message_is_admitted() {
        let mut budgets = Budgets::new(BudgetConfig::default());
        assert!(!budgets.is_limited());
        assert_eq!(budgets.admit(ask(ALICE, 0), spent(1e6, 1e6, 1e6), at(0)), Ok(()));
    }

    #[test]
    fn minute_window_slides_with_the_oldest_message() {
        let mut budgets = by_the_minute(2);
        assert_eq!([admit(&mut budgets, ALICE, 0), admit(&mut budgets, ALICE, 50)], [Ok(()), Ok(())]);
        let refusal = admit(&mut budgets, ALICE, 59).unwrap_err();
        assert_eq!(refusal, Refusal { reached: Reached::UserMinute(2), opens: at(60), is_new: true });
        assert_eq!(admit(&mut budgets, ALICE, 60), Ok(()));
        assert_eq!(admit(&mut budgets, ALICE, 61).unwrap_err().opens, at(110));
    }

    #[test]
    fn refused_messages_do_not_count() {
        let mut budgets = by_the_minute(1);
        admit(&mut budgets, ALICE, 0).unwrap();
        assert!((1..60).all(|second| admit(&mut budgets, ALICE, second).is_err()));
        assert_eq!(admit(&mut budgets, ALICE, 60), Ok(()));
    }

    #[test]
    fn messages_per_minute_are_counted_for_each_user() {
        let mut budgets = by_the_minute(1);
        admit(&mut budgets, ALICE, 0).unwrap();
        assert_eq!(admit(&mut budgets, BOB, 0), Ok(()));
        assert!(admit(&mut budgets, ALICE, 1).is_err());
    }

    #[test]
    fn messages_of_several_minutes_that_arrive_together_are_admitted() {
        let mut budgets = by_the_minute(1);
        for posted in [0, 70, 140] {
            assert_eq!(budgets.admit(ask(ALICE, posted), SpentToday::default(), at(200)), Ok(()), "{posted}");
        }
        assert!(admit(&mut budgets, ALICE, 199).is_err());
    }

    #[test]
    fn each_user_is_told_once_of_a_limit() {
        let mut budgets = by_the_minute(1);
        for user in [ALICE, BOB] {
            admit(&mut budgets, user, 0).unwrap();
        }
        let mut told = |user, seconds| admit(&mut budgets, user, seconds).unwrap_err().is_new;
        assert_eq!([told(ALICE, 1), told(ALICE, 2), told(BOB, 3), told(BOB, 59)], [true, false, true, false]);
        admit(&mut budgets, ALICE, 60).unwrap();
        assert!(admit(&mut budgets, ALICE, 61).unwrap_err().is_new);
    }

    #[test]
    fn used_up_day_budget_allows_messages_from_midnight_utc() {
        let mut budgets = day_budgets();
        let cases = [
            (spent(0.999_999, 9.0, 99.0), None),
            (spent(1.0, 9.0, 99.0), Some(Reached::UserDay(credits(1.0)))),
            (spent(1.0, 10.0, 99.0), Some(Reached::GuildDay(GUILD, credits(10.0)))),
            (spent(1.0, 10.0, 100.0), Some(Reached::Day(credits(100.0)))),
        ];
        for (spent, reached) in cases {
            let refusal = budgets.admit(ask(ALICE, 0), spent, at(0)).err();
            assert_eq!(refusal.map(|refusal| refusal.reached), reached, "{spent:?}");
            assert!(refusal.is_none_or(|refusal| refusal.opens == Day(20_001).start() && refusal.is_new));
        }
        let tomorrow = Day(20_001).start();
        assert!(budgets.admit(ask(ALICE, 0), spent(1.0, 0.0, 0.0), tomorrow).unwrap_err().is_new, "a new window");
    }

    #[test]
    fn guild_budget_does_not_apply_to_direct_messages() {
        let direct = Ask { guild: None, ..ask(ALICE, 0) };
        assert_eq!(day_budgets().admit(direct, spent(0.0, 10.0, 10.0), at(0)), Ok(()));
    }

    #[test]
    fn remembered_users_are_bounded_and_the_latest_stay() {
        let mut budgets = by_the_minute(1);
        for n in 1..=3 * MAX_USERS as u64 {
            let (user, posted) = (UserId::new(n), at(0) + Duration::from_micros(n));
            let ask = Ask { user, guild: None, posted };
            budgets.admit(ask, SpentToday::default(), posted).unwrap();
            budgets.admit(ask, SpentToday::default(), posted).unwrap_err();
        }
        assert!(budgets.minutes.len() <= MAX_USERS && budgets.told.len() <= MAX_USERS);
        let last = Ask { user: UserId::new(3 * MAX_USERS as u64), guild: None, posted: at(1) };
        assert!(!budgets.admit(last, SpentToday::default(), at(1)).unwrap_err().is_new);
    }
}
