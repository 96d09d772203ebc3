//! What became of a message.

/// What became of a message. The reasons are words of the code, never of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The agent's answer was posted.
    Answered,
    /// A line that says what went wrong was posted, or could not be.
    Failed(&'static str),
    /// No answer was due after all.
    Skipped(&'static str),
    /// A user or the shutdown stopped it.
    Cancelled(&'static str),
}

impl Outcome {
    /// Returns the values of the labels `outcome` and `reason`.
    pub(super) fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Answered => ["answered", ""],
            Self::Failed(reason) => ["failed", reason],
            Self::Skipped(reason) => ["skipped", reason],
            Self::Cancelled(reason) => ["cancelled", reason],
        }
    }
}
