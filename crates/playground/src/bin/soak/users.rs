//! The simulated users: their channels, what they do, and a record of what they posted.

use fastrand::Rng;
use serde_json::json;
use sim::{
    discord::DiscordSim,
    tess::{HELPER, POET},
};

use crate::audit::{self, Outcome};

/// Channels in which users post all the time.
const BUSY: usize = 24;

/// Channels, threads and direct channels in which users post now and then and wait for the answer.
const QUIET_CHANNELS: usize = 300;
const QUIET_THREADS: usize = 140;
const DIRECTS: usize = 40;

/// All users. The first of them have a direct channel.
const USERS: usize = 60;

/// One channel in this many uses `/reset`, which drops what is not answered there.
const RESETS_ONE_IN: usize = 10;

/// Attempts to find a quiet channel in which everything is answered.
const ATTEMPTS: usize = 6;

/// Messages that may be edited, deleted, replied to and delivered again.
const RECENT: usize = 60;

/// A message that a user posted.
pub(crate) struct Posted {
    pub(crate) message: u64,
    /// Unique in the run; 0 for a message with only a file.
    pub(crate) token: u64,
    pub(crate) deleted: bool,
}

/// A channel, thread or direct channel.
pub(crate) struct UserChannel {
    pub(crate) id: u64,
    /// The only user of a direct channel.
    only: Option<usize>,
    uses_reset: bool,
    pub(crate) posted: Vec<Posted>,
    /// Ids of the `/reset` interactions.
    pub(crate) resets: Vec<u64>,
}

/// All users and their channels.
pub(crate) struct Users {
    discord: DiscordSim,
    /// The busy ones come first.
    pub(crate) channels: Vec<UserChannel>,
    /// Channel and index of the latest messages.
    recent: Vec<(usize, usize)>,
    tokens: u64,
}

impl Users {
    /// Creates the channels and the users.
    pub(crate) fn new(discord: &DiscordSim) -> Self {
        let guild = discord.guild("Sim");
        let mut channels = Vec::new();
        let mut add = |id, only| {
            let uses_reset = channels.len() % RESETS_ONE_IN == 0;
            channels.push(UserChannel { id, only, uses_reset, posted: Vec::new(), resets: Vec::new() });
        };
        (0..BUSY).for_each(|n| add(discord.channel(guild, &format!("busy-{n}")), None));
        let mut parents = Vec::new();
        for n in 0..QUIET_CHANNELS {
            let channel = discord.channel(guild, &format!("quiet-{n}"));
            parents.push(channel);
            add(channel, None);
        }
        for n in 0..QUIET_THREADS {
            add(discord.thread(parents[n % parents.len()], &format!("thread-{n}")), None);
        }
        (0..DIRECTS).for_each(|user| add(discord.dm(&name(user)), Some(user)));
        (0..USERS / 4).for_each(|user| discord.make_manager(&name(user)));
        Self { discord: discord.clone(), channels, recent: Vec::new(), tokens: 0 }
    }

    /// Posts once in every direct channel. The bot catches up only in direct channels that it knows.
    pub(crate) fn open_direct_channels(&mut self, rng: &mut Rng) {
        for channel in self.channels.len() - DIRECTS..self.channels.len() {
            self.post(channel, rng);
        }
    }

    /// Performs a random action.
    pub(crate) fn act(&mut self, rng: &mut Rng) {
        match rng.u8(0..100) {
            0..64 => self.post_burst(rng),
            64..72 => self.reply(rng),
            72..81 => self.edit(rng),
            81..88 => self.delete(rng),
            88..92 => self.post_file(rng),
            92..96 => self.reset(rng),
            _ => self.switch_agent(rng),
        }
    }

    /// A random message of the latest.
    pub(crate) fn recent_message(&self, rng: &mut Rng) -> Option<u64> {
        let (channel, index) = *rng.choice(&self.recent)?;
        Some(self.channels[channel].posted[index].message)
    }

    fn post_burst(&mut self, rng: &mut Rng) {
        let channel = self.choose_channel(rng);
        let messages = if rng.u8(0..10) < 6 { 1 } else { rng.usize(2..5) };
        (0..messages).for_each(|_| self.post(channel, rng));
    }

    /// A busy channel, or a quiet one in which everything is answered: a later message there would hide that the bot forgot
    /// an earlier one.
    fn choose_channel(&self, rng: &mut Rng) -> usize {
        if rng.u8(0..10) < 6 {
            for _ in 0..ATTEMPTS {
                let channel = rng.usize(BUSY..self.channels.len());
                if self.is_answered(channel) {
                    return channel;
                }
            }
        }
        rng.usize(0..BUSY)
    }

    fn is_answered(&self, channel: usize) -> bool {
        let channel = &self.channels[channel];
        let outcomes = audit::of(channel, &self.discord.messages(channel.id)).outcomes;
        outcomes.iter().all(|outcome| *outcome != Outcome::Open)
    }

    fn post(&mut self, channel: usize, rng: &mut Rng) {
        let (user, text) = self.new_text(channel, rng);
        let message = self.discord.say(self.channels[channel].id, &user, &text);
        self.record(channel, message, self.tokens);
    }

    /// A user and a text with a new token. Some texts ask for a long answer.
    fn new_text(&mut self, channel: usize, rng: &mut Rng) -> (String, String) {
        self.tokens += 1;
        let asks = match rng.u8(0..40) {
            0..3 => "tell me at length",
            3 => "write a book",
            _ => "what do you say?",
        };
        (self.choose_user(channel, rng), format!("tok{} {asks}", self.tokens))
    }

    fn choose_user(&self, channel: usize, rng: &mut Rng) -> String {
        name(self.channels[channel].only.unwrap_or_else(|| rng.usize(0..USERS)))
    }

    fn record(&mut self, channel: usize, message: u64, token: u64) {
        let posted = &mut self.channels[channel].posted;
        posted.push(Posted { message, token, deleted: false });
        if token == 0 {
            return;
        }
        self.recent.push((channel, posted.len() - 1));
        if self.recent.len() > RECENT {
            self.recent.remove(0);
        }
    }

    fn reply(&mut self, rng: &mut Rng) {
        let Some((channel, index)) = self.choose_recent(rng) else { return };
        let to = self.channels[channel].posted[index].message;
        let (user, text) = self.new_text(channel, rng);
        let message = self.discord.reply(self.channels[channel].id, &user, to, &text);
        self.record(channel, message, self.tokens);
    }

    fn edit(&mut self, rng: &mut Rng) {
        let Some((channel, index)) = self.choose_recent(rng) else { return };
        let Posted { message, token, .. } = self.channels[channel].posted[index];
        self.discord.edit(message, &format!("tok{token} or rather, what do you think?"));
    }

    fn delete(&mut self, rng: &mut Rng) {
        let Some((channel, index)) = self.choose_recent(rng) else { return };
        let posted = &mut self.channels[channel].posted[index];
        posted.deleted = true;
        self.discord.delete(posted.message);
    }

    /// A random message of the latest that is not deleted.
    fn choose_recent(&self, rng: &mut Rng) -> Option<(usize, usize)> {
        let (channel, index) = *rng.choice(&self.recent)?;
        (!self.channels[channel].posted[index].deleted).then_some((channel, index))
    }

    fn post_file(&mut self, rng: &mut Rng) {
        let channel = rng.usize(0..self.channels.len());
        let user = self.choose_user(channel, rng);
        let file = json!({"id": "1", "filename": "photo.png", "size": 10, "url": "https://example.com/photo.png",
            "proxy_url": "https://example.com/photo.png", "content_type": "image/png"});
        let message = json!({"content": "", "attachments": [file]});
        let message = self.discord.say_with(self.channels[channel].id, &user, &message);
        self.record(channel, message, 0);
    }

    fn reset(&mut self, rng: &mut Rng) {
        let chosen = rng.usize(0..self.channels.len() / RESETS_ONE_IN) * RESETS_ONE_IN;
        let user = self.choose_user(chosen, rng);
        let channel = &mut self.channels[chosen];
        if channel.uses_reset {
            channel.resets.push(self.discord.slash(channel.id, &user, "reset", &json!({})).id());
        }
    }

    fn switch_agent(&mut self, rng: &mut Rng) {
        let channel = rng.usize(0..self.channels.len());
        let user = self.choose_user(channel, rng);
        let options = match rng.u8(0..3) {
            0 => json!({}),
            1 => json!({"id": HELPER.to_string()}),
            _ => json!({"id": POET.to_string()}),
        };
        // The audit does not cover responses to commands.
        let _ = self.discord.slash(self.channels[channel].id, &user, "agent", &options);
    }
}

fn name(user: usize) -> String {
    format!("user{user}")
}
