//! Takes variables one by one and collects what is wrong with them.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;
use secrecy::SecretString;

use super::{
    credits::Credits,
    problems::{Problems, wrong},
    settings::{Fallback, Limits, Setting},
};

/// What the placeholders of `.env.example` begin with.
const PLACEHOLDER: &str = "your-";

/// Prefixes under which every variable is the bot's, so that a misspelt one is noticed.
const OUR_PREFIXES: [&str; 3] = ["DISCORD_", "TESS_", "CREDITS_"];

/// Whether a variable is read by the bot, or looks as if it was meant to be: by its beginning, or because it is spelt like one that is.
pub(super) fn concerns_us(name: &str) -> bool {
    let is_ours = OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !is_of_a_service(name);
    is_ours || Setting::is_spelt_like_one(name)
}

/// Whether Kubernetes may have set it, for a service named like the bot.
/// <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>
fn is_of_a_service(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|end| name.ends_with(end))
        || ["_SERVICE_PORT_", "_PORT_"].iter().any(|part| name.contains(part))
}

/// The variables, and what was found wrong with them so far.
///
/// A method that finds its variable wrong notes that and returns a stand-in, so that reading goes on to the next
/// problem; [`Reader::finish`] sees to it that no stand-in is used.
pub(super) struct Reader {
    vars: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Reader {
    /// Empty values count as unset.
    pub(super) fn new(vars: impl Iterator<Item = (String, String)>) -> Self {
        let vars = vars.map(|(name, value)| (name, unquoted(value.trim()).to_owned()));
        let vars = vars.filter(|(_, value)| !value.is_empty()).collect();
        Self { vars, problems: Vec::new() }
    }

    /// What was found, variables that do not exist included.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        let unknown = self.vars.keys().filter(|name| concerns_us(name) && Setting::named(name).is_none());
        self.problems.extend(unknown.map(|name| {
            let nearest = Setting::nearest_name(name).unwrap_or_default();
            format!("{name} is not a setting: remove it, or did you mean {nearest}?")
        }));
        Problems::from_lines(self.problems).map_or(Ok(()), Err)
    }

    /// The setting and its value, trimmed; the default when unset. A missing required one is noted.
    fn value(&mut self, name: &str) -> (&'static Setting, Option<String>) {
        let setting = Setting::named(name).expect("the reader only asks for settings of the table");
        let written = self.vars.get(name).cloned();
        let value = written.or_else(|| match setting.default {
            Fallback::Value(default) => Some(default.to_owned()),
            Fallback::Required | Fallback::Unset => None,
        });
        match &value {
            None if setting.default == Fallback::Required => self.problems.push(wrong(setting, "is missing")),
            Some(value) if setting.default == Fallback::Required && value.to_lowercase().starts_with(PLACEHOLDER) => {
                self.problems.push(wrong(setting, "is still the example's text"));
                return (setting, None);
            }
            _ => {}
        }
        (setting, value)
    }

    /// `parse` says in its error what the value is ("is not valid").
    pub(super) fn parse<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, &'static str>) -> Option<T> {
        let (setting, value) = self.value(name);
        match parse(&value?) {
            Ok(parsed) => Some(parsed),
            Err(state) => {
                self.problems.push(wrong(setting, state));
                None
            }
        }
    }

    /// A whole number within the limits of the table.
    pub(super) fn whole(&mut self, name: &str) -> u64 {
        let range = match Setting::named(name).map(|setting| setting.limits) {
            Some(Limits::Whole { min, max, .. }) => min..=max,
            _ => 0..=u64::MAX,
        };
        let parse = |value: &str| digits(value).filter(|number| range.contains(number)).ok_or(NOT_VALID);
        self.parse(name, parse).unwrap_or_default()
    }

    /// A whole number of seconds.
    pub(super) fn seconds(&mut self, name: &str) -> Duration {
        Duration::from_secs(self.whole(name))
    }

    /// A token or key; `prefix` is what is often pasted with it.
    pub(super) fn secret(&mut self, name: &str, prefix: &str) -> SecretString {
        let parsed = self.parse(name, |value| secret(value.strip_prefix(prefix).unwrap_or(value)));
        parsed.unwrap_or_default()
    }

    /// A text of at most `longest` characters.
    pub(super) fn text(&mut self, name: &str, longest: usize) -> Option<String> {
        self.parse(
            name,
            |value| {
                if value.chars().count() > longest { Err("is too long") } else { Ok(value.to_owned()) }
            },
        )
    }

    /// A URL without a trailing slash; `check` sees its path.
    pub(super) fn url(&mut self, name: &str, check: fn(&str) -> Result<(), &'static str>) -> String {
        self.parse(name, |value| url(value, check)).unwrap_or_default()
    }
}

/// A value without the quotes around it: `docker run --env-file` leaves them there.
fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote).map(str::trim);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// What is said when there is nothing better.
pub(super) const NOT_VALID: &str = "is not valid";

/// A number of digits alone: no sign, no space.
pub(super) fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The parts of a list with commas or spaces between them.
pub(super) fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty())
}

/// An id of Discord or Tess: digits, not 0.
pub(super) fn id(text: &str) -> Result<u64, &'static str> {
    digits(text).filter(|id| *id > 0).ok_or("is not a number")
}

/// A switch.
pub(super) fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text.to_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(NOT_VALID),
    }
}

/// The agent's id. Tess answers 404 to the slug that its pages show too.
pub(super) fn agent_id(text: &str) -> Result<u64, &'static str> {
    let slug = text.contains(|c: char| c.is_ascii_alphabetic()) && !text.contains("://");
    id(text).map_err(|state| if slug { "is a name or slug, which the API does not take" } else { state })
}

/// The time between two requests at so many a second; zero for no limit.
pub(super) fn interval(text: &str) -> Result<Duration, &'static str> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(Duration::ZERO),
        Ok(per_second) if (0.01..=100.0).contains(&per_second) => Ok(Duration::from_secs_f64(per_second.recip())),
        _ => Err(NOT_VALID),
    }
}

/// An amount of credits that is not nothing.
pub(super) fn credits(text: &str) -> Result<Credits, &'static str> {
    match text.parse::<f64>() {
        Ok(credits) if (0.0001..=1e9).contains(&credits) => Ok(Credits::from_number(credits)),
        _ => Err(NOT_VALID),
    }
}

/// The path of a `sqlite:` URL; `sqlite://` is read alike.
pub(super) fn state_path(text: &str) -> Result<PathBuf, &'static str> {
    let path = match text.split_once(':') {
        Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((_, rest)) if rest.starts_with("//") => return Err("names a store that this version does not have"),
        _ => return Err("does not start with sqlite:"),
    };
    if path.is_empty() || path.ends_with('/') || path == ":memory:" {
        return Err("does not name a file");
    }
    // SQLite would read these otherwise than as a path.
    if path.starts_with("file:") || path.contains('?') {
        return Err("has something in it that is no path");
    }
    Ok(PathBuf::from(path))
}

/// Only what can be sent in a header.
fn secret(text: &str) -> Result<SecretString, &'static str> {
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

fn url(text: &str, check: fn(&str) -> Result<(), &'static str>) -> Result<String, &'static str> {
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

#[cfg(test)]
mod tests {
    use super::{super::settings::SETTINGS, *};

    fn any_path(_: &str) -> Result<(), &'static str> {
        Ok(())
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
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
    fn a_url_loses_its_trailing_slash_and_may_hold_no_password() {
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
    fn a_budget_is_more_than_nothing() {
        assert_eq!(credits("0.25"), Ok(Credits::from_micro(250_000)));
        assert_eq!(credits("40"), Ok(Credits::from_number(40.0)));
        for refused in ["0", "-1", "0.00001", "1e10", "inf", "NaN", "1,5", "5 credits"] {
            assert!(credits(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_state_url_is_a_path_behind_its_scheme() {
        assert_eq!(state_path("sqlite:data/x.db"), Ok("data/x.db".into()));
        assert_eq!(state_path("sqlite:///data/x.db"), Ok("/data/x.db".into()));
        assert_eq!(state_path("redis://localhost"), Err("names a store that this version does not have"));
        let no_paths = ["sqlite:file:data/x.db", "sqlite:data/x.db?mode=rw"];
        for refused in ["data/x.db", "sqlite:", "sqlite::memory:", "sqlite:data/", "C:\\x"].into_iter().chain(no_paths)
        {
            assert!(state_path(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn whole_numbers_stay_within_the_table() {
        let numbers = SETTINGS.iter().filter_map(|setting| match setting.limits {
            Limits::Whole { min, max, .. } => Some((setting.name, min, max)),
            Limits::Words(_) => None,
        });
        for (name, min, max) in numbers {
            let problems = |value: String| {
                let mut reader = Reader::new([(name.to_owned(), value)].into_iter());
                reader.whole(name);
                reader.problems.len()
            };
            assert_eq!([problems(min.to_string()), problems(max.to_string())], [0, 0], "{name}");
            assert_eq!(
                [problems((max + 1).to_string()), problems("+5".into()), problems("5 s".into())],
                [1; 3],
                "{name}"
            );
            assert_eq!(problems((i128::from(min) - 1).to_string()), 1, "{name}");
        }
    }
}
