//! Server-sent events as Tess sends them: one JSON object in each `data:` line. Pure.
//!
//! Everything else is ignored: comments, `event:` and `id:` lines, lines that are not JSON.

use super::wire::{self, Event};

/// Longest line, in bytes. A line usually holds a few words, at most a whole output.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Longest stream, in bytes. Some letters of output come in an object of about 300 bytes.
pub(super) const MAX_STREAM_BYTES: usize = 32 * 1024 * 1024;

/// A parsed line.
#[derive(Debug)]
pub(super) enum Line {
    Event(Event),
    /// `data: [DONE]`, the end in the form of `OpenAI`.
    Done,
    Other,
}

pub(super) fn parse(line: &[u8]) -> Line {
    let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else { return Line::Other };
    if data == b"[DONE]" { Line::Done } else { wire::event(data).map_or(Line::Other, Line::Event) }
}

/// Splits bytes into lines. Characters of several bytes may arrive in pieces, so that only whole lines are parsed.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next whole line, without its end.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let rest = &self.bytes[self.start..];
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        self.start += length + 1;
        let line = &rest[..length];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Returns the bytes of the last line if its end has not arrived, 0 otherwise.
    pub(super) fn unfinished(&self) -> usize {
        let rest = &self.bytes[self.start..];
        rest.iter().rev().take_while(|byte| **byte != b'\n').count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::wire::State, *};

    const STREAM: &str = ": hello\r\n\r\nevent: message\nid: 7\ndata: {\"id\":1,\"status\":\"running\",\"output\":\"Olá, \"}\n\n\
        data:{\"status\":\"running\"}\n\ndata: {\"id\": 12\n\ndata: 5\r\ndata: {\"id\":1,\"output\":\"日本 🦀\"}\r\n\r\n\
        retry: 3000\ndata: {\"id\":1,\"status\":\"completed\",\"output\":\"\",\"credits\":10}\n\ndata: [DONE]\n\n";

    /// The outputs of the events in pieces of bytes, with `|` between them, and what the last one ends with.
    fn outputs(pieces: &[&[u8]]) -> String {
        let mut lines = Lines::default();
        let mut found = String::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next() {
                match parse(line) {
                    Line::Event(event) => {
                        found.push_str(&event.report.output);
                        found.push(if event.report.state == State::Succeeded { '.' } else { '|' });
                    }
                    Line::Done => found.push_str("done"),
                    Line::Other => {}
                }
            }
        }
        found
    }

    #[test]
    fn only_the_events_are_parsed() {
        assert_eq!(outputs(&[STREAM.as_bytes()]), "Olá, ||日本 🦀|.done");
    }

    #[test]
    fn only_the_line_without_an_end_counts_as_unfinished() {
        let mut lines = Lines::default();
        lines.push(b"data: 1\ndat");
        assert_eq!(lines.unfinished(), 3);
        lines.push(b"a: 2");
        assert_eq!(lines.unfinished(), 7);
        lines.push(b"\n");
        assert_eq!(lines.unfinished(), 0);
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_where_the_network_splits(mut cuts in prop::collection::vec(0..STREAM.len(), 0..20)) {
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = STREAM.as_bytes();
            for cut in cuts.into_iter().rev() {
                let (before, after) = rest.split_at(cut);
                pieces.push(after);
                rest = before;
            }
            pieces.push(rest);
            pieces.reverse();
            prop_assert_eq!(outputs(&pieces), "Olá, ||日本 🦀|.done");
        }

        #[test]
        fn reading_never_panics(bytes in any::<Vec<u8>>()) {
            outputs(&[b"data:", &bytes, b"\ndata: ", &bytes, b"\n"]);
        }
    }
}
