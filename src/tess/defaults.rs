//! `TESS_MODEL`, `TESS_TEMPERATURE` and `TESS_TOOLS`: the options of channels that have not chosen any.

use std::fmt;

use super::{agent::Agent, options::list_options};
use crate::config::TessConfig;

/// A default that the agent does not accept; displayed as one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDefault {
    /// `TESS_MODEL`, `TESS_TEMPERATURE` or `TESS_TOOLS`.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What the agent accepts; empty if it has no such question.
    pub allowed: Vec<String>,
}

impl fmt::Display for InvalidDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, value, allowed } = self;
        write!(f, "{variable}={value}: ")?;
        if allowed.is_empty() {
            write!(f, "the agent has no such option; unset {variable}")
        } else {
            write!(f, "the agent takes one of {}", list_options(allowed))
        }
    }
}

/// Returns the defaults that are set, by the field's name.
pub(super) fn defaults(config: &TessConfig) -> impl Iterator<Item = (&'static str, &str)> {
    let fields = [("temperature", &config.temperature), ("model", &config.model), ("tools", &config.tools)];
    fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
}

/// Returns the defaults that `agent` would refuse; none if Tess omits its questions.
pub(super) fn invalid_defaults(config: &TessConfig, agent: &Agent) -> Vec<InvalidDefault> {
    let is_invalid = |&(name, value): &(&str, &str)| match agent.question(name) {
        // Even the case must be equal: a default is sent as it is written.
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
    defaults(config).filter(is_invalid).map(described).collect()
}
