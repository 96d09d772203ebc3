//! The routes of a channel's messages.

use reqwest::{Method, RequestBuilder, header};
use serde::Deserialize;
use serde_json::Value;
use serenity::builder::EditMessage;
use tokio::time::Instant;

use super::{
    button::{self, Button},
    engine::Discord,
    error::{DiscordError, UNKNOWN_MESSAGE},
    model::Message,
    post::{self, Post, no_mentions},
    rate_limit::RouteKey,
    retry::{READ_TRIES, RetryPolicy},
};
use crate::ids::{ChannelId, MessageId};

/// Which of a channel's messages are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page {
    /// The newest ones.
    Newest,
    /// Those after this one.
    After(MessageId),
}

impl Discord {
    /// Posts a message, retrying until it is certain to be there or certainly refused. `None`: it was posted, and deleted before
    /// its id was known.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn post(&self, channel: ChannelId, post: &Post<'_>) -> Result<Option<MessageId>, DiscordError> {
        #[derive(Deserialize)]
        struct Created {
            id: MessageId,
        }
        let key = RouteKey::of_bot("create_message", channel.get());
        let path = format!("/channels/{channel}/messages");
        let retry = RetryPolicy::Until(Instant::now() + self.engine.delivery_limit);
        let sent = self.read::<Created>(key, retry, || self.message_request(channel, &path, post)).await;
        match sent {
            Ok(created) => Ok(Some(created.id)),
            Err(DiscordError::Refused { code: UNKNOWN_MESSAGE, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn message_request(&self, channel: ChannelId, path: &str, post: &Post<'_>) -> RequestBuilder {
        let body = post::body(channel, post);
        let request = self.start(Method::POST, path);
        let Some(file) = post.file else { return request.json(&body) };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let part = reqwest::multipart::Part::text(file.to_owned()).file_name(post::FILE_NAME);
        let part = part.mime_str("text/markdown").unwrap_or_else(|_| reqwest::multipart::Part::text(file.to_owned()));
        request.multipart(reqwest::multipart::Form::new().text("payload_json", body).part("files[0]", part))
    }

    /// Changes a message's text (`None` leaves it) and its buttons, retrying like [`Discord::post`]: doing it twice changes
    /// nothing. `false`: the message is gone.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: Option<&str>,
        buttons: &[Button],
    ) -> Result<bool, DiscordError> {
        let key = RouteKey::of_bot("edit_message", channel.get());
        let path = format!("/channels/{channel}/messages/{message}");
        let mut body = EditMessage::new().components(button::rows(buttons)).allowed_mentions(no_mentions());
        if let Some(content) = content {
            body = body.content(content);
        }
        let retry = RetryPolicy::Until(Instant::now() + self.engine.delivery_limit);
        match self.request(key, retry, || self.start(Method::PATCH, &path).json(&body)).await {
            Ok(_) => Ok(true),
            Err(DiscordError::Refused { code: UNKNOWN_MESSAGE, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes a message; one that is gone already counts as deleted.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn delete(&self, channel: ChannelId, message: MessageId) -> Result<(), DiscordError> {
        let key = RouteKey::of_bot("delete_message", channel.get());
        let path = format!("/channels/{channel}/messages/{message}");
        match self.request(key, RetryPolicy::Tries(READ_TRIES), || self.start(Method::DELETE, &path)).await {
            Ok(_) | Err(DiscordError::Refused { code: UNKNOWN_MESSAGE, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows "is typing" for ten seconds. Never retried and never delayed by a rate limit, because a late one would show after
    /// the answer.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn trigger_typing(&self, channel: ChannelId) -> Result<(), DiscordError> {
        let key = RouteKey::of_bot("typing", channel.get());
        let path = format!("/channels/{channel}/typing");
        let build = || self.start(Method::POST, &path).header(header::CONTENT_LENGTH, 0);
        self.request(key, RetryPolicy::Once, build).await.map(drop)
    }

    /// Up to `most` (1 to 100) messages of a channel, oldest first.
    ///
    /// # Errors
    /// [`DiscordError`].
    pub(crate) async fn messages(
        &self,
        channel: ChannelId,
        page: Page,
        most: usize,
    ) -> Result<Vec<Message>, DiscordError> {
        let key = RouteKey::of_bot("get_messages", channel.get());
        let mut path = format!("/channels/{channel}/messages?limit={}", most.clamp(1, 100));
        if let Page::After(id) = page {
            path.push_str(&format!("&after={id}"));
        }
        let retry = RetryPolicy::Tries(READ_TRIES);
        let values: Vec<Value> = self.read(key, retry, || self.start(Method::GET, &path)).await?;
        let mut messages: Vec<Message> = values.into_iter().filter_map(Message::read).collect();
        messages.sort_by_key(|message| message.id);
        Ok(messages)
    }
}
