//! Reads what an HTTP answer of Discord means.

use std::time::Duration;

use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::Deserialize;

use super::rate_limit::{Quota, Scope};

/// Most bytes of an answer that are read: a hundred messages with all their attachments and embeds stay far below.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// Most characters kept of Discord's message about a refusal.
const MESSAGE_CHARS: usize = 200;

/// The pause after a 429 that does not state one.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// The shortest pause after a 429: one that states zero must not be answered by a flood.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause that is believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The outcome of one try.
pub(super) enum Answer {
    /// 2xx.
    Success { body: Vec<u8>, quota: Option<Quota> },
    /// 429. `counts`: whether it counts towards Discord's ban for invalid requests.
    Limited { scope: Scope, retry_after: Duration, counts: bool },
    /// Another 4xx.
    Refused(Refusal),
    /// No connection: Discord did not see it.
    NotSent { detail: String },
    /// 5xx, or no complete answer (no status): it may have been done.
    Unknown { status: Option<u16>, detail: String },
}

/// A refusal as Discord explains it.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: u64,
    pub(super) message: String,
    /// Whether it is the message replied to that does not exist.
    pub(super) unknown_reference: bool,
}

impl Answer {
    pub(super) async fn read(response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status();
        let headers = response.headers().clone();
        if status.is_success() {
            let Some(body) = body(response).await? else {
                return Ok(Self::Unknown { status: None, detail: "the answer is too long".into() });
            };
            return Ok(Self::Success { body, quota: quota(&headers) });
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let body = body(response).await?.unwrap_or_default();
            return Ok(limited(&headers, &body));
        }
        if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
            let body = body(response).await?.unwrap_or_default();
            // An HTML page does not come from Discord's API, but from a proxy in between.
            if matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
                && body.trim_ascii_start().starts_with(b"<")
            {
                return Ok(Self::Unknown {
                    status: Some(status.as_u16()),
                    detail: format!("an HTML page with HTTP {status}"),
                });
            }
            return Ok(Self::Refused(refusal(status, &body)));
        }
        Ok(Self::Unknown { status: Some(status.as_u16()), detail: format!("HTTP {}", status.as_u16()) })
    }

    /// The HTTP status for the metrics; `None` when there was no answer.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Success { .. } => Some(200),
            Self::Limited { .. } => Some(429),
            Self::Refused(refusal) => Some(refusal.status.as_u16()),
            Self::NotSent { .. } => None,
            Self::Unknown { status, .. } => *status,
        }
    }
}

/// The body; `None` when it is longer than any answer of Discord.
async fn body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    let number: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// The quota of the headers; a malformed header counts as absent.
fn quota(headers: &HeaderMap) -> Option<Quota> {
    let remaining = number(headers, "x-ratelimit-remaining")?;
    let reset_after = Duration::try_from_secs_f64(number(headers, "x-ratelimit-reset-after")?).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and saturates")]
    Some(Quota { remaining: remaining as u32, reset_after: reset_after.min(LONGEST_PAUSE) })
}

fn limited(headers: &HeaderMap, body: &[u8]) -> Answer {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(default)]
        retry_after: Option<f64>,
        #[serde(default)]
        global: bool,
    }
    // A 429 of Cloudflare has an HTML body and no header but `Retry-After`: it limits the whole address.
    let from_discord = serde_json::from_slice::<Body>(body);
    let is_cloudflare = from_discord.is_err() && !headers.contains_key("x-ratelimit-scope");
    let body = from_discord.unwrap_or_default();
    let stated = [number(headers, "retry-after"), body.retry_after].into_iter().flatten();
    let pauses = stated.filter_map(|secs| Duration::try_from_secs_f64(secs).ok());
    let pause = pauses.max().unwrap_or(DEFAULT_PAUSE);
    let scope = headers.get("x-ratelimit-scope").and_then(|scope| scope.to_str().ok()).unwrap_or_default();
    let global = is_cloudflare || body.global || scope == "global" || headers.contains_key("x-ratelimit-global");
    Answer::Limited {
        scope: if global { Scope::Global } else { Scope::Route },
        retry_after: pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
        counts: scope != "shared",
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(default)]
        code: u64,
        #[serde(default)]
        message: String,
        /// By the field that is invalid.
        #[serde(default)]
        errors: serde_json::Map<String, serde_json::Value>,
    }
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    Refusal {
        status,
        code: body.code,
        message: body.message.chars().take(MESSAGE_CHARS).collect(),
        unknown_reference: body.errors.contains_key("message_reference"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn pause_of(answer: &Answer) -> (Scope, f64) {
        let Answer::Limited { scope, retry_after, .. } = answer else { panic!("not limited") };
        (*scope, retry_after.as_secs_f64())
    }

    #[test]
    fn the_longer_of_the_two_pauses_of_a_429_is_kept() {
        let answer = limited(&headers(&[("retry-after", "1")]), br#"{"retry_after": 1.5, "global": false}"#);
        assert_eq!(pause_of(&answer), (Scope::Route, 1.5));
    }

    #[test]
    fn limit_without_a_pause_still_pauses() {
        assert_eq!(pause_of(&limited(&HeaderMap::new(), b"{}")), (Scope::Route, 5.0));
        assert_eq!(pause_of(&limited(&headers(&[("retry-after", "soon")]), b"{}")), (Scope::Route, 5.0));
        assert_eq!(pause_of(&limited(&HeaderMap::new(), br#"{"retry_after": 0}"#)), (Scope::Route, 0.1));
    }

    #[test]
    fn global_limit_is_recognized_by_its_body_or_its_header() {
        assert_eq!(
            pause_of(&limited(&HeaderMap::new(), br#"{"retry_after": 2, "global": true}"#)),
            (Scope::Global, 2.0)
        );
        assert_eq!(pause_of(&limited(&headers(&[("x-ratelimit-global", "true")]), b"")), (Scope::Global, 5.0));
    }

    #[test]
    fn limit_of_cloudflare_holds_for_the_whole_address() {
        let answer = limited(&headers(&[("retry-after", "2")]), b"<html>error 1015</html>");
        assert_eq!(pause_of(&answer), (Scope::Global, 2.0));
    }

    #[test]
    fn shared_limit_does_not_count_as_invalid() {
        let answer = limited(&headers(&[("x-ratelimit-scope", "shared")]), b"{}");
        assert!(matches!(answer, Answer::Limited { counts: false, .. }));
    }

    #[test]
    fn malformed_quota_is_no_quota() {
        let good = [("x-ratelimit-remaining", "3"), ("x-ratelimit-reset-after", "1.25")];
        assert_eq!(quota(&headers(&good)).map(|quota| quota.remaining), Some(3));
        for bad in ["-1", "NaN", "inf", "lots", "1e400"] {
            assert!(quota(&headers(&[good[0], ("x-ratelimit-reset-after", bad)])).is_none(), "{bad}");
        }
    }

    #[test]
    fn refusal_without_json_has_no_code() {
        let refusal = refusal(StatusCode::FORBIDDEN, b"<html>");
        assert_eq!((refusal.code, refusal.message.as_str()), (0, ""));
    }
}
