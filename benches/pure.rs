//! What the pure parts cost a message: `cargo bench --bench pure`.

use divan::{Bencher, black_box};
use tess_discord::internals::{FullHistory, NewEntry, split_reply};

const MARKDOWN: &str = "## A section\n\nSome words with `code` and **more** of it. They go on for a while, as they do.\n\n\
                        - an item of a list\n- another item, a longer one\n\n```rust\nfn main() {\n    println!(\"hi\");\n}\n```\n\n";

fn main() {
    divan::main();
}

#[divan::bench]
fn message_into_a_full_history(bencher: Bencher) {
    let history = FullHistory::new();
    bencher.with_inputs(|| (history.clone(), NewEntry::average(100))).bench_values(|(mut history, message)| {
        history.push(message);
        history
    });
}

#[divan::bench]
fn history_to_request_body(bencher: Bencher) {
    let history = FullHistory::new();
    bencher.bench(|| black_box(&history).to_request());
}

#[divan::bench(args = [200, 5_000, 50_000])]
fn output_to_messages(bencher: Bencher, chars: usize) {
    let output: String = MARKDOWN.chars().cycle().take(chars).collect();
    bencher.bench(|| split_reply(black_box(&output)));
}

#[divan::bench(args = ["one line", "backticks", "short lines"])]
fn a_hostile_megabyte_to_messages(bencher: Bencher, kind: &str) {
    let unit = match kind {
        "one line" => "x",
        "backticks" => "`",
        _ => "- a line\n",
    };
    let output = unit.repeat(1_000_000 / unit.len());
    bencher.bench(|| split_reply(black_box(&output)));
}
