//! Reads an output as blocks: paragraphs, headings, list items, tables and code blocks.
//!
//! Parses only as much Markdown as splitting needs.

use super::fence::Fence;

/// Longest text in bytes that counts as an introduction of what follows when it ends with a colon.
const MAX_INTRODUCTION_BYTES: usize = 300;

/// Consecutive lines that belong together.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) kind: BlockKind<'a>,
    /// Its lines, without the last line break.
    pub(super) text: &'a str,
    pub(super) follows_blank_line: bool,
    /// Whether it belongs with what follows: a heading, or a text that ends with a colon.
    pub(super) is_introduction: bool,
}

/// The kind of a block, which decides how it is split.
#[derive(Debug)]
pub(super) enum BlockKind<'a> {
    /// A paragraph, a heading, or a list item.
    Text,
    /// `head` is the row of column names and the line under it.
    Table { head: &'a str, rows: &'a str },
    /// `closing_line` is `None` when the output ends before the block does.
    Code { fence: Fence<'a>, code: &'a str, closing_line: Option<&'a str> },
}

/// An iterator over the blocks of an output.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    rest: &'a str,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(output: &'a str) -> Self {
        Self { rest: output }
    }

    /// Takes lines while `is_wanted` accepts a line and the text after it. Returns them without the last line break.
    fn take_while(&mut self, mut is_wanted: impl FnMut(&'a str, &'a str) -> bool) -> &'a str {
        let start = self.rest;
        while !self.rest.is_empty() {
            let (line, following) = first_line(self.rest);
            if !is_wanted(line, following) {
                break;
            }
            self.rest = following;
        }
        let taken = &start[..start.len() - self.rest.len()];
        taken.strip_suffix('\n').unwrap_or(taken)
    }

    fn take_line(&mut self) -> &'a str {
        let (line, following) = first_line(self.rest);
        self.rest = following;
        line
    }

    fn take_code(&mut self, fence: Fence<'a>) -> BlockKind<'a> {
        self.take_line();
        let code = self.take_while(|line, _| !fence.is_closed_by(line));
        let closing_line = (!self.rest.is_empty()).then(|| self.take_line());
        BlockKind::Code { fence, code, closing_line }
    }

    fn take_table(&mut self) -> BlockKind<'a> {
        let mut head_lines = 2;
        let head = self.take_while(|_, _| {
            head_lines -= 1;
            head_lines >= 0
        });
        let rows = self.take_while(|line, _| line.contains('|') && Fence::parse_opening(line).is_none());
        BlockKind::Table { head, rows }
    }

    fn take_text(&mut self) -> BlockKind<'a> {
        let first = self.take_line();
        if !is_heading(first) {
            self.take_while(|line, following| !is_blank(line) && !starts_block(line, following));
        }
        BlockKind::Text
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let before = self.rest.len();
        self.take_while(|line, _| is_blank(line));
        let start = self.rest;
        let follows_blank_line = start.len() < before;
        if start.is_empty() {
            return None;
        }
        let (line, following) = first_line(start);
        let kind = if let Some(fence) = Fence::parse_opening(line) {
            self.take_code(fence)
        } else if is_table(line, following) {
            self.take_table()
        } else {
            self.take_text()
        };
        let text = &start[..start.len() - self.rest.len()];
        let text = text.strip_suffix('\n').unwrap_or(text);
        let ends_with_colon =
            text.len() <= MAX_INTRODUCTION_BYTES && text.trim_end().trim_end_matches(['*', '_']).ends_with(':');
        let is_introduction = matches!(kind, BlockKind::Text) && (is_heading(line) || ends_with_colon);
        Some(Block { kind, text, follows_blank_line, is_introduction })
    }
}

fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

fn is_blank(line: &str) -> bool {
    line.trim_start().is_empty()
}

fn starts_block(line: &str, following: &str) -> bool {
    Fence::parse_opening(line).is_some() || is_list_item(line) || is_heading(line) || is_table(line, following)
}

fn is_heading(line: &str) -> bool {
    let text = line.trim_start();
    let following = text.trim_start_matches('#');
    (1..=6).contains(&(text.len() - following.len())) && following.starts_with(' ')
}

fn is_list_item(line: &str) -> bool {
    let text = line.trim_start();
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let following = match text.len() - number.len() {
        0 => text.strip_prefix(['-', '*', '+']),
        1..=9 => number.strip_prefix(['.', ')']),
        _ => None,
    };
    following.is_some_and(|following| following.starts_with(' '))
}

/// Whether a table starts with this line: it has columns, and the line under it has only dashes, bars and colons.
fn is_table(line: &str, following: &str) -> bool {
    let is_rule = |line: &str| {
        line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t' | '\r'))
            && line.contains('|')
            && line.contains('-')
    };
    line.contains('|') && is_rule(first_line(following).0)
}
