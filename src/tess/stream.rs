//! A stream of server-sent events, as Tess sends them: one JSON object a `data:` line.
//!
//! Whatever else is in it (comments, `event:` and `id:` lines, lines that are not JSON) is passed over.

use reqwest::Response;

use super::{
    http::describe,
    wire::{self, Event},
};

/// Longest line, in bytes. A line holds a few words as a rule, a whole output at most.
const LINE_BYTES: usize = 1024 * 1024;

/// Longest stream, in bytes: a piece of some letters comes in an object of 300 bytes.
const STREAM_BYTES: usize = 32 * 1024 * 1024;

/// The events of one answer.
pub(super) struct Events {
    response: Response,
    lines: Lines,
    /// Bytes read.
    read: usize,
    ended: bool,
}

impl Events {
    pub(super) fn new(response: Response) -> Self {
        Self { response, lines: Lines::default(), read: 0, ended: false }
    }

    /// The next event; the error says why there is none any more.
    pub(super) async fn next(&mut self) -> Result<Event, String> {
        loop {
            while let Some(line) = self.lines.next() {
                match parse(line) {
                    Line::Event(event) => return Ok(event),
                    Line::Done => self.ended = true,
                    Line::Other => {}
                }
            }
            if self.ended {
                return Err("the stream ended".to_owned());
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), String> {
        match self.response.chunk().await.map_err(describe)? {
            None => {
                self.ended = true;
                // The last line may have no end.
                self.lines.push(b"\n");
            }
            Some(chunk) => {
                self.read += chunk.len();
                self.lines.push(&chunk);
            }
        }
        if self.read > STREAM_BYTES {
            return Err(format!("the stream is longer than {STREAM_BYTES} bytes"));
        }
        if self.lines.unfinished() > LINE_BYTES {
            return Err(format!("a line of the stream is longer than {LINE_BYTES} bytes"));
        }
        Ok(())
    }
}

/// What a line is to the reader.
#[derive(Debug)]
enum Line {
    Event(Event),
    /// `data: [DONE]`, the end in the form of `OpenAI`.
    Done,
    Other,
}

fn parse(line: &[u8]) -> Line {
    let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) else { return Line::Other };
    if data == b"[DONE]" { Line::Done } else { wire::event(data).map_or(Line::Other, Line::Event) }
}

/// Cuts bytes into lines. Letters of several bytes may come in pieces: only whole lines are looked at.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    fn next(&mut self) -> Option<&[u8]> {
        let rest = &self.bytes[self.start..];
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        self.start += length + 1;
        let line = &rest[..length];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Bytes of a line whose end has not come; what [`Lines::next`] would still give counts as well.
    fn unfinished(&self) -> usize {
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
    fn only_the_events_are_seen() {
        assert_eq!(outputs(&[STREAM.as_bytes()]), "Olá, ||日本 🦀|.done");
    }

    #[test]
    fn a_line_is_only_as_long_as_what_has_no_end_yet() {
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
        fn it_does_not_matter_where_the_network_cuts(mut cuts in prop::collection::vec(0..STREAM.len(), 0..20)) {
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
        fn no_bytes_make_reading_panic(bytes in any::<Vec<u8>>()) {
            outputs(&[b"data:", &bytes, b"\ndata: ", &bytes, b"\n"]);
        }
    }
}
