//! Discord's rate limits, as its answers tell them.
//!
//! Pure: the caller brings the clock. Limits are never hard-coded, except for the global one, which no header tells
//! before it is hit. <https://discord.com/developers/docs/topics/rate-limits>

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

/// Requests that count as invalid (401, 403, 429) in one window before the bot holds back by itself.
/// Discord bans the address at 10,000 in ten minutes.
const INVALID_REQUESTS: u32 = 5_000;

/// The window of [`INVALID_REQUESTS`].
const INVALID_WINDOW: Duration = Duration::from_secs(600);

/// Routes remembered before the ones that have been reset are dropped.
const ROUTES_KEPT: usize = 4_096;

/// What shares one limit: a route and the channel it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RouteKey {
    pub(super) name: &'static str,
    /// The id of the channel; 0 where the route has none.
    pub(super) major: u64,
}

/// What an answer's headers say of its route.
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
    /// A limit is used up until then.
    Until(Instant),
    /// One of the same route is on its way, whose answer may tell of a limit.
    ForAnswer,
}

/// When requests may go out.
#[derive(Debug)]
pub(super) struct RateLimits {
    routes: HashMap<RouteKey, Bucket>,
    /// Routes with a request on its way: never two at a time, for the second would be sent into the limit that the first one meets.
    on_the_way: HashSet<RouteKey>,
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
            on_the_way: HashSet::new(),
            blocked_until: None,
            second: window(),
            invalid: window(),
            per_second,
        }
    }

    /// Takes a request's place, to be given back with [`RateLimits::arrived`], or tells when to ask again.
    pub(super) fn take(&mut self, key: RouteKey, now: Instant) -> Result<(), Wait> {
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            return Err(Wait::Until(until));
        }
        if *self.invalid.count_at(now, INVALID_WINDOW) >= INVALID_REQUESTS {
            return Err(Wait::Until(self.invalid.start + INVALID_WINDOW));
        }
        if self.on_the_way.contains(&key) {
            return Err(Wait::ForAnswer);
        }
        let bucket = self.routes.get_mut(&key).filter(|bucket| bucket.reset_at > now);
        if let Some(bucket) = &bucket
            && bucket.remaining == 0
        {
            return Err(Wait::Until(bucket.reset_at));
        }
        let count = self.second.count_at(now, Duration::from_secs(1));
        if *count >= self.per_second {
            return Err(Wait::Until(self.second.start + Duration::from_secs(1)));
        }
        *count += 1;
        self.on_the_way.insert(key);
        if let Some(bucket) = bucket {
            bucket.remaining -= 1;
        }
        Ok(())
    }

    /// A request has its answer, or never gets one.
    pub(super) fn arrived(&mut self, key: RouteKey) {
        self.on_the_way.remove(&key);
    }

    /// Learns a route's quota from an answer.
    pub(super) fn learn(&mut self, key: RouteKey, quota: Quota, now: Instant) {
        if self.routes.len() >= ROUTES_KEPT {
            self.routes.retain(|_, bucket| bucket.reset_at > now);
        }
        let reset_at = now + quota.reset_after;
        // One request of a route is under way at a time, so no answer overtakes another.
        self.routes.insert(key, Bucket { remaining: quota.remaining, reset_at });
    }

    /// A 429 was received: nothing of its scope goes out for `retry_after`.
    pub(super) fn limit(&mut self, key: RouteKey, scope: Scope, retry_after: Duration, now: Instant) {
        match scope {
            Scope::Global => self.blocked_until = Some(now + retry_after).max(self.blocked_until),
            Scope::Route => {
                self.routes.insert(key, Bucket { remaining: 0, reset_at: now + retry_after });
            }
        }
    }

    /// An answer was received that counts towards Discord's ban for invalid requests.
    pub(super) fn count_invalid(&mut self, now: Instant) {
        *self.invalid.count_at(now, INVALID_WINDOW) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: RouteKey = RouteKey { name: "create_message", major: 1 };
    const OTHER: RouteKey = RouteKey { name: "create_message", major: 2 };

    /// Sends a request, whose answer is there at once.
    fn take(limits: &mut RateLimits, key: RouteKey, now: Instant) -> Result<(), Wait> {
        limits.take(key, now).inspect(|()| limits.arrived(key))
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn an_exhausted_route_waits_for_its_reset_and_others_go_on() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        limits.learn(POST, Quota { remaining: 1, reset_after: secs(5) }, now);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        assert_eq!(take(&mut limits, POST, now), Err(Wait::Until(now + secs(5))));
        assert_eq!(take(&mut limits, OTHER, now), Ok(()));
        assert_eq!(limits.take(POST, now + secs(5)), Ok(()));
    }

    #[test]
    fn a_global_429_stops_every_route() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        limits.limit(POST, Scope::Global, secs(3), now);
        assert_eq!(take(&mut limits, OTHER, now + secs(2)), Err(Wait::Until(now + secs(3))));
        assert_eq!(limits.take(OTHER, now + secs(3)), Ok(()));
    }

    #[test]
    fn more_than_the_global_limit_in_a_second_waits_for_the_next() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 2);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        assert_eq!(take(&mut limits, OTHER, now), Ok(()));
        assert_eq!(take(&mut limits, OTHER, now), Err(Wait::Until(now + secs(1))));
        assert_eq!(limits.take(OTHER, now + secs(1)), Ok(()));
    }

    #[test]
    fn a_route_has_one_request_on_its_way_at_a_time() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        assert_eq!(limits.take(POST, now), Ok(()));
        assert_eq!(limits.take(POST, now), Err(Wait::ForAnswer));
        assert_eq!(limits.take(OTHER, now), Ok(()));
        limits.arrived(POST);
        assert_eq!(limits.take(POST, now), Ok(()));
    }

    #[test]
    fn the_last_answer_tells_how_much_is_left() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, 50);
        limits.learn(POST, Quota { remaining: 0, reset_after: secs(5) }, now);
        limits.learn(POST, Quota { remaining: 1, reset_after: secs(5) }, now);
        assert_eq!(take(&mut limits, POST, now), Ok(()));
        assert_eq!(take(&mut limits, POST, now), Err(Wait::Until(now + secs(5))));
    }

    #[test]
    fn thousands_of_invalid_requests_stop_all_before_discord_bans() {
        let now = Instant::now();
        let mut limits = RateLimits::new(now, u32::MAX);
        for _ in 0..INVALID_REQUESTS {
            limits.count_invalid(now);
        }
        assert_eq!(take(&mut limits, POST, now + secs(1)), Err(Wait::Until(now + INVALID_WINDOW)));
        assert_eq!(take(&mut limits, POST, now + INVALID_WINDOW), Ok(()));
    }
}
