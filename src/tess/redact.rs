//! Removes secrets and conversation text from what Tess says in errors.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use super::{json, request::ChatMessage};

/// Longest detail of an error, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// Text longer than this, in bytes, is not an error message and is left out.
const MAX_TEXT_BYTES: usize = 4_000;

/// Lines of messages shorter than this, in bytes, are not removed: "ok" is in every "token".
const MIN_LINE_BYTES: usize = 4;

/// Knows what must never be in an error: the key, and the texts of the conversation.
pub(super) struct Redactor<'a> {
    key: &'a SecretString,
    messages: &'a [ChatMessage],
}

impl<'a> Redactor<'a> {
    pub(super) fn new(key: &'a SecretString, messages: &'a [ChatMessage]) -> Self {
        Self { key, messages }
    }

    /// Returns the detail of a reply that is not 2xx: its status, and what its body says.
    pub(super) fn refusal(&self, status: StatusCode, body: &[u8]) -> String {
        match self.detail(&json::error_text(body)) {
            text if text.is_empty() => format!("HTTP {}", status.as_u16()),
            text => format!("HTTP {}: {text}", status.as_u16()),
        }
    }

    /// Returns `text` on one line of at most [`MAX_DETAIL_CHARS`], without the key and the lines of messages.
    pub(super) fn detail(&self, text: &str) -> String {
        if text.len() > MAX_TEXT_BYTES {
            return "(a long text)".to_owned();
        }
        let key = self.key.expose_secret();
        // A key is `<number>|<secret>`, and the secret alone is accepted as well.
        let secret = key.split_once('|').map_or(key, |(_, secret)| secret);
        let mut text = text.to_owned();
        for redacted in [key, secret].into_iter().chain(self.lines()).filter(|redacted| !redacted.is_empty()) {
            if text.contains(redacted) {
                text = text.replace(redacted, "[…]");
            }
        }
        let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        printable.take(MAX_DETAIL_CHARS).collect::<String>().trim().to_owned()
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.messages
            .iter()
            .flat_map(|message| message.content.lines())
            // With the author's name in front, and without it.
            .flat_map(|line| [Some(line), line.split_once(": ").map(|(_, text)| text)])
            .flatten()
            .map(str::trim)
            .filter(|line| line.len() >= MIN_LINE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::request::Role, *};

    fn message(content: &str) -> ChatMessage {
        ChatMessage { role: Role::User, content: content.to_owned() }
    }

    #[test]
    fn a_detail_is_one_bounded_line() {
        let key = SecretString::from("1|key");
        let redactor = Redactor::new(&key, &[]);
        assert_eq!(redactor.detail("bad\r\n\u{1b}[31mred"), "bad   [31mred");
        assert_eq!(redactor.detail(&"é".repeat(1_000)).chars().count(), MAX_DETAIL_CHARS);
        assert_eq!(redactor.detail(&"x".repeat(MAX_TEXT_BYTES + 1)), "(a long text)");
        assert_eq!(redactor.refusal(StatusCode::BAD_GATEWAY, b"<html>"), "HTTP 502");
    }

    #[test]
    fn message_text_is_removed_with_and_without_its_author() {
        let key = SecretString::from("1|key");
        let messages = [message("alice: my salary is 12,000")];
        let redactor = Redactor::new(&key, &messages);
        assert_eq!(redactor.detail("refused: my salary is 12,000"), "refused: […]");
    }

    #[test]
    fn the_key_and_message_text_are_removed() {
        let key = SecretString::from("12|s3cret");
        let messages = [message("alice: my salary\nis 12,000")];
        let redactor = Redactor::new(&key, &messages);
        let body = br#"{"message":"12|s3cret or s3cret may not say alice: my salary\nis 12,000"}"#;
        assert_eq!(
            redactor.refusal(StatusCode::UNPROCESSABLE_ENTITY, body),
            "HTTP 422: […] or […] may not say […] […]"
        );
    }

    proptest! {
        #[test]
        fn no_line_of_a_message_remains(line in "[a-z]{6,40}", before in "[A-Z ]{0,200}", after in "[A-Z ]{0,200}") {
            let key = SecretString::from("1|key");
            let messages = [message(&line)];
            let detail = Redactor::new(&key, &messages).detail(&format!("{before}{line}{after}"));
            prop_assert!(!detail.contains(&line));
        }
    }
}
