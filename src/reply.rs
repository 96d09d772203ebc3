//! An agent's output as messages that Discord accepts, and every text the bot says itself ([`texts`]).
//!
//! Pure, and linear in the length of the output. Outputs are Markdown: what reads as one thing (a paragraph, a list
//! item, a table, a block of code) is kept in one message where it fits.

mod blocks;
pub mod live;
pub mod media;
mod pieces;
pub mod texts;
pub mod usage;

use blocks::Fence;
use pieces::Piece;

use crate::config::Language;

pub use texts::is_answer;

/// Most characters of a message, in Unicode code points (Discord's staff in discord-api-docs #1315).
pub const MESSAGE_CHARS: usize = 2_000;

/// Most messages of one answer; a longer one is sent as a file.
pub const MOST_MESSAGES: usize = 5;

/// An agent's output, ready to be posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// To be posted in this order; each is at most [`MESSAGE_CHARS`] long and none is empty.
    pub messages: Vec<String>,
    /// The whole answer, for a file under the last message, when it is too long for [`MOST_MESSAGES`]. The last message says so.
    pub file: Option<String>,
}

/// Cuts an agent's output into messages; what the bot adds to them is in its `language`.
///
/// A block of code that is cut is closed and opened again, and a table's head is repeated; a block that the agent left
/// open is closed. The agent's thoughts (`<think>`) and a fence around the whole are taken off first. There is no
/// message when [nothing](is_nothing) is left.
#[must_use]
pub fn cut(language: Language, output: &str) -> Reply {
    let output = tidy(output);
    if output.is_empty() {
        return Reply::default();
    }
    let is_short = output.chars().nth(MESSAGE_CHARS).is_none();
    if is_short && blocks::left_open(output).is_none() {
        return Reply { messages: vec![output.to_owned()], file: None };
    }
    let pieces = pieces::pack(output, MESSAGE_CHARS, MOST_MESSAGES);
    if pieces.len() <= MOST_MESSAGES {
        Reply { messages: pieces.into_iter().map(Piece::into_text).collect(), file: None }
    } else {
        Reply { messages: vec![first_part(language, output)], file: Some(output.to_owned()) }
    }
}

/// Whether an output has nothing to be posted: it is blank, or the agent's thoughts alone.
#[must_use]
pub fn is_nothing(output: &str) -> bool {
    tidy(output).is_empty()
}

fn first_part(language: Language, output: &str) -> String {
    let end = format!("\n\n{}", texts::long_answer_in_file(language));
    let pieces = pieces::pack(output, MESSAGE_CHARS - end.chars().count(), 1);
    let mut first = pieces.into_iter().next().map(Piece::into_text).unwrap_or_default();
    first.push_str(&end);
    first
}

/// The output without the thoughts before it, the fence around it and the blank space at its ends.
fn tidy(output: &str) -> &str {
    let mut output = output.trim();
    while let Some((_, answer)) = output.strip_prefix("<think>").and_then(|thoughts| thoughts.split_once("</think>")) {
        output = answer.trim_start();
    }
    unwrapped(output).unwrap_or(output)
}

/// What stands in a `markdown` fence around the whole output.
fn unwrapped(output: &str) -> Option<&str> {
    let (first, rest) = output.split_once('\n')?;
    let (inside, last) = rest.rsplit_once('\n')?;
    let fence = Fence::opening(first)?;
    // Were a block left open inside, the last line would be its end, and the first fence would have ended before.
    let is_whole = fence.is_markdown() && fence.is_closed_by(last) && blocks::left_open(inside).is_none();
    is_whole.then(|| inside.trim()).filter(|inside| !inside.is_empty())
}

/// The bot's messages of one answer as one text again, for a history rebuilt from Discord.
///
/// A block of code that ends a part and goes on in the next is joined. What else [`cut`] changed stays: a repeated
/// table head, and a line break at each seam.
#[must_use]
pub fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut whole = String::new();
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let (opening, inside) = part.split_once('\n').unwrap_or((part, ""));
        let ended = blocks::ended_by_last_line(&whole).map(|fence| fence.line.trim());
        let goes_on = ended.is_some_and(|line| Fence::opening(opening).is_some() && line == opening.trim());
        if goes_on {
            whole.truncate(whole.rfind('\n').unwrap_or(0));
        }
        if !whole.is_empty() {
            whole.push('\n');
        }
        whole.push_str(if goes_on { inside } else { part });
    }
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EN: Language = Language::English;

    fn messages(output: &str) -> Vec<String> {
        let Reply { messages, file } = cut(EN, output);
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
    fn a_short_output_is_sent_as_it_is() {
        let output = "# Hi\n\n\n- a\n  - b\n\n```rust\nfn main() {}\n```";
        assert_eq!(messages(&format!("\n{output} \n")), [output]);
        assert_eq!(messages(&"é".repeat(MESSAGE_CHARS)).len(), 1);
        assert_eq!(messages(&"é".repeat(MESSAGE_CHARS + 1)).len(), 2);
    }

    #[test]
    fn nothing_is_sent_for_an_empty_output() {
        assert_eq!(cut(EN, " \n "), Reply::default());
        assert_eq!(cut(EN, "<think>hm</think>\n"), Reply::default());
    }

    #[test]
    fn thoughts_before_the_answer_are_left_out() {
        assert_eq!(
            messages("<think>\nhm\n</think>\n\n<think>so</think>Yes, <think> is a tag."),
            ["Yes, <think> is a tag."]
        );
        assert_eq!(messages("<think>never ended"), ["<think>never ended"]);
    }

    #[test]
    fn a_markdown_fence_around_the_whole_is_taken_off() {
        assert_eq!(messages("```markdown\n# Hi\n\n```sh\nls\n```\n```"), ["# Hi\n\n```sh\nls\n```"]);
        assert_eq!(messages("~~~MD\nhi\n~~~"), ["hi"]);
        for other in ["```json\n{}\n```", "```md\na\n```\nand\n```md\nb\n```", "```md\na\n```\nbye"] {
            assert_eq!(messages(other), [other]);
        }
    }

    #[test]
    fn paragraphs_stay_whole() {
        let paragraph = words(150);
        assert_eq!(messages(&[&*paragraph; 3].join("\n\n")), [&*paragraph; 3]);
    }

    #[test]
    fn a_long_paragraph_is_cut_at_a_line_then_a_sentence_then_a_word() {
        let line = words(100);
        assert_eq!(messages(&lines(3, &line)), [format!("{line}\n{line}"), line]);
        let sentence = format!("{}. ", words(120));
        assert_eq!(messages(&sentence.repeat(3)), [sentence.repeat(2).trim(), sentence.trim()]);
        assert!(messages(&words(300)).iter().all(|message| message.ends_with("wordish")));
    }

    #[test]
    fn what_has_no_gap_is_cut_anywhere_but_inside_a_character() {
        let cut = messages(&"x".repeat(4_500));
        assert!(cut.iter().all(|message| chars(message) > 400) && cut.concat() == "x".repeat(4_500));
        let family = "👩\u{200d}👩\u{200d}👧";
        let accented = "e\u{301}\u{323}";
        for unit in [family, accented, "👍🏽"] {
            let cut = messages(&unit.repeat(2_500 / chars(unit)));
            assert!(cut.iter().all(|message| chars(message).is_multiple_of(chars(unit))), "{unit}");
        }
    }

    #[test]
    fn code_that_is_cut_is_closed_and_opened_again_in_its_language() {
        let code = lines(150, "    let x = compute();").trim_end().to_owned();
        let cut = messages(&format!("Look:\n\n````rust\n{code}\n````\nDone."));
        assert_eq!(cut.len(), 2);
        assert!(cut[0].starts_with("Look:\n\n````rust\n    let") && cut[0].ends_with("compute();\n````"));
        assert!(cut[1].starts_with("````rust\n    let x") && cut[1].ends_with("compute();\n````\nDone."));
    }

    #[test]
    fn code_that_was_left_open_is_closed() {
        assert_eq!(messages("```rust\nfn main() {"), ["```rust\nfn main() {\n```"]);
        let cut = messages(&format!("~~~\n{}", lines(300, "a line")));
        assert!(cut.iter().all(|message| message.starts_with("~~~\n") && message.ends_with("\n~~~")));
    }

    #[test]
    fn code_that_fits_into_a_message_is_not_torn() {
        let code = format!("```rust\n{}```", lines(100, "let x = 1;"));
        assert_eq!(messages(&format!("{}\n\n{code}", words(150))), [words(150), code]);
    }

    #[test]
    fn a_heading_goes_with_what_follows_it() {
        let cut = messages(&format!("{}\n\n## Next\n\nAs follows:\n\n{}", words(150), words(150)));
        assert_eq!(cut, [words(150), format!("## Next\n\nAs follows:\n\n{}", words(150))]);
    }

    #[test]
    fn list_items_stay_whole() {
        let item = format!("- {}\n  {}", words(60), words(60));
        let cut = messages(&lines(6, &item));
        assert!(cut.len() == 3 && cut.iter().all(|message| *message == format!("{item}\n{item}")), "{cut:#?}");
    }

    #[test]
    fn a_table_is_moved_whole_or_cut_between_rows_under_its_head_again() {
        let head = "| name | value |\n|---|---|";
        let small = format!("{head}\n{}", lines(20, "| some name | some value |"));
        let cut = messages(&format!("{}\n\n{small}", words(200)));
        assert_eq!(cut[1], small.trim_end());

        let cut = messages(&format!("Values:\n\n{head}\n{}", lines(150, "| some name | some value |")));
        assert_eq!(cut.len(), 3);
        assert!(cut[1..].iter().all(|message| message.starts_with(head)));
        assert!(cut.iter().all(|message| message.ends_with("some value |")));
    }

    #[test]
    fn a_very_long_output_becomes_a_file_with_a_first_part_that_reads_well() {
        let output = format!("```rust\n{}```", lines(2_000, "let x = 1;"));
        let Reply { messages, file } = cut(EN, &output);
        let [first] = &messages[..] else { panic!("{messages:?}") };
        assert!(first.starts_with("```rust\n") && chars(first) <= MESSAGE_CHARS);
        assert!(first.ends_with(&format!("let x = 1;\n```\n\n{}", texts::long_answer_in_file(EN))));
        assert_eq!(file, Some(output));
    }

    #[test]
    fn joining_gives_code_back_in_one_block() {
        let output = format!("Look:\n\n```rust\n{}```\nDone.", lines(300, "let x = 1;"));
        assert_eq!(join(messages(&output).iter().map(String::as_str)), output);
        assert_eq!(join(["```a\n1\n```", "```b\n2\n```", "", "end"].into_iter()), "```a\n1\n```\n```b\n2\n```\nend");
        assert_eq!(join(std::iter::empty()), "");
    }

    /// Markdown, well formed or not, of up to some 15,000 characters.
    pub(super) fn outputs() -> impl Strategy<Value = String> {
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
        fn messages_are_never_empty_too_long_or_left_with_an_open_fence(output in outputs()) {
            let Reply { messages, file } = cut(EN, &output);
            let most = if file.is_some() { 1 } else { MOST_MESSAGES };
            prop_assert!(messages.len() <= most);
            for message in messages {
                prop_assert!(chars(&message) <= MESSAGE_CHARS);
                prop_assert!(!message.trim().is_empty());
                prop_assert!(blocks::left_open(&message).is_none(), "{}", message);
            }
        }

        #[test]
        fn nothing_is_lost_or_said_twice(output in outputs()) {
            let pieces = pieces::pack(&output, MESSAGE_CHARS, usize::MAX);
            let bodies: String = pieces.iter().map(|piece| &*piece.body).collect();
            prop_assert_eq!(without_whitespace(&bodies), without_whitespace(&output));
            prop_assert!(pieces.into_iter().all(|piece| chars(&piece.into_text()) <= MESSAGE_CHARS));
        }
    }
}
