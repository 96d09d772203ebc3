//! Fenced code blocks: their opening and closing lines. <https://spec.commonmark.org/0.31.2/#fenced-code-blocks>

/// Longest fence marker, in backticks or tildes. A longer run is treated as decoration.
pub(super) const MAX_MARKER_CHARS: usize = 32;

/// Longest opening line in bytes, language included: a message that repeats the line still needs space for code.
const MAX_OPENING_BYTES: usize = 200;

/// The opening line of a fenced code block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence<'a> {
    /// The whole line: indentation, marker and language.
    pub(super) line: &'a str,
    /// The backticks or tildes.
    pub(super) marker: &'a str,
}

impl<'a> Fence<'a> {
    /// Reads a line as the opening of a code block: three or more backticks or tildes, then perhaps a language.
    pub(super) fn parse_opening(line: &'a str) -> Option<Self> {
        let line = line.trim_end();
        let text = line.trim_start();
        let mark = text.chars().next().filter(|first| matches!(first, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let marker = &text[..text.len() - info.len()];
        // ```so``` on one line is inline code.
        let is_inline_code = mark == '`' && info.contains('`');
        let is_fence =
            (3..=MAX_MARKER_CHARS).contains(&marker.len()) && line.len() <= MAX_OPENING_BYTES && !is_inline_code;
        is_fence.then_some(Self { line, marker })
    }

    /// Whether a line closes the block: it holds only a marker of the same kind that is at least as long.
    pub(super) fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        let is_marker = || line.bytes().all(|byte| self.marker.as_bytes().starts_with(&[byte]));
        (self.marker.len()..=MAX_MARKER_CHARS).contains(&line.len()) && is_marker()
    }

    /// Whether the block's language is Markdown.
    pub(super) fn is_markdown(&self) -> bool {
        ["markdown", "md"].iter().any(|name| self.info_string().eq_ignore_ascii_case(name))
    }

    /// What follows the marker: the language, or nothing.
    fn info_string(&self) -> &'a str {
        self.line.trim_start()[self.marker.len()..].trim()
    }
}

/// The fence that is still open at the end of a text.
pub(super) fn unclosed_fence(text: &str) -> Option<Fence<'_>> {
    unclosed_fence_in_lines(text.lines())
}

/// The fence that is still open after these lines.
pub(super) fn unclosed_fence_in_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Fence<'a>> {
    lines.fold(None, |open: Option<Fence<'a>>, line| match open {
        Some(fence) => Some(fence).filter(|fence| !fence.is_closed_by(line)),
        None => Fence::parse_opening(line),
    })
}

/// The fence that the last line of a text closes.
pub(super) fn fence_closed_by_last_line(text: &str) -> Option<Fence<'_>> {
    let (before, last) = text.rsplit_once('\n')?;
    unclosed_fence(before).filter(|fence| fence.is_closed_by(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_line_is_a_marker_and_perhaps_a_language() {
        for (line, marker) in [("```", "```"), ("  ~~~~ rust ", "~~~~"), ("```rust", "```")] {
            assert_eq!(Fence::parse_opening(line).unwrap().marker, marker, "{line}");
        }
        let (too_long_marker, too_long_line) = ("`".repeat(33), format!("```{}", "x".repeat(198)));
        for line in ["``", "text", "```so```", &too_long_marker, &too_long_line] {
            assert!(Fence::parse_opening(line).is_none(), "{line}");
        }
    }

    #[test]
    fn closing_line_is_a_marker_of_the_same_kind_at_least_as_long() {
        let fence = Fence::parse_opening("````rust").unwrap();
        for (line, closes) in [("````", true), (" ````` ", true), ("```", false), ("~~~~", false), ("```` x", false)] {
            assert_eq!(fence.is_closed_by(line), closes, "{line}");
        }
        assert!(unclosed_fence("```\ncode").is_some() && unclosed_fence("```\ncode\n```").is_none());
        assert_eq!(fence_closed_by_last_line("```a\ncode\n```").unwrap().line, "```a");
    }
}
