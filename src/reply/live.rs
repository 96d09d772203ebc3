//! Splits an answer that is still being written into messages.
//!
//! Messages that are followed by another one never change while the answer grows: where a message ends does not depend on
//! what comes later. Only the last message changes. In return, blocks are kept together less well than by
//! [`split`](super::split()), which knows the whole answer.

use super::{
    clean::{clean, clean_partial},
    cut::cut,
    fence::unclosed_fence,
    parts::CLOSING_CHARS,
    split::{MAX_MESSAGES, MESSAGE_CHARS, Reply},
    texts,
};
use crate::config::Language;

/// Characters reserved for the line that [`mark_unfinished`] adds.
const UNFINISHED_CHARS: usize = 60;

/// Most characters of a message before its code block is closed.
const PART_CHARS: usize = MESSAGE_CHARS - CLOSING_CHARS - UNFINISHED_CHARS;

/// Splits the beginning of an answer into at most [`MAX_MESSAGES`] messages; leaves out what does not fit into them.
///
/// All messages but the last are final.
#[must_use]
pub(crate) fn split_partial(text: &str) -> Vec<String> {
    split_parts(clean_partial(text), MAX_MESSAGES)
}

/// Splits a whole answer in the way that [`split_partial`] split its beginning.
///
/// The messages differ from those of the beginning only where the beginning was cleaned differently, such as inside a
/// Markdown fence that is not around the whole. A message about the file is added when the answer is too long.
#[must_use]
pub(crate) fn split_complete(language: Language, output: &str) -> Reply {
    let output = clean(output);
    let mut messages = split_parts(output, MAX_MESSAGES + 1);
    if messages.len() <= MAX_MESSAGES {
        return Reply { messages, file: None };
    }
    messages.truncate(MAX_MESSAGES);
    messages.push(texts::answers::whole_answer_in_file(language).to_owned());
    Reply { messages, file: Some(output.to_owned()) }
}

/// Adds the line that marks the last message of an answer that stays unfinished.
#[must_use]
pub(crate) fn mark_unfinished(language: Language, message: &str) -> String {
    format!("{message}\n{}", texts::answers::unfinished_line(language))
}

/// Splits a text from its start, and stops after `max_parts` messages.
fn split_parts(text: &str, max_parts: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut prefix = String::new();
    let mut rest = text;
    while !rest.trim().is_empty() && parts.len() < max_parts {
        let (chunk, following) = cut_at_paragraph(rest, &prefix, PART_CHARS - prefix.chars().count());
        let mut part = format!("{prefix}{}", chunk.trim_end());
        let fence = unclosed_fence(&part).map(|fence| (fence.line.to_owned(), fence.marker.to_owned()));
        prefix.clear();
        if let Some((line, marker)) = fence {
            part.extend(["\n", &marker]);
            prefix.extend([line.as_str(), "\n"]);
        }
        if !chunk.trim().is_empty() {
            parts.push(part);
        }
        rest = following;
    }
    parts
}

/// Cuts after the last paragraph that fits if that fills half a message, and otherwise where [`cut()`] does.
///
/// `prefix` is the opening line of the code block that the text starts in.
fn cut_at_paragraph<'a>(text: &'a str, prefix: &str, max_chars: usize) -> (&'a str, &'a str) {
    let Some((end, _)) = text.char_indices().nth(max_chars) else { return (text, "") };
    let mut ends = text[..end].rmatch_indices("\n\n").map(|(at, _)| at).take_while(|at| *at >= end / 2);
    let is_outside_code = |at: &usize| unclosed_fence(&format!("{prefix}{}", &text[..*at])).is_none();
    match ends.find(is_outside_code) {
        Some(at) => (&text[..at], text[at..].trim_start_matches('\n')),
        None => cut(text, max_chars),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::split::tests::outputs, *};

    const EN: Language = Language::English;

    fn chars(text: &str) -> usize {
        text.chars().count()
    }

    #[test]
    fn short_answer_is_one_message_with_its_code_closed() {
        assert_eq!(split_partial("Hello, wor"), ["Hello, wor"]);
        assert_eq!(split_partial("Look:\n\n```rust\nfn main"), ["Look:\n\n```rust\nfn main\n```"]);
        assert!(split_partial(" \n").is_empty());
    }

    #[test]
    fn unfinished_think_block_gives_no_message() {
        for text in ["<thi", "<think>", "<think>hm, what", "<think>hm</think>"] {
            assert!(split_partial(text).is_empty(), "{text}");
        }
        assert_eq!(split_partial("<think>hm</think>\n\nYes"), ["Yes"]);
        assert_eq!(split_partial("<thin ice"), ["<thin ice"]);
    }

    #[test]
    fn markdown_fence_around_the_whole_is_removed_early() {
        assert_eq!(split_partial("```markdown\n# Hi\n\nthere"), ["# Hi\n\nthere"]);
        assert_eq!(split_complete(EN, "```markdown\n# Hi\n```").messages, ["# Hi"]);
    }

    #[test]
    fn messages_end_after_a_paragraph_where_possible() {
        let paragraph = "wordish ".repeat(150).trim_end().to_owned();
        assert_eq!(split_partial(&[&*paragraph; 3].join("\n\n")), [&*paragraph; 3]);
    }

    #[test]
    fn split_code_block_is_closed_and_opened_again_with_its_language() {
        let parts = split_partial(&format!("```rust\n{}", "let x = 1;\n\n".repeat(200)));
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.starts_with("```rust\nlet x") && part.ends_with(";\n```")), "{parts:#?}");
    }

    #[test]
    fn answer_too_long_for_the_messages_becomes_a_file() {
        let output = "A sentence of some words. ".repeat(600);
        let Reply { mut messages, file } = split_complete(EN, &output);
        assert_eq!(
            (messages.pop().as_deref(), file.as_deref()),
            (Some(texts::answers::whole_answer_in_file(EN)), Some(output.trim()))
        );
        assert_eq!((messages.len(), split_partial(&output)), (MAX_MESSAGES, messages));
        assert_eq!(split_complete(EN, "Short.").file, None);
    }

    #[test]
    fn unfinished_line_fits_into_the_reserved_characters() {
        for language in Language::ALL {
            assert!(chars(&mark_unfinished(language, "")) <= UNFINISHED_CHARS);
            assert!(texts::answers::is_unfinished(&mark_unfinished(language, "The answer is")));
        }
    }

    proptest! {
        #[test]
        fn every_message_is_valid_at_every_length(output in outputs(), length in any::<prop::sample::Index>()) {
            let so_far: String = output.chars().take(length.index(chars(&output) + 1)).collect();
            for message in split_partial(&so_far) {
                prop_assert!(chars(&mark_unfinished(EN, &message)) <= MESSAGE_CHARS);
                prop_assert!(!message.trim().is_empty());
                prop_assert!(unclosed_fence(&message).is_none(), "{}", message);
            }
        }

        #[test]
        fn only_the_last_message_changes_as_the_answer_grows(output in outputs(), length in any::<prop::sample::Index>()) {
            let so_far: String = output.chars().take(length.index(chars(&output) + 1)).collect();
            let mut before = split_parts(&so_far, usize::MAX);
            before.pop();
            let after = split_parts(&output, usize::MAX);
            prop_assert_eq!(&before[..], &after[..before.len()]);
        }

        #[test]
        fn parts_hold_every_word(output in "([a-zé.! ]{0,400}\n{0,3}){0,20}") {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(&split_parts(&output, usize::MAX).concat()), words(&output));
        }
    }
}
