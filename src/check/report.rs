//! What a check found, as people read it.

use std::fmt;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    name: &'static str,
    good: bool,
    text: String,
}

impl Line {
    /// It is as it should be.
    pub(super) fn good(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, good: true, text: text.into() }
    }

    /// It is not; `text` says what to do.
    pub(super) fn bad(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, good: false, text: text.into() }
    }

    /// Whether it is as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.good
    }
}

/// All that was checked, in the order of what depends on what. Its text has one line for each, and one for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(lines: Vec<Line>) -> Self {
        Self { lines }
    }

    /// Whether all is as it should be.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.lines.iter().all(Line::is_good)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
        for Line { name, good, text } in &self.lines {
            let mark = if *good { '✓' } else { '✗' };
            // Titles and error texts come from outside: nothing in them may steer the terminal.
            let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            writeln!(f, "{mark} {name:width$}  {text}")?;
        }
        match self.lines.iter().filter(|line| !line.good).count() {
            0 => writeln!(f, "\nThe bot can run."),
            1 => writeln!(f, "\nOne thing to put right."),
            wrong => writeln!(f, "\n{wrong} things to put right."),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn one_line_each_and_one_for_the_whole() {
        let report =
            Report::new(vec![Line::good("Tess key", "accepted"), Line::bad("Agent", "no\u{1b}[2J\nsuch agent")]);
        assert!(!report.passed());
        assert_snapshot!(report, @"
        ✓ Tess key  accepted
        ✗ Agent     no [2J such agent

        One thing to put right.
        ");
    }
}
