//! An output as blocks: runs of lines that read as one thing.
//!
//! As much Markdown as cutting needs, and no more: which lines belong together, and which stand in a fence.

/// Longest fence, in backticks or tildes. A longer run is no fence but an ornament.
pub(super) const MARKER_CHARS: usize = 32;

/// Longest opening line of a fence in bytes, language included: it must leave room in a message that repeats it.
const OPENING_BYTES: usize = 200;

/// Longest line in bytes that is taken for the introduction of what follows when it ends with a colon.
const INTRODUCTION_BYTES: usize = 300;

/// A line that opens a block of code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence<'a> {
    /// The whole line: indentation, marker and language.
    pub(super) line: &'a str,
    /// The backticks or tildes.
    pub(super) marker: &'a str,
}

impl<'a> Fence<'a> {
    /// Reads a line as the opening of a block of code: three or more backticks or tildes, and perhaps a language.
    pub(super) fn opening(line: &'a str) -> Option<Self> {
        let line = line.trim_end();
        let text = line.trim_start();
        let mark = text.chars().next().filter(|first| matches!(first, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let marker = &text[..text.len() - info.len()];
        // ```so``` on one line is code within a line.
        let is_within_a_line = mark == '`' && info.contains('`');
        let is_fence = (3..=MARKER_CHARS).contains(&marker.len()) && line.len() <= OPENING_BYTES && !is_within_a_line;
        is_fence.then_some(Self { line, marker })
    }

    /// Whether a line ends the block: nothing but the marker, or a longer one.
    pub(super) fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        let is_marker = || line.bytes().all(|byte| self.marker.as_bytes().starts_with(&[byte]));
        (self.marker.len()..=MARKER_CHARS).contains(&line.len()) && is_marker()
    }

    /// Whether what it holds is not code but Markdown.
    pub(super) fn is_markdown(&self) -> bool {
        ["markdown", "md"].iter().any(|name| self.info().eq_ignore_ascii_case(name))
    }

    /// The language, when there is one.
    fn info(&self) -> &'a str {
        self.line.trim_start()[self.marker.len()..].trim()
    }
}

/// The fence that is still open at the end of a text.
pub(super) fn left_open(text: &str) -> Option<Fence<'_>> {
    open_after(text.lines())
}

/// The fence that is still open after these lines.
pub(super) fn open_after<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Fence<'a>> {
    lines.fold(None, |open: Option<Fence<'a>>, line| match open {
        Some(fence) => Some(fence).filter(|fence| !fence.is_closed_by(line)),
        None => Fence::opening(line),
    })
}

/// The fence that the last line of a text closes.
pub(super) fn ended_by_last_line(text: &str) -> Option<Fence<'_>> {
    let (before, last) = text.rsplit_once('\n')?;
    left_open(before).filter(|fence| fence.is_closed_by(last))
}

/// A run of lines that reads as one thing.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) kind: Kind<'a>,
    /// Its lines, without the line break behind the last one.
    pub(super) text: &'a str,
    /// Whether a blank line stands before it.
    pub(super) is_apart: bool,
    /// Whether it says little without what follows: a heading, or a line that ends with a colon.
    pub(super) introduces: bool,
}

/// What a block is, as far as cutting it goes.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// A paragraph, a heading, or a list item.
    Text,
    /// `head` are the names of the columns and the line under them.
    Table { head: &'a str, rows: &'a str },
    /// `close` is the closing line; `None` when the output ends before it.
    Code { fence: Fence<'a>, code: &'a str, close: Option<&'a str> },
}

/// Reads an output's blocks one after the other.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    rest: &'a str,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(output: &'a str) -> Self {
        Self { rest: output }
    }

    /// Takes lines while they are wanted; the text taken, without its last line break.
    fn take_while(&mut self, mut is_wanted: impl FnMut(&'a str, &'a str) -> bool) -> &'a str {
        let start = self.rest;
        while !self.rest.is_empty() {
            let (line, behind) = first_line(self.rest);
            if !is_wanted(line, behind) {
                break;
            }
            self.rest = behind;
        }
        let taken = &start[..start.len() - self.rest.len()];
        taken.strip_suffix('\n').unwrap_or(taken)
    }

    fn take_line(&mut self) -> &'a str {
        let (line, behind) = first_line(self.rest);
        self.rest = behind;
        line
    }

    fn code(&mut self, fence: Fence<'a>) -> Kind<'a> {
        self.take_line();
        let code = self.take_while(|line, _| !fence.is_closed_by(line));
        let close = (!self.rest.is_empty()).then(|| self.take_line());
        Kind::Code { fence, code, close }
    }

    fn table(&mut self) -> Kind<'a> {
        let mut head_lines = 2;
        let head = self.take_while(|_, _| {
            head_lines -= 1;
            head_lines >= 0
        });
        let rows = self.take_while(|line, _| line.contains('|') && Fence::opening(line).is_none());
        Kind::Table { head, rows }
    }

    fn text(&mut self) -> Kind<'a> {
        let first = self.take_line();
        if !is_heading(first) {
            self.take_while(|line, behind| !is_blank(line) && !starts_a_block(line, behind));
        }
        Kind::Text
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let before = self.rest.len();
        self.take_while(|line, _| is_blank(line));
        let start = self.rest;
        let is_apart = start.len() < before;
        if start.is_empty() {
            return None;
        }
        let (line, behind) = first_line(start);
        let kind = if let Some(fence) = Fence::opening(line) {
            self.code(fence)
        } else if is_table(line, behind) {
            self.table()
        } else {
            self.text()
        };
        let text = &start[..start.len() - self.rest.len()];
        let text = text.strip_suffix('\n').unwrap_or(text);
        let ends_with_colon =
            text.len() <= INTRODUCTION_BYTES && text.trim_end().trim_end_matches(['*', '_']).ends_with(':');
        let introduces = matches!(kind, Kind::Text) && (is_heading(line) || ends_with_colon);
        Some(Block { kind, text, is_apart, introduces })
    }
}

fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

fn is_blank(line: &str) -> bool {
    line.trim_start().is_empty()
}

fn starts_a_block(line: &str, behind: &str) -> bool {
    Fence::opening(line).is_some() || is_list_item(line) || is_heading(line) || is_table(line, behind)
}

fn is_heading(line: &str) -> bool {
    let text = line.trim_start();
    let behind = text.trim_start_matches('#');
    (1..=6).contains(&(text.len() - behind.len())) && behind.starts_with(' ')
}

fn is_list_item(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = match text.len() - number.len() {
        0 => text.strip_prefix(['-', '*', '+']),
        1..=9 => number.strip_prefix(['.', ')']),
        _ => None,
    };
    behind.is_some_and(|behind| behind.starts_with(' '))
}

/// Whether a line is the head of a table: columns, and a line of dashes and bars under it.
fn is_table(line: &str, behind: &str) -> bool {
    let is_rule = |line: &str| {
        line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t' | '\r'))
            && line.contains('|')
            && line.contains('-')
    };
    line.contains('|') && is_rule(first_line(behind).0)
}
