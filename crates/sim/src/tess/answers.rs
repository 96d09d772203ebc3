//! The default answers of the agents, computed from the conversation.

use std::fmt::Write;

use serde_json::Value;

/// Messages shown in the table.
const MAX_SHOWN: usize = 8;

/// Characters shown of a message.
const SHOWN_CHARS: usize = 60;

/// Length of a "long" answer: more than fits into one message.
const LONG_CHARS: usize = 2_500;

/// Length of a "very long" answer.
const VERY_LONG_CHARS: usize = 10_500;

/// Quotes the last message and lists the messages that the agent sees, in Markdown. With "long" or "very long" in the
/// last message, the answer has more than 2,000 or 10,000 characters, with headings, lists, tables and code.
pub fn default_answer(messages: &[Value]) -> String {
    let content = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let last = messages.last().map(content).unwrap_or_default();
    let wanted = last.to_lowercase();
    if wanted.contains("very long") {
        return long_answer(VERY_LONG_CHARS);
    }
    if wanted.split(|c: char| !c.is_alphanumeric()).any(|word| word == "long") {
        return long_answer(LONG_CHARS);
    }
    let count = |role: &str| messages.iter().filter(|message| message["role"] == role).count();
    let seen = count("user") + count("assistant");
    let mut answer = format!(
        "You said:\n\n{}\n\nI see **{seen}** message{} of this conversation, {} of them mine:\n\n```text\n",
        quoted(&last),
        if seen == 1 { "" } else { "s" },
        count("assistant"),
    );
    for (index, message) in messages.iter().enumerate().skip(messages.len().saturating_sub(MAX_SHOWN)) {
        let role = message["role"].as_str().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(answer, "{:>2} {role:<9} {}", index + 1, first_line(&content(message)));
    }
    answer.push_str("```");
    answer
}

fn quoted(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("> {line}")).collect();
    lines.join("\n")
}

fn first_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().take(SHOWN_CHARS).collect();
    line.replace("```", "'''")
}

/// Numbered sections with at least this many characters.
fn long_answer(characters: usize) -> String {
    let mut answer = "# A long answer\n\nIt is cut into several messages; no code block is left open.\n".to_owned();
    for section in 1.. {
        if answer.chars().count() > characters {
            break;
        }
        let _ = write!(
            answer,
            "\n## Section {section}\n\n\
             Some *emphasis*, some `code`, a [link](https://example.com/{section}) and a sentence that goes on for a \
             while, so that there is something to cut between two words.\n\n\
             - first point of section {section}\n- second point\n  - a point below it\n\n\
             | name | value |\n|---|---|\n| section | {section} |\n| square | {} |\n\n\
             ```rust\nfn section_{section}() -> u32 {{\n    // The answer to part {section}.\n    {section} * 2\n}}\n```\n",
            section * section,
        );
    }
    answer.push_str("\nThat was all.");
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(role: &str, content: &str) -> Value {
        json!({"role": role, "content": content})
    }

    #[test]
    fn answer_lists_the_messages_of_the_conversation() {
        let messages = [
            said("developer", "be kind"),
            said("user", "alice: hi"),
            said("assistant", "hello"),
            said("user", "bob: what is\n```a```?"),
        ];
        insta::assert_snapshot!(default_answer(&messages), @r"
        You said:

        > bob: what is
        > ```a```?

        I see **3** messages of this conversation, 1 of them mine:

        ```text
         1 developer be kind
         2 user      alice: hi
         3 assistant hello
         4 user      bob: what is
        ```
        ");
    }

    #[test]
    fn answers_are_as_long_as_requested() {
        let length = |content: &str| default_answer(&[said("user", content)]).chars().count();
        assert!(length("along the way") < 2_000);
        assert!((2_001..4_000).contains(&length("alice: a LONG one, please")));
        assert!((10_001..12_000).contains(&length("a very long one")));
    }

    #[test]
    fn code_blocks_are_closed() {
        for content in ["hi ``` there", "long", "very long"] {
            let answer = default_answer(&[said("user", content)]);
            let fences = answer.lines().filter(|line| line.starts_with("```")).count();
            assert_eq!(fences % 2, 0, "{answer}");
        }
    }
}
