//! Records what the bot does: requests, edits and violations, and how users see its messages.

use super::{
    json::id_in,
    observed::{SimMessage, SimRequest},
    routes::Call,
    state::State,
    world::Message,
};

/// Requests kept; the oldest is dropped first.
const REQUESTS_KEPT: usize = 100_000;

/// Edits kept; the oldest is dropped first.
const EDITS_KEPT: usize = 10_000;

/// Violations kept; later ones are dropped.
const VIOLATIONS_KEPT: usize = 1_000;

impl State {
    pub(super) fn record_request(&mut self, request: SimRequest) {
        self.requests.push_back(request);
        if self.requests.len() > REQUESTS_KEPT {
            self.requests.pop_front();
        }
    }

    /// Records a message of the bot as an edit left it.
    pub(super) fn record_edit(&mut self, id: u64) {
        let Some(edited) = self.world.message(id).map(|message| self.as_seen(message)) else { return };
        self.edits.push_back((id, edited));
        if self.edits.len() > EDITS_KEPT {
            self.edits.pop_front();
        }
    }

    pub(super) fn record_violation(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(what);
        }
    }

    pub(super) fn record_call_violation(&mut self, call: &Call, what: &str) {
        self.record_violation(format!("{} {}: {what}", call.method, call.path));
    }

    /// The oldest unread message of the bot in a channel, which becomes read.
    pub(super) fn take_unread(&mut self, channel: u64) -> Option<SimMessage> {
        let messages = &mut self.world.channels.get_mut(&channel)?.messages;
        let (id, message) = messages.iter_mut().find(|(_, message)| !message.read)?;
        message.read = true;
        let id = *id;
        self.world.message(id).map(|message| self.as_seen(message))
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

    /// A message as users see it.
    pub(super) fn as_seen(&self, message: &Message) -> SimMessage {
        let value = &message.value;
        let nonce = &value["nonce"];
        SimMessage {
            id: id_in(value, "id").unwrap_or_default(),
            channel: id_in(value, "channel_id").unwrap_or_default(),
            author: self.author_of(message),
            content: message.content().to_owned(),
            reply_to: id_in(&value["message_reference"], "message_id"),
            nonce: nonce.as_str().map(str::to_owned).or_else(|| nonce.as_u64().map(|nonce| nonce.to_string())),
            files: message.files.clone(),
            flags: message.flags(),
            components: value["components"].clone(),
            embeds: value["embeds"].clone(),
            edited: !value["edited_timestamp"].is_null(),
        }
    }

    /// A channel as text, one line per message.
    pub(super) fn transcript(&self, channel: u64) -> String {
        let messages = self.world.channels.get(&channel).into_iter().flat_map(|channel| channel.messages.values());
        let line = |message: &Message| {
            let only = message.seen_by.map(|user| format!(" (only {} sees)", self.world.user_name(user)));
            let files: String = message.files.iter().map(|(name, _)| format!(" [{name}]")).collect();
            let content = message.content();
            format!("{}{}: {content}{files}", self.author_of(message), only.unwrap_or_default())
        };
        messages.map(line).collect::<Vec<_>>().join("\n")
    }

    /// The transcripts of all channels and the violations, for the message of a panic.
    pub(super) fn transcripts(&self) -> String {
        let transcripts = self.world.channels.keys().map(|id| (id, self.transcript(*id)));
        let transcripts = transcripts.filter(|(_, text)| !text.is_empty());
        let channels: String = transcripts.map(|(id, text)| format!("#{id}\n{text}\n")).collect();
        format!("{channels}violations: {:#?}", self.violations)
    }
}
