//! The raw variables, before any of them is checked.

use std::{collections::BTreeMap, env};

use super::{dotenv, problems::Problems};

/// The variables that are not empty, by name; `None` stands for a value that is not UTF-8.
///
/// Blanks and quotes around a value are removed: `docker run --env-file` leaves the quotes in place.
pub(super) struct Environment(BTreeMap<String, Option<String>>);

impl Environment {
    /// Reads `.env` in the working folder or above it, and the process's environment, which wins even with an empty value.
    ///
    /// # Errors
    /// A `.env` that cannot be read.
    pub(super) fn load() -> Result<Self, Problems> {
        let folder = env::current_dir().unwrap_or_default();
        let mut vars: BTreeMap<_, _> =
            dotenv::read_above(&folder)?.into_iter().map(|(name, value)| (name, Some(value))).collect();
        // No name of the bot's settings is outside of UTF-8.
        let own = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok())));
        vars.extend(own);
        Ok(Self::from_raw(vars.into_iter()))
    }

    /// Takes variables from anywhere.
    pub(super) fn from_vars(vars: impl Iterator<Item = (String, String)>) -> Self {
        Self::from_raw(vars.map(|(name, value)| (name, Some(value))))
    }

    pub(super) fn from_raw(vars: impl Iterator<Item = (String, Option<String>)>) -> Self {
        let vars = vars.map(|(name, value)| (name, value.map(|value| unquoted(value.trim()).to_owned())));
        Self(vars.filter(|(_, value)| value.as_deref() != Some("")).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Option<String>> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote).map(str::trim);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_quotes_around_a_value_are_removed_and_empty_values_dropped() {
        let value = |value: &str| {
            let environment = Environment::from_vars([("A".to_owned(), value.to_owned())].into_iter());
            environment.get("A").cloned().flatten()
        };
        assert_eq!(value(" 'a b' ").as_deref(), Some("a b"));
        assert_eq!(value("\"a").as_deref(), Some("\"a"));
        assert_eq!([value(""), value("  "), value("''")], [None, None, None]);
    }
}
