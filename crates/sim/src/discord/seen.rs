//! What the bot did, as the simulator saw it.

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    DiscordSim, State,
    routes::Route,
    world::{Message, id_in},
};

/// Requests remembered; the oldest goes first.
const REQUESTS_KEPT: usize = 100_000;

/// Edits remembered; the oldest goes first.
const EDITS_KEPT: usize = 10_000;

/// Violations remembered; further ones say nothing new.
const VIOLATIONS_KEPT: usize = 1_000;

/// A message as people see it.
#[derive(Clone, Debug)]
pub struct SimMessage {
    /// The message's id.
    pub id: u64,
    /// Where it is.
    pub channel: u64,
    /// Who wrote it: a user's name, or `bot`.
    pub author: String,
    /// The text as it is now.
    pub content: String,
    /// The message it replies to.
    pub reply_to: Option<u64>,
    /// The nonce it was made with.
    pub nonce: Option<String>,
    /// The files uploaded with it, by name.
    pub files: Vec<(String, Bytes)>,
    /// Message flags as bits.
    pub flags: u64,
    /// Buttons and menus.
    pub components: Value,
    /// Embeds.
    pub embeds: Value,
    /// Whether it was changed after it was sent.
    pub edited: bool,
}

/// A request of the bot.
#[derive(Clone, Debug)]
pub struct SimRequest {
    /// The HTTP method.
    pub method: String,
    /// The path without `/api/v10` and query.
    pub path: String,
    /// The route; `None` when it is unknown.
    pub route: Option<Route>,
    /// When it arrived.
    pub at: Instant,
}

/// Messages of the bot.
impl DiscordSim {
    /// Waits for the bot's next message in a channel that has not been handed out yet. Panics after 10 s, with a
    /// transcript. Answers to interactions are read through their handle instead.
    pub async fn next_message(&self, channel: u64) -> SimMessage {
        self.wait_for(&format!("a message in channel {channel}"), |state| state.hand_out(channel)).await
    }

    /// The bot's next message in a channel, if it is there already.
    #[must_use]
    pub fn try_next_message(&self, channel: u64) -> Option<SimMessage> {
        self.shared.look(|state| state.hand_out(channel))
    }

    /// The bot's messages that nobody has read.
    #[must_use]
    pub fn unread(&self) -> Vec<SimMessage> {
        self.shared.look(|state| {
            let messages = state.world.channels.values().flat_map(|channel| channel.messages.values());
            messages.filter(|message| !message.read).map(|message| state.seen(message)).collect()
        })
    }

    /// Tells `tell` each message of the bot from now on, as it is posted: for measurements, where waiting for each in a task of
    /// its own would cost more than what is measured. `tell` must not use the simulator.
    pub fn on_message(&self, tell: impl Fn(&SimMessage) + Send + 'static) {
        self.shared.look(|state| state.on_message = Some(Box::new(tell)));
    }

    /// A message as it is now.
    #[must_use]
    pub fn message(&self, id: u64) -> Option<SimMessage> {
        self.shared.look(|state| state.world.message(id).map(|message| state.seen(message)))
    }

    /// A message of the bot as each of the bot's edits left it.
    #[must_use]
    pub fn edits_of(&self, message: u64) -> Vec<SimMessage> {
        self.shared
            .look(|state| state.edits.iter().filter(|(id, _)| *id == message).map(|(_, it)| it.clone()).collect())
    }

    /// Every message of a channel, oldest first.
    #[must_use]
    pub fn messages(&self, channel: u64) -> Vec<SimMessage> {
        self.shared.look(|state| {
            let messages = state.world.channels.get(&channel).into_iter().flat_map(|it| it.messages.values());
            messages.map(|message| state.seen(message)).collect()
        })
    }

    /// A channel as one would read it: `alice: hi`, a line a message.
    #[must_use]
    pub fn transcript(&self, channel: u64) -> String {
        self.shared.look(|state| state.transcript(channel))
    }

    /// How often the bot has begun to type in a channel.
    #[must_use]
    pub fn typing_count(&self, channel: u64) -> usize {
        self.shared.look(|state| state.world.channels.get(&channel).map_or(0, |channel| channel.typing))
    }

    /// Waits until the bot types in a channel, again if it has been waited for before. Panics after 10 s.
    pub async fn wait_typing(&self, channel: u64) {
        let typed = |state: &mut State| {
            let channel = state.world.channels.get_mut(&channel)?;
            (channel.typing > channel.typing_awaited).then(|| channel.typing_awaited = channel.typing)
        };
        self.wait_for(&format!("typing in channel {channel}"), typed).await;
    }
}

/// Requests, connections and violations.
impl DiscordSim {
    /// Every REST request, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<SimRequest> {
        self.shared.look(|state| state.requests.iter().cloned().collect())
    }

    /// How many REST requests had a path that begins so (without `/api/v10`).
    #[must_use]
    pub fn requests_to(&self, prefix: &str) -> usize {
        self.shared.look(|state| state.requests.iter().filter(|request| request.path.starts_with(prefix)).count())
    }

    /// How many REST requests a route had.
    #[must_use]
    pub fn requests_of(&self, route: Route) -> usize {
        self.shared.look(|state| state.requests.iter().filter(|request| request.route == Some(route)).count())
    }

    /// IDENTIFYs received.
    #[must_use]
    pub fn identifies(&self) -> usize {
        self.shared.look(|state| state.gateway.identifies)
    }

    /// RESUMEs received.
    #[must_use]
    pub fn resumes(&self) -> usize {
        self.shared.look(|state| state.gateway.resumes)
    }

    /// Gateway connections opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.look(|state| state.gateway.opened)
    }

    /// Waits until the bot has a session that is being served. Panics after 10 s.
    pub async fn wait_connected(&self) {
        self.wait_for("a connection", |state| state.gateway.is_connected().then_some(())).await;
    }

    /// Waits until the bot has no session that is being served. Panics after 10 s.
    pub async fn wait_disconnected(&self) {
        self.wait_for("a disconnection", |state| (!state.gateway.is_connected()).then_some(())).await;
    }

    /// Waits until something holds. Panics after 10 s.
    pub async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            while !holds(self) {
                // The sender lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        if tokio::time::timeout(super::PATIENCE, wait).await.is_err() {
            panic!("waited in vain for {what}\n{}", self.shared.look(|state| state.transcripts()));
        }
    }

    /// Requests that count towards Discord's ban: 401, 403 and 429.
    #[must_use]
    pub fn invalid_requests(&self) -> usize {
        self.shared.look(|state| state.invalid_requests)
    }

    /// The registered commands.
    #[must_use]
    pub fn commands(&self) -> Value {
        self.shared.look(|state| json!(state.commands))
    }

    /// How often commands were registered.
    #[must_use]
    pub fn command_puts(&self) -> usize {
        self.shared.look(|state| state.command_puts)
    }

    /// What the bot did that it must not, without any message's text.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.look(|state| state.violations.clone())
    }

    /// Takes back the violations that contain a text: the test provoked them.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn expect_violation(&self, text: &str) {
        let (before, after, all) = self.shared.with(|state| {
            let all = state.violations.clone();
            state.violations.retain(|violation| !violation.contains(text));
            (all.len(), state.violations.len(), all)
        });
        assert!(after < before, "no violation contains {text:?}: {all:#?}");
    }
}

impl State {
    pub(super) fn record(&mut self, request: SimRequest) {
        self.requests.push_back(request);
        if self.requests.len() > REQUESTS_KEPT {
            self.requests.pop_front();
        }
    }

    pub(super) fn record_edit(&mut self, id: u64) {
        let Some(edited) = self.world.message(id).map(|message| self.seen(message)) else { return };
        self.edits.push_back((id, edited));
        if self.edits.len() > EDITS_KEPT {
            self.edits.pop_front();
        }
    }

    pub(super) fn violation(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(what);
        }
    }

    fn hand_out(&mut self, channel: u64) -> Option<SimMessage> {
        let messages = &mut self.world.channels.get_mut(&channel)?.messages;
        let (id, message) = messages.iter_mut().find(|(_, message)| !message.read)?;
        message.read = true;
        let id = *id;
        self.world.message(id).map(|message| self.seen(message))
    }

    fn author_of(&self, message: &Message) -> String {
        let author = &message.value["author"];
        match id_in(author, "id") {
            Some(id) if message.value.get("webhook_id").is_none() || id == self.world.bot => {
                self.world.user_name(id).to_owned()
            }
            _ => author["username"].as_str().unwrap_or("?").to_owned(),
        }
    }

    pub(super) fn seen(&self, message: &Message) -> SimMessage {
        let value = &message.value;
        let nonce = &value["nonce"];
        SimMessage {
            id: id_in(value, "id").unwrap_or_default(),
            channel: id_in(value, "channel_id").unwrap_or_default(),
            author: self.author_of(message),
            content: value["content"].as_str().unwrap_or_default().to_owned(),
            reply_to: id_in(&value["message_reference"], "message_id"),
            nonce: nonce.as_str().map(str::to_owned).or_else(|| nonce.as_u64().map(|nonce| nonce.to_string())),
            files: message.files.clone(),
            flags: value["flags"].as_u64().unwrap_or_default(),
            components: value["components"].clone(),
            embeds: value["embeds"].clone(),
            edited: !value["edited_timestamp"].is_null(),
        }
    }

    fn transcript(&self, channel: u64) -> String {
        let messages = self.world.channels.get(&channel).into_iter().flat_map(|channel| channel.messages.values());
        let line = |message: &Message| {
            let only = message.seen_by.map(|user| format!(" (only {} sees)", self.world.user_name(user)));
            let files: String = message.files.iter().map(|(name, _)| format!(" [{name}]")).collect();
            let content = message.value["content"].as_str().unwrap_or_default();
            format!("{}{}: {content}{files}", self.author_of(message), only.unwrap_or_default())
        };
        messages.map(line).collect::<Vec<_>>().join("\n")
    }

    /// Every channel that has messages, and the violations, for the panic of a wait.
    pub(super) fn transcripts(&self) -> String {
        let spoken =
            self.world.channels.keys().map(|id| (id, self.transcript(*id))).filter(|(_, text)| !text.is_empty());
        let channels: String = spoken.map(|(id, text)| format!("#{id}\n{text}\n")).collect();
        format!("{channels}violations: {:#?}", self.violations)
    }
}
