//! What is wrong with the environment, in words for the operator.

use std::{error::Error, fmt};

use super::settings::Setting;

/// Everything that is wrong with the environment, one line each; what `main` prints.
///
/// No line quotes a value: a secret may have been pasted into the wrong variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// `None` when there are none.
    pub(super) fn from_lines(lines: Vec<String>) -> Option<Self> {
        (!lines.is_empty()).then_some(Self(lines))
    }

    /// The one that makes every other one moot.
    pub(super) fn single(line: String) -> Self {
        Self(vec![line])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "The configuration has a problem:")?,
            n => write!(f, "The configuration has {n} problems:")?,
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Error for Problems {}

/// A setting that is `state` ("is missing"), and what to write instead.
pub(super) fn wrong(setting: &Setting, state: &str) -> String {
    format!("{} {state}: write {}, for example {}", setting.name, setting.limits, setting.example_line())
}
