//! The result of a check, as text.

use std::fmt;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    name: &'static str,
    passed: bool,
    text: String,
}

impl Line {
    /// A check that passed.
    pub(super) fn passed(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, passed: true, text: text.into() }
    }

    /// A check that failed; `text` says what to do.
    pub(super) fn failed(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, passed: false, text: text.into() }
    }

    /// Whether the check passed.
    #[must_use]
    pub(super) fn has_passed(&self) -> bool {
        self.passed
    }
}

/// The results of all checks, each before those that depend on it. Displayed as one line each, and a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(lines: Vec<Line>) -> Self {
        Self { lines }
    }

    /// Whether every check passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.lines.iter().all(Line::has_passed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
        for Line { name, passed, text } in &self.lines {
            let mark = if *passed { '✓' } else { '✗' };
            // Titles and error texts come from outside, and must not control the terminal.
            let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            writeln!(f, "{mark} {name:width$}  {text}")?;
        }
        match self.lines.iter().filter(|line| !line.passed).count() {
            0 => writeln!(f, "\nThe bot can run."),
            1 => writeln!(f, "\n1 problem found."),
            problems => writeln!(f, "\n{problems} problems found."),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_report_has_one_line_for_each_check_and_a_summary() {
        let report =
            Report::new(vec![Line::passed("Tess key", "accepted"), Line::failed("Agent", "no\u{1b}[2J\nsuch agent")]);
        assert!(!report.passed());
        assert_snapshot!(report, @"
        ✓ Tess key  accepted
        ✗ Agent     no [2J such agent

        1 problem found.
        ");
    }
}
