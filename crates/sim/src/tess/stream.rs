//! An execution told in server-sent events, a few words each, and what goes wrong in the middle.

use std::{collections::VecDeque, io, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};

use super::{
    Shared, TessSim,
    faults::{Fault, Route},
    net::Cut,
    routes::end_of,
};

/// Bytes of one piece of a line without end.
const ENDLESS_PIECE: usize = 64 * 1024;

/// What a garbage line is: cut JSON, JSON that is no event, and lines of other fields.
const GARBAGE: &str =
    ": a comment\r\n\r\nevent: noise\r\nid: 7\r\ndata: {\"id\": 12\r\n\r\ndata: [1]\r\n\r\ndata:\r\n\r\n";

/// What goes wrong in the middle of a stream.
#[derive(Clone, Debug)]
pub enum StreamFault {
    /// The connection is cut; the execution goes on.
    Break,
    /// The stream ends in order, without the last event; the execution goes on.
    End,
    /// The execution ends as failed, with this `error`.
    Fail(Value),
    /// Lines come that are no events; then the stream goes on.
    Garbage,
    /// Nothing comes any more, and the connection stays open; the execution goes on.
    Silence,
    /// A line comes that never ends.
    EndlessLine,
}

/// Whether the answer to a request for a stream is told in events.
pub(super) fn is_told(fault: Option<&Fault>) -> bool {
    !matches!(
        fault,
        Some(
            Fault::Http524
                | Fault::Truncate
                | Fault::EndlessBody
                | Fault::Hang
                | Fault::DropConnection
                | Fault::PlainAnswer
        )
    )
}

pub(super) fn respond(sim: Arc<Shared>, id: u64, fault: Option<Fault>, cut: Cut) -> Response {
    let words = sim.options.words_per_piece.max(1);
    let output = sim.world().find(id).map(|run| run.output.clone()).unwrap_or_default();
    let trouble = match fault {
        Some(Fault::Stream { after, what }) => Some((after, what)),
        _ => None,
    };
    let teller = Teller { sim, id, pieces: pieces(&output, words), told: 0, trouble, cut, over: false };
    let events = stream::unfold(teller, |mut teller| async move {
        let event = teller.next().await?;
        Some((Ok::<_, io::Error>(Bytes::from(event)), teller))
    });
    ([(header::CONTENT_TYPE, "text/event-stream; charset=UTF-8")], Body::from_stream(events)).into_response()
}

fn pieces(output: &str, words: usize) -> VecDeque<String> {
    let words_of: Vec<&str> = output.split_inclusive(' ').collect();
    words_of.chunks(words).map(<[&str]>::concat).collect()
}

/// Tells one execution.
struct Teller {
    sim: Arc<Shared>,
    id: u64,
    pieces: VecDeque<String>,
    /// Pieces told.
    told: usize,
    trouble: Option<(usize, StreamFault)>,
    cut: Cut,
    over: bool,
}

impl Teller {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        if let Some((_, trouble)) = self.trouble.take_if(|(after, _)| *after == self.told)
            && let Some(bytes) = self.go_wrong(trouble).await
        {
            return Some(bytes);
        }
        match self.pieces.pop_front() {
            _ if self.over => None,
            Some(piece) => {
                self.until_told().await;
                self.told += 1;
                self.event(Some(&piece))
            }
            None => {
                self.over = true;
                end_of(&self.sim, self.id).await;
                self.event(None)
            }
        }
    }

    async fn go_wrong(&mut self, trouble: StreamFault) -> Option<String> {
        match trouble {
            StreamFault::Break => {
                // Gives the server the moment to send what was told.
                tokio::task::yield_now().await;
                self.cut.cut();
                std::future::pending().await
            }
            StreamFault::Silence => std::future::pending().await,
            StreamFault::End => {
                self.over = true;
                None
            }
            StreamFault::Fail(_) => {
                self.pieces.clear();
                None
            }
            StreamFault::Garbage => Some(GARBAGE.to_owned()),
            StreamFault::EndlessLine => {
                self.trouble = Some((self.told, StreamFault::EndlessLine));
                Some("x".repeat(ENDLESS_PIECE))
            }
        }
    }

    /// Thinks before the first piece, keeps the pace between pieces, and stops while it is held.
    async fn until_told(&self) {
        if self.told == 0 {
            let ready_at = self.sim.world().find(self.id).map(|run| run.ready_at);
            if let Some(ready_at) = ready_at {
                sleep_until(ready_at).await;
            }
        } else if !self.sim.options.pace.is_zero() {
            sleep(self.sim.options.pace).await;
        }
        self.sim.until(|world| world.find(self.id).is_none_or(|run| run.tells(self.told)).then_some(())).await;
    }

    fn event(&self, piece: Option<&str>) -> Option<String> {
        let event = self.sim.world().told(self.id, piece)?;
        Some(format!("data: {event}\n\n"))
    }
}

impl TessSim {
    /// The next stream stops after so many pieces, until it is released.
    pub fn hold_stream_after(&self, pieces: usize) {
        self.shared.change(|world| world.hold_stream.push_back(pieces));
    }

    /// The next stream goes wrong after so many pieces; before the first, its id is not known.
    pub fn stream_fault_next(&self, after: usize, what: StreamFault) {
        self.fault_on(Route::Execute, Fault::Stream { after, what });
    }

    /// [`StreamFault::Break`].
    pub fn break_stream_next(&self, after: usize) {
        self.stream_fault_next(after, StreamFault::Break);
    }

    /// [`StreamFault::Fail`].
    pub fn fail_stream_next(&self, after: usize, error: &str) {
        self.stream_fault_next(after, StreamFault::Fail(json!(error)));
    }

    /// [`Fault::PlainAnswer`].
    pub fn plain_answer_next(&self) {
        self.fault_on(Route::Execute, Fault::PlainAnswer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_told_in_pieces_that_make_it_up_again() {
        let output = "One two  three\nfour five, seis ação.";
        for words in 1..8 {
            let pieces = pieces(output, words);
            assert_eq!(pieces.iter().map(String::as_str).collect::<String>(), output);
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }
        assert_eq!(pieces("a b c", 2), ["a b ", "c"]);
        assert!(pieces("", 2).is_empty());
    }
}
