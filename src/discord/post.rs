//! A message to be posted, and its nonce.

use serenity::{
    builder::{CreateAllowedMentions, CreateAttachment, CreateMessage},
    model::channel::{MessageFlags, MessageReference},
};

use super::button::{self, Button};
use crate::ids::{ChannelId, MessageId};

/// The name of the file under a message.
pub(super) const FILE_NAME: &str = "answer.md";

/// The most characters a nonce may have.
const NONCE_CHARS: usize = 25;

/// A message to be posted.
#[derive(Clone, Debug)]
pub(crate) struct Post<'a> {
    /// At most 2000 code points.
    pub content: &'a str,
    /// The message it replies to. If that one is gone, nothing is posted: [`super::DiscordError::UnknownReference`].
    pub reply_to: Option<MessageId>,
    /// Makes a retry harmless: for some minutes Discord creates only one message for each nonce of a bot.
    pub nonce: Nonce,
    /// A Markdown file under the text.
    pub file: Option<&'a str>,
    /// Whether it is posted without a notification.
    pub silent: bool,
    /// At most five, in one row under it.
    pub buttons: &'a [Button],
}

/// Identifies a message before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(String);

impl Nonce {
    /// The nonce of a part of the reply to a message: the same after a restart.
    #[must_use]
    pub(crate) fn part(answered: MessageId, part: usize) -> Self {
        Self::of(answered, 'p', part)
    }

    /// The nonce of a notice that belongs to the reply to a message.
    #[must_use]
    pub(crate) fn note(answered: MessageId, kind: char) -> Self {
        Self::of(answered, kind, 0)
    }

    /// The nonce of a part of a live reply. A live reply that a kill interrupted is deleted, and Discord creates nothing for the
    /// nonce of a deleted message: `attempt` (below 1000) distinguishes the next one.
    #[must_use]
    pub(crate) fn live(answered: MessageId, attempt: u16, part: usize) -> Self {
        Self::of(answered, 'l', usize::from(attempt) * 10 + part)
    }

    fn of(message: MessageId, kind: char, number: usize) -> Self {
        let nonce = format!("{message}{kind}{number}");
        debug_assert!(nonce.len() <= NONCE_CHARS, "20 digits, a letter and a small number");
        Self(nonce)
    }
}

/// The body of a message. Nothing in it can ping.
pub(super) fn body(channel: ChannelId, post: &Post<'_>) -> CreateMessage {
    let mut body = CreateMessage::new()
        .content(post.content)
        .nonce(serenity::model::channel::Nonce::String(post.nonce.0.clone()))
        .enforce_nonce(true)
        .allowed_mentions(no_mentions());
    if !post.buttons.is_empty() {
        body = body.components(button::rows(post.buttons));
    }
    if let Some(message) = post.reply_to {
        let mut reference = MessageReference::from((channel, message));
        reference.fail_if_not_exists = Some(true);
        body = body.reference_message(reference);
    }
    if post.silent {
        body = body.flags(MessageFlags::SUPPRESS_NOTIFICATIONS);
    }
    if post.file.is_some() {
        // The bytes themselves go into a part of their own.
        body = body.add_file(CreateAttachment::bytes(Vec::new(), FILE_NAME));
    }
    body
}

/// The `allowed_mentions` of every message: nothing in it pings, and a reply does not ping either.
pub(crate) fn no_mentions() -> CreateAllowedMentions {
    CreateAllowedMentions::new().replied_user(false)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn post() -> Post<'static> {
        let reply_to = Some(MessageId::new(5));
        let nonce = Nonce::part(MessageId::new(5), 1);
        Post { content: "hi @everyone", reply_to, nonce, file: None, silent: false, buttons: &[] }
    }

    fn body_of(post: &Post<'_>) -> Value {
        serde_json::to_value(body(ChannelId::new(4), post)).unwrap()
    }

    #[test]
    fn message_pings_nobody_and_can_be_sent_again() {
        let body = body_of(&post());
        assert_eq!(body["allowed_mentions"], json!({"parse": [], "users": [], "roles": [], "replied_user": false}));
        assert_eq!((&body["nonce"], &body["enforce_nonce"]), (&json!("5p1"), &json!(true)));
        let reference =
            json!({"type": 0, "message_id": "5", "channel_id": "4", "guild_id": null, "fail_if_not_exists": true});
        assert_eq!(body["message_reference"], reference);
        assert!(body.get("flags").is_none() && body.get("components").is_none(), "{body}");
    }

    #[test]
    fn silent_message_with_a_file_says_so() {
        let body = body_of(&Post { silent: true, file: Some("text"), reply_to: None, ..post() });
        assert_eq!(body["flags"], 1 << 12);
        assert_eq!(body["attachments"][0]["id"], 0);
        assert_eq!(body["attachments"][0]["filename"], "answer.md");
        assert!(body.get("message_reference").is_none(), "{body}");
    }

    #[test]
    fn nonce_of_the_longest_id_fits() {
        let nonce = Nonce::part(MessageId::new(u64::MAX), 12);
        assert!(nonce.0.len() <= NONCE_CHARS, "{}", nonce.0);
        assert_ne!(nonce, Nonce::note(MessageId::new(u64::MAX), 'w'));
        assert!(Nonce::live(MessageId::new(u64::MAX), 999, 5).0.len() <= NONCE_CHARS);
    }
}
