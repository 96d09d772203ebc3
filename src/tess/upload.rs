//! Uploads files, waits until Tess has processed them, and deletes them.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{
    error::TessError,
    http::Reply,
    json,
    refusal::file_refusal,
    transport::{LOOK_UP_DEADLINE, LOOK_UP_TIMEOUT, Transport},
};
use crate::ids::FileId;

/// How long sending a file may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How long sending may take in all: the wait for the limiter and for the end of a rate limit included.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(180);

/// A file to store at Tess.
pub(super) struct Upload<'a> {
    pub(super) name: &'a str,
    pub(super) mime: &'a str,
    pub(super) bytes: Vec<u8>,
    /// Whether Tess reads it, which costs credits and which an execution needs.
    pub(super) process: bool,
}

pub(super) async fn upload(transport: &Transport, file: Upload<'_>) -> Result<FileId, TessError> {
    let boundary = format!("tess-discord-{:032x}", fastrand::u128(..));
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let body = form(&boundary, &file);
    drop(file);
    let post = transport.http.post("/files", &content_type, body)?;
    let reply = transport.send(&post, UPLOAD_TIMEOUT, UPLOAD_DEADLINE).await?;
    if !reply.status.is_success() {
        return Err(refused(transport, &reply));
    }
    let stored: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let places = [stored.get("id"), stored.pointer("/data/id")];
    let id = places.into_iter().flatten().find_map(json::id);
    id.map(FileId).ok_or_else(|| TessError::Unavailable { detail: "the answer has no file id".to_owned() })
}

/// Waits until a file is processed, at most until `deadline`, and returns the credits that it cost.
pub(super) async fn wait(transport: &Transport, id: FileId, deadline: Instant) -> Result<f64, TessError> {
    let started = Instant::now();
    let end = |reply: &Reply| match reply.status {
        status if status.is_client_error() => Some(Err(refused(transport, reply))),
        status if status.is_success() => processed(transport, &reply.body),
        _ => None,
    };
    let ended = timeout_at(deadline, transport.poll(&format!("/files/{id}"), end)).await;
    ended.unwrap_or_else(|_| Err(TessError::TimedOut { waited: started.elapsed() }))?
}

/// Deletes a file; one that is gone already is not an error.
pub(super) async fn delete(transport: &Transport, id: FileId) -> Result<(), TessError> {
    let request = transport.http.delete(&format!("/files/{id}"))?;
    let reply = transport.send(&request, LOOK_UP_TIMEOUT, LOOK_UP_DEADLINE).await?;
    let is_gone = reply.status.is_success() || reply.status == StatusCode::NOT_FOUND;
    if is_gone { Ok(()) } else { Err(refused(transport, &reply)) }
}

/// Returns what processing a file cost, or why it failed; `None` for a status that no source records as an end.
fn processed(transport: &Transport, body: &[u8]) -> Option<Result<f64, TessError>> {
    let file: Value = serde_json::from_slice(body).ok()?;
    let file = file.get("data").unwrap_or(&file);
    match file.get("status")?.as_str()?.to_ascii_lowercase().as_str() {
        "completed" | "succeeded" | "processed" => Some(Ok(json::credits(file))),
        "failed" | "error" => {
            let reason = file.get("error").map(json::reason).unwrap_or_default();
            let detail = transport.redactor(&[]).detail(&format!("it could not be read {reason}"));
            Some(Err(TessError::FileRefused { detail }))
        }
        _ => None,
    }
}

fn refused(transport: &Transport, reply: &Reply) -> TessError {
    file_refusal(reply, &transport.redactor(&[]))
}

/// The body of `POST /files`. Written by hand because reqwest's own form is a stream, which cannot be sent again after
/// a 429.
fn form(boundary: &str, file: &Upload<'_>) -> Vec<u8> {
    let Upload { name, mime, bytes, process } = file;
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.replace('\\', "_").replace('"', "%22");
    let is_mime = mime.contains('/') && mime.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let mime = if is_mime { *mime } else { "application/octet-stream" };
    let before = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"process\"\r\n\r\n{process}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: {mime}\r\n\r\n"
    );
    let after = format!("\r\n--{boundary}--\r\n");
    [before.as_bytes(), bytes.as_slice(), after.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_both_fields_and_no_header_that_the_file_injects() {
        let file = Upload {
            name: "a\"\r\nX: \\1é.pdf",
            mime: "text/plain\r\nX: 2",
            bytes: b"\x00\xff".to_vec(),
            process: true,
        };
        let form = form("b", &file);
        let text = String::from_utf8_lossy(&form).replace('\r', "");
        insta::assert_snapshot!(text.replace('\0', "0"), @r#"
        --b
        Content-Disposition: form-data; name="process"

        true
        --b
        Content-Disposition: form-data; name="file"; filename="a%22X: _1é.pdf"
        Content-Type: application/octet-stream

        0�
        --b--
        "#);
    }
}
