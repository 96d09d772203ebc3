//! Rate limits as Discord counts them: a bucket for each route and channel, one global limit, and 429s that must be
//! obeyed. <https://discord.com/developers/docs/topics/rate-limits>

use std::{collections::HashMap, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{rest::Answer, routes::Route};

/// Buckets remembered before those that are over get dropped.
const BUCKETS_KEPT: usize = 4_096;

/// So many requests in such a time.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Requests let through.
    pub requests: u32,
    /// The time they are counted in, from the first of them.
    pub per: Duration,
}

/// Whom a 429 limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The bot on this route.
    User,
    /// Everyone on this resource. Does not count as an invalid request.
    Shared,
    /// The bot on every route.
    Global,
    /// The address: an HTML answer of Cloudflare that has `Retry-After` and nothing else.
    Cloudflare,
}

impl Scope {
    fn limits_all(self) -> bool {
        matches!(self, Self::Global | Self::Cloudflare)
    }
}

pub(super) type Key = (Route, u64);

struct Bucket {
    used: u32,
    limit: Limit,
    since: Instant,
}

/// A 429 that is in force.
struct Block {
    from: Instant,
    until: Instant,
    scope: Scope,
    /// The sender was told of it.
    told: bool,
}

#[derive(Default)]
pub(super) struct Limits {
    buckets: HashMap<Key, Bucket>,
    blocked: HashMap<Key, Block>,
    all_blocked: Option<Block>,
    second: Option<(Instant, u32)>,
}

impl Limits {
    /// The 429 for a request that ignores an earlier one; whether the sender must have known. Who did not is told by this one.
    pub(super) fn ignored(&mut self, key: Key, grace: Duration, now: Instant) -> Option<(Answer, bool)> {
        let all = self.all_blocked.as_mut().filter(|_| !key.0.is_of_interaction());
        let blocks = all.into_iter().chain(self.blocked.get_mut(&key));
        let block = blocks.filter(|block| block.until > now).max_by_key(|block| block.until)?;
        let known = block.told && (!block.scope.limits_all() || now >= block.from + grace);
        if !block.told {
            (block.told, block.from) = (true, now);
        }
        Some((too_many(block.until - now, block.scope), known))
    }

    /// The sender is another process, that was told of none of the 429s in force.
    pub(super) fn forget_who_knows(&mut self) {
        self.all_blocked.iter_mut().chain(self.blocked.values_mut()).for_each(|block| block.told = false);
    }

    /// Begins a 429.
    pub(super) fn block(&mut self, key: Key, retry_after: Duration, scope: Scope, now: Instant) -> Answer {
        let block = Block { from: now, until: now + retry_after, scope, told: true };
        if scope.limits_all() {
            self.all_blocked = Some(block);
        } else {
            self.blocked.retain(|_, block| block.until > now);
            self.blocked.insert(key, block);
        }
        too_many(retry_after, scope)
    }

    /// Counts a request against the limits; the 429 when it is over one.
    pub(super) fn take(&mut self, key: Key, limit: Limit, global: Option<u32>, now: Instant) -> Result<(), Answer> {
        if let Some(per_second) = global.filter(|_| !key.0.is_of_interaction()) {
            let second = self.second.get_or_insert((now, 0));
            if now >= second.0 + Duration::from_secs(1) {
                *second = (now, 0);
            }
            let (since, used) = *second;
            if used >= per_second {
                return Err(self.block(key, since + Duration::from_secs(1) - now, Scope::Global, now));
            }
            second.1 += 1;
        }
        if self.buckets.len() >= BUCKETS_KEPT {
            self.buckets.retain(|_, bucket| bucket.since + bucket.limit.per > now);
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { used: 0, limit, since: now });
        if now >= bucket.since + bucket.limit.per {
            *bucket = Bucket { used: 0, limit, since: now };
        }
        if bucket.used >= limit.requests {
            let retry_after = bucket.since + limit.per - now;
            return Err(self.block(key, retry_after, Scope::User, now));
        }
        bucket.used += 1;
        Ok(())
    }

    /// The headers that tell a route's quota.
    pub(super) fn headers(&self, key: Key, now: Instant) -> Vec<(&'static str, String)> {
        let Some(bucket) = self.buckets.get(&key) else { return Vec::new() };
        let reset_after = (bucket.since + bucket.limit.per).saturating_duration_since(now);
        let reset = std::time::SystemTime::now() + reset_after;
        let reset = reset.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        vec![
            ("x-ratelimit-limit", bucket.limit.requests.to_string()),
            ("x-ratelimit-remaining", bucket.limit.requests.saturating_sub(bucket.used).to_string()),
            ("x-ratelimit-reset", seconds(reset)),
            ("x-ratelimit-reset-after", seconds(reset_after)),
            ("x-ratelimit-bucket", format!("{:?}", key.0).to_lowercase()),
        ]
    }
}

fn too_many(retry_after: Duration, scope: Scope) -> Answer {
    let wait = seconds(retry_after);
    let header = ("retry-after", wait.clone());
    if scope == Scope::Cloudflare {
        return Answer::new(429, json!("<html><body>error code: 1015</body></html>")).with_headers([header]);
    }
    let body = json!({
        "message": "You are being rate limited.", "global": scope == Scope::Global,
        "retry_after": retry_after.as_secs_f64(),
    });
    let name = match scope {
        Scope::Shared => "shared",
        Scope::Global => "global",
        Scope::User | Scope::Cloudflare => "user",
    };
    let answer = Answer::new(429, body).with_headers([header, ("x-ratelimit-scope", name.to_owned())]);
    match scope {
        Scope::Global => answer.with_headers([("x-ratelimit-global", "true".to_owned())]),
        Scope::User => {
            let used_up = [("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset-after", wait)];
            answer.with_headers(used_up)
        }
        Scope::Shared | Scope::Cloudflare => answer,
    }
}

/// Seconds with milliseconds, rounded up so that a client that obeys is never early.
fn seconds(duration: Duration) -> String {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (Route::CreateMessage, 1);
    const GRACE: Duration = Duration::from_millis(50);
    const FIVE: Limit = Limit { requests: 5, per: Duration::from_secs(5) };

    #[test]
    fn the_sixth_of_five_is_too_many_until_the_window_is_over() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        for _ in 0..5 {
            assert!(limits.take(KEY, FIVE, None, now).is_ok());
        }
        assert_eq!(limits.take(KEY, FIVE, None, now).map_err(|answer| answer.status), Err(429));
        assert!(limits.take((Route::CreateMessage, 2), FIVE, None, now).is_ok());
        assert!(limits.take(KEY, FIVE, None, now + FIVE.per).is_ok());
    }

    #[test]
    fn a_global_429_leaves_interactions_alone_and_has_a_short_grace() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.block(KEY, Duration::from_secs(1), Scope::Global, now);
        assert!(limits.ignored((Route::Callback, 1), GRACE, now).is_none());
        assert!(limits.ignored((Route::Typing, 1), GRACE, now).is_some_and(|(_, known)| !known));
        assert!(limits.ignored((Route::Typing, 1), GRACE, now + GRACE).is_some_and(|(_, known)| known));
        assert!(limits.ignored((Route::Typing, 1), GRACE, now + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn another_process_may_ask_once_before_it_knows_of_a_429() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.block(KEY, Duration::from_secs(1), Scope::User, now);
        limits.forget_who_knows();
        assert!(limits.ignored(KEY, GRACE, now).is_some_and(|(_, known)| !known));
        assert!(limits.ignored(KEY, GRACE, now).is_some_and(|(_, known)| known));
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(seconds(Duration::from_micros(1_500_100)), "1.501");
    }
}
