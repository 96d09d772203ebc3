//! A channel's answers to its agent's questions, and the defaults of all channels.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::{Agent, listed};
use crate::config::TessConfig;

/// Fields of an execution's body that only the bot sets.
const RESERVED: [&str; 7] = ["messages", "waitExecution", "wait_execution", "stream", "file_ids", "root_id", "answers"];

pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Answers to an agent's questions by name, sent at the root of an execution's body. They come before `TESS_MODEL`,
/// `TESS_TEMPERATURE` and `TESS_TOOLS`.
///
/// It is written and read as a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>")]
pub struct Options(BTreeMap<String, Value>);

impl Options {
    /// The answer to a question.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Answers a question; [`super::Question::check`] makes the value.
    ///
    /// # Errors
    ///
    /// When only the bot itself sets that field: `messages`, `waitExecution`, `wait_execution`, `stream`, `file_ids`,
    /// `root_id`, `answers`.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), InvalidOption> {
        if is_reserved(name) {
            return Err(InvalidOption::NotSettable);
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Takes an answer back: the default holds again. Returns whether there was one.
    pub fn unset(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The answers by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing is answered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, Value>> for Options {
    /// Without the fields that only the bot sets.
    fn from(mut options: BTreeMap<String, Value>) -> Self {
        options.retain(|name, _| !is_reserved(name));
        Self(options)
    }
}

/// Why a text is no answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// Only the bot itself answers it, or no text can.
    #[error("cannot be set here")]
    NotSettable,
    /// There is nothing in it.
    #[error("cannot be empty")]
    Empty,
    /// It is no number.
    #[error("takes a number, such as 5 or 0.5")]
    NotANumber,
    /// It means neither.
    #[error("takes yes or no")]
    NotABoolean,
    /// It is none of the question's options.
    #[error("takes one of {}", listed(.options))]
    UnknownOption {
        /// What there is to choose from.
        options: Vec<String>,
    },
    /// It is longer than the question allows.
    #[error("takes at most {most} characters, this has {length}")]
    TooLong {
        /// Most characters.
        most: usize,
        /// How many it has.
        length: usize,
    },
}

/// A default that the agent does not have; its text is one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDefault {
    /// `TESS_MODEL`, `TESS_TEMPERATURE` or `TESS_TOOLS`.
    pub variable: &'static str,
    /// What it is set to.
    pub value: String,
    /// What the agent takes; empty when it has no such question.
    pub allowed: Vec<String>,
}

impl fmt::Display for InvalidDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, value, allowed } = self;
        write!(f, "{variable}={value}: ")?;
        if allowed.is_empty() {
            write!(f, "the agent has no such option; unset {variable}")
        } else {
            write!(f, "the agent takes one of {}", listed(allowed))
        }
    }
}

/// The defaults that are set, by the field's name.
pub(super) fn defaults(config: &TessConfig) -> impl Iterator<Item = (&'static str, &str)> {
    let fields = [("temperature", &config.temperature), ("model", &config.model), ("tools", &config.tools)];
    fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
}

/// The defaults that `agent` would refuse. None when Tess tells nothing of its questions.
pub(super) fn bad_defaults(config: &TessConfig, agent: &Agent) -> Vec<InvalidDefault> {
    let is_bad = |&(name, value): &(&str, &str)| match agent.question(name) {
        // Not even the case may differ: it is sent as it is written.
        Some(question) if !question.options.is_empty() => !question.options.iter().any(|option| option == value),
        Some(question) => question.check(value).is_err(),
        None => !agent.questions.is_empty(),
    };
    let described = |(name, value): (&'static str, &str)| InvalidDefault {
        variable: match name {
            "temperature" => "TESS_TEMPERATURE",
            "model" => "TESS_MODEL",
            _ => "TESS_TOOLS",
        },
        value: value.to_owned(),
        allowed: agent.question(name).map(|question| question.options.clone()).unwrap_or_default(),
    };
    defaults(config).filter(is_bad).map(described).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_the_bot_itself_is_never_set() {
        let mut options = Options::default();
        for name in RESERVED {
            assert!(options.set(name, json!(1)).is_err());
        }
        assert!(options.is_empty());
        let read: Options = serde_json::from_value(json!({"stream": true, "model": "auto"})).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [("model", &json!("auto"))]);
    }

    #[test]
    fn options_are_kept_as_a_json_object() {
        let mut options = Options::default();
        options.set("model", json!("auto")).unwrap();
        options.set("max_mode", json!(true)).unwrap();
        let written = serde_json::to_string(&options).unwrap();
        assert_eq!(written, r#"{"max_mode":true,"model":"auto"}"#);
        assert_eq!(serde_json::from_str::<Options>(&written).unwrap(), options);
        assert!(options.unset("model") && !options.unset("model"));
    }
}
