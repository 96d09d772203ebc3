//! What the pure parts cost a message: `cargo bench --bench pure`.

use divan::{Bencher, black_box};
use tess_discord::{
    config::{HistoryConfig, Language},
    history::{Entry, History, Retention},
    ids::MessageId,
    reply,
};

const LIMITS: HistoryConfig = HistoryConfig { messages: 40, chars: 24_000, total_bytes: usize::MAX };

/// Characters a message in a full history counts with: its text, `alice: ` and a line break.
const MESSAGE_CHARS: usize = LIMITS.chars / LIMITS.messages;

const MARKDOWN: &str = "## A section\n\nSome words with `code` and **more** of it. They go on for a while, as they do.\n\n\
                        - an item of a list\n- another item, a longer one\n\n```rust\nfn main() {\n    println!(\"hi\");\n}\n```\n\n";

fn main() {
    divan::main();
}

fn message(n: u64) -> Entry {
    Entry::person(MessageId::new(n), "alice", &"x".repeat(MESSAGE_CHARS - 8))
}

/// People and the agent by turns, up to both bounds.
fn full_history() -> History {
    let mut history = History::new();
    for n in (1..=40).step_by(2) {
        history.insert(message(n));
        let text = "y".repeat(MESSAGE_CHARS - 1);
        history.insert(Entry::answer(&[MessageId::new(n + 1)], MessageId::new(n), &text));
    }
    assert_eq!((history.len(), history.chars()), (LIMITS.messages, LIMITS.chars));
    history
}

#[divan::bench]
fn message_into_a_full_history(bencher: Bencher) {
    let history = full_history();
    bencher.with_inputs(|| (history.clone(), message(100))).bench_values(|(mut history, message)| {
        history.insert(message);
        history.trim(&LIMITS, |_| Retention::Context);
        history
    });
}

#[divan::bench]
fn history_to_request_body(bencher: Bencher) {
    let history = full_history();
    bencher
        .bench(|| serde_json::to_vec(&black_box(&history).request_messages(MessageId::new(u64::MAX), &[], true, None)));
}

#[divan::bench(args = [200, 5_000, 50_000])]
fn output_to_messages(bencher: Bencher, chars: usize) {
    let output: String = MARKDOWN.chars().cycle().take(chars).collect();
    bencher.bench(|| reply::split(Language::English, black_box(&output)));
}

#[divan::bench(args = ["one line", "backticks", "short lines"])]
fn a_hostile_megabyte_to_messages(bencher: Bencher, kind: &str) {
    let unit = match kind {
        "one line" => "x",
        "backticks" => "`",
        _ => "- a line\n",
    };
    let output = unit.repeat(1_000_000 / unit.len());
    bencher.bench(|| reply::split(Language::English, black_box(&output)));
}
