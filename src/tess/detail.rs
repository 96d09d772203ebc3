//! What an error may repeat of what Tess said: enough for the operator, nothing of a secret or a conversation.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use super::{ChatMessage, wire};

/// Longest detail of an error, in characters.
const DETAIL_CHARS: usize = 300;

/// Text longer than this, in bytes, is no error message and is left out.
const SAID_BYTES: usize = 4_000;

/// Lines of messages shorter than this, in bytes, are not looked for: "ok" is in every "token".
const LINE_BYTES: usize = 4;

/// What must never be in an error.
pub(super) struct Hidden<'a> {
    key: &'a SecretString,
    messages: &'a [ChatMessage],
}

impl<'a> Hidden<'a> {
    pub(super) fn new(key: &'a SecretString, messages: &'a [ChatMessage]) -> Self {
        Self { key, messages }
    }

    /// The detail of an answer that is not 2xx.
    pub(super) fn refusal(&self, status: StatusCode, body: &[u8]) -> String {
        match self.detail(&wire::error_text(body)) {
            said if said.is_empty() => format!("HTTP {}", status.as_u16()),
            said => format!("HTTP {}: {said}", status.as_u16()),
        }
    }

    /// What Tess said, on one line, cut to [`DETAIL_CHARS`], with the key and the lines of messages taken out.
    pub(super) fn detail(&self, said: &str) -> String {
        if said.len() > SAID_BYTES {
            return "(a long text)".to_owned();
        }
        let key = self.key.expose_secret();
        // A key is `<number>|<secret>`, and the secret alone is accepted as well.
        let secret = key.split_once('|').map_or(key, |(_, secret)| secret);
        let mut said = said.to_owned();
        for hidden in [key, secret].into_iter().chain(self.lines()).filter(|hidden| !hidden.is_empty()) {
            if said.contains(hidden) {
                said = said.replace(hidden, "[…]");
            }
        }
        let printable = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        printable.take(DETAIL_CHARS).collect::<String>().trim().to_owned()
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.messages
            .iter()
            .flat_map(|message| message.content.lines())
            // With the speaker's name in front, and without it.
            .flat_map(|line| [Some(line), line.split_once(": ").map(|(_, said)| said)])
            .flatten()
            .map(str::trim)
            .filter(|line| line.len() >= LINE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Role, *};

    fn said_in(content: &str) -> ChatMessage {
        ChatMessage { role: Role::User, content: content.to_owned() }
    }

    #[test]
    fn a_detail_is_one_bounded_line() {
        let key = SecretString::from("1|key");
        let hidden = Hidden::new(&key, &[]);
        assert_eq!(hidden.detail("bad\r\n\u{1b}[31mred"), "bad   [31mred");
        assert_eq!(hidden.detail(&"é".repeat(1_000)).chars().count(), DETAIL_CHARS);
        assert_eq!(hidden.detail(&"x".repeat(SAID_BYTES + 1)), "(a long text)");
        assert_eq!(hidden.refusal(StatusCode::BAD_GATEWAY, b"<html>"), "HTTP 502");
    }

    #[test]
    fn what_was_said_is_taken_out_with_and_without_its_speaker() {
        let key = SecretString::from("1|key");
        let messages = [said_in("alice: my salary is 12,000")];
        let hidden = Hidden::new(&key, &messages);
        assert_eq!(hidden.detail("refused: my salary is 12,000"), "refused: […]");
    }

    #[test]
    fn the_key_and_what_was_said_are_taken_out() {
        let key = SecretString::from("12|s3cret");
        let messages = [said_in("alice: my salary\nis 12,000")];
        let hidden = Hidden::new(&key, &messages);
        let body = br#"{"message":"12|s3cret or s3cret may not say alice: my salary\nis 12,000"}"#;
        assert_eq!(hidden.refusal(StatusCode::UNPROCESSABLE_ENTITY, body), "HTTP 422: […] or […] may not say […] […]");
    }

    proptest! {
        #[test]
        fn no_line_of_a_message_survives(line in "[a-z]{6,40}", before in "[A-Z ]{0,200}", after in "[A-Z ]{0,200}") {
            let key = SecretString::from("1|key");
            let messages = [said_in(&line)];
            let detail = Hidden::new(&key, &messages).detail(&format!("{before}{line}{after}"));
            prop_assert!(!detail.contains(&line));
        }
    }
}
