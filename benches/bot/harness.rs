//! Both simulators, and a log of every message between them.
//!
//! Each message and each answer contains its number (`#7#`, `=7=`). The log therefore knows when a message was executed and
//! answered, whether that happened once and in order, and whether the agent saw the right history.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;
use sim::{
    discord::{DiscordOptions, DiscordSim, SimMessage},
    tess::{TessOptions, TessSim},
};
use tokio::{sync::mpsc, time::timeout};

/// How long an answer may take on a busy machine before the run fails.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Problems kept; later ones are dropped.
const PROBLEMS_KEPT: usize = 20;

/// The settings of a harness.
pub(crate) struct Setup {
    /// Most messages in a history.
    pub(crate) history: usize,
    /// Characters of each message and each answer.
    pub(crate) chars: usize,
    /// Number of channels.
    pub(crate) channels: usize,
    pub(crate) discord: DiscordOptions,
    pub(crate) tess: TessOptions,
}

/// A message of a user.
pub(crate) struct Message {
    /// The index of its channel.
    pub(crate) channel: usize,
    pub(crate) posted: Instant,
    /// When the execution that answers it was requested. The answer follows at once unless Tess's options delay it.
    pub(crate) executed: Option<Instant>,
    pub(crate) answered: Option<Instant>,
    id: u64,
}

/// A message or the answer to it, as an entry of a history.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    number: usize,
    is_answer: bool,
}

/// The log of one channel.
#[derive(Default)]
struct ChannelLog {
    /// In the order in which the agent has to see them.
    entries: Vec<Entry>,
    last_answered: Option<usize>,
}

/// The log of all messages.
pub(crate) struct Log {
    /// By number.
    pub(crate) messages: Vec<Message>,
    /// The number of executions.
    pub(crate) executions: usize,
    problems: Vec<String>,
    channels: Vec<ChannelLog>,
    /// The messages that each execution answers, by the newest of them.
    batches: HashMap<usize, Vec<usize>>,
    history: usize,
    chars: usize,
}

impl Log {
    /// Records a message of a user; returns its number.
    fn record_message(&mut self, channel: usize) -> usize {
        let number = self.messages.len();
        self.messages.push(Message { channel, posted: Instant::now(), executed: None, answered: None, id: 0 });
        self.channels[channel].entries.push(Entry { number, is_answer: false });
        number
    }

    /// Records an execution; returns its output.
    fn record_execution(&mut self, messages: &[Value]) -> String {
        let now = Instant::now();
        self.executions += 1;
        let seen: Vec<Entry> = messages.iter().flat_map(entries_of).collect();
        let Some(number) = seen.last().filter(|entry| !entry.is_answer).map(|entry| entry.number) else {
            self.problem("an execution without a message of a user");
            return "?".to_owned();
        };
        self.check_history(number, &seen);
        let numbers = seen.iter().filter(|entry| !entry.is_answer).map(|entry| entry.number);
        let batch: Vec<usize> = numbers.filter(|number| self.messages[*number].executed.is_none()).collect();
        if !batch.contains(&number) {
            self.problem(&format!("message {number} was executed twice"));
        }
        for number in &batch {
            self.messages[*number].executed = Some(now);
        }
        self.batches.insert(number, batch);
        let entries = &mut self.channels[self.messages[number].channel].entries;
        let after = entries.iter().rposition(|entry| entry.number == number).map_or(entries.len(), |at| at + 1);
        entries.insert(after, Entry { number, is_answer: true });
        padded(&format!("={number}="), self.chars)
    }

    /// Checks that the agent sees the newest entries of the channel, in order and without a gap.
    fn check_history(&mut self, number: usize, seen: &[Entry]) {
        let entries = &self.channels[self.messages[number].channel].entries;
        let is_message = |entry: &Entry| entry.number == number && !entry.is_answer;
        let until = entries.iter().rposition(is_message).map_or(0, |at| at + 1);
        let expected = &entries[..until];
        // The history drops whole turns, which seldom have more than three messages.
        let fewest = expected.len().min(self.history.saturating_sub(3).max(1));
        if !(fewest..=self.history).contains(&seen.len()) || !expected.ends_with(seen) {
            self.problem(&format!("message {number} was executed with a wrong history of {}", seen.len()));
        }
    }

    /// Records a message of the bot; returns the messages that it answers.
    fn record_answer(&mut self, message: &SimMessage) -> Vec<usize> {
        let now = Instant::now();
        let Some(number) = numbers(&message.content, '=').next() else {
            self.problem(&format!("not an answer: {}", message.content));
            return Vec::new();
        };
        let Some(batch) = self.batches.remove(&number) else {
            self.problem(&format!("message {number} was answered twice, or never executed"));
            return Vec::new();
        };
        let Message { channel, id, .. } = self.messages[number];
        if message.reply_to != Some(id) {
            self.problem(&format!("the answer to {number} replies to another message"));
        }
        if self.channels[channel].last_answered.replace(number) >= Some(number) {
            self.problem(&format!("the answer to {number} is out of order"));
        }
        for number in &batch {
            self.messages[*number].answered = Some(now);
        }
        batch
    }

    fn problem(&mut self, what: &str) {
        if self.problems.len() < PROBLEMS_KEPT {
            self.problems.push(what.to_owned());
        }
    }
}

/// Both simulators and the log.
pub(crate) struct Harness {
    pub(crate) discord: DiscordSim,
    pub(crate) tess: TessSim,
    channels: Vec<u64>,
    log: Arc<Mutex<Log>>,
    answered: mpsc::UnboundedReceiver<usize>,
}

impl Harness {
    /// Starts both simulators on free ports.
    pub(crate) async fn start(setup: Setup) -> anyhow::Result<Self> {
        let discord = DiscordSim::start(setup.discord).await?;
        let tess = TessSim::start(setup.tess).await?;
        let guild = discord.guild("Sim");
        let channels = (0..setup.channels).map(|n| discord.channel(guild, &format!("channel-{n}"))).collect();
        let log = Arc::new(Mutex::new(Log {
            messages: Vec::new(),
            executions: 0,
            problems: Vec::new(),
            channels: (0..setup.channels).map(|_| ChannelLog::default()).collect(),
            batches: HashMap::new(),
            history: setup.history,
            chars: setup.chars,
        }));
        let shared = Arc::clone(&log);
        tess.answer_with(move |messages| lock(&shared).record_execution(messages));
        let (sender, answered) = mpsc::unbounded_channel();
        let shared = Arc::clone(&log);
        discord.on_message(move |message| {
            for number in lock(&shared).record_answer(message) {
                // The receiver is gone while the harness is dropped.
                let _ = sender.send(number);
            }
        });
        Ok(Self { discord, tess, channels, log, answered })
    }

    /// The environment variables of a bot between the simulators.
    pub(crate) fn vars(&self) -> Vec<(String, String)> {
        let var = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            var("DISCORD_TOKEN", &self.discord.token()),
            var("DISCORD_API_URL", self.discord.url()),
            var("TESS_API_KEY", self.tess.key()),
            var("TESS_API_URL", &self.tess.url()),
            var("TESS_AGENT_ID", &self.tess.default_agent().to_string()),
        ]
    }

    /// Locks the log.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    /// Posts a message that starts with `prefix`; returns its number.
    pub(crate) fn post(&self, channel: usize, prefix: &str) -> usize {
        let (number, chars) = {
            let mut log = self.log();
            (log.record_message(channel), log.chars)
        };
        let text = padded(&format!("{prefix}#{number}#"), chars);
        let id = self.discord.say(self.channels[channel], "alice", &text);
        self.log().messages[number].id = id;
        number
    }

    /// Waits until a further message is answered; returns its number.
    pub(crate) async fn next_answered(&mut self) -> anyhow::Result<usize> {
        let answered = timeout(ANSWER_TIMEOUT, self.answered.recv()).await;
        answered.ok().flatten().with_context(|| format!("no answer came; {:?}", self.problems()))
    }

    /// The problems in the log, and the violations that the simulators recorded.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.log().problems.clone();
        problems.extend(self.discord.violations());
        problems.extend(self.tess.violations());
        problems.truncate(PROBLEMS_KEPT);
        problems
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn entries_of(message: &Value) -> impl Iterator<Item = Entry> {
    let is_answer = message["role"] == "assistant";
    let content = message["content"].as_str().unwrap_or_default();
    numbers(content, if is_answer { '=' } else { '#' }).map(move |number| Entry { number, is_answer })
}

/// The numbers between two signs.
fn numbers(content: &str, sign: char) -> impl Iterator<Item = usize> {
    content.split(sign).filter_map(|part| part.parse().ok())
}

/// Fills a text with words up to a length.
pub(crate) fn padded(text: &str, chars: usize) -> String {
    const WORDS: &str = " some words that users write to each other,";
    text.chars().chain(WORDS.chars().cycle()).take(chars.max(text.chars().count())).collect()
}
