//! The audit: determines the outcome of every message from what users see in the channels.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use sim::discord::SimMessage;

use crate::users::{Posted, UserChannel};

/// First word of the agent's answers. The number of the answer follows, then the tokens it answers.
const ANSWER: &str = "Answer";

/// Start of the last line of a long answer.
const END: &str = "That was all of answer";

/// Start of the bot's error texts and waiting notes.
const ERROR: &str = "⚠️";
const NOTE: &str = "⏳";

/// Start of the error texts that accompany an answer and do not replace it.
const ADDITIONAL_ERRORS: [&str; 2] = ["⚠️ A part of", "⚠️ Discord did not let"];

/// Events that the gateway delivers in another order were at most this far apart, in milliseconds.
const REORDERED_WITHIN: u64 = 2_000;

/// Characters of a message in a transcript.
const MAX_SHOWN: usize = 110;

/// The outcome of a user's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Answered,
    /// An error text said why it was not answered.
    Failed,
    /// Deleted before it was answered.
    Deleted,
    /// Dropped by a `/reset` before it was answered.
    Reset,
    /// It has no text, only a file.
    File,
    /// No outcome so far. At the end of the run the message is lost.
    Open,
}

/// The outcomes of the messages of a channel.
pub(crate) struct Audit {
    /// In the order of the messages.
    pub(crate) outcomes: Vec<Outcome>,
    /// What was answered or reported more than once.
    pub(crate) twice: Vec<String>,
    /// Waiting notes that were not removed.
    pub(crate) notes: usize,
    /// Answers that were posted.
    pub(crate) answers: usize,
    /// Answers whose end is missing.
    pub(crate) incomplete: usize,
}

/// A message of the bot that settles messages of users.
struct Settlement {
    /// The newest message that it settlement.
    newest: u64,
    /// The tokens that it answers; `None` for an error text.
    answers: Option<HashSet<u64>>,
    /// Whether it replies to no message because all were deleted. After a restart the bot does not count it as part of the
    /// conversation, and may answer the same tokens again with the next message.
    has_no_reference: bool,
}

/// An answer of the simulated agent. It contains the tokens that it answers, and each of its lines is unique.
pub(crate) fn answer(number: u64, asked: &[u64], lines: usize) -> String {
    let asked: Vec<String> = asked.iter().map(|token| format!("tok{token}")).collect();
    let mut answer = format!("{ANSWER} {number} to {}.", asked.join(" "));
    for line in 1..=lines {
        // Writing to a string cannot fail.
        let _ = write!(answer, "\n\nLine {line} of answer {number}, which goes on for a while and says nothing new.");
    }
    if lines > 0 {
        answer.push_str("\n\n");
        answer.push_str(&end_of(number));
    }
    answer
}

/// The last line of a long answer.
fn end_of(number: u64) -> String {
    format!("{END} {number}.")
}

/// The tokens of a text, except those in quotations.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = u64> {
    let lines = text.lines().filter(|line| !line.contains("[replying to "));
    let words = lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
    words.filter_map(|word| word.strip_prefix("tok")?.parse().ok())
}

/// Audits a channel.
pub(crate) fn of(channel: &UserChannel, messages: &[SimMessage]) -> Audit {
    let mut audit = Audit { outcomes: Vec::new(), twice: Vec::new(), notes: 0, answers: 0, incomplete: 0 };
    let mut settled = Vec::new();
    let mut numbers = HashSet::new();
    let mut parts = HashSet::new();
    for message in messages.iter().filter(|message| message.author == "bot") {
        let (newest, has_no_reference) = (message.reply_to.unwrap_or(message.id), message.reply_to.is_none());
        if let Some((number, answers)) = read_answer(&message.content) {
            audit.answers += 1;
            if !numbers.insert(number) {
                audit.twice.push(format!("answer {number} was posted twice"));
            }
            audit.incomplete += usize::from(!is_complete(number, message, messages));
            settled.push(Settlement { newest, answers: Some(answers), has_no_reference });
        } else if message.content.starts_with(NOTE) {
            audit.notes += 1;
        } else if is_failure(message) {
            settled.push(Settlement { newest, answers: None, has_no_reference });
        } else if message.nonce.is_some() && !message.content.starts_with(ERROR) && !parts.insert(&message.content) {
            audit.twice.push(format!("message {} is a part that was posted twice", message.id));
        }
    }
    settled.sort_by_key(|settlement| settlement.newest);
    audit.twice.extend(settled_twice(&settled));
    audit.outcomes = channel.posted.iter().map(|posted| outcome(channel, posted, &settled)).collect();
    audit
}

/// Whether the end of an answer was posted: in a file of its first message, or in any message.
fn is_complete(number: u64, first: &SimMessage, messages: &[SimMessage]) -> bool {
    let is_long = first.content.contains('\n');
    !is_long || !first.files.is_empty() || messages.iter().any(|message| message.content.ends_with(&end_of(number)))
}

fn read_answer(text: &str) -> Option<(u64, HashSet<u64>)> {
    let rest = text.lines().next()?.strip_prefix(ANSWER)?;
    let (number, asked) = rest.trim_start().split_once(' ')?;
    Some((number.parse().ok()?, tokens(asked).collect()))
}

/// Whether a message says that messages were not answered. Responses to commands have no nonce.
fn is_failure(message: &SimMessage) -> bool {
    let is_additional = ADDITIONAL_ERRORS.iter().any(|start| message.content.starts_with(start));
    message.content.starts_with(ERROR) && !is_additional && message.nonce.is_some()
}

/// Messages that were settled twice, and tokens that were answered twice.
fn settled_twice(settled: &[Settlement]) -> Vec<String> {
    let same = settled.windows(2).filter(|pair| pair[0].newest == pair[1].newest);
    let mut twice: Vec<String> = same.map(|pair| format!("message {} was settled twice", pair[0].newest)).collect();
    let mut times: HashMap<u64, usize> = HashMap::new();
    let referenced = settled.iter().filter(|settlement| !settlement.has_no_reference);
    for token in referenced.flat_map(|settlement| settlement.answers.iter().flatten()) {
        *times.entry(*token).or_default() += 1;
    }
    twice.extend(
        times.iter().filter(|(_, times)| **times > 1).map(|(token, n)| format!("tok{token} was answered {n} times")),
    );
    twice
}

fn outcome(channel: &UserChannel, posted: &Posted, settled: &[Settlement]) -> Outcome {
    let answers = |settlement: &Settlement| settlement.answers.as_ref().is_some_and(|it| it.contains(&posted.token));
    // The first settlement of this message or of a later one in the same batch.
    let next = settled.iter().find(|settlement| settlement.newest >= posted.message);
    // If the event came after that of a later message whose turn was running, the message belongs to the batch after that.
    let reordered = posted.message..posted.message + (REORDERED_WITHIN << 22);
    let failed_later = || settled.iter().any(|it| it.answers.is_none() && reordered.contains(&it.newest));
    if posted.token == 0 {
        Outcome::File
    } else if settled.iter().any(answers) {
        Outcome::Answered
    } else if next.is_some_and(|settlement| settlement.answers.is_none()) || failed_later() {
        Outcome::Failed
    } else if posted.deleted {
        Outcome::Deleted
    } else if channel.resets.iter().any(|reset| *reset > posted.message) {
        Outcome::Reset
    } else {
        Outcome::Open
    }
}

/// A channel as text, with ids and outcomes.
pub(crate) fn transcript(channel: &UserChannel, messages: &[SimMessage]) -> String {
    let audit = of(channel, messages);
    let outcome = |id: u64| {
        let index = channel.posted.iter().position(|posted| posted.message == id)?;
        Some(format!("   <- {:?}", audit.outcomes[index]))
    };
    let line = |message: &SimMessage| {
        let reply = message.reply_to.map(|to| format!(" to {to}")).unwrap_or_default();
        let text: String = message.content.chars().take(MAX_SHOWN).map(|c| if c == '\n' { ' ' } else { c }).collect();
        let outcome = outcome(message.id).unwrap_or_default();
        (message.id, format!("{} {}{reply}: {text}{outcome}", message.id, message.author))
    };
    let mut lines: Vec<(u64, String)> = messages.iter().map(line).collect();
    lines.extend(channel.resets.iter().map(|id| (*id, format!("{id} /reset"))));
    let deleted = channel.posted.iter().filter(|posted| posted.deleted);
    lines.extend(deleted.map(|posted| (posted.message, format!("{} (deleted) tok{}", posted.message, posted.token))));
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}
