//! Streams: an execution in server-sent events of a few words each.

use std::{collections::VecDeque, io, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::time::{sleep, sleep_until};

use super::{
    fault::{Fault, StreamFault},
    net::Cut,
    state::Shared,
};

/// Bytes of one piece of an endless line.
const ENDLESS_PIECE: usize = 64 * 1024;

/// Lines that are no events: other fields, truncated JSON, and JSON that is no execution.
const GARBAGE: &str =
    ": a comment\r\n\r\nevent: noise\r\nid: 7\r\ndata: {\"id\": 12\r\n\r\ndata: [1]\r\n\r\ndata:\r\n\r\n";

/// Whether the response to a request for a stream is a stream.
pub(super) fn is_streamed(fault: Option<&Fault>) -> bool {
    !matches!(
        fault,
        Some(
            Fault::Http524
                | Fault::Truncate
                | Fault::EndlessBody
                | Fault::Hang
                | Fault::DropConnection
                | Fault::NoStream
        )
    )
}

pub(super) fn respond(sim: Arc<Shared>, id: u64, fault: Option<Fault>, cut: Cut) -> Response {
    let words = sim.options.words_per_event.max(1);
    let output = sim.world().find(id).map(|run| run.output.clone()).unwrap_or_default();
    let fault = match fault {
        Some(Fault::Stream { after, fault }) => Some((after, fault)),
        _ => None,
    };
    let events = Events { sim, id, pieces: split(&output, words), sent: 0, fault, cut, ended: false };
    let events = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, io::Error>(Bytes::from(event)), events))
    });
    ([(header::CONTENT_TYPE, "text/event-stream; charset=UTF-8")], Body::from_stream(events)).into_response()
}

/// Splits an output into pieces of some words.
fn split(output: &str, words: usize) -> VecDeque<String> {
    let all: Vec<&str> = output.split_inclusive(' ').collect();
    all.chunks(words).map(<[&str]>::concat).collect()
}

/// The events of one execution.
struct Events {
    sim: Arc<Shared>,
    id: u64,
    pieces: VecDeque<String>,
    sent: usize,
    /// A fault, and how many events come before it.
    fault: Option<(usize, StreamFault)>,
    cut: Cut,
    ended: bool,
}

impl Events {
    /// The next bytes of the stream; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        if let Some((_, fault)) = self.fault.take_if(|(after, _)| *after == self.sent)
            && let Some(bytes) = self.apply(fault).await
        {
            return Some(bytes);
        }
        match self.pieces.pop_front() {
            _ if self.ended => None,
            Some(piece) => {
                self.wait_for_piece().await;
                self.sent += 1;
                self.event(Some(&piece))
            }
            None => {
                self.ended = true;
                self.sim.until_ended(self.id).await;
                self.event(None)
            }
        }
    }

    /// Applies a fault; returns the bytes to send, if any.
    async fn apply(&mut self, fault: StreamFault) -> Option<String> {
        match fault {
            StreamFault::Break => {
                // Lets the server send the events before.
                tokio::task::yield_now().await;
                self.cut.cut();
                std::future::pending().await
            }
            StreamFault::Silence => std::future::pending().await,
            StreamFault::End => {
                self.ended = true;
                None
            }
            StreamFault::Fail(_) => {
                self.pieces.clear();
                None
            }
            StreamFault::Garbage => Some(GARBAGE.to_owned()),
            StreamFault::EndlessLine => {
                self.fault = Some((self.sent, StreamFault::EndlessLine));
                Some("x".repeat(ENDLESS_PIECE))
            }
        }
    }

    /// Waits until the next piece may be sent: for the delay of the execution before the first, for the interval between
    /// two, and while the stream is held.
    async fn wait_for_piece(&self) {
        if self.sent == 0 {
            let ready_at = self.sim.world().find(self.id).map(|run| run.ready_at);
            if let Some(ready_at) = ready_at {
                sleep_until(ready_at).await;
            }
        } else if !self.sim.options.event_interval.is_zero() {
            sleep(self.sim.options.event_interval).await;
        }
        self.sim.until(|world| world.find(self.id).is_none_or(|run| run.may_send(self.sent)).then_some(())).await;
    }

    fn event(&self, piece: Option<&str>) -> Option<String> {
        let event = self.sim.world().stream_event(self.id, piece)?;
        Some(format!("data: {event}\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_an_output_concatenate_to_the_output() {
        let output = "One two  three\nfour five, seis ação.";
        for words in 1..8 {
            let pieces = split(output, words);
            assert_eq!(pieces.iter().map(String::as_str).collect::<String>(), output);
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }
        assert_eq!(split("a b c", 2), ["a b ", "c"]);
        assert!(split("", 2).is_empty());
    }
}
