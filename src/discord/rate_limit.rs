//! Discord's rate limits, as its answers state them.
//!
//! Pure: the caller passes the time. No limit is hard-coded except the global one, which no header states before it is hit.
//! <https://discord.com/developers/docs/topics/rate-limits>

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

/// Requests that count as invalid (401, 403, 429) in one window before the bot stops sending by itself.
/// Discord bans the address at 10,000 in ten minutes.
const INVALID_REQUESTS: u32 = 5_000;

/// The window of [`INVALID_REQUESTS`].
const INVALID_WINDOW: Duration = Duration::from_secs(600);

/// Routes kept before those whose limit has been reset are dropped.
const ROUTES_KEPT: usize = 4_096;

/// What shares one limit: a route and the channel or interaction it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RouteKey {
    pub(super) name: &'static str,
    /// The id of the channel or interaction; 0 where the route has none.
    major: u64,
    /// Whether it is authorized by the bot's token, and so counts towards the bot's global limit.
    pub(super) has_bot_token: bool,
}

impl RouteKey {
    /// A route that the bot's token authorizes.
    pub(super) const fn of_bot(name: &'static str, major: u64) -> Self {
        Self { name, major, has_bot_token: true }
    }

    /// A route that an interaction's token authorizes. It is not bound to the bot's global limit.
    /// <https://discord.com/developers/docs/interactions/receiving-and-responding#endpoints>
    pub(super) const fn of_interaction(name: &'static str, interaction: u64) -> Self {
        Self { name, major: interaction, has_bot_token: false }
    }
}

/// What an answer's headers say about its route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    pub(super) remaining: u32,
    pub(super) reset_after: Duration,
}

/// How a 429 limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every request of the bot.
    Global,
    /// The route alone.
    Route,
}

impl Scope {
    /// For the metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Route => "route",
        }
    }
}

#[derive(Debug)]
struct Bucket {
    remaining: u32,
    reset_at: Instant,
}

/// Why a request may not go out yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// A limit is exhausted until then.
    Until(Instant),
    /// Another request of the same route is in flight, whose answer may state a limit.
    ForAnswer,
}

/// When requests may go out.
#[derive(Debug)]
pub(super) struct RateLimits {
    routes: HashMap<RouteKey, Bucket>,
    /// Routes with a request in flight. Never two at a time: the second would run into the limit that the first one meets.
    in_flight: HashSet<RouteKey>,
    blocked_until: Option<Instant>,
    second: Window,
    invalid: Window,
    per_second: u32,
}

/// Requests counted since `start`.
#[derive(Debug)]
struct Window {
    start: Instant,
    count: u32,
}

impl Window {
    fn count_at(&mut self, now: Instant, length: Duration) -> &mut u32 {
        if now >= self.start + length {
            *self = Self { start: now, count: 0 };
        }
        &mut self.count
    }
}

impl RateLimits {
    pub(super) fn new(now: Instant, per_second: u32) -> Self {
        let window = || Window { start: now, count: 0 };
        Self {
            routes: HashMap::new(),
            in_flight: HashSet::new(),
            blocked_until: None,
            second: window(),
            invalid: window(),
            per_second,
        }
    }

    /// Takes a permit for a request, to be given back with [`RateLimits::release`], or returns when to ask again.
    pub(super) fn take(&mut self, key: RouteKey, now: Instant) -> Result<(), Wait> {
        if let Some(until) = self.blocked_until.filter(|until| key.has_bot_token && *until > now) {
            return Err(Wait::Until(until));
        }
        if *self.invalid.count_at(now, INVALID_WINDOW) >= INVALID_REQUESTS {
            return Err(Wait::Until(self.invalid.start + INVALID_WINDOW));
        }
        if self.in_flight.contains(&key) {
            return Err(Wait::ForAnswer);
        }
        let bucket = self.routes.get_mut(&key).filter(|bucket| bucket.reset_at > now);
        if let Some(bucket) = &bucket
            && bucket.remaining == 0
        {
            return Err(Wait::Until(bucket.reset_at));
        }
        if key.has_bot_token {
            let count = self.second.count_at(now, Duration::from_secs(1));
            if *count >= self.per_second {
                return Err(Wait::Until(self.second.start + Duration::from_secs(1)));
            }
            *count += 1;
        }
        self.in_flight.insert(key);
        if let Some(bucket) = bucket {
            bucket.remaining -= 1;
        }
        Ok(())
    }

    /// Gives a permit back: the request has its answer, or will never have one.
    pub(super) fn release(&mut self, key: RouteKey) {
        self.in_flight.remove(&key);
    }

    /// Records a route's quota as an answer states it.
    pub(super) fn learn(&mut self, key: RouteKey, quota: Quota, now: Instant) {
        // An interaction has a few requests, each on a route of its own: only a limit that is exhausted is worth an entry.
        if key.has_bot_token || quota.remaining == 0 {
            self.set_quota(key, quota, now);
        }
    }

    /// Applies a 429: nothing of its scope is sent for `retry_after`.
    pub(super) fn limit(&mut self, key: RouteKey, scope: Scope, retry_after: Duration, now: Instant) {
        if scope == Scope::Global {
            self.blocked_until = Some(now + retry_after).max(self.blocked_until);
        }
        // A request that the global block does not hold back has to wait all the same.
        if scope == Scope::Route || !key.has_bot_token {
            self.set_quota(key, Quota { remaining: 0, reset_after: retry_after }, now);
        }
    }

    fn set_quota(&mut self, key: RouteKey, quota: Quota, now: Instant) {
        if self.routes.len() >= ROUTES_KEPT {
            self.routes.retain(|_, bucket| bucket.reset_at > now);
        }
        let reset_at = now + quota.reset_after;
        // One request of a route is in flight at a time, so no answer overtakes another.
        self.routes.insert(key, Bucket { remaining: quota.remaining, reset_at });
    }

    /// Counts an answer towards Discord's ban for invalid requests.
    pub(super) fn count_invalid(&mut self, now: Instant) {
        *self.invalid.count_at(now, INVALID_WINDOW) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: RouteKey = RouteKey::of_bot("create_message", 1);
    const OTHER: RouteKey = RouteKey::of_bot("create_message", 2);

    /// Sends a request that is answered at once.
    fn take(limits: &mut RateLimits, key: RouteKey, now: Instant) -> Result<(), Wait> {
        limits.take(key, now).inspect(|()| limits.release(key))
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn exhausted_route_waits_for_its_reset_and_others_do_not() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        limits.learn(POST, Quota { remaining: 1, reset_after: secs(5) }, now);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        assert_eq!(take(&mut limits, POST, now), Err(Wait::Until(now + secs(5))));
        assert_eq!(take(&mut limits, OTHER, now), Ok(()));
        assert_eq!(limits.take(POST, now + secs(5)), Ok(()));
    }

    #[test]
    fn global_429_stops_every_route() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        limits.limit(POST, Scope::Global, secs(3), now);
        assert_eq!(take(&mut limits, OTHER, now + secs(2)), Err(Wait::Until(now + secs(3))));
        assert_eq!(limits.take(OTHER, now + secs(3)), Ok(()));
    }

    #[test]
    fn requests_over_the_global_limit_wait_for_the_next_second() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 2);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        assert_eq!(take(&mut limits, OTHER, now), Ok(()));
        assert_eq!(take(&mut limits, OTHER, now), Err(Wait::Until(now + secs(1))));
        assert_eq!(limits.take(OTHER, now + secs(1)), Ok(()));
    }

    #[test]
    fn route_has_one_request_in_flight_at_a_time() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        assert_eq!(limits.take(POST, now), Ok(()));
        assert_eq!(limits.take(POST, now), Err(Wait::ForAnswer));
        assert_eq!(limits.take(OTHER, now), Ok(()));
        limits.release(POST);
        assert_eq!(limits.take(POST, now), Ok(()));
    }

    #[test]
    fn the_last_answer_states_the_quota() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        limits.learn(POST, Quota { remaining: 0, reset_after: secs(5) }, now);
        limits.learn(POST, Quota { remaining: 1, reset_after: secs(5) }, now);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        assert_eq!(take(&mut limits, POST, now), Err(Wait::Until(now + secs(5))));
    }

    #[test]
    fn thousands_of_invalid_requests_stop_everything_before_discord_bans() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, u32::MAX);
        for _ in 0..INVALID_REQUESTS {
            limits.count_invalid(now);
        }
        assert_eq!(take(&mut limits, POST, now + secs(1)), Err(Wait::Until(now + INVALID_WINDOW)));
        assert_eq!(take(&mut limits, POST, now + INVALID_WINDOW), Ok(()));
    }

    #[test]
    fn interactions_are_not_bound_to_the_global_limit() {
        let now = Instant::now();
        let interaction = RouteKey::of_interaction("interaction_callback", 1);
        let mut limits = RateLimits::new(now, 1);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        limits.limit(POST, Scope::Global, secs(3), now);
        assert_eq!(take(&mut limits, interaction, now), Ok(()));
        // Its own 429 holds it back, of whichever scope.
        limits.limit(interaction, Scope::Global, secs(2), now);
        assert_eq!(take(&mut limits, interaction, now), Err(Wait::Until(now + secs(2))));
    }

    #[test]
    fn interactions_leave_nothing_behind() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        for id in 0..100_000 {
            let key = RouteKey::of_interaction("interaction_callback", id);
            assert_eq!(take(&mut limits, key, now), Ok(()));
            limits.learn(key, Quota { remaining: 4, reset_after: secs(5) }, now);
        }
        assert_eq!((limits.routes.len(), limits.in_flight.len()), (0, 0));
        // Limits that are over are dropped.
        for id in 0..100_000 {
            let key = RouteKey::of_interaction("interaction_callback", id);
            limits.limit(key, Scope::Route, secs(1), now + secs(id));
        }
        assert!(limits.routes.len() <= ROUTES_KEPT, "{}", limits.routes.len());
    }
}
