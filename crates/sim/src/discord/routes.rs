//! Recognises the route of a request.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method, Uri, header};

/// The simulated version of the API.
const API_PREFIX: &str = "/api/v10";

/// A route of the REST API, by which faults are injected and requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// `GET /gateway`
    Gateway,
    /// `GET /gateway/bot`
    GatewayBot,
    /// `GET /users/@me`
    Me,
    /// `GET /applications/@me` and `GET /oauth2/applications/@me`
    Application,
    /// `GET` and `PUT /applications/{app}/commands`
    Commands,
    /// `GET /channels/{channel}`
    Channel,
    /// `GET /guilds/{guild}`
    Guild,
    /// `GET /guilds/{guild}/members/{user}`
    Member,
    /// `POST /channels/{channel}/typing`
    Typing,
    /// `GET /channels/{channel}/messages`
    GetMessages,
    /// `GET /channels/{channel}/messages/{message}`
    GetMessage,
    /// `POST /channels/{channel}/messages`
    CreateMessage,
    /// `PATCH /channels/{channel}/messages/{message}`
    EditMessage,
    /// `DELETE /channels/{channel}/messages/{message}`
    DeleteMessage,
    /// `POST /interactions/{id}/{token}/callback`
    Callback,
    /// `POST /webhooks/{app}/{token}`
    Followup,
    /// `GET /webhooks/{app}/{token}/messages/{@original or id}`
    GetOriginal,
    /// `PATCH /webhooks/{app}/{token}/messages/{@original or id}`
    EditOriginal,
    /// `DELETE /webhooks/{app}/{token}/messages/{@original or id}`
    DeleteOriginal,
    /// `GET /attachments/{channel}/{file}/{name}`, a route of the CDN, outside `/api`
    Attachment,
}

impl Route {
    /// Whether the route belongs to an interaction; such routes need no bot token and have no global limit.
    pub(super) fn is_interaction(self) -> bool {
        use Route::{Callback, DeleteOriginal, EditOriginal, Followup, GetOriginal};
        matches!(self, Callback | Followup | GetOriginal | EditOriginal | DeleteOriginal)
    }

    pub(super) fn needs_token(self) -> bool {
        !matches!(self, Self::Gateway | Self::Attachment) && !self.is_interaction()
    }
}

/// The method, path and headers of a request.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path without the API's prefix and the query.
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    /// `None` when the simulator does not know the route.
    pub(super) route: Option<Route>,
    /// The major parameter, which has its own rate limit: a channel, guild, application or interaction.
    pub(super) major: u64,
    /// The message, member or file; 0 for none, and for the `@original` of an interaction.
    pub(super) target: u64,
    pub(super) authorization: Option<String>,
    pub(super) user_agent: String,
    /// Whether the path starts with the API's prefix.
    pub(super) has_prefix: bool,
}

impl Call {
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let has_prefix = uri.path().starts_with(API_PREFIX);
        let path = uri.path().strip_prefix(API_PREFIX).unwrap_or(uri.path()).to_owned();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let known = if has_prefix { api_route(method, &path) } else { cdn_route(method, &path) };
        Self {
            query: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            route: known.map(|(route, ..)| route),
            major: known.map_or(0, |(_, major, _)| major),
            target: known.map_or(0, |(.., target)| target),
            authorization: text(header::AUTHORIZATION),
            user_agent: text(header::USER_AGENT).unwrap_or_default(),
            method: method.clone(),
            path,
            has_prefix,
        }
    }
}

/// Returns the route, its major parameter and its target.
fn api_route(method: &Method, path: &str) -> Option<(Route, u64, u64)> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let id = |text: &str| text.parse::<u64>().ok();
    Some(match (method.as_str(), segments.as_slice()) {
        ("GET", ["gateway"]) => (Route::Gateway, 0, 0),
        ("GET", ["gateway", "bot"]) => (Route::GatewayBot, 0, 0),
        ("GET", ["users", "@me"]) => (Route::Me, 0, 0),
        ("GET", ["applications", "@me"] | ["oauth2", "applications", "@me"]) => (Route::Application, 0, 0),
        ("GET" | "PUT", ["applications", app, "commands"]) => (Route::Commands, id(app)?, 0),
        ("GET", ["channels", channel]) => (Route::Channel, id(channel)?, 0),
        ("GET", ["guilds", guild]) => (Route::Guild, id(guild)?, 0),
        ("GET", ["guilds", guild, "members", user]) => (Route::Member, id(guild)?, id(user)?),
        ("POST", ["channels", channel, "typing"]) => (Route::Typing, id(channel)?, 0),
        ("GET", ["channels", channel, "messages"]) => (Route::GetMessages, id(channel)?, 0),
        ("POST", ["channels", channel, "messages"]) => (Route::CreateMessage, id(channel)?, 0),
        ("GET", ["channels", channel, "messages", message]) => (Route::GetMessage, id(channel)?, id(message)?),
        ("PATCH", ["channels", channel, "messages", message]) => (Route::EditMessage, id(channel)?, id(message)?),
        ("DELETE", ["channels", channel, "messages", message]) => (Route::DeleteMessage, id(channel)?, id(message)?),
        ("POST", ["interactions", _, token, "callback"]) => (Route::Callback, interaction_of(token), 0),
        ("POST", ["webhooks", _, token]) => (Route::Followup, interaction_of(token), 0),
        (method, ["webhooks", _, token, "messages", message]) => {
            let route = match method {
                "GET" => Route::GetOriginal,
                "PATCH" => Route::EditOriginal,
                "DELETE" => Route::DeleteOriginal,
                _ => return None,
            };
            (route, interaction_of(token), if *message == "@original" { 0 } else { id(message)? })
        }
        _ => return None,
    })
}

/// Returns the route of a file, its channel and its id.
fn cdn_route(method: &Method, path: &str) -> Option<(Route, u64, u64)> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["attachments", channel, file, _name]) => {
            Some((Route::Attachment, channel.parse().ok()?, file.parse().ok()?))
        }
        _ => None,
    }
}

/// The token of an interaction, which contains its id.
pub(super) fn interaction_token(id: u64) -> String {
    format!("sim-interaction-{id}")
}

/// The interaction of a token; 0 when the token is unknown.
fn interaction_of(token: &str) -> u64 {
    token.strip_prefix("sim-interaction-").and_then(|id| id.parse().ok()).unwrap_or(0)
}
