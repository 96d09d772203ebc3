//! Bodies of requests: JSON, or a form with files.

use axum::{
    body::{self, Bytes},
    extract::{FromRequest, Multipart, Request},
    http::header,
};
use serde_json::Value;

use super::answer::Answer;

/// Longest request that Discord reads.
pub(super) const MAX_REQUEST_BYTES: usize = 25 * 1024 * 1024;

/// The content of a request.
#[derive(Default)]
pub(super) struct Body {
    pub(super) json: Value,
    /// Uploaded files with their names, in the order of their numbers.
    pub(super) files: Vec<(String, Bytes)>,
}

impl Body {
    pub(super) async fn read(request: Request) -> Result<Self, Answer> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        if content_type.starts_with("multipart/form-data") {
            return Self::read_form(request).await;
        }
        let bytes = body::to_bytes(request.into_body(), MAX_REQUEST_BYTES).await.map_err(|_| too_large())?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if !content_type.starts_with("application/json") {
            return Err(Answer::violation(400, 50035, "Invalid Form Body: the content type is not JSON"));
        }
        Ok(Self { json: parse(&bytes)?, files: Vec::new() })
    }

    async fn read_form(request: Request) -> Result<Self, Answer> {
        let broken = || Answer::violation(400, 50035, "Invalid Form Body: broken multipart");
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
        let mut body = Self::default();
        while let Some(field) = form.next_field().await.map_err(|_| broken())? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|_| too_large())?;
            match file_name {
                None if name == "payload_json" => body.json = parse(&bytes)?,
                Some(file_name) if name == format!("files[{}]", body.files.len()) => {
                    body.files.push((file_name, bytes));
                }
                _ => return Err(Answer::invalid_field(&name, "Unknown or out of order part")),
            }
        }
        Ok(body)
    }
}

fn too_large() -> Answer {
    Answer::violation(413, 40005, "Request entity too large")
}

fn parse(bytes: &[u8]) -> Result<Value, Answer> {
    serde_json::from_slice(bytes).map_err(|_| Answer::violation(400, 50109, "The request body contains invalid JSON."))
}
