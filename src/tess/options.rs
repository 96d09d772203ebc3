//! A channel's answers to its agent's questions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields of an execution's body that only the bot sets.
const RESERVED: [&str; 7] = ["messages", "waitExecution", "wait_execution", "stream", "file_ids", "root_id", "answers"];

pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Answers to an agent's questions by name, sent at the root of an execution's body. They override `TESS_MODEL`,
/// `TESS_TEMPERATURE` and `TESS_TOOLS`.
///
/// Serialized as a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub(crate) struct Options(BTreeMap<String, Value>);

impl Options {
    /// Returns the answer to a question.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Answers a question; [`super::Question::check`] parses the value.
    ///
    /// # Errors
    ///
    /// Only the bot itself sets that field: `messages`, `waitExecution`, `wait_execution`, `stream`, `file_ids`,
    /// `root_id`, `answers`.
    pub(crate) fn set(&mut self, name: &str, value: Value) -> Result<(), InvalidOption> {
        if is_reserved(name) {
            return Err(InvalidOption::NotSettable);
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Iterates over the answers by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing is answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, Value>> for Options {
    /// Drops the fields that only the bot sets.
    fn from(mut options: BTreeMap<String, Value>) -> Self {
        options.retain(|name, _| !is_reserved(name));
        Self(options)
    }
}

/// Why a text is not an answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOption {
    /// Only the bot itself answers it, or text cannot express the answer.
    #[error("cannot be set here")]
    NotSettable,
    /// The text is blank.
    #[error("cannot be empty")]
    Empty,
    /// The text is not a number.
    #[error("takes a number, such as 5 or 0.5")]
    NotANumber,
    /// The text means neither yes nor no.
    #[error("takes yes or no")]
    NotABoolean,
    /// The text is none of the question's options.
    #[error("takes one of {}", list_options(.options))]
    UnknownOption {
        /// The question's options.
        options: Vec<String>,
    },
    /// The text is longer than the question allows.
    #[error("takes at most {max} characters, this has {length}")]
    TooLong {
        /// Most characters.
        max: usize,
        /// Its characters.
        length: usize,
    },
}

/// Lists options for a person; only the first ones if there are very many.
pub(super) fn list_options(options: &[String]) -> String {
    const MAX_SHOWN: usize = 25;
    let mut shown: Vec<_> = options.iter().take(MAX_SHOWN).map(|option| format!("`{option}`")).collect();
    if options.len() > MAX_SHOWN {
        shown.push(format!("and {} more", options.len() - MAX_SHOWN));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_only_the_bot_sets_is_refused() {
        let mut options = Options::default();
        for name in RESERVED {
            assert!(options.set(name, json!(1)).is_err());
        }
        assert!(options.is_empty());
        let read: Options = serde_json::from_value(json!({"stream": true, "model": "auto"})).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [("model", &json!("auto"))]);
    }

    #[test]
    fn options_are_serialized_as_a_json_object() {
        let mut options = Options::default();
        options.set("model", json!("auto")).unwrap();
        options.set("max_mode", json!(true)).unwrap();
        let written = serde_json::to_string(&options).unwrap();
        assert_eq!(written, r#"{"max_mode":true,"model":"auto"}"#);
        assert_eq!(serde_json::from_str::<Options>(&written).unwrap(), options);
    }

    #[test]
    fn a_long_list_of_options_is_cut() {
        let options: Vec<_> = (0..30).map(|number| number.to_string()).collect();
        let shown = list_options(&options);
        assert!(shown.ends_with("`24`, and 5 more"), "{shown}");
    }
}
