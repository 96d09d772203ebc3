//! Splits an agent's output into messages.

use super::{
    clean::clean,
    fence::unclosed_fence,
    parts::{self, Part},
    texts,
};
use crate::config::Language;

/// Most characters of a message, in Unicode code points (Discord's staff in discord-api-docs #1315).
pub(crate) const MESSAGE_CHARS: usize = 2_000;

/// Most messages of one answer; a longer one is sent as a file.
pub(crate) const MAX_MESSAGES: usize = 5;

/// An agent's output, ready to be posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The messages in the order in which to post them; each has 1 to [`MESSAGE_CHARS`] characters.
    pub messages: Vec<String>,
    /// The whole answer as a file to attach to the last message, when it does not fit into [`MAX_MESSAGES`].
    pub file: Option<String>,
}

/// Splits an agent's output into messages. What the bot adds to them is in `language`.
///
/// Leading `<think>` blocks and a Markdown fence around the whole output are removed first. A code block that is split is
/// closed and opened again, and a table's head is repeated; a code block that the agent left open is closed. There is no
/// message when the output [is blank](super::is_blank).
#[must_use]
pub(crate) fn split(language: Language, output: &str) -> Reply {
    let output = clean(output);
    if output.is_empty() {
        return Reply::default();
    }
    let is_short = output.chars().nth(MESSAGE_CHARS).is_none();
    if is_short && unclosed_fence(output).is_none() {
        return Reply { messages: vec![output.to_owned()], file: None };
    }
    let parts = parts::pack(output, MESSAGE_CHARS, MAX_MESSAGES);
    if parts.len() <= MAX_MESSAGES {
        Reply { messages: parts.into_iter().map(Part::into_text).collect(), file: None }
    } else {
        Reply { messages: vec![first_message(language, output)], file: Some(output.to_owned()) }
    }
}

/// The beginning of an output that is attached as a file.
fn first_message(language: Language, output: &str) -> String {
    let end = format!("\n\n{}", texts::answers::whole_answer_in_file(language));
    let parts = parts::pack(output, MESSAGE_CHARS - end.chars().count(), 1);
    let mut first = parts.into_iter().next().map(Part::into_text).unwrap_or_default();
    first.push_str(&end);
    first
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{super::join, *};

    const EN: Language = Language::English;

    fn messages(output: &str) -> Vec<String> {
        let Reply { messages, file } = split(EN, output);
        assert_eq!(file, None);
        messages
    }

    fn chars(text: &str) -> usize {
        text.chars().count()
    }

    fn lines(n: usize, line: &str) -> String {
        format!("{line}\n").repeat(n)
    }

    /// A paragraph of `n` words; eight characters each.
    fn words(n: usize) -> String {
        "wordish ".repeat(n).trim_end().to_owned()
    }

    #[test]
    fn short_output_is_one_message_unchanged() {
        let output = "# Hi\n\n\n- a\n  - b\n\n```rust\nfn main() {}\n```";
        assert_eq!(messages(&format!("\n{output} \n")), [output]);
        assert_eq!(messages(&"é".repeat(MESSAGE_CHARS)).len(), 1);
        assert_eq!(messages(&"é".repeat(MESSAGE_CHARS + 1)).len(), 2);
    }

    #[test]
    fn blank_output_gives_no_message() {
        assert_eq!(split(EN, " \n "), Reply::default());
        assert_eq!(split(EN, "<think>hm</think>\n"), Reply::default());
    }

    #[test]
    fn paragraphs_are_not_split() {
        let paragraph = words(150);
        assert_eq!(messages(&[&*paragraph; 3].join("\n\n")), [&*paragraph; 3]);
    }

    #[test]
    fn long_paragraph_is_split_at_a_line_then_a_sentence_then_a_word() {
        let line = words(100);
        assert_eq!(messages(&lines(3, &line)), [format!("{line}\n{line}"), line]);
        let sentence = format!("{}. ", words(120));
        assert_eq!(messages(&sentence.repeat(3)), [sentence.repeat(2).trim(), sentence.trim()]);
        assert!(messages(&words(300)).iter().all(|message| message.ends_with("wordish")));
    }

    #[test]
    fn text_without_whitespace_is_split_between_visible_characters() {
        let split = messages(&"x".repeat(4_500));
        assert!(split.iter().all(|message| chars(message) > 400) && split.concat() == "x".repeat(4_500));
        let family = "👩\u{200d}👩\u{200d}👧";
        let accented = "e\u{301}\u{323}";
        for unit in [family, accented, "👍🏽"] {
            let split = messages(&unit.repeat(2_500 / chars(unit)));
            assert!(split.iter().all(|message| chars(message).is_multiple_of(chars(unit))), "{unit}");
        }
    }

    #[test]
    fn split_code_block_is_closed_and_opened_again_with_its_language() {
        let code = lines(150, "    let x = compute();").trim_end().to_owned();
        let split = messages(&format!("Look:\n\n````rust\n{code}\n````\nDone."));
        assert_eq!(split.len(), 2);
        assert!(split[0].starts_with("Look:\n\n````rust\n    let") && split[0].ends_with("compute();\n````"));
        assert!(split[1].starts_with("````rust\n    let x") && split[1].ends_with("compute();\n````\nDone."));
    }

    #[test]
    fn unclosed_code_block_is_closed() {
        assert_eq!(messages("```rust\nfn main() {"), ["```rust\nfn main() {\n```"]);
        let split = messages(&format!("~~~\n{}", lines(300, "a line")));
        assert!(split.iter().all(|message| message.starts_with("~~~\n") && message.ends_with("\n~~~")));
    }

    #[test]
    fn code_block_that_fits_into_a_message_is_not_split() {
        let code = format!("```rust\n{}```", lines(100, "let x = 1;"));
        assert_eq!(messages(&format!("{}\n\n{code}", words(150))), [words(150), code]);
    }

    #[test]
    fn heading_stays_with_what_follows_it() {
        let split = messages(&format!("{}\n\n## Next\n\nAs follows:\n\n{}", words(150), words(150)));
        assert_eq!(split, [words(150), format!("## Next\n\nAs follows:\n\n{}", words(150))]);
    }

    #[test]
    fn list_items_are_not_split() {
        let item = format!("- {}\n  {}", words(60), words(60));
        let split = messages(&lines(6, &item));
        assert!(split.len() == 3 && split.iter().all(|message| *message == format!("{item}\n{item}")), "{split:#?}");
    }

    #[test]
    fn table_is_moved_whole_or_split_between_rows_with_its_head_repeated() {
        let head = "| name | value |\n|---|---|";
        let small = format!("{head}\n{}", lines(20, "| some name | some value |"));
        let split = messages(&format!("{}\n\n{small}", words(200)));
        assert_eq!(split[1], small.trim_end());

        let split = messages(&format!("Values:\n\n{head}\n{}", lines(150, "| some name | some value |")));
        assert_eq!(split.len(), 3);
        assert!(split[1..].iter().all(|message| message.starts_with(head)));
        assert!(split.iter().all(|message| message.ends_with("some value |")));
    }

    #[test]
    fn very_long_output_becomes_a_file_and_a_first_message() {
        let output = format!("```rust\n{}```", lines(2_000, "let x = 1;"));
        let Reply { messages, file } = split(EN, &output);
        let [first] = &messages[..] else { panic!("{messages:?}") };
        assert!(first.starts_with("```rust\n") && chars(first) <= MESSAGE_CHARS);
        assert!(first.ends_with(&format!("let x = 1;\n```\n\n{}", texts::answers::whole_answer_in_file(EN))));
        assert_eq!(file, Some(output));
    }

    #[test]
    fn join_reverses_the_split_of_a_code_block() {
        let output = format!("Look:\n\n```rust\n{}```\nDone.", lines(300, "let x = 1;"));
        assert_eq!(join(messages(&output).iter().map(String::as_str)), output);
    }

    /// Markdown, well formed or not, of up to about 15,000 characters.
    pub(in crate::reply) fn outputs() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => "[a-zé.! ]{0,400}\n{0,2}",
            2 => "(- [a-z ]{0,60}\n){1,40}",
            2 => "(```|~~~|````)(rust|)\n([ a-z;]{0,40}\n){0,120}",
            2 => "(```|~~~|````)\n",
            1 => "\\| a \\| b \\|\n\\|-\\|-\\|\n(\\| [a-z]{0,20} \\| é \\|\n){0,150}",
            1 => "# [a-z]{1,20}\n",
            1 => "[a-z`~]{0,3000}",
            1 => "(\\PC| |\n){0,200}",
            1 => " {0,2500}",
            1 => "`{0,2500}",
        ];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    fn without_whitespace(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }

    proptest! {
        #[test]
        fn messages_are_never_blank_too_long_or_left_with_an_open_fence(output in outputs()) {
            let Reply { messages, file } = split(EN, &output);
            let most = if file.is_some() { 1 } else { MAX_MESSAGES };
            prop_assert!(messages.len() <= most);
            for message in messages {
                prop_assert!(chars(&message) <= MESSAGE_CHARS);
                prop_assert!(!message.trim().is_empty());
                prop_assert!(unclosed_fence(&message).is_none(), "{}", message);
            }
        }

        #[test]
        fn parts_hold_the_whole_output_exactly_once(output in outputs()) {
            let parts = parts::pack(&output, MESSAGE_CHARS, usize::MAX);
            let bodies: String = parts.iter().map(|part| &*part.body).collect();
            prop_assert_eq!(without_whitespace(&bodies), without_whitespace(&output));
            prop_assert!(parts.into_iter().all(|part| chars(&part.into_text()) <= MESSAGE_CHARS));
        }
    }
}
