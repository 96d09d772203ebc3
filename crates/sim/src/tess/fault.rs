//! The faults of Tess. Each applies to one request.

use std::time::Duration;

use serde_json::Value;

/// The requests that a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// `POST /agents/{id}/execute`.
    Execute,
    /// `GET /agent-responses/{id}`.
    Poll,
    /// `GET /agents` and `GET /agents/{id}`.
    Agents,
    /// `POST /files`.
    Upload,
    /// `GET /files/{id}` and `DELETE /files/{id}`.
    File,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Sends this response; nothing is executed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The content type of the body.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// Sends a 429; nothing is executed.
    RateLimit {
        /// The pause that it demands, in seconds. A request during the pause is a violation.
        retry_after: Option<f64>,
        /// Whether the pause is in the header, in whole seconds, and not in the body.
        header: bool,
    },
    /// The execution succeeds with an empty output.
    Empty,
    /// The execution fails with this `error`; `Value::Null` omits the field.
    Failed(Value),
    /// The response comes at once and is unfinished, as are this many polls.
    Unfinished(usize),
    /// The response has this status; polls return the true one.
    Status(String),
    /// `credits` is null.
    NullCredits,
    /// Sends HTTP 524 in plain text; the execution continues.
    Http524,
    /// Sends half of the JSON, then closes the connection.
    Truncate,
    /// Sends a body that never ends.
    EndlessBody,
    /// Never responds; the execution continues.
    Hang,
    /// Closes the connection without a response, after the execution has run.
    DropConnection,
    /// Delays the response.
    Slow(Duration),
    /// Responds with JSON to a request for a stream.
    NoStream,
    /// Disturbs a stream.
    Stream {
        /// Events sent before the fault.
        after: usize,
        /// The fault.
        fault: StreamFault,
    },
}

/// A fault in the middle of a stream.
#[derive(Clone, Debug)]
pub enum StreamFault {
    /// The connection is closed; the execution continues.
    Break,
    /// The stream ends without its last event; the execution continues.
    End,
    /// The execution fails with this `error`.
    Fail(Value),
    /// Lines that are no events are sent; then the stream continues.
    Garbage,
    /// Nothing more is sent on the open connection; the execution continues.
    Silence,
    /// A line is sent that never ends.
    EndlessLine,
}
