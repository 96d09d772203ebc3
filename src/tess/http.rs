//! One request and its answer: headers, a time limit, a bounded body.

use std::{error::Error, time::Duration};

use reqwest::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::{error::TessError, wire};
use crate::config::{TessConfig, WorkspaceId};

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

    pub(super) fn post(&self, path: &str, json: String) -> Result<Request, TessError> {
        self.request(Method::POST, path, Some(json))
    }

    fn request(&self, method: Method, path: &str, json: Option<String>) -> Result<Request, TessError> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.api_url))
            .bearer_auth(self.key.expose_secret())
            .header(ACCEPT, "application/json");
        if let Some(WorkspaceId(workspace)) = self.workspace {
            request = request.header("x-workspace-id", workspace);
        }
        if let Some(json) = json {
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        request.build().map_err(|error| TessError::NotSent { detail: describe(error) })
    }

    /// Sends a copy of `request` and reads the answer, within `limit`.
    pub(super) async fn send(&self, request: &Request, limit: Duration) -> Result<Reply, NoReply> {
        let request = request.try_clone().expect("only a streamed body cannot be cloned, and there is none");
        let answered = async {
            match self.client.execute(request).await {
                Ok(response) => read(response).await,
                Err(error) if error.is_connect() => Err(NoReply::NotSent { detail: describe(error) }),
                Err(error) => Err(NoReply::Lost { detail: describe(error) }),
            }
        };
        let too_late = |_| NoReply::Lost { detail: format!("no answer within {limit:?}") };
        timeout(limit, answered).await.map_err(too_late)?
    }
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
