//! The people: where they talk, what they say, and the record of it.

use fastrand::Rng;
use serde_json::json;
use sim::{
    discord::DiscordSim,
    tess::{HELPER, POET},
};

use crate::balance::{self, Outcome};

/// Channels with a conversation that goes on.
const BUSY: usize = 24;

/// Channels, threads and direct messages where people say something now and then, and wait for the answer.
const QUIET_CHANNELS: usize = 300;
const QUIET_THREADS: usize = 140;
const DIRECTS: usize = 40;

/// Everyone there is; each of the first has a direct channel.
const USERS: usize = 60;

/// One place in so many knows `/reset`: what is unanswered there when it comes is lawfully forgotten.
const RESETS_ONE_IN: usize = 10;

/// Tries to find a quiet place where everything is answered.
const TRIES: usize = 6;

/// Messages that may still be edited, deleted, replied to and delivered again.
const RECENT: usize = 60;

/// What was said.
pub(crate) struct Said {
    pub(crate) message: u64,
    /// Unique in the run; 0 for a message of nothing but a file.
    pub(crate) token: u64,
    pub(crate) deleted: bool,
}

/// A channel, a thread or direct messages.
pub(crate) struct Place {
    pub(crate) channel: u64,
    /// Who talks here when it is one person's.
    only: Option<usize>,
    resets: bool,
    pub(crate) said: Vec<Said>,
    /// When it was reset, as ids.
    pub(crate) reset_at: Vec<u64>,
}

/// All of them.
pub(crate) struct People {
    discord: DiscordSim,
    /// The busy ones come first.
    pub(crate) places: Vec<Place>,
    /// Place and index of what was said last.
    recent: Vec<(usize, usize)>,
    tokens: u64,
}

impl People {
    /// Makes the channels and the people.
    pub(crate) fn new(discord: &DiscordSim) -> Self {
        let guild = discord.guild("Sim");
        let mut places = Vec::new();
        let mut add = |channel, only| {
            let resets = places.len() % RESETS_ONE_IN == 0;
            places.push(Place { channel, only, resets, said: Vec::new(), reset_at: Vec::new() });
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
        Self { discord: discord.clone(), places, recent: Vec::new(), tokens: 0 }
    }

    /// Everyone who has a direct channel writes once: a bot can not know of direct messages it was never told of.
    pub(crate) fn greet(&mut self, rng: &mut Rng) {
        for place in self.places.len() - DIRECTS..self.places.len() {
            self.say(place, rng);
        }
    }

    /// Somebody does something.
    pub(crate) fn act(&mut self, rng: &mut Rng) {
        match rng.u8(0..100) {
            0..64 => self.burst(rng),
            64..72 => self.reply(rng),
            72..81 => self.edit(rng),
            81..88 => self.delete(rng),
            88..92 => self.post_file(rng),
            92..96 => self.reset(rng),
            _ => self.switch_agent(rng),
        }
    }

    /// A message that was said lately.
    pub(crate) fn recent_message(&self, rng: &mut Rng) -> Option<u64> {
        let (place, index) = *rng.choice(&self.recent)?;
        Some(self.places[place].said[index].message)
    }

    fn burst(&mut self, rng: &mut Rng) {
        let place = self.somewhere(rng);
        let messages = if rng.u8(0..10) < 6 { 1 } else { rng.usize(2..5) };
        (0..messages).for_each(|_| self.say(place, rng));
    }

    /// A busy place, or a quiet one where everything is answered: so that nothing that was forgotten is answered only because
    /// somebody asked again.
    fn somewhere(&self, rng: &mut Rng) -> usize {
        if rng.u8(0..10) < 6 {
            for _ in 0..TRIES {
                let place = rng.usize(BUSY..self.places.len());
                if self.is_answered(place) {
                    return place;
                }
            }
        }
        rng.usize(0..BUSY)
    }

    fn is_answered(&self, place: usize) -> bool {
        let place = &self.places[place];
        let outcomes = balance::of(place, &self.discord.messages(place.channel)).outcomes;
        outcomes.iter().all(|outcome| *outcome != Outcome::Open)
    }

    /// What is only read until its end asks for a long answer, of several messages.
    fn say(&mut self, place: usize, rng: &mut Rng) {
        let (user, text) = self.words(place, rng);
        let message = self.discord.say(self.places[place].channel, &user, &text);
        self.note(place, message, self.tokens);
    }

    fn words(&mut self, place: usize, rng: &mut Rng) -> (String, String) {
        self.tokens += 1;
        let asks = match rng.u8(0..40) {
            0..3 => "tell me at length",
            3 => "write a book",
            _ => "what do you say?",
        };
        (self.somebody(place, rng), format!("tok{} {asks}", self.tokens))
    }

    fn somebody(&self, place: usize, rng: &mut Rng) -> String {
        name(self.places[place].only.unwrap_or_else(|| rng.usize(0..USERS)))
    }

    fn note(&mut self, place: usize, message: u64, token: u64) {
        let said = &mut self.places[place].said;
        said.push(Said { message, token, deleted: false });
        if token == 0 {
            return;
        }
        self.recent.push((place, said.len() - 1));
        if self.recent.len() > RECENT {
            self.recent.remove(0);
        }
    }

    fn reply(&mut self, rng: &mut Rng) {
        let Some((place, index)) = self.choose_recent(rng) else { return };
        let to = self.places[place].said[index].message;
        let (user, text) = self.words(place, rng);
        let message = self.discord.reply(self.places[place].channel, &user, to, &text);
        self.note(place, message, self.tokens);
    }

    fn edit(&mut self, rng: &mut Rng) {
        let Some((place, index)) = self.choose_recent(rng) else { return };
        let Said { message, token, .. } = self.places[place].said[index];
        self.discord.edit(message, &format!("tok{token} or rather, what do you think?"));
    }

    fn delete(&mut self, rng: &mut Rng) {
        let Some((place, index)) = self.choose_recent(rng) else { return };
        let said = &mut self.places[place].said[index];
        said.deleted = true;
        self.discord.delete(said.message);
    }

    /// A message of late that is still there.
    fn choose_recent(&self, rng: &mut Rng) -> Option<(usize, usize)> {
        let (place, index) = *rng.choice(&self.recent)?;
        (!self.places[place].said[index].deleted).then_some((place, index))
    }

    fn post_file(&mut self, rng: &mut Rng) {
        let place = rng.usize(0..self.places.len());
        let user = self.somebody(place, rng);
        let file = json!({"id": "1", "filename": "photo.png", "size": 10, "url": "https://example.com/photo.png",
            "proxy_url": "https://example.com/photo.png", "content_type": "image/png"});
        let message = json!({"content": "", "attachments": [file]});
        let message = self.discord.say_with(self.places[place].channel, &user, &message);
        self.note(place, message, 0);
    }

    fn reset(&mut self, rng: &mut Rng) {
        let chosen = rng.usize(0..self.places.len() / RESETS_ONE_IN) * RESETS_ONE_IN;
        let user = self.somebody(chosen, rng);
        let place = &mut self.places[chosen];
        if place.resets {
            place.reset_at.push(self.discord.slash(place.channel, &user, "reset", &json!({})).id());
        }
    }

    fn switch_agent(&mut self, rng: &mut Rng) {
        let place = rng.usize(0..self.places.len());
        let user = self.somebody(place, rng);
        let options = match rng.u8(0..3) {
            0 => json!({}),
            1 => json!({"id": HELPER.to_string()}),
            _ => json!({"id": POET.to_string()}),
        };
        // What it answers, or that it does not, is of no interest here.
        let _ = self.discord.slash(self.places[place].channel, &user, "agent", &options);
    }
}

fn name(user: usize) -> String {
    format!("user{user}")
}
