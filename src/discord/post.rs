//! A message on its way to Discord.

use serde_json::{Value, json};

use super::{
    button::{self, Button},
    model,
};
use crate::ids::MessageId;

/// The most characters a nonce may have.
const NONCE_CHARS: usize = 25;

/// A message to be posted.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// At most 2000 code points.
    pub content: &'a str,
    /// The message it replies to. When that one is gone by then, nothing is posted: [`super::DiscordError::UnknownReference`].
    pub reply_to: Option<MessageId>,
    /// What makes sending it again harmless: Discord creates one message for each nonce of a bot, within minutes.
    pub nonce: Nonce,
    /// A Markdown file under the text.
    pub file: Option<&'a str>,
    /// Whether it should notify nobody.
    pub silent: bool,
    /// At most five, in a row under it.
    pub buttons: &'a [Button],
}

/// Names a message before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// The nonce of a part of the reply to a message: the same after a restart.
    #[must_use]
    pub fn part(answered: MessageId, part: usize) -> Self {
        Self::of(answered, 'p', part)
    }

    /// The nonce of a note beside the reply to a message.
    #[must_use]
    pub fn note(answered: MessageId, kind: char) -> Self {
        Self::of(answered, kind, 0)
    }

    /// The nonce of a part of a growing reply. After a kill that one is deleted, and Discord creates nothing for the nonce of
    /// a deleted message: `attempt` (below 1000) tells the next one apart.
    #[must_use]
    pub fn live(answered: MessageId, attempt: u16, part: usize) -> Self {
        Self::of(answered, 'l', usize::from(attempt) * 10 + part)
    }

    fn of(message: MessageId, kind: char, number: usize) -> Self {
        let nonce = format!("{message}{kind}{number}");
        debug_assert!(nonce.len() <= NONCE_CHARS, "20 digits, a letter and a small number");
        Self(nonce)
    }
}

/// Nothing in it can ping.
pub(super) fn body(post: &Post<'_>) -> Value {
    let mut body = json!({
        "content": post.content,
        "nonce": post.nonce.0,
        "enforce_nonce": true,
        "allowed_mentions": pings_nobody(),
    });
    if !post.buttons.is_empty() {
        body["components"] = button::rows(post.buttons);
    }
    if let Some(message) = post.reply_to {
        body["message_reference"] = json!({"message_id": message, "fail_if_not_exists": true});
    }
    if post.silent {
        body["flags"] = json!(model::SILENT);
    }
    if post.file.is_some() {
        body["attachments"] = json!([{"id": 0, "filename": "answer.md"}]);
    }
    body
}

pub(super) fn pings_nobody() -> Value {
    json!({"parse": [], "replied_user": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post<'static> {
        let reply_to = Some(MessageId::new(5));
        let nonce = Nonce::part(MessageId::new(5), 1);
        Post { content: "hi @everyone", reply_to, nonce, file: None, silent: false, buttons: &[] }
    }

    #[test]
    fn a_message_pings_nobody_and_can_be_sent_again() {
        let body = body(&post());
        assert_eq!(body["allowed_mentions"], json!({"parse": [], "replied_user": false}));
        assert_eq!(body["enforce_nonce"], true);
        assert_eq!(body["message_reference"]["fail_if_not_exists"], true);
    }

    #[test]
    fn a_nonce_of_the_longest_id_fits() {
        let nonce = Nonce::part(MessageId::new(u64::MAX), 12);
        assert!(nonce.0.len() <= NONCE_CHARS, "{}", nonce.0);
        assert_ne!(nonce, Nonce::note(MessageId::new(u64::MAX), 'w'));
        assert!(Nonce::live(MessageId::new(u64::MAX), 999, 5).0.len() <= NONCE_CHARS);
    }
}
