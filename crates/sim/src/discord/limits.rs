//! Rate limits: a bucket for each route and major parameter, a global limit, and 429s that a client must obey.
//! <https://discord.com/developers/docs/topics/rate-limits>

use std::{collections::HashMap, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{answer::Answer, routes::Route};

/// Buckets kept before the expired ones are dropped.
const BUCKETS_KEPT: usize = 4_096;

/// A number of requests in a time window.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Requests allowed in a window.
    pub requests: u32,
    /// The length of a window, which starts with its first request.
    pub per: Duration,
}

/// What a 429 applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The bot, on this route.
    User,
    /// All users of this resource. It does not count as an invalid request.
    Shared,
    /// The bot, on every route.
    Global,
    /// The IP address: Cloudflare answers with HTML, and no other header than `Retry-After`.
    Cloudflare,
}

impl Scope {
    fn covers_all_routes(self) -> bool {
        matches!(self, Self::Global | Self::Cloudflare)
    }
}

pub(super) type Key = (Route, u64);

struct Bucket {
    used: u32,
    limit: Limit,
    since: Instant,
}

/// A 429 in force.
struct Block {
    from: Instant,
    until: Instant,
    scope: Scope,
    /// Whether the client has received it.
    is_known: bool,
}

#[derive(Default)]
pub(super) struct Limits {
    buckets: HashMap<Key, Bucket>,
    blocked: HashMap<Key, Block>,
    all_blocked: Option<Block>,
    /// Start of the global window, and requests in it.
    second: Option<(Instant, u32)>,
}

impl Limits {
    /// Returns the 429 for a request during the time of an earlier one, and whether the client must have known of it.
    /// From then on it does.
    pub(super) fn blocked(&mut self, key: Key, grace: Duration, now: Instant) -> Option<(Answer, bool)> {
        let all = self.all_blocked.as_mut().filter(|_| !key.0.is_interaction());
        let blocks = all.into_iter().chain(self.blocked.get_mut(&key));
        let block = blocks.filter(|block| block.until > now).max_by_key(|block| block.until)?;
        let known = block.is_known && (!block.scope.covers_all_routes() || now >= block.from + grace);
        if !block.is_known {
            (block.is_known, block.from) = (true, now);
        }
        Some((too_many_requests(block.until - now, block.scope), known))
    }

    /// Records that the client restarted and knows of none of the 429s in force.
    pub(super) fn forget_client(&mut self) {
        self.all_blocked.iter_mut().chain(self.blocked.values_mut()).for_each(|block| block.is_known = false);
    }

    /// Starts a 429.
    pub(super) fn block(&mut self, key: Key, retry_after: Duration, scope: Scope, now: Instant) -> Answer {
        let block = Block { from: now, until: now + retry_after, scope, is_known: true };
        if scope.covers_all_routes() {
            self.all_blocked = Some(block);
        } else {
            self.blocked.retain(|_, block| block.until > now);
            self.blocked.insert(key, block);
        }
        too_many_requests(retry_after, scope)
    }

    /// Counts a request against the limits.
    ///
    /// # Errors
    /// The 429 when a limit is exceeded.
    pub(super) fn count(&mut self, key: Key, limit: Limit, global: Option<u32>, now: Instant) -> Result<(), Answer> {
        if let Some(per_second) = global.filter(|_| !key.0.is_interaction()) {
            self.count_globally(key, per_second, now)?;
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

    fn count_globally(&mut self, key: Key, per_second: u32, now: Instant) -> Result<(), Answer> {
        let window = Duration::from_secs(1);
        let (since, used) = self.second.filter(|(since, _)| now < *since + window).unwrap_or((now, 0));
        if used >= per_second {
            return Err(self.block(key, since + window - now, Scope::Global, now));
        }
        self.second = Some((since, used + 1));
        Ok(())
    }

    /// The `X-RateLimit` headers of a route.
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

fn too_many_requests(retry_after: Duration, scope: Scope) -> Answer {
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

/// Formats seconds with milliseconds, rounded up so that a client that obeys is never early.
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
    fn requests_beyond_the_limit_are_refused_until_the_window_ends() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        for _ in 0..5 {
            assert!(limits.count(KEY, FIVE, None, now).is_ok());
        }
        assert_eq!(limits.count(KEY, FIVE, None, now).map_err(|answer| answer.status), Err(429));
        assert!(limits.count((Route::CreateMessage, 2), FIVE, None, now).is_ok());
        assert!(limits.count(KEY, FIVE, None, now + FIVE.per).is_ok());
    }

    #[test]
    fn global_429_excludes_interactions_and_has_a_grace_period() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.block(KEY, Duration::from_secs(1), Scope::Global, now);
        assert!(limits.blocked((Route::Callback, 1), GRACE, now).is_none());
        assert!(limits.blocked((Route::Typing, 1), GRACE, now).is_some_and(|(_, known)| !known));
        assert!(limits.blocked((Route::Typing, 1), GRACE, now + GRACE).is_some_and(|(_, known)| known));
        assert!(limits.blocked((Route::Typing, 1), GRACE, now + Duration::from_secs(1)).is_none());
    }

    #[test]
    fn restarted_client_may_send_one_request_during_a_429() {
        let (mut limits, now) = (Limits::default(), Instant::now());
        limits.block(KEY, Duration::from_secs(1), Scope::User, now);
        limits.forget_client();
        assert!(limits.blocked(KEY, GRACE, now).is_some_and(|(_, known)| !known));
        assert!(limits.blocked(KEY, GRACE, now).is_some_and(|(_, known)| known));
    }

    #[test]
    fn retry_after_is_rounded_up() {
        assert_eq!(seconds(Duration::from_micros(1_500_100)), "1.501");
    }
}
