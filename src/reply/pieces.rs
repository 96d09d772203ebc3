//! Blocks packed into pieces of a limited length.

use super::blocks::{self, Block, Blocks, Fence, Kind, MARKER_CHARS};

/// Room that makes it worth starting a block that has to be torn anyway, instead of giving it a fresh piece.
const WORTHWHILE_CHARS: usize = 300;

/// Room kept in a piece with torn lines: half a line may read as a fence, which is then closed at the piece's end.
pub(super) const CLOSING_CHARS: usize = 1 + MARKER_CHARS;

/// Steps back from the middle of a character that is made of several code points.
const MOST_STEPS_BACK: usize = 64;

/// One message's text.
#[derive(Debug)]
pub(super) struct Piece {
    /// What is repeated before the body: the opening line of a fence, or a table's head.
    open: String,
    /// What of it stands in the output.
    pub(super) body: String,
    /// What closes the code that the body leaves open.
    close: String,
}

impl Piece {
    pub(super) fn into_text(self) -> String {
        [self.open, self.body, self.close].concat()
    }
}

/// Packs an output into pieces of at most `limit` characters, and stops once there are more than `most`.
pub(super) fn pack(output: &str, limit: usize, most: usize) -> Vec<Piece> {
    let mut packer = Packer { limit, most, pieces: Vec::new(), piece: Open::default() };
    for block in Blocks::new(output) {
        packer.add(&block);
        if packer.is_full() {
            break;
        }
    }
    packer.finish("");
    packer.pieces
}

/// What is repeated around a cut inside a block, line breaks included.
#[derive(Clone, Copy)]
struct Frame<'a> {
    open: &'a str,
    close: &'a str,
}

/// A piece that is being filled.
#[derive(Default)]
struct Open {
    text: String,
    chars: usize,
    body_start: usize,
    /// Whether it holds a line that was cut in two.
    is_torn: bool,
    /// Where the introductions at its end start.
    introduction: Option<usize>,
}

impl Open {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.chars += text.chars().count();
    }
}

struct Packer {
    limit: usize,
    most: usize,
    pieces: Vec<Piece>,
    piece: Open,
}

impl Packer {
    fn is_full(&self) -> bool {
        self.pieces.len() > self.most
    }

    fn room(&self) -> usize {
        let kept = if self.piece.is_torn { CLOSING_CHARS } else { 0 };
        self.limit.saturating_sub(self.piece.chars + kept)
    }

    /// What stands between the piece so far and a block that joins it.
    fn gap(&self, block: &Block<'_>) -> &'static str {
        match (self.piece.text.is_empty(), block.is_apart) {
            (true, _) => "",
            (false, true) => "\n\n",
            (false, false) => "\n",
        }
    }

    fn add(&mut self, block: &Block<'_>) {
        let chars = block.text.chars().count() + chars_to_close(block);
        if self.gap(block).len() + chars > self.room() {
            let is_torn = chars > self.limit;
            let wanted = if is_torn { WORTHWHILE_CHARS + chars_of_frame(block) } else { chars };
            if !is_torn || self.room() < wanted {
                self.move_on(wanted);
            }
            if is_torn {
                return self.tear(block);
            }
        }
        self.piece.push(self.gap(block));
        self.piece.introduction =
            if block.introduces { self.piece.introduction.or(Some(self.piece.text.len())) } else { None };
        self.piece.push(block.text);
    }

    /// Starts a piece for a block of `wanted` characters, and takes along what introduces it.
    fn move_on(&mut self, wanted: usize) {
        let at = self.piece.introduction.filter(|at| *at > self.piece.body_start);
        let introduction = at.map(|at| self.piece.text[at..].to_owned());
        let fits = |text: &String| text.chars().count() + 2 + wanted <= self.limit;
        match (at, introduction.filter(fits)) {
            (Some(at), Some(introduction)) => {
                self.piece.text.truncate(self.piece.text[..at].trim_end().len());
                self.finish("");
                self.piece.push(&introduction);
            }
            _ => self.finish(""),
        }
    }

    fn tear(&mut self, block: &Block<'_>) {
        self.piece.push(self.gap(block));
        self.piece.introduction = None;
        match &block.kind {
            Kind::Table { head, rows } if chars_of_frame(block) <= self.limit / 2 => {
                let open = format!("{head}\n");
                self.piece.push(&open);
                self.fill(rows, Frame { open: &open, close: "" }, 0);
            }
            Kind::Text | Kind::Table { .. } => self.fill(block.text, Frame { open: "", close: "" }, 0),
            Kind::Code { fence, code, close } => {
                let open = format!("{}\n", fence.line);
                self.piece.push(&open);
                let frame = Frame { open: &open, close: &format!("\n{}", fence.marker) };
                self.fill(code, frame, chars_of_close(fence, *close));
                if let Some(close) = close {
                    self.piece.push("\n");
                    self.piece.push(close.trim());
                }
            }
        }
    }

    /// Fills piece after piece with `text`, each in the frame and with `kept` characters left free.
    fn fill(&mut self, text: &str, frame: Frame<'_>, kept: usize) {
        let mut rest = text;
        loop {
            self.piece.is_torn = true;
            let (chunk, behind) = split(rest, self.room().saturating_sub(kept).max(1));
            self.piece.push(chunk);
            rest = behind;
            if rest.is_empty() || self.is_full() {
                return;
            }
            self.finish(frame.close);
            self.piece.push(frame.open);
            self.piece.body_start = self.piece.text.len();
        }
    }

    /// Ends the piece, unless it says nothing, and closes the code it leaves open.
    fn finish(&mut self, close: &str) {
        let Open { text: mut open, body_start, .. } = std::mem::take(&mut self.piece);
        let body = open.split_off(body_start);
        if body.trim().is_empty() {
            return;
        }
        let mut close = close.to_owned();
        let marker =
            blocks::open_after(open.lines().chain(body.lines()).chain(close.lines())).map(|fence| fence.marker);
        if let Some(marker) = marker.map(str::to_owned) {
            close.push('\n');
            close.push_str(&marker);
        }
        self.pieces.push(Piece { open, body, close });
    }
}

/// Characters that closing the block's code adds, when the output did not close it.
fn chars_to_close(block: &Block<'_>) -> usize {
    match &block.kind {
        Kind::Code { fence, close: None, .. } => 1 + fence.marker.len(),
        _ => 0,
    }
}

/// Characters that each part of a torn block needs beside its lines.
fn chars_of_frame(block: &Block<'_>) -> usize {
    match &block.kind {
        Kind::Text => 0,
        Kind::Table { head, .. } => 1 + head.chars().count(),
        Kind::Code { fence, close, .. } => 1 + fence.line.chars().count() + chars_of_close(fence, *close),
    }
}

/// Characters of the line that ends a block of code, or a part of it.
fn chars_of_close(fence: &Fence<'_>, close: Option<&str>) -> usize {
    1 + close.map_or(0, |close| close.trim().len()).max(fence.marker.len())
}

/// Cuts a text after at most `room` characters where it hurts least, and drops the blank space at the cut.
pub(super) fn split(text: &str, room: usize) -> (&str, &str) {
    let Some((end, _)) = text.char_indices().nth(room) else { return (text, "") };
    let (chunk, behind) = text.split_at(break_point(text, end));
    (chunk.trim_end(), without_blank_start(behind))
}

/// The best place to cut at or before the byte `end`; never at the very start.
fn break_point(text: &str, end: usize) -> usize {
    // A gap right behind the end may be cut at as well.
    let reach = text[end..].chars().next().map_or(end, |next| end + next.len_utf8());
    let window = &text[..reach];
    let line = window.rfind('\n').filter(|at| *at > 0);
    let word = window.rfind(char::is_whitespace).filter(|at| *at > 0);
    line.filter(|at| *at >= end / 4)
        .or_else(|| sentence_end(window).filter(|at| *at >= end / 2))
        .or(word.filter(|at| *at >= end / 2))
        .or(line)
        .or(word)
        .unwrap_or_else(|| character_start(text, end))
}

/// The last gap behind the end of a sentence.
fn sentence_end(text: &str) -> Option<usize> {
    let gaps = text.char_indices().rev().filter(|(_, c)| c.is_whitespace());
    gaps.map(|(at, _)| at).find(|at| {
        let before = text[..*at].trim_end_matches(['"', '\'', ')', '*', '_', '”', '’', '»']);
        before.ends_with(['.', '!', '?', '…', '。', '！', '？'])
    })
}

/// The start of the character, as people see it, that the code point at `end` belongs to.
fn character_start(text: &str, end: usize) -> usize {
    let mut at = end;
    let mut behind = text[end..].chars().next();
    for before in text[..end].chars().rev().take(MOST_STEPS_BACK) {
        if !behind.is_some_and(joins_the_one_before) && before != '\u{200d}' {
            return at;
        }
        at -= before.len_utf8();
        behind = Some(before);
    }
    // Nothing but joined code points within reach: cutting them is better than not cutting at all.
    end
}

/// Whether a code point is shown together with the one before it: marks, joiners, variations, skin tones, tags.
/// The blocks of such code points only; single marks of other scripts are not listed.
fn joins_the_one_before(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{64b}'..='\u{65f}'
        | '\u{93a}'..='\u{93c}' | '\u{93e}'..='\u{94f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{3099}' | '\u{309a}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// A text without the blank lines at its start; the indentation of the first line that says something stays.
fn without_blank_start(text: &str) -> &str {
    let said = text.trim_start();
    let blank = &text[..text.len() - said.len()];
    blank.rfind('\n').map_or(said, |at| &text[at + 1..])
}
