//! Files in messages of users, served as Discord's CDN does.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    json::{id_in, list},
    routes::Call,
    state::State,
};

/// The signature of every URL; a request without it is refused.
const SIGNATURE: [(&str, &str); 3] = [("ex", "68f0"), ("is", "68ef"), ("hm", "0123abcd")];

/// Media types by file extension, as Discord guesses them. Other files have none.
const MEDIA_TYPES: [(&str, &str); 8] = [
    ("txt", "text/plain; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("ts", "video/mp2t"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ogg", "audio/ogg"),
    ("mp4", "video/mp4"),
    ("json", "application/json; charset=utf-8"),
];

impl State {
    /// The attachment object of a file that a user posts.
    pub(super) fn user_attachment(&mut self, channel: u64, (name, bytes): &(&str, &[u8])) -> Value {
        let host = self.gateway_url.replacen("ws", "http", 1);
        let id = self.world.ids.next();
        let signature = SIGNATURE.map(|(key, value)| format!("{key}={value}")).join("&");
        let url = format!("{host}/attachments/{channel}/{id}/{name}?{signature}");
        let extension = name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
        let size = self.faults.reported_size.take().unwrap_or(bytes.len());
        let mut object = json!({
            "id": id.to_string(), "filename": name, "size": size, "url": url, "proxy_url": url, "flags": 0,
        });
        if let Some((_, media_type)) = MEDIA_TYPES.iter().find(|(known, _)| *known == extension) {
            object["content_type"] = json!(media_type);
        }
        object
    }

    /// Serves a file to a client with its signed URL. Sending the token here is a violation.
    pub(super) fn serve_file(&mut self, call: &Call) -> Response {
        if call.authorization.is_some() {
            self.record_call_violation(call, "the token was sent to the CDN");
        }
        let is_signed = SIGNATURE.iter().all(|(key, value)| call.query.get(*key).is_some_and(|it| it == value));
        if !is_signed {
            self.record_call_violation(call, "a URL without its signature");
            return StatusCode::NOT_FOUND.into_response();
        }
        let messages = self.world.channels.get(&call.major).into_iter().flat_map(|it| it.messages.values());
        let mut files = messages.flat_map(|message| list(&message.value["attachments"]).iter().zip(&message.files));
        let file = files.find(|(attachment, _)| id_in(attachment, "id") == Some(call.target));
        match file {
            Some((attachment, (_, bytes))) => {
                let media_type = attachment["content_type"].as_str().unwrap_or("application/octet-stream").to_owned();
                ([(header::CONTENT_TYPE, media_type)], bytes.clone()).into_response()
            }
            None => (StatusCode::NOT_FOUND, "This content is no longer available.").into_response(),
        }
    }
}
