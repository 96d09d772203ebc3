//! The files in people's messages, served as Discord's CDN does.

use axum::{
    body::Bytes,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    DiscordSim, State,
    routes::Call,
    world::{id_in, merge},
};

/// The signature of every address; without it nothing is served.
const SIGNATURE: [(&str, &str); 3] = [("ex", "68f0"), ("is", "68ef"), ("hm", "0123abcd")];

/// Media types by ending, as Discord guesses them; the rest has none.
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

impl DiscordSim {
    /// A user writes a message with a file.
    pub fn say_with_file(&self, channel: u64, user: &str, text: &str, name: &str, bytes: &[u8]) -> u64 {
        self.say_with_files(channel, user, &json!({ "content": text }), &[(name, bytes)])
    }

    /// A message with files and anything else in it, as [`DiscordSim::say_with`] takes it.
    pub fn say_with_files(&self, channel: u64, user: &str, overrides: &Value, files: &[(&str, &[u8])]) -> u64 {
        self.shared.with(|state| {
            let host = state.gateway_url.replacen("ws", "http", 1);
            let id = state.world.ids.next();
            let attachments: Vec<_> = files.iter().map(|file| state.attached(&host, channel, file)).collect();
            let mut message = json!({ "attachments": attachments });
            merge(&mut message, overrides);
            state.post(id, channel, user, &message);
            if let Some(message) = state.world.message_mut(id) {
                let kept = files.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::copy_from_slice(bytes)));
                message.files = kept.collect();
            }
            state.announce("MESSAGE_CREATE", id);
            id
        })
    }
}

impl State {
    fn attached(&mut self, host: &str, channel: u64, (name, bytes): &(&str, &[u8])) -> Value {
        let id = self.world.ids.next();
        let signature = SIGNATURE.map(|(key, value)| format!("{key}={value}")).join("&");
        let url = format!("{host}/attachments/{channel}/{id}/{name}?{signature}");
        let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
        let size = self.faults.told_size.take().unwrap_or(bytes.len());
        let mut object = json!({
            "id": id.to_string(), "filename": name, "size": size, "url": url, "proxy_url": url, "flags": 0,
        });
        if let Some((_, media_type)) = MEDIA_TYPES.iter().find(|(known, _)| *known == ending) {
            object["content_type"] = json!(media_type);
        }
        object
    }

    /// A file, for whoever has its whole address; a token has no business here.
    pub(super) fn file(&mut self, call: &Call) -> Response {
        if call.authorization.is_some() {
            self.violation(format!("{} {}: the token was sent to the CDN", call.method, call.path));
        }
        let is_signed = SIGNATURE.iter().all(|(key, value)| call.query.get(*key).is_some_and(|it| it == value));
        if !is_signed {
            self.violation(format!("{} {}: without its signature", call.method, call.path));
            return StatusCode::NOT_FOUND.into_response();
        }
        let messages = self.world.channels.get(&call.major).into_iter().flat_map(|it| it.messages.values());
        let found = messages.flat_map(|message| {
            let attachments = message.value["attachments"].as_array().into_iter().flatten();
            attachments.zip(&message.files)
        });
        let mut found = found.filter(|(attachment, _)| id_in(attachment, "id") == Some(call.message));
        match found.next() {
            Some((attachment, (_, bytes))) => {
                let media_type = attachment["content_type"].as_str().unwrap_or("application/octet-stream").to_owned();
                ([(header::CONTENT_TYPE, media_type)], bytes.clone()).into_response()
            }
            None => (StatusCode::NOT_FOUND, "This content is no longer available.").into_response(),
        }
    }
}
