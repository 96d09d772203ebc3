//! An answer that is still being written, cut into messages.
//!
//! What was cut once stays cut: a message is full as soon as the text goes on behind it, and its end is chosen by nothing
//! that comes later. So only the last message of a growing answer ever changes. For that, blocks are not kept together as
//! well as by [`super::cut`], which knows the whole.

use super::{
    MESSAGE_CHARS, MOST_MESSAGES, Reply,
    blocks::{self, Fence},
    pieces::{self, CLOSING_CHARS},
    texts, tidy,
};
use crate::config::Language;

/// Room for the line at the end of an answer that was broken off.
const END_CHARS: usize = 60;

/// Most characters of a message before its code is closed.
const PART_CHARS: usize = MESSAGE_CHARS - CLOSING_CHARS - END_CHARS;

/// The messages of an answer as far as it is written, at most [`MOST_MESSAGES`]; what comes behind them is not shown yet.
/// All but the last are final.
#[must_use]
pub fn growing(text: &str) -> Vec<String> {
    parts(tidy_so_far(text), MOST_MESSAGES)
}

/// The messages of a whole answer. They differ from those it grew by only where its beginning turned out to be something else,
/// such as a fence around the whole, or where it goes on in a file, which has a message of its own.
#[must_use]
pub fn grown(language: Language, output: &str) -> Reply {
    let output = tidy(output);
    let mut messages = parts(output, MOST_MESSAGES + 1);
    if messages.len() <= MOST_MESSAGES {
        return Reply { messages, file: None };
    }
    messages.truncate(MOST_MESSAGES);
    messages.push(texts::long_answer_in_file(language).to_owned());
    Reply { messages, file: Some(output.to_owned()) }
}

/// A message that is the last of an answer which goes no further.
#[must_use]
pub fn broken_off(language: Language, message: &str) -> String {
    format!("{message}\n{}", texts::not_finished(language))
}

/// As [`tidy`], for a text whose end is not there yet: thoughts are not shown while they last, and a `markdown` fence that opens
/// the text is taken for one around the whole.
fn tidy_so_far(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some(thoughts) = text.strip_prefix("<think>") {
        let Some((_, answer)) = thoughts.split_once("</think>") else { return "" };
        text = answer.trim_start();
    }
    if "<think>".starts_with(text) {
        return "";
    }
    match text.split_once('\n') {
        Some((first, inside)) if Fence::opening(first).is_some_and(|fence| fence.is_markdown()) => inside.trim_start(),
        _ => text,
    }
}

/// Cuts from the start, and stops after `most` messages.
fn parts(text: &str, most: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut open = String::new();
    let mut rest = text;
    while !rest.trim().is_empty() && parts.len() < most {
        let (chunk, behind) = split(rest, &open, PART_CHARS - open.chars().count());
        let mut part = format!("{open}{}", chunk.trim_end());
        let fence = blocks::left_open(&part).map(|fence| (fence.line.to_owned(), fence.marker.to_owned()));
        open.clear();
        if let Some((line, marker)) = fence {
            part.extend(["\n", &marker]);
            open.extend([line.as_str(), "\n"]);
        }
        if !chunk.trim().is_empty() {
            parts.push(part);
        }
        rest = behind;
    }
    parts
}

/// Cuts behind the last paragraph that fits, if that fills half a message, or else where [`pieces::split`] does.
fn split<'a>(text: &'a str, open: &str, room: usize) -> (&'a str, &'a str) {
    let Some((end, _)) = text.char_indices().nth(room) else { return (text, "") };
    let mut ends = text[..end].rmatch_indices("\n\n").map(|(at, _)| at).take_while(|at| *at >= end / 2);
    let is_outside_code = |at: &usize| blocks::left_open(&format!("{open}{}", &text[..*at])).is_none();
    match ends.find(is_outside_code) {
        Some(at) => (&text[..at], text[at..].trim_start_matches('\n')),
        None => pieces::split(text, room),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::outputs, *};

    const EN: Language = Language::English;

    fn chars(text: &str) -> usize {
        text.chars().count()
    }

    #[test]
    fn a_short_answer_is_shown_as_far_as_it_is_written() {
        assert_eq!(growing("Hello, wor"), ["Hello, wor"]);
        assert_eq!(growing("Look:\n\n```rust\nfn main"), ["Look:\n\n```rust\nfn main\n```"]);
        assert!(growing(" \n").is_empty());
    }

    #[test]
    fn thoughts_are_not_shown_while_they_last() {
        for text in ["<thi", "<think>", "<think>hm, what", "<think>hm</think>"] {
            assert!(growing(text).is_empty(), "{text}");
        }
        assert_eq!(growing("<think>hm</think>\n\nYes"), ["Yes"]);
        assert_eq!(growing("<thin ice"), ["<thin ice"]);
    }

    #[test]
    fn a_markdown_fence_around_the_whole_is_never_seen() {
        assert_eq!(growing("```markdown\n# Hi\n\nthere"), ["# Hi\n\nthere"]);
        assert_eq!(grown(EN, "```markdown\n# Hi\n```").messages, ["# Hi"]);
    }

    #[test]
    fn a_message_ends_behind_a_paragraph_where_it_can() {
        let paragraph = "wordish ".repeat(150).trim_end().to_owned();
        assert_eq!(growing(&[&*paragraph; 3].join("\n\n")), [&*paragraph; 3]);
    }

    #[test]
    fn code_that_is_cut_is_closed_and_opened_again_in_its_language() {
        let parts = growing(&format!("```rust\n{}", "let x = 1;\n\n".repeat(200)));
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.starts_with("```rust\nlet x") && part.ends_with(";\n```")), "{parts:#?}");
    }

    #[test]
    fn what_the_messages_do_not_hold_is_in_a_file() {
        let output = "A sentence of some words. ".repeat(600);
        let Reply { mut messages, file } = grown(EN, &output);
        assert_eq!(
            (messages.pop().as_deref(), file.as_deref()),
            (Some(texts::long_answer_in_file(EN)), Some(output.trim()))
        );
        assert_eq!((messages.len(), growing(&output)), (MOST_MESSAGES, messages));
        assert_eq!(grown(EN, "Short.").file, None);
    }

    #[test]
    fn the_line_of_a_broken_off_answer_has_its_room() {
        for language in Language::ALL {
            assert!(chars(&broken_off(language, "")) <= END_CHARS);
            assert!(texts::is_not_finished(&broken_off(language, "The answer is")));
        }
    }

    proptest! {
        #[test]
        fn every_message_is_valid_at_every_moment(output in outputs(), length in any::<prop::sample::Index>()) {
            let so_far: String = output.chars().take(length.index(chars(&output) + 1)).collect();
            for message in growing(&so_far) {
                prop_assert!(chars(&broken_off(EN, &message)) <= MESSAGE_CHARS);
                prop_assert!(!message.trim().is_empty());
                prop_assert!(blocks::left_open(&message).is_none(), "{}", message);
            }
        }

        #[test]
        fn only_the_last_message_ever_changes(output in outputs(), length in any::<prop::sample::Index>()) {
            let so_far: String = output.chars().take(length.index(chars(&output) + 1)).collect();
            let mut before = parts(&so_far, usize::MAX);
            before.pop();
            let after = parts(&output, usize::MAX);
            prop_assert_eq!(&before[..], &after[..before.len()]);
        }

        #[test]
        fn nothing_is_lost(output in "([a-zé.! ]{0,400}\n{0,3}){0,20}") {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(&parts(&output, usize::MAX).concat()), words(&output));
        }
    }
}
