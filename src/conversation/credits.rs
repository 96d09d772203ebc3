//! What executions cost: written down, shown, and held to the budgets.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::PoisonError,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;
use tracing::{error, info};

use crate::{
    config::{Credits, Language},
    conversation::{
        Conversations, Inner,
        budget::{Ask, Reached, Refusal, SpentToday},
        channel::Batch,
    },
    discord::Nonce,
    ids::{AgentId, ChannelId, GuildId, MessageId, UserId, posted_at},
    reply::texts::{
        self,
        usage::{CHART_DAYS, ServerUsage, TOP_COUNT, UserUsage},
    },
    state::{Day, SpendingKey},
    telemetry::Outcome,
};

/// How often the operator is told, at most, that Tess has no credits left.
const ALERT_EVERY: Duration = Duration::from_secs(600);

/// A message of a turn that is not answered, though it stays part of the conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    message: MessageId,
    refusal: Refusal,
}

/// When the operator was last told that there are no credits left.
#[derive(Debug, Default)]
pub(super) struct Alert(Option<Instant>);

impl Alert {
    /// Whether it is time to tell again.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now.duration_since(last) >= ALERT_EVERY);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

impl Conversations {
    /// What a user's messages have cost, wherever they were posted.
    #[must_use]
    pub fn usage_of(&self, user: UserId) -> UserUsage {
        let today = Day::of(SystemTime::now());
        let spent = |days| self.inner.total(today, days, |by| by.user == user);
        UserUsage { today: spent(1), week: spent(7), month: spent(30), day_limit: self.inner.day_limit }
    }

    /// What a guild's messages have cost, and who and what most of it was for in the last 30 days.
    #[must_use]
    pub fn usage_in(&self, guild: GuildId) -> ServerUsage {
        let (inner, today) = (&self.inner, Day::of(SystemTime::now()));
        let here = |by: &SpendingKey| by.guild == Some(guild);
        let spent = |days| inner.total(today, days, here);
        let by_day = inner.state.spending(today.last(CHART_DAYS as u32), |by| here(by).then_some(by.day));
        let month = || today.last(30);
        ServerUsage {
            today: spent(1),
            week: spent(7),
            month: spent(30),
            users: most(inner.state.spending(month(), |by| here(by).then_some(by.user))),
            channels: most(inner.state.spending(month(), |by| here(by).then_some(by.channel))),
            agents: most(inner.state.spending(month(), |by| here(by).then_some(by.agent))),
            days: std::array::from_fn(|n| {
                let ago = (CHART_DAYS - 1 - n) as u32;
                by_day.get(&Day(today.0.saturating_sub(ago))).copied().unwrap_or_default()
            }),
            last_day: today.start(),
        }
    }
}

impl Inner {
    fn total(&self, today: Day, days: u32, of: impl Fn(&SpendingKey) -> bool) -> Credits {
        self.state.spending(today.last(days), |by| of(by).then_some(())).into_values().sum()
    }

    /// An execution for this batch cost `credits`.
    pub(super) fn charge(&self, channel: ChannelId, batch: &Batch, agent: AgentId, credits: f64) {
        self.metrics.spend(credits);
        let guild = self.guild(channel);
        let by = SpendingKey { day: Day::of(SystemTime::now()), guild, channel, user: batch.asker, agent };
        self.state.add_spending(by, Credits::from_number(credits));
    }

    /// Tess has no credits left: only the operator can do something about it.
    pub(super) fn alert_no_credits(&self) {
        self.metrics.no_credits();
        if self.alert.lock().unwrap_or_else(PoisonError::into_inner).is_due(Instant::now()) {
            error!("the Tess workspace has no credits left: top it up, nobody is answered until then");
        }
    }

    /// What of a batch is answered, and what is over a budget.
    pub(super) fn within_budgets(&self, channel: ChannelId, taken: &Batch) -> (Option<Batch>, Vec<Refused>) {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if !budgets.is_limited() {
            return (Some(taken.clone()), Vec::new());
        }
        let (guild, now) = (self.guild(channel), SystemTime::now());
        let spent = if budgets.limits_credits() { self.spent_today(taken, guild, now) } else { HashMap::new() };
        let mut refused = Vec::new();
        let batch = taken.clone().keep(|waiting| {
            let spent = spent.get(&waiting.user).copied().unwrap_or_default();
            let ask = Ask { user: waiting.user, guild, posted: posted_at(taken.request_for(waiting.message)) };
            let Err(refusal) = budgets.admit(ask, spent, now) else { return true };
            refused.push(Refused { message: waiting.message, refusal });
            false
        });
        (batch, refused)
    }

    /// What was spent today by each user of a batch, with that of their guild and of all.
    fn spent_today(&self, batch: &Batch, guild: Option<GuildId>, now: SystemTime) -> HashMap<UserId, SpentToday> {
        let today = Day::of(now);
        // One look at the day's rows.
        let sums = self.state.spending(today..=today, |by| Some((by.user, guild.is_some() && by.guild == guild)));
        let mut by_user: HashMap<UserId, Credits> = HashMap::new();
        let (mut all, mut in_guild) = (Credits::ZERO, Credits::ZERO);
        for ((user, here), credits) in sums {
            let sum = by_user.entry(user).or_default();
            *sum = *sum + credits;
            all = all + credits;
            in_guild = if here { in_guild + credits } else { in_guild };
        }
        let of = |user| by_user.get(user).copied().unwrap_or_default();
        batch.users.iter().map(|user| (*user, SpentToday { user: of(user), guild: in_guild, all })).collect()
    }

    /// Settles what is over a budget: each user is told once, and the rest of it is passed over. `false` when the bot stops
    /// before that is done.
    pub(super) async fn refuse(&self, channel: ChannelId, batch: &Batch, refused: &[Refused]) -> bool {
        if refused.is_empty() {
            return true;
        }
        let telling = async {
            for Refused { message, refusal } in refused.iter().filter(|refused| refused.refusal.tell) {
                info!(reason = refusal.reached.reason(), message.id = %message, "over a budget");
                if !batch.cancelled.is_cancelled() && !self.is_closed(channel) {
                    let nonce = Nonce::part(batch.request_for(*message), 0);
                    self.speak(channel, &[*message], &text(self.language, refusal), nonce, &[]).await;
                }
            }
        };
        let told = self.given_up.run_until_cancelled(telling).await.is_some();
        for Refused { refusal, .. } in refused {
            let outcome = if told { Outcome::Skipped(refusal.reached.reason()) } else { Outcome::Cancelled("stopped") };
            self.metrics.settle(outcome, 1);
        }
        told
    }

    fn guild(&self, channel: ChannelId) -> Option<GuildId> {
        self.channels.get(&channel).and_then(|channel| channel.guild)
    }
}

fn text(language: Language, refusal: &Refusal) -> String {
    let opens = refusal.opens.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match refusal.reached {
        Reached::Day(limit) => texts::budgets::bot_day_spent(language, limit, opens),
        Reached::GuildDay(_, limit) => texts::budgets::guild_day_spent(language, limit, opens),
        Reached::UserDay(limit) => texts::budgets::user_day_spent(language, limit, opens),
        Reached::UserMinute(most) => texts::budgets::user_minute_reached(language, most, opens),
    }
}

/// The greatest few, greatest first.
fn most<K: Ord + Hash>(sums: HashMap<K, Credits>) -> Vec<(K, Credits)> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by(|(a, spent), (b, more)| more.cmp(spent).then(a.cmp(b)));
    sums.truncate(TOP_COUNT);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_operator_is_told_once_in_ten_minutes() {
        let mut alert = Alert::default();
        assert_eq!([alert.is_due(Instant::now()), alert.is_due(Instant::now())], [true, false]);
        tokio::time::advance(ALERT_EVERY).await;
        assert!(alert.is_due(Instant::now()));
    }

    #[test]
    fn the_greatest_come_first_and_are_few() {
        let sums = (1..=9_u64).map(|n| (n, Credits::from_micro(n.min(7)))).collect();
        let most: Vec<u64> = most(sums).into_iter().map(|(key, _)| key).collect();
        assert_eq!(most, [7, 8, 9, 6, 5]);
    }
}
