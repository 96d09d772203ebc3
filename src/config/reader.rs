//! Reads settings one by one and collects what is wrong with them.

use std::time::Duration;

use super::{
    environment::Environment,
    parse::{self, NOT_VALID, Parsed},
    problems::Problems,
    setting::{DefaultValue, Setting},
};

/// What the placeholders of `.env.example` begin with.
const PLACEHOLDER: &str = "your-";

/// Prefixes that only the bot's variables have, so that a misspelt one is noticed.
const OWN_PREFIXES: [&str; 3] = ["DISCORD_", "TESS_", "CREDITS_"];

/// The raw variables, the settings that were read from them, and the problems found so far.
///
/// A method that finds its setting wrong adds a problem and returns a stand-in, so that reading goes on to the next one;
/// [`Reader::finish`] ensures that no stand-in is used.
pub(super) struct Reader {
    environment: Environment,
    settings: Vec<&'static Setting>,
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment, settings: Vec::new(), problems: Vec::new() }
    }

    /// Every setting that was read, in the order of reading.
    #[cfg(test)]
    pub(super) fn settings(&self) -> &[&'static Setting] {
        &self.settings
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every problem, variables that look like a misspelt setting included.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        let unknown: Vec<_> = self.environment.names().filter(|name| self.is_misspelt(name)).collect();
        let unknown = unknown.into_iter().map(|name| {
            let nearest = self.nearest_name(name).unwrap_or_default();
            format!("{name} is not a setting: remove it, or did you mean {nearest}?")
        });
        let unknown: Vec<_> = unknown.collect();
        self.problems.extend(unknown);
        Problems::check(self.problems)
    }

    /// A setting that always has a value: it is required or has a default.
    pub(super) fn value<T: Default>(&mut self, setting: &'static Setting, parse: impl FnOnce(&str) -> Parsed<T>) -> T {
        self.optional(setting, parse).unwrap_or_default()
    }

    /// A setting that may be unset. The error of `parse` says what the value is ("is not valid").
    pub(super) fn optional<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) -> Option<T> {
        self.settings.push(setting);
        let parsed = match self.environment.get(setting.name) {
            Some(None) => Err("is not UTF-8 text"),
            Some(Some(value)) if setting.is_required() && is_placeholder(value) => Err("is still the example's text"),
            Some(Some(value)) => parse(value),
            None => match setting.default {
                DefaultValue::Value(default) => parse(default),
                DefaultValue::Unset { .. } => return None,
                DefaultValue::Required { .. } => Err("is missing"),
            },
        };
        parsed.map_err(|state| self.problems.push(setting.problem(state))).ok()
    }

    /// A whole number within the setting's bounds that may be unset.
    pub(super) fn optional_integer<T: TryFrom<u64>>(&mut self, setting: &'static Setting) -> Option<T> {
        self.optional(setting, |value| {
            let number = parse::digits(value).filter(|number| setting.accepts.range().contains(number));
            number.and_then(|number| number.try_into().ok()).ok_or(NOT_VALID)
        })
    }

    /// A whole number within the setting's bounds.
    pub(super) fn integer<T: TryFrom<u64> + Default>(&mut self, setting: &'static Setting) -> T {
        self.optional_integer(setting).unwrap_or_default()
    }

    /// A whole number of seconds.
    pub(super) fn seconds(&mut self, setting: &'static Setting) -> Duration {
        Duration::from_secs(self.integer(setting))
    }

    /// Whether a variable is no setting, but looks as if it was meant to be one.
    fn is_misspelt(&self, name: &str) -> bool {
        let has_own_prefix = OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let is_known = self.settings.iter().any(|setting| setting.name == name);
        !is_known && (has_own_prefix && !is_set_by_kubernetes(name) || self.is_similar_to_a_setting(name))
    }

    /// Whether a name differs from a long known one by a typing error or two.
    fn is_similar_to_a_setting(&self, name: &str) -> bool {
        const MIN_LENGTH: usize = 10;
        const MAX_ERRORS: usize = 2;
        let chars = name.chars().count();
        // Comparing lengths first spares most variables the costly comparison.
        self.settings.iter().map(|setting| setting.name).any(|known| {
            known.len() >= MIN_LENGTH
                && known.len().abs_diff(chars) <= MAX_ERRORS
                && strsim::damerau_levenshtein(known, name) <= MAX_ERRORS
        })
    }

    fn nearest_name(&self, name: &str) -> Option<&'static str> {
        let similarity = |known: &str| strsim::normalized_damerau_levenshtein(known, name);
        let names = self.settings.iter().map(|setting| setting.name);
        names.max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
    }
}

fn is_placeholder(value: &str) -> bool {
    value.to_lowercase().starts_with(PLACEHOLDER)
}

/// Whether Kubernetes may have set the variable, for a service that is named like the bot.
/// <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>
fn is_set_by_kubernetes(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|suffix| name.ends_with(suffix))
        || ["_SERVICE_PORT_", "_PORT_"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Config, setting::Accepts},
        *,
    };

    #[test]
    fn whole_numbers_stay_within_their_bounds() {
        for setting in Config::settings() {
            let Accepts::Integer { min, max, .. } = setting.accepts else { continue };
            let problems = |value: String| {
                let environment = Environment::from_vars([(setting.name.to_owned(), value)].into_iter());
                let mut reader = Reader::new(environment);
                reader.integer::<u64>(setting);
                reader.problems.len()
            };
            let name = setting.name;
            assert_eq!([problems(min.to_string()), problems(max.to_string())], [0, 0], "{name}");
            assert_eq!([problems((max + 1).to_string()), problems("+5".into())], [1; 2], "{name}");
            assert_eq!(problems("5 s".into()), 1, "{name}");
            assert_eq!(problems((i128::from(min) - 1).to_string()), 1, "{name}");
        }
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_a_problem_among_the_others() {
        static SETTING: Setting = Setting {
            name: "TESS_MODEL",
            section: super::super::setting::Section::Agent,
            default: DefaultValue::Unset { example: "tess-5" },
            accepts: Accepts::Text("a model"),
            summary: "",
            details: "",
        };
        let mut reader = Reader::new(Environment::from_raw([("TESS_MODEL".to_owned(), None)].into_iter()));
        assert_eq!(reader.optional(&SETTING, |value| Ok(value.to_owned())), None);
        let problems = reader.finish().unwrap_err().to_string();
        assert!(problems.contains("TESS_MODEL is not UTF-8 text: write a model"), "{problems}");
    }
}
