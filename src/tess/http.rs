//! Sends one request and reads its reply: headers, a time limit, a bounded body or a stream.

use std::{error::Error, time::Duration};

use reqwest::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::{
    error::TessError,
    stream::{self, Line, Lines, MAX_LINE_BYTES, MAX_STREAM_BYTES},
    wire::{self, Event},
};
use crate::{config::TessConfig, ids::WorkspaceId};

/// Longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Sends requests with one key.
pub(super) struct Http {
    client: reqwest::Client,
    api_url: String,
    key: SecretString,
    workspace: Option<WorkspaceId>,
}

/// A reply, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    /// The header `Retry-After`.
    pub(super) retry_header: Option<String>,
}

/// A reply of either kind.
pub(super) enum Opened {
    Reply(Reply),
    /// Only with a 2xx status.
    Events(Events),
}

/// Why there is no reply.
pub(super) enum NoReply {
    /// No connection was made, so that the request was not sent.
    NotSent { detail: String },
    /// The request was sent, or may have been.
    Lost { detail: String },
}

impl Http {
    pub(super) fn new(client: reqwest::Client, config: &TessConfig) -> Self {
        Self { client, api_url: config.api_url.clone(), key: config.api_key.clone(), workspace: config.workspace }
    }

    pub(super) fn get(&self, path: &str) -> Result<Request, TessError> {
        self.request(Method::GET, path, None)
    }

    pub(super) fn delete(&self, path: &str) -> Result<Request, TessError> {
        self.request(Method::DELETE, path, None)
    }

    pub(super) fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Result<Request, TessError> {
        self.request(Method::POST, path, Some((content_type, body)))
    }

    fn request(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Request, TessError> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.api_url))
            .bearer_auth(self.key.expose_secret())
            .header(ACCEPT, "application/json");
        if let Some(WorkspaceId(workspace)) = self.workspace {
            request = request.header("x-workspace-id", workspace);
        }
        if let Some((content_type, body)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(body);
        }
        request.build().map_err(|error| TessError::NotSent { detail: describe(error) })
    }

    /// Sends a copy of `request` and reads the reply, within `limit`.
    pub(super) async fn send(&self, request: &Request, limit: Duration) -> Result<Reply, NoReply> {
        within(limit, async { read(self.response(request).await?).await }).await
    }

    /// Sends a copy of `request` within `limit`; a stream of events is returned as soon as it begins.
    pub(super) async fn open(&self, request: &Request, limit: Duration) -> Result<Opened, NoReply> {
        let opened = async {
            let response = self.response(request).await?;
            if response.status().is_success() && is_event_stream(response.headers()) {
                return Ok(Opened::Events(Events::new(response)));
            }
            read(response).await.map(Opened::Reply)
        };
        within(limit, opened).await
    }

    async fn response(&self, request: &Request) -> Result<Response, NoReply> {
        let request = request.try_clone().expect("only a streamed body cannot be cloned, and there is none");
        self.client.execute(request).await.map_err(|error| {
            let not_sent = error.is_connect();
            let detail = describe(error);
            if not_sent { NoReply::NotSent { detail } } else { NoReply::Lost { detail } }
        })
    }
}

async fn within<T>(limit: Duration, answered: impl Future<Output = Result<T, NoReply>>) -> Result<T, NoReply> {
    let timed_out = |_| NoReply::Lost { detail: format!("no answer within {limit:?}") };
    timeout(limit, answered).await.map_err(timed_out)?
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.trim().to_ascii_lowercase().starts_with("text/event-stream"))
}

async fn read(mut response: Response) -> Result<Reply, NoReply> {
    let status = response.status();
    let retry_header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    loop {
        let broken = match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_BODY_BYTES => {
                body.extend_from_slice(&chunk);
                continue;
            }
            Ok(Some(_)) => format!("the answer is longer than {MAX_BODY_BYTES} bytes"),
            Err(error) => describe(error),
        };
        // A refusal is reported even if its text cannot be read.
        if !status.is_success() {
            break;
        }
        return Err(NoReply::Lost { detail: broken });
    }
    Ok(Reply { status, body, retry_header })
}

impl Reply {
    /// Returns how long a 429 asks to wait.
    pub(super) fn retry_after(&self) -> Duration {
        wire::retry_after(&self.body, self.retry_header.as_deref())
    }
}

/// The events of a reply, read as they arrive.
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

    /// Returns the next event; the error says why no more follow.
    pub(super) async fn next(&mut self) -> Result<Event, String> {
        loop {
            while let Some(line) = self.lines.next() {
                match stream::parse(line) {
                    Line::Event(event) => return Ok(event),
                    Line::Done => self.ended = true,
                    Line::Other => {}
                }
            }
            if self.ended {
                return Err("the stream ended".to_owned());
            }
            self.read_chunk().await?;
        }
    }

    async fn read_chunk(&mut self) -> Result<(), String> {
        match self.response.chunk().await.map_err(describe)? {
            None => {
                self.ended = true;
                // The last line may lack its end.
                self.lines.push(b"\n");
            }
            Some(chunk) => {
                self.read += chunk.len();
                self.lines.push(&chunk);
            }
        }
        if self.read > MAX_STREAM_BYTES {
            return Err(format!("the stream is longer than {MAX_STREAM_BYTES} bytes"));
        }
        if self.lines.unfinished() > MAX_LINE_BYTES {
            return Err(format!("a line of the stream is longer than {MAX_LINE_BYTES} bytes"));
        }
        Ok(())
    }
}

/// Describes an error and its causes, without the URL, which is long and known.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
