//! What a setting is: an environment variable with its default, the values it accepts and its documentation.

use std::{fmt, ops::RangeInclusive};

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// The variable's name.
    pub(super) name: &'static str,
    /// Where it stands in the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is made from it"))]
    pub(super) section: Section,
    /// What applies when it is unset or empty.
    pub(super) default: DefaultValue,
    /// The values it accepts.
    pub(super) accepts: Accepts,
    /// What it does, in one or two sentences: for `docs/operations.md` and `.env.example`.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is made from it"))]
    pub(super) summary: &'static str,
    /// More sentences for `.env.example`; often none.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the documentation is made from it"))]
    pub(super) details: &'static str,
}

/// The parts of the documentation, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    /// What most operators have to set.
    Required,
    /// Which messages are answered, and how the replies look.
    Messages,
    /// How the agent is asked.
    Agent,
    /// What may be spent.
    Budgets,
    /// What the bot remembers.
    Memory,
    /// The process and its logs.
    Process,
    /// The two services' addresses and limits.
    Connections,
}

/// What applies when a variable is unset or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultValue {
    /// Nothing: the variable has to be set.
    Required {
        /// What `.env.example` has in its place; refused as a value. Starts with `your-`.
        placeholder: &'static str,
        /// What a value looks like.
        example: &'static str,
    },
    /// The feature is off, or the service's own default applies.
    Unset {
        /// An accepted value.
        example: &'static str,
    },
    /// This value.
    Value(&'static str),
}

/// The values that a variable accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A whole number, `min` and `max` included.
    Integer {
        /// What is counted.
        unit: &'static str,
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// Anything else, described in words that fit after "write".
    Text(&'static str),
}

impl Accepts {
    /// On or off.
    pub(super) const SWITCH: Self = Self::Text("on or off");
    /// A daily budget.
    pub(super) const CREDITS: Self = Self::Text("a number of credits from 0.0001 to 1000000000");

    pub(super) const fn seconds(min: u64, max: u64) -> Self {
        Self::Integer { unit: "seconds", min, max }
    }

    /// The bounds of an integer; none for other values.
    pub(super) fn range(self) -> RangeInclusive<u64> {
        match self {
            Self::Integer { min, max, .. } => min..=max,
            Self::Text(_) => 0..=u64::MAX,
        }
    }
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { unit, min, max } => write!(f, "a whole number of {unit} from {min} to {max}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Setting {
    pub(super) fn is_required(&self) -> bool {
        matches!(self.default, DefaultValue::Required { .. })
    }

    /// One line for the operator: the setting is `state` ("is missing"), and what to write instead.
    pub(super) fn problem(&self, state: &str) -> String {
        let example = match self.default {
            DefaultValue::Required { example, .. } | DefaultValue::Unset { example } => example,
            DefaultValue::Value(value) => value,
        };
        format!("{} {state}: write {}, for example {}", self.name, self.accepts, assignment(self.name, example))
    }
}

/// A line of a `.env` file.
pub(super) fn assignment(name: &str, value: &str) -> String {
    let quote = if value.contains(' ') { "\"" } else { "" };
    format!("{name}={quote}{value}{quote}")
}
