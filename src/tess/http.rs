//! One request and its answer: headers, a time limit, a bounded body or a stream.

use std::{error::Error, time::Duration};

use reqwest::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::{error::TessError, stream::Events, wire};
use crate::{config::TessConfig, ids::WorkspaceId};

/// Longest body that is read, in bytes.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// Sends requests in the name of one key.
pub(super) struct Http {
    client: reqwest::Client,
    api_url: String,
    key: SecretString,
    workspace: Option<WorkspaceId>,
}

/// An answer, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    /// The header `Retry-After`.
    pub(super) retry_header: Option<String>,
}

/// An answer as its type says.
pub(super) enum Opened {
    Reply(Reply),
    /// Only of a 2xx.
    Events(Events),
}

/// Why there is no answer.
pub(super) enum NoReply {
    /// No connection came about: nothing was asked.
    NotSent { detail: String },
    /// It was asked, or may have been.
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

    /// `body` is of the type `content_type`.
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

    /// Sends a copy of `request` and reads the answer, within `limit`.
    pub(super) async fn send(&self, request: &Request, limit: Duration) -> Result<Reply, NoReply> {
        within(limit, async { read(self.response(request).await?).await }).await
    }

    /// As [`Http::send`], but hands on a stream of events as soon as it begins.
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
    let too_late = |_| NoReply::Lost { detail: format!("no answer within {limit:?}") };
    timeout(limit, answered).await.map_err(too_late)?
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
            Ok(Some(chunk)) if body.len() + chunk.len() <= BODY_BYTES => {
                body.extend_from_slice(&chunk);
                continue;
            }
            Ok(Some(_)) => format!("the answer is longer than {BODY_BYTES} bytes"),
            Err(error) => describe(error),
        };
        // A refusal is one whatever becomes of its text.
        if !status.is_success() {
            break;
        }
        return Err(NoReply::Lost { detail: broken });
    }
    Ok(Reply { status, body, retry_header })
}

impl Reply {
    /// For how long a 429 asks to send nothing.
    pub(super) fn retry_after(&self) -> Duration {
        wire::retry_after(&self.body, self.retry_header.as_deref())
    }
}

/// The error and its causes, without the URL: it is long and known.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
