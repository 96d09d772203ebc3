//! What is wrong with the environment, in words for the operator.

use std::{error::Error, fmt};

/// Everything that is wrong with the environment, one line each; what `main` prints.
///
/// No line quotes a value: a secret may have been pasted into the wrong variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Succeeds when there are none.
    pub(super) fn check(lines: Vec<String>) -> Result<(), Self> {
        if lines.is_empty() { Ok(()) } else { Err(Self(lines)) }
    }

    /// A problem that hides all others.
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
