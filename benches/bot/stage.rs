//! Both simulators, the people, and a ledger of every message between them.
//!
//! Each message and each answer carries its number (`#7#`, `=7=`), so that whatever arrives tells what it is: when it
//! was asked and posted, whether that happened once and in order, and whether the agent saw the right history.

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

/// How long an answer may take on a busy machine before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Problems that are told; further ones say nothing new.
const PROBLEMS_KEPT: usize = 20;

/// What a stage is built with.
pub(crate) struct Script {
    /// Most messages the agent may see at once.
    pub(crate) history: usize,
    /// Characters of each message and each answer.
    pub(crate) chars: usize,
    /// Channels people speak in.
    pub(crate) channels: usize,
    pub(crate) discord: DiscordOptions,
    pub(crate) tess: TessOptions,
}

/// One message on its way.
pub(crate) struct Trip {
    /// The place of its channel among the stage's.
    pub(crate) channel: usize,
    pub(crate) said: Instant,
    /// When an execution that answers it arrived; Tess takes no time to answer unless its options say so.
    pub(crate) asked: Option<Instant>,
    pub(crate) posted: Option<Instant>,
    id: u64,
}

/// A message or the answer to it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    number: usize,
    is_answer: bool,
}

/// What is known of one channel.
#[derive(Default)]
struct Talk {
    /// In the order in which the agent has to see it.
    marks: Vec<Mark>,
    last_posted: Option<usize>,
}

/// All messages by number.
pub(crate) struct Ledger {
    pub(crate) trips: Vec<Trip>,
    /// Executions that arrived.
    pub(crate) executions: usize,
    problems: Vec<String>,
    talks: Vec<Talk>,
    /// What each execution answers, by the newest message in it.
    batches: HashMap<usize, Vec<usize>>,
    history: usize,
    chars: usize,
}

impl Ledger {
    fn said(&mut self, channel: usize) -> usize {
        let number = self.trips.len();
        self.trips.push(Trip { channel, said: Instant::now(), asked: None, posted: None, id: 0 });
        self.talks[channel].marks.push(Mark { number, is_answer: false });
        number
    }

    /// An execution arrived; its output.
    fn asked(&mut self, messages: &[Value]) -> String {
        let now = Instant::now();
        self.executions += 1;
        let seen: Vec<Mark> = messages.iter().flat_map(marks_of).collect();
        let Some(number) = seen.last().filter(|mark| !mark.is_answer).map(|mark| mark.number) else {
            self.problem("an execution without a question");
            return "?".to_owned();
        };
        self.check_history(number, &seen);
        let people = seen.iter().filter(|mark| !mark.is_answer).map(|mark| mark.number);
        let batch: Vec<usize> = people.filter(|number| self.trips[*number].asked.is_none()).collect();
        if !batch.contains(&number) {
            self.problem(&format!("message {number} was asked twice"));
        }
        for asked in &batch {
            self.trips[*asked].asked = Some(now);
        }
        self.batches.insert(number, batch);
        let marks = &mut self.talks[self.trips[number].channel].marks;
        let after = marks.iter().rposition(|mark| mark.number == number).map_or(marks.len(), |at| at + 1);
        marks.insert(after, Mark { number, is_answer: true });
        padded(&format!("={number}="), self.chars)
    }

    /// The agent has to see the newest of the channel's messages, without a gap and in order.
    fn check_history(&mut self, number: usize, seen: &[Mark]) {
        let marks = &self.talks[self.trips[number].channel].marks;
        let until = marks.iter().rposition(|mark| mark.number == number && !mark.is_answer).map_or(0, |at| at + 1);
        let expected = &marks[..until];
        // Whole turns are dropped, and a turn is seldom more than three.
        let fewest = expected.len().min(self.history.saturating_sub(3).max(1));
        if !(fewest..=self.history).contains(&seen.len()) || !expected.ends_with(seen) {
            self.problem(&format!("message {number} was asked with a wrong history of {}", seen.len()));
        }
    }

    /// A message of the bot arrived; the messages it answers.
    fn posted(&mut self, message: &SimMessage) -> Vec<usize> {
        let now = Instant::now();
        let Some(number) = numbers(&message.content, '=').next() else {
            self.problem(&format!("not an answer: {}", message.content));
            return Vec::new();
        };
        let Some(batch) = self.batches.remove(&number) else {
            self.problem(&format!("message {number} was answered twice, or never asked"));
            return Vec::new();
        };
        let Trip { channel, id, .. } = self.trips[number];
        if message.reply_to != Some(id) {
            self.problem(&format!("the answer to {number} replies to another message"));
        }
        if self.talks[channel].last_posted.replace(number) >= Some(number) {
            self.problem(&format!("the answer to {number} is out of order"));
        }
        for answered in &batch {
            self.trips[*answered].posted = Some(now);
        }
        batch
    }

    fn problem(&mut self, what: &str) {
        if self.problems.len() < PROBLEMS_KEPT {
            self.problems.push(what.to_owned());
        }
    }
}

/// Both services and the people.
pub(crate) struct Stage {
    pub(crate) discord: DiscordSim,
    pub(crate) tess: TessSim,
    ids: Vec<u64>,
    ledger: Arc<Mutex<Ledger>>,
    posted: mpsc::UnboundedReceiver<usize>,
}

impl Stage {
    /// Starts both simulators on free ports.
    pub(crate) async fn start(script: Script) -> anyhow::Result<Self> {
        let discord = DiscordSim::start(script.discord).await?;
        let tess = TessSim::start(script.tess).await?;
        let guild = discord.guild("Sim");
        let ids = (0..script.channels).map(|n| discord.channel(guild, &format!("stage-{n}"))).collect();
        let ledger = Arc::new(Mutex::new(Ledger {
            trips: Vec::new(),
            executions: 0,
            problems: Vec::new(),
            talks: (0..script.channels).map(|_| Talk::default()).collect(),
            batches: HashMap::new(),
            history: script.history,
            chars: script.chars,
        }));
        let shared = Arc::clone(&ledger);
        tess.answer_with(move |messages| lock(&shared).asked(messages));
        let (sender, posted) = mpsc::unbounded_channel();
        let shared = Arc::clone(&ledger);
        discord.on_message(move |message| {
            for number in lock(&shared).posted(message) {
                // Nobody waits any more when the stage is taken down.
                let _ = sender.send(number);
            }
        });
        Ok(Self { discord, tess, ids, ledger, posted })
    }

    /// The settings of a bot on this stage.
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

    /// What is known so far.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Somebody says the next message in a channel, with `prefix` before it; the message's number.
    pub(crate) fn say(&self, channel: usize, prefix: &str) -> usize {
        let (number, chars) = {
            let mut ledger = self.ledger();
            (ledger.said(channel), ledger.chars)
        };
        let text = padded(&format!("{prefix}#{number}#"), chars);
        let id = self.discord.say(self.ids[channel], "alice", &text);
        self.ledger().trips[number].id = id;
        number
    }

    /// The next message that has its answer.
    pub(crate) async fn next_posted(&mut self) -> anyhow::Result<usize> {
        let posted = timeout(PATIENCE, self.posted.recv()).await;
        posted.ok().flatten().with_context(|| format!("no answer came; {:?}", self.problems()))
    }

    /// What went wrong, in the ledger's and the simulators' eyes.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.ledger().problems.clone();
        problems.extend(self.discord.violations());
        problems.extend(self.tess.violations());
        problems.truncate(PROBLEMS_KEPT);
        problems
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn marks_of(message: &Value) -> impl Iterator<Item = Mark> {
    let is_answer = message["role"] == "assistant";
    let content = message["content"].as_str().unwrap_or_default();
    numbers(content, if is_answer { '=' } else { '#' }).map(move |number| Mark { number, is_answer })
}

/// The numbers between two such signs.
fn numbers(content: &str, sign: char) -> impl Iterator<Item = usize> {
    content.split(sign).filter_map(|part| part.parse().ok())
}

/// A text with words after it, up to a length.
pub(crate) fn padded(text: &str, chars: usize) -> String {
    const WORDS: &str = " some words that people write to each other,";
    text.chars().chain(WORDS.chars().cycle()).take(chars.max(text.chars().count())).collect()
}
