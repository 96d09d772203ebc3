//! The balance: what became of every message, read from the channels as people see them.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use sim::discord::SimMessage;

use crate::people::{Place, Said};

/// How the agent's answers begin; behind it comes the answer's number, then what it answers.
const ANSWER: &str = "Answer";

/// How the last line of a long one begins.
const END: &str = "That was all of answer";

/// How the bot's own texts begin.
const ERROR: &str = "⚠️";
const NOTE: &str = "⏳";

/// Error texts that come beside an answer, not in place of one.
const BESIDE: [&str; 2] = ["⚠️ A part of", "⚠️ Discord did not let"];

/// What the gateway tells of in another order was said within so long.
const MIXED_UP_WITHIN: u64 = 2_000;

/// Characters of a message in a transcript.
const SHOWN: usize = 110;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// An error text said why not.
    Failed,
    /// Deleted before it was answered.
    Deleted,
    /// Forgotten by a `/reset` before it was answered.
    Reset,
    /// Nothing but a file.
    File,
    /// Nothing yet; at the end: lost.
    Open,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Answered => "Answered",
            Self::Failed => "Failed",
            Self::Deleted => "Deleted",
            Self::Reset => "Reset",
            Self::File => "File",
            Self::Open => "Open",
        }
    }
}

/// What became of a place's messages.
pub(crate) struct Balance {
    /// In the order they were said.
    pub(crate) outcomes: Vec<Outcome>,
    /// What was answered, or told, more than once.
    pub(crate) twice: Vec<String>,
    /// Notes about waiting that still stand there.
    pub(crate) notes: usize,
    /// Answers that were posted.
    pub(crate) answers: usize,
    /// Answers whose end is missing.
    pub(crate) cut_short: usize,
}

/// A message of the bot that settles something.
struct Settles {
    /// The newest message it is for.
    newest: u64,
    /// The tokens it answers; none for an error text.
    answers: Option<HashSet<u64>>,
    /// Every message it could reply to was gone. The bot no longer counts it to the conversation after a restart, and what else it
    /// touched on may be answered with the next message.
    is_to_nothing: bool,
}

/// The simulated agent's answer: it names what it was asked since it answered last. Every line of it is unique.
pub(crate) fn answer(number: u64, asked: &[u64], lines: usize) -> String {
    let asked: Vec<String> = asked.iter().map(|token| format!("tok{token}")).collect();
    let mut answer = format!("{ANSWER} {number} to {}.", asked.join(" "));
    for line in 1..=lines {
        // Writing to a string can not fail.
        let _ = write!(answer, "\n\nLine {line} of answer {number}, which goes on for a while and says nothing new.");
    }
    if lines > 0 {
        answer.push_str("\n\n");
        answer.push_str(&end_of(number));
    }
    answer
}

/// How a long answer ends.
fn end_of(number: u64) -> String {
    format!("{END} {number}.")
}

/// The tokens of a text. A quotation is not what is asked.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = u64> {
    let said = text.lines().filter(|line| !line.contains("[replying to "));
    let words = said.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
    words.filter_map(|word| word.strip_prefix("tok")?.parse().ok())
}

/// The balance of one place.
pub(crate) fn of(place: &Place, messages: &[SimMessage]) -> Balance {
    let mut balance = Balance { outcomes: Vec::new(), twice: Vec::new(), notes: 0, answers: 0, cut_short: 0 };
    let mut settled = Vec::new();
    let mut numbers = HashSet::new();
    let mut parts = HashSet::new();
    for message in messages.iter().filter(|message| message.author == "bot") {
        let (newest, is_to_nothing) = (message.reply_to.unwrap_or(message.id), message.reply_to.is_none());
        if let Some((number, answers)) = read_answer(&message.content) {
            balance.answers += 1;
            if !numbers.insert(number) {
                balance.twice.push(format!("answer {number} was posted twice"));
            }
            let is_long = message.content.contains('\n');
            let ended =
                |it: &SimMessage| !it.files.is_empty() && it.id == message.id || it.content.ends_with(&end_of(number));
            balance.cut_short += usize::from(is_long && !messages.iter().any(ended));
            settled.push(Settles { newest, answers: Some(answers), is_to_nothing });
        } else if message.content.starts_with(NOTE) {
            balance.notes += 1;
        } else if is_failure(message) {
            settled.push(Settles { newest, answers: None, is_to_nothing });
        } else if message.nonce.is_some() && !message.content.starts_with(ERROR) && !parts.insert(&message.content) {
            balance.twice.push(format!("message {} is a part that was posted twice", message.id));
        }
    }
    settled.sort_by_key(|settles| settles.newest);
    balance.twice.extend(told_twice(&settled));
    balance.outcomes = place.said.iter().map(|said| outcome(place, said, &settled)).collect();
    balance
}

fn read_answer(text: &str) -> Option<(u64, HashSet<u64>)> {
    let rest = text.lines().next()?.strip_prefix(ANSWER)?;
    let (number, asked) = rest.trim_start().split_once(' ')?;
    Some((number.parse().ok()?, tokens(asked).collect()))
}

/// Answers to commands are no replies.
fn is_failure(message: &SimMessage) -> bool {
    let beside = BESIDE.iter().any(|beside| message.content.starts_with(beside));
    message.content.starts_with(ERROR) && !beside && message.nonce.is_some()
}

fn told_twice(settled: &[Settles]) -> Vec<String> {
    let same = settled.windows(2).filter(|pair| pair[0].newest == pair[1].newest);
    let mut twice: Vec<String> = same.map(|pair| format!("message {} was told twice", pair[0].newest)).collect();
    let mut times: HashMap<u64, usize> = HashMap::new();
    let lasting = settled.iter().filter(|settles| !settles.is_to_nothing);
    for token in lasting.flat_map(|settles| settles.answers.iter().flatten()) {
        *times.entry(*token).or_default() += 1;
    }
    twice.extend(
        times.iter().filter(|(_, times)| **times > 1).map(|(token, n)| format!("tok{token} was answered {n} times")),
    );
    twice
}

fn outcome(place: &Place, said: &Said, settled: &[Settles]) -> Outcome {
    let answered = |settles: &Settles| settles.answers.as_ref().is_some_and(|tokens| tokens.contains(&said.token));
    // The first of the bot's words for this message or a later one of its burst.
    let next = settled.iter().find(|settles| settles.newest >= said.message);
    // Where the bot heard of it after a later one, whose answer was under way, what is said about those after that is for it too.
    let moment = said.message..said.message + (MIXED_UP_WITHIN << 22);
    let told_late = || settled.iter().any(|settles| settles.answers.is_none() && moment.contains(&settles.newest));
    if said.token == 0 {
        Outcome::File
    } else if settled.iter().any(answered) {
        Outcome::Answered
    } else if next.is_some_and(|settles| settles.answers.is_none()) || told_late() {
        Outcome::Failed
    } else if said.deleted {
        Outcome::Deleted
    } else if place.reset_at.iter().any(|reset| *reset > said.message) {
        Outcome::Reset
    } else {
        Outcome::Open
    }
}

/// A place as one would read it, with ids.
pub(crate) fn transcript(place: &Place, messages: &[SimMessage]) -> String {
    let balance = of(place, messages);
    let outcome = |id: u64| {
        let index = place.said.iter().position(|said| said.message == id)?;
        Some(format!("   <- {:?}", balance.outcomes[index]))
    };
    let line = |message: &SimMessage| {
        let reply = message.reply_to.map(|to| format!(" to {to}")).unwrap_or_default();
        let text: String = message.content.chars().take(SHOWN).map(|c| if c == '\n' { ' ' } else { c }).collect();
        (
            message.id,
            format!("{} {}{reply}: {text}{}", message.id, message.author, outcome(message.id).unwrap_or_default()),
        )
    };
    let mut lines: Vec<(u64, String)> = messages.iter().map(line).collect();
    lines.extend(place.reset_at.iter().map(|id| (*id, format!("{id} /reset"))));
    let deleted = place.said.iter().filter(|said| said.deleted);
    lines.extend(deleted.map(|said| (said.message, format!("{} (deleted) tok{}", said.message, said.token))));
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}
