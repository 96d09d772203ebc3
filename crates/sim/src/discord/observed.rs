//! What tests read: the bot's messages, responses and requests.

use axum::body::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::routes::Route;

/// A message as users see it.
#[derive(Clone, Debug)]
pub struct SimMessage {
    /// The message's id.
    pub id: u64,
    /// The channel it is in.
    pub channel: u64,
    /// The author: a user's name, or `bot`.
    pub author: String,
    /// The current text.
    pub content: String,
    /// The message it replies to.
    pub reply_to: Option<u64>,
    /// The nonce of the request that created it.
    pub nonce: Option<String>,
    /// Uploaded files with their names.
    pub files: Vec<(String, Bytes)>,
    /// Message flags as bits.
    pub flags: u64,
    /// Buttons and menus.
    pub components: Value,
    /// Embeds.
    pub embeds: Value,
    /// Whether it was edited.
    pub edited: bool,
}

/// What a user sees after a command, a button or a modal.
#[derive(Clone, Debug)]
pub struct SimResponse {
    /// The `type` of the callback: 4 message, 5 deferred message, 6 deferred update, 7 update, 8 choices, 9 modal.
    pub kind: u64,
    /// Whether only the user sees it.
    pub ephemeral: bool,
    /// Whether the bot sent a deferred message first.
    pub deferred: bool,
    /// The current text.
    pub content: String,
    /// Names and values offered for completion.
    pub choices: Vec<(String, Value)>,
    /// The current buttons and menus.
    pub components: Value,
    /// The modal, with `custom_id`, `title` and `components`.
    pub modal: Option<Value>,
}

/// A REST request of the bot.
#[derive(Clone, Debug)]
pub struct SimRequest {
    /// The HTTP method.
    pub method: String,
    /// The path without `/api/v10` and the query.
    pub path: String,
    /// The route; `None` when it is unknown.
    pub route: Option<Route>,
    /// The time of arrival.
    pub at: Instant,
}
