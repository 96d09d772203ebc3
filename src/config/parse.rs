//! Parses one value each: text -> type. Pure.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;
use secrecy::SecretString;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::credits::Credits;

/// A value, or what is wrong with the text, in words that follow the variable's name. They never quote the text.
pub(super) type Parsed<T> = Result<T, &'static str>;

/// What is said when there is nothing more precise.
pub(super) const NOT_VALID: &str = "is not valid";

/// Digits only: no sign, no space.
pub(super) fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// An id of Discord or Tess: digits, not 0.
pub(super) fn id(text: &str) -> Parsed<u64> {
    digits(text).filter(|id| *id > 0).ok_or("is not a number")
}

/// Ids with commas or spaces between them.
pub(super) fn ids(text: &str) -> Parsed<BTreeSet<u64>> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
    parts.map(id).collect::<Result<_, _>>().map_err(|_| "has something in it that is not a number")
}

/// The agent's id. Tess's pages also show a slug, to which the API answers 404.
pub(super) fn agent_id(text: &str) -> Parsed<u64> {
    let is_slug = text.contains(|c: char| c.is_ascii_alphabetic()) && !text.contains("://");
    id(text).map_err(|state| if is_slug { "is a name or slug, which the API does not take" } else { state })
}

/// One of a few words, in upper or lower case.
pub(super) fn keyword<T: Copy>(text: &str, keywords: &[(&str, T)]) -> Parsed<T> {
    let found = keywords.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or(NOT_VALID)
}

pub(super) fn switch(text: &str) -> Parsed<bool> {
    keyword(text, &[("on", true), ("off", false)])
}

/// A text of at most `max` characters.
pub(super) fn text(text: &str, max: usize) -> Parsed<String> {
    if text.chars().count() > max { Err("is too long") } else { Ok(text.to_owned()) }
}

/// The time between two requests at a number of requests a second; zero for no limit.
pub(super) fn interval(text: &str) -> Parsed<Duration> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(Duration::ZERO),
        Ok(per_second) if (0.01..=100.0).contains(&per_second) => Ok(Duration::from_secs_f64(per_second.recip())),
        _ => Err(NOT_VALID),
    }
}

/// An amount of credits above zero.
pub(super) fn credits(text: &str) -> Parsed<Credits> {
    match text.parse::<f64>() {
        Ok(credits) if (0.0001..=1e9).contains(&credits) => Ok(Credits::from_number(credits)),
        _ => Err(NOT_VALID),
    }
}

/// The path of a `sqlite:` URL; `sqlite://` is read alike.
pub(super) fn state_path(text: &str) -> Parsed<PathBuf> {
    let path = match text.split_once(':') {
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((_, rest)) if rest.starts_with("//") => return Err("names a store that this version does not have"),
        _ => return Err("does not start with sqlite:"),
    };
    if path.is_empty() || path.ends_with('/') || path == ":memory:" {
        return Err("does not name a file");
    }
    // SQLite would not read these as a path.
    if path.starts_with("file:") || path.contains('?') {
        return Err("has something in it that is not a path");
    }
    Ok(PathBuf::from(path))
}

/// A token or key that can be sent in a header. `prefix` is what is often pasted with it, and is removed.
pub(super) fn secret(text: &str, prefix: &str) -> Parsed<SecretString> {
    let text = text.strip_prefix(prefix).unwrap_or(text);
    if text.contains(['"', '\'']) {
        Err("has quotes in it")
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Err("has a space or a line break in it")
    } else if !text.is_ascii() {
        Err("has a character in it that no token has")
    } else {
        Ok(text.into())
    }
}

/// An https URL without a trailing slash; plain http is accepted for this machine only. `check` judges the path.
pub(super) fn url(text: &str, check: fn(&str) -> Parsed<()>) -> Parsed<String> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "https" => {}
        "http" if url.host_str().is_some_and(is_loopback) => {}
        "http" => return Err("would send secrets unencrypted"),
        _ => return Err("is not an https URL"),
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("has a user, a query or a fragment in it");
    }
    check(url.path().trim_end_matches('/'))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A filter of logs. A typing error must not silence the bot, and the library reads any word as the name of a target.
pub(super) fn log_filter(text: &str) -> Parsed<Targets> {
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let is_target = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
    let is_valid = |part: &str| match part.split_once('=') {
        Some((target, _)) => is_target(target),
        None => part.parse::<LevelFilter>().is_ok(),
    };
    if !parts().all(is_valid) {
        return Err(NOT_VALID);
    }
    let filter: Targets = parts().collect::<Vec<_>>().join(",").parse().map_err(|_| NOT_VALID)?;
    // Without a default level, targets that are not listed still log their errors.
    let has_default = parts().any(|part| !part.contains('='));
    Ok(if has_default { filter } else { filter.with_default(LevelFilter::ERROR) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_path(_: &str) -> Parsed<()> {
        Ok(())
    }

    #[test]
    fn plain_http_is_accepted_for_this_machine_only() {
        for accepted in
            ["http://127.0.0.1:80/x", "http://127.9.9.9", "http://[::1]:8", "http://localhost:1", "https://x.y"]
        {
            assert!(url(accepted, any_path).is_ok(), "{accepted}");
        }
        for refused in ["http://10.0.0.1", "http://discord.com", "http://localhost.evil.com", "ws://127.0.0.1", "x", ""]
        {
            assert!(url(refused, any_path).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_url_loses_its_trailing_slash_and_has_no_password() {
        assert_eq!(url("https://x.y/api/", any_path).unwrap(), "https://x.y/api");
        assert_eq!(url("https://x.y:8/", any_path).unwrap(), "https://x.y:8");
        assert!(url("https://me:secret@x.y", any_path).is_err());
        assert!(url("https://x.y?a=b", any_path).is_err());
    }

    #[test]
    fn requests_per_second_become_an_interval() {
        assert_eq!(interval("0"), Ok(Duration::ZERO));
        assert_eq!(interval("0.5"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("100"), Ok(Duration::from_millis(10)));
        for refused in ["-1", "101", "1e-300", "inf", "NaN", "one"] {
            assert!(interval(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_budget_is_above_zero() {
        assert_eq!(credits("0.25"), Ok(Credits::from_micro(250_000)));
        assert_eq!(credits("40"), Ok(Credits::from_number(40.0)));
        for refused in ["0", "-1", "0.00001", "1e10", "inf", "NaN", "1,5", "5 credits"] {
            assert!(credits(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_state_url_is_sqlite_and_a_path() {
        assert_eq!(state_path("sqlite:data/x.db"), Ok("data/x.db".into()));
        assert_eq!(state_path("sqlite:///data/x.db"), Ok("/data/x.db".into()));
        assert_eq!(state_path("redis://localhost"), Err("names a store that this version does not have"));
        let not_paths = ["sqlite:file:data/x.db", "sqlite:data/x.db?mode=rw"];
        for refused in ["data/x.db", "sqlite:", "sqlite::memory:", "sqlite:data/", "C:\\x"].into_iter().chain(not_paths)
        {
            assert!(state_path(refused).is_err(), "{refused}");
        }
    }
}
