//! What executions cost: recorded, reported, and held to the budgets.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;
use tracing::error;

use crate::{
    config::{BudgetConfig, Credits, Language},
    conversation::{
        budget::{Ask, Budgets, Reached, Refusal, SpentToday},
        channel::batch::{Batch, Queued},
    },
    ids::{AgentId, ChannelId, GuildId, UserId, posted_at},
    reply::texts::{
        self,
        usage::{CHART_DAYS, ServerUsage, TOP_COUNT, UserUsage},
    },
    state::{Day, SpendingKey, State},
    telemetry::Metrics,
};

/// How often, at most, the operator is told that Tess has no credits left.
const ALERT_INTERVAL: Duration = Duration::from_secs(600);

/// The ledger and the budgets.
pub(super) struct Spending {
    state: State,
    metrics: Metrics,
    limits: BudgetConfig,
    budgets: Mutex<Budgets>,
    alert: Mutex<Alert>,
}

/// A message that a budget refuses; it stays part of the conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) queued: Queued,
    pub(super) refusal: Refusal,
}

/// When the operator was last told that there are no credits left.
#[derive(Debug, Default)]
struct Alert(Option<Instant>);

impl Alert {
    /// Whether it is time to tell again; counts as told.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.0.is_none_or(|last| now.duration_since(last) >= ALERT_INTERVAL);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

impl Spending {
    pub(super) fn new(limits: BudgetConfig, state: State, metrics: Metrics) -> Self {
        Self { state, metrics, limits, budgets: Mutex::new(Budgets::new(limits)), alert: Mutex::default() }
    }

    /// What a user's messages have cost, wherever they were posted.
    pub(super) fn of_user(&self, user: UserId) -> UserUsage {
        let today = Day::of(SystemTime::now());
        let spent = |days| self.total(today, days, |by| by.user == user);
        UserUsage { today: spent(1), week: spent(7), month: spent(30), day_limit: self.limits.user_day }
    }

    /// What a guild's messages have cost, and for whom, where and with which agents most of it in the last 30 days.
    pub(super) fn of_guild(&self, guild: GuildId) -> ServerUsage {
        let (state, today) = (&self.state, Day::of(SystemTime::now()));
        let here = |by: &SpendingKey| by.guild == Some(guild);
        let spent = |days| self.total(today, days, here);
        let by_day = state.spending(today.last(CHART_DAYS as u32), |by| here(by).then_some(by.day));
        let month = || today.last(30);
        ServerUsage {
            today: spent(1),
            week: spent(7),
            month: spent(30),
            users: greatest(state.spending(month(), |by| here(by).then_some(by.user))),
            channels: greatest(state.spending(month(), |by| here(by).then_some(by.channel))),
            agents: greatest(state.spending(month(), |by| here(by).then_some(by.agent))),
            days: std::array::from_fn(|n| {
                let ago = (CHART_DAYS - 1 - n) as u32;
                by_day.get(&Day(today.0.saturating_sub(ago))).copied().unwrap_or_default()
            }),
            last_day: today.start(),
        }
    }

    fn total(&self, today: Day, days: u32, of: impl Fn(&SpendingKey) -> bool) -> Credits {
        self.state.spending(today.last(days), |by| of(by).then_some(())).into_values().sum()
    }

    /// Records what was paid for a user's message.
    pub(super) fn charge(
        &self,
        guild: Option<GuildId>,
        channel: ChannelId,
        user: UserId,
        agent: AgentId,
        credits: f64,
    ) {
        self.metrics.spend(credits);
        let by = SpendingKey { day: Day::of(SystemTime::now()), guild, channel, user, agent };
        self.state.add_spending(by, Credits::from_number(credits));
    }

    /// Tells the operator, who alone can do something about it, that Tess has no credits left.
    pub(super) fn alert_no_credits(&self) {
        self.metrics.no_credits();
        if self.alert.lock().unwrap_or_else(PoisonError::into_inner).is_due(Instant::now()) {
            error!("the Tess workspace has no credits left; nobody is answered until it is topped up");
        }
    }

    /// Counts the messages of a batch against the budgets; returns those that are over one.
    pub(super) fn refused(&self, batch: &Batch, guild: Option<GuildId>) -> Vec<Refused> {
        let mut budgets = self.budgets();
        if !budgets.is_limited() {
            return Vec::new();
        }
        let now = SystemTime::now();
        let spent = if budgets.limits_credits() { self.spent_today(batch, guild, now) } else { HashMap::new() };
        let over_budget = batch.messages.iter().filter_map(|queued| {
            let spent = spent.get(&queued.user).copied().unwrap_or_default();
            let ask = Ask { user: queued.user, guild, posted: posted_at(batch.request_for(queued.message)) };
            let refusal = budgets.admit(ask, spent, now).err()?;
            Some(Refused { queued: *queued, refusal })
        });
        over_budget.collect()
    }

    fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was spent today by each author of a batch, by their guild and by all.
    fn spent_today(&self, batch: &Batch, guild: Option<GuildId>, now: SystemTime) -> HashMap<UserId, SpentToday> {
        let today = Day::of(now);
        // The day's rows are read once.
        let sums = self.state.spending(today..=today, |by| Some((by.user, guild.is_some() && by.guild == guild)));
        let mut by_user: HashMap<UserId, Credits> = HashMap::new();
        let (mut all, mut in_guild) = (Credits::ZERO, Credits::ZERO);
        for ((user, here), credits) in sums {
            let sum = by_user.entry(user).or_default();
            *sum = *sum + credits;
            all = all + credits;
            in_guild = if here { in_guild + credits } else { in_guild };
        }
        let of = |user| by_user.get(&user).copied().unwrap_or_default();
        let spent = |user| SpentToday { user: of(user), guild: in_guild, all };
        batch.messages.iter().map(|queued| (queued.user, spent(queued.user))).collect()
    }
}

impl Refused {
    /// What its author is told.
    pub(super) fn text(&self, language: Language) -> String {
        let opens = self.refusal.opens.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.refusal.reached {
            Reached::Day(limit) => texts::budgets::bot_day_spent(language, limit, opens),
            Reached::GuildDay(_, limit) => texts::budgets::guild_day_spent(language, limit, opens),
            Reached::UserDay(limit) => texts::budgets::user_day_spent(language, limit, opens),
            Reached::UserMinute(most) => texts::budgets::user_minute_reached(language, most, opens),
        }
    }
}

/// The greatest few, in descending order.
fn greatest<K: Ord + Hash>(sums: HashMap<K, Credits>) -> Vec<(K, Credits)> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by(|(a, spent), (b, more)| more.cmp(spent).then(a.cmp(b)));
    sums.truncate(TOP_COUNT);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_operator_is_alerted_once_in_ten_minutes() {
        let mut alert = Alert::default();
        assert_eq!([alert.is_due(Instant::now()), alert.is_due(Instant::now())], [true, false]);
        tokio::time::advance(ALERT_INTERVAL).await;
        assert!(alert.is_due(Instant::now()));
    }

    #[test]
    fn the_greatest_sums_come_first_and_are_few() {
        let sums = (1..=9_u64).map(|n| (n, Credits::from_micro(n.min(7)))).collect();
        let keys: Vec<u64> = greatest(sums).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [7, 8, 9, 6, 5]);
    }
}
