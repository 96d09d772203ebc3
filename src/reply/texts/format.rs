//! Parts of texts: amounts, durations, and names that are safe to show.

use std::time::Duration;

use crate::config::{Credits, Language};

/// Most characters of a name that are shown where a text names no other limit.
const NAME_CHARS: usize = 100;

/// An amount of credits with the decimal separator of the language.
pub(super) fn amount(language: Language, credits: Credits) -> String {
    let amount = credits.to_string();
    match language {
        Language::English => amount,
        Language::Portuguese => amount.replace('.', ","),
    }
}

/// A duration in words, rounded up to a second, or to a minute from 100 seconds on.
pub(super) fn approximate(language: Language, duration: Duration) -> String {
    let (second, seconds, minutes) =
        language.say(("a second", "seconds", "minutes"), ("um segundo", "segundos", "minutos"));
    match duration.as_secs() + u64::from(duration.subsec_nanos() > 0) {
        0 | 1 => second.to_owned(),
        number @ 2..100 => format!("{number} {seconds}"),
        number => format!("{} {minutes}", number.div_ceil(60)),
    }
}

/// Does what [`escape_to`] does, for a name.
pub(super) fn escape(name: &str) -> String {
    escape_to(name, NAME_CHARS)
}

/// The first `max_chars` characters on one line, escaped so that Discord does not format, link or mention anything.
pub(super) fn escape_to(text: &str, max_chars: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(max_chars) {
        match c {
            '@' => shown.push_str("@\u{200b}"),
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '(' | ')' | ':' | '#' => {
                shown.extend(['\\', c]);
            }
            c if c.is_whitespace() || c.is_control() => shown.push(' '),
            c => shown.push(c),
        }
    }
    if text.chars().nth(max_chars).is_some() {
        shown.push('…');
    }
    shown
}

/// A text on one line as inline code, cut after `max_chars` characters.
pub(super) fn code(text: &str, max_chars: usize) -> String {
    let shown: String = text.chars().take(max_chars).map(|c| if c == '`' { '\'' } else { c }).collect();
    let more = if text.chars().nth(max_chars).is_some() { "…" } else { "" };
    format!("`{}{more}`", shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_name_cannot_format_mention_or_link() {
        let name = "**x**\n@everyone <@1> [a](https://b) `c`";
        insta::assert_snapshot!(
            escape(name).replace('\u{200b}', "·"),
            @r"\*\*x\*\* @·everyone \<@·1\> \[a\]\(https\://b\) \`c\`"
        );
        assert_eq!(escape(&"x".repeat(5_000)).chars().count(), NAME_CHARS + 1);
    }

    #[test]
    fn duration_is_rounded_up() {
        let in_words = |millis| approximate(Language::English, Duration::from_millis(millis));
        assert_eq!([0, 1_000, 1_001].map(in_words), ["a second", "a second", "2 seconds"]);
        assert_eq!([99_000, 99_001, 130_000].map(in_words), ["99 seconds", "2 minutes", "3 minutes"]);
    }

    #[test]
    fn inline_code_cannot_be_ended_by_its_text() {
        assert_eq!(code("a `b`\nc", 30), "`a 'b' c`");
        assert_eq!(code("abc", 2), "`ab…`");
    }
}
