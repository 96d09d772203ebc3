//! Packs the blocks of an output into parts of a limited length, one a message.

use super::{
    blocks::{Block, BlockKind, Blocks},
    cut::cut,
    fence::{Fence, MAX_MARKER_CHARS, unclosed_fence_in_lines},
};

/// Free characters from which on a block that does not fit into one part is started in the current one.
const MIN_START_CHARS: usize = 300;

/// Characters kept free in a part with a split line: half a line may read as a fence, which is then closed at its end.
pub(super) const CLOSING_CHARS: usize = 1 + MAX_MARKER_CHARS;

/// The text of one message.
#[derive(Debug)]
pub(super) struct Part {
    /// What is repeated before the body: the opening line of a fence, or a table's head.
    prefix: String,
    /// The section of the output.
    pub(super) body: String,
    /// What closes the code block that the body leaves open.
    suffix: String,
}

impl Part {
    pub(super) fn into_text(self) -> String {
        [self.prefix, self.body, self.suffix].concat()
    }
}

/// Packs an output into parts of at most `max_chars` characters, and stops once there are more than `max_parts`.
pub(super) fn pack(output: &str, max_chars: usize, max_parts: usize) -> Vec<Part> {
    let mut packer = Packer { max_chars, max_parts, finished: Vec::new(), current: Draft::default() };
    for block in Blocks::new(output) {
        packer.add(&block);
        if packer.is_full() {
            break;
        }
    }
    packer.finish_part("");
    packer.finished
}

/// What is repeated around each cut inside a block, line breaks included.
#[derive(Clone, Copy)]
struct Frame<'a> {
    prefix: &'a str,
    suffix: &'a str,
}

/// The part that is being filled.
#[derive(Default)]
struct Draft {
    text: String,
    chars: usize,
    body_start: usize,
    /// Whether it holds a line that was split.
    has_split_line: bool,
    /// Where the introductions at its end start.
    introduction_start: Option<usize>,
}

impl Draft {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.chars += text.chars().count();
    }
}

struct Packer {
    max_chars: usize,
    max_parts: usize,
    finished: Vec<Part>,
    current: Draft,
}

impl Packer {
    fn is_full(&self) -> bool {
        self.finished.len() > self.max_parts
    }

    /// Characters that may still be added to the current part.
    fn free_chars(&self) -> usize {
        let reserved = if self.current.has_split_line { CLOSING_CHARS } else { 0 };
        self.max_chars.saturating_sub(self.current.chars + reserved)
    }

    /// What separates a block from the text before it.
    fn separator(&self, block: &Block<'_>) -> &'static str {
        match (self.current.text.is_empty(), block.follows_blank_line) {
            (true, _) => "",
            (false, true) => "\n\n",
            (false, false) => "\n",
        }
    }

    fn add(&mut self, block: &Block<'_>) {
        let chars = block.text.chars().count() + chars_to_close(block);
        if self.separator(block).len() + chars > self.free_chars() {
            let needs_split = chars > self.max_chars;
            let wanted = if needs_split { MIN_START_CHARS + chars_of_frame(block) } else { chars };
            if !needs_split || self.free_chars() < wanted {
                self.start_part(wanted);
            }
            if needs_split {
                return self.split_block(block);
            }
        }
        self.current.push(self.separator(block));
        self.current.introduction_start = if block.is_introduction {
            self.current.introduction_start.or(Some(self.current.text.len()))
        } else {
            None
        };
        self.current.push(block.text);
    }

    /// Starts a part for a block of `wanted` characters. Moves the introductions before the block into it if they fit.
    fn start_part(&mut self, wanted: usize) {
        let at = self.current.introduction_start.filter(|at| *at > self.current.body_start);
        let introduction = at.map(|at| self.current.text[at..].to_owned());
        let fits = |text: &String| text.chars().count() + 2 + wanted <= self.max_chars;
        match (at, introduction.filter(fits)) {
            (Some(at), Some(introduction)) => {
                self.current.text.truncate(self.current.text[..at].trim_end().len());
                self.finish_part("");
                self.current.push(&introduction);
            }
            _ => self.finish_part(""),
        }
    }

    /// Adds a block that does not fit into one part.
    fn split_block(&mut self, block: &Block<'_>) {
        self.current.push(self.separator(block));
        self.current.introduction_start = None;
        match &block.kind {
            BlockKind::Table { head, rows } if chars_of_frame(block) <= self.max_chars / 2 => {
                let prefix = format!("{head}\n");
                self.current.push(&prefix);
                self.fill_parts(rows, Frame { prefix: &prefix, suffix: "" }, 0);
            }
            BlockKind::Text | BlockKind::Table { .. } => {
                self.fill_parts(block.text, Frame { prefix: "", suffix: "" }, 0);
            }
            BlockKind::Code { fence, code, closing_line } => {
                let prefix = format!("{}\n", fence.line);
                self.current.push(&prefix);
                let frame = Frame { prefix: &prefix, suffix: &format!("\n{}", fence.marker) };
                self.fill_parts(code, frame, chars_of_closing_line(fence, *closing_line));
                if let Some(closing_line) = closing_line {
                    self.current.push("\n");
                    self.current.push(closing_line.trim());
                }
            }
        }
    }

    /// Spreads `text` over as many parts as it takes. Each part gets the frame and keeps `reserved` characters free.
    fn fill_parts(&mut self, text: &str, frame: Frame<'_>, reserved: usize) {
        let mut rest = text;
        loop {
            self.current.has_split_line = true;
            let (chunk, following) = cut(rest, self.free_chars().saturating_sub(reserved).max(1));
            self.current.push(chunk);
            rest = following;
            if rest.is_empty() || self.is_full() {
                return;
            }
            self.finish_part(frame.suffix);
            self.current.push(frame.prefix);
            self.current.body_start = self.current.text.len();
        }
    }

    /// Ends the current part and closes the code block it leaves open. A part with a blank body is dropped.
    fn finish_part(&mut self, suffix: &str) {
        let Draft { text: mut prefix, body_start, .. } = std::mem::take(&mut self.current);
        let body = prefix.split_off(body_start);
        if body.trim().is_empty() {
            return;
        }
        let mut suffix = suffix.to_owned();
        let lines = prefix.lines().chain(body.lines()).chain(suffix.lines());
        let marker = unclosed_fence_in_lines(lines).map(|fence| fence.marker.to_owned());
        if let Some(marker) = marker {
            suffix.push('\n');
            suffix.push_str(&marker);
        }
        self.finished.push(Part { prefix, body, suffix });
    }
}

/// Characters that are added to close the block's code if the output left it open.
fn chars_to_close(block: &Block<'_>) -> usize {
    match &block.kind {
        BlockKind::Code { fence, closing_line: None, .. } => 1 + fence.marker.len(),
        _ => 0,
    }
}

/// Characters that each part of a split block needs beside its lines.
fn chars_of_frame(block: &Block<'_>) -> usize {
    match &block.kind {
        BlockKind::Text => 0,
        BlockKind::Table { head, .. } => 1 + head.chars().count(),
        BlockKind::Code { fence, closing_line, .. } => {
            1 + fence.line.chars().count() + chars_of_closing_line(fence, *closing_line)
        }
    }
}

/// Characters of the line that closes a code block or one part of it, its line break included.
fn chars_of_closing_line(fence: &Fence<'_>, closing_line: Option<&str>) -> usize {
    1 + closing_line.map_or(0, |line| line.trim().len()).max(fence.marker.len())
}
