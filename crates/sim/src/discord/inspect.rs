//! What a test can ask the simulator about the bot.

use serde_json::{Value, json};

use super::{
    observed::{SimMessage, SimRequest},
    routes::Route,
    sim::DiscordSim,
    state::State,
};

/// Messages of the bot.
impl DiscordSim {
    /// Waits for the bot's next unread message in a channel and marks it as read. Panics after 10 s, with a transcript.
    /// Responses to interactions are read through their handle.
    pub async fn next_message(&self, channel: u64) -> SimMessage {
        self.wait_for(&format!("a message in channel {channel}"), |state| state.take_unread(channel)).await
    }

    /// The bot's next unread message in a channel, if there is one; marks it as read.
    #[must_use]
    pub fn try_next_message(&self, channel: u64) -> Option<SimMessage> {
        self.shared.read(|state| state.take_unread(channel))
    }

    /// The bot's unread messages.
    #[must_use]
    pub fn unread(&self) -> Vec<SimMessage> {
        self.shared.read(|state| {
            let messages = state.world.channels.values().flat_map(|channel| channel.messages.values());
            messages.filter(|message| !message.read).map(|message| state.as_seen(message)).collect()
        })
    }

    /// Calls `callback` with each message of the bot when it is posted. Made for measurements, in which a task that waits
    /// for each message would cost more than what is measured. `callback` must not use the simulator.
    pub fn on_message(&self, callback: impl Fn(&SimMessage) + Send + 'static) {
        self.shared.read(|state| state.on_message = Some(Box::new(callback)));
    }

    /// The current state of a message.
    #[must_use]
    pub fn message(&self, id: u64) -> Option<SimMessage> {
        self.shared.read(|state| state.world.message(id).map(|message| state.as_seen(message)))
    }

    /// A message of the bot after each of its edits, oldest first.
    #[must_use]
    pub fn edits_of(&self, message: u64) -> Vec<SimMessage> {
        self.shared
            .read(|state| state.edits.iter().filter(|(id, _)| *id == message).map(|(_, it)| it.clone()).collect())
    }

    /// Every message of a channel, oldest first.
    #[must_use]
    pub fn messages(&self, channel: u64) -> Vec<SimMessage> {
        self.shared.read(|state| {
            let messages = state.world.channels.get(&channel).into_iter().flat_map(|it| it.messages.values());
            messages.map(|message| state.as_seen(message)).collect()
        })
    }

    /// A channel as text, one line per message: `alice: hi`.
    #[must_use]
    pub fn transcript(&self, channel: u64) -> String {
        self.shared.read(|state| state.transcript(channel))
    }

    /// How often the bot triggered typing in a channel.
    #[must_use]
    pub fn typing_count(&self, channel: u64) -> usize {
        self.shared.read(|state| state.world.channels.get(&channel).map_or(0, |channel| channel.typing))
    }

    /// Waits until the bot triggers typing in a channel, since the last call of this method. Panics after 10 s.
    pub async fn wait_for_typing(&self, channel: u64) {
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
        self.shared.read(|state| state.requests.iter().cloned().collect())
    }

    /// The number of REST requests whose path, without `/api/v10`, has this prefix.
    #[must_use]
    pub fn requests_to(&self, prefix: &str) -> usize {
        self.shared.read(|state| state.requests.iter().filter(|request| request.path.starts_with(prefix)).count())
    }

    /// The number of REST requests of a route.
    #[must_use]
    pub fn requests_of(&self, route: Route) -> usize {
        self.shared.read(|state| state.requests.iter().filter(|request| request.route == Some(route)).count())
    }

    /// The number of IDENTIFYs received.
    #[must_use]
    pub fn identifies(&self) -> usize {
        self.shared.read(|state| state.gateway.identifies)
    }

    /// The number of RESUMEs received.
    #[must_use]
    pub fn resumes(&self) -> usize {
        self.shared.read(|state| state.gateway.resumes)
    }

    /// The number of gateway connections opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.read(|state| state.gateway.opened)
    }

    /// Waits until the bot has a session with a connection. Panics after 10 s.
    pub async fn wait_connected(&self) {
        self.wait_for("a connection", |state| state.gateway.is_connected().then_some(())).await;
    }

    /// Waits until the bot has no session with a connection. Panics after 10 s.
    pub async fn wait_disconnected(&self) {
        self.wait_for("a disconnection", |state| (!state.gateway.is_connected()).then_some(())).await;
    }

    /// The number of requests that count towards Discord's ban: those answered with 401, 403 or 429.
    #[must_use]
    pub fn invalid_requests(&self) -> usize {
        self.shared.read(|state| state.invalid_requests)
    }

    /// The registered commands.
    #[must_use]
    pub fn commands(&self) -> Value {
        self.shared.read(|state| json!(state.commands))
    }

    /// How often the bot registered its commands.
    #[must_use]
    pub fn command_puts(&self) -> usize {
        self.shared.read(|state| state.command_puts)
    }

    /// What the bot did wrong. The texts contain no content of messages.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.read(|state| state.violations.clone())
    }

    /// Removes the violations that contain a text, for a test that provoked them.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn expect_violation(&self, text: &str) {
        let (before, after, all) = self.shared.change(|state| {
            let all = state.violations.clone();
            state.violations.retain(|violation| !violation.contains(text));
            (all.len(), state.violations.len(), all)
        });
        assert!(after < before, "no violation contains {text:?}: {all:#?}");
    }
}
