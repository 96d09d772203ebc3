//! A channel's own settings of its agent.

use std::fmt::Write;

use super::{DONE_MARK, ERROR_MARK, INFO_MARK, escaped};

/// Settings that are listed; with names and values cut as they are, they fit in one message.
const MOST_LINES: usize = 15;

/// Characters of a setting's name and of its value that are shown.
const SHOWN_CHARS: usize = 30;

/// Characters of the sentence about a change.
const CHANGE_CHARS: usize = 250;

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The name of the agent's question.
    pub name: &'a str,
    /// What holds.
    pub holds: Holds,
}

/// What holds for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The channel's own value.
    Own(String),
    /// The value that whoever runs the bot has set.
    Bots(String),
    /// The agent's default, which Tess does not always tell.
    Agents(Option<String>),
    /// Nothing, though the agent needs an answer.
    Nothing,
}

/// All settings of a channel's agent. `can_change`: the reader is shown a menu below.
#[must_use]
pub fn overview(title: &str, settings: &[Setting<'_>], can_change: bool) -> String {
    let title = escaped(title);
    if settings.is_empty() {
        return format!("{INFO_MARK} **{title}** has nothing that could be set.");
    }
    let mut text = format!("{INFO_MARK} **{title}** answers in this channel with:");
    for Setting { name, holds } in settings.iter().take(MOST_LINES) {
        // Writing to a string can not fail.
        let _ = write!(text, "\n- {}: {}", code(name), holding(holds));
    }
    if settings.len() > MOST_LINES {
        let _ = write!(text, "\n- and {} more", settings.len() - MOST_LINES);
    }
    if !can_change {
        text.push_str("\nTo change them takes the permission **Manage Channels**.");
    }
    text
}

fn holding(holds: &Holds) -> String {
    match holds {
        Holds::Own(value) => code(value),
        Holds::Bots(value) => format!("the bot's default, {}", code(value)),
        Holds::Agents(Some(value)) => format!("the agent's default, {}", code(value)),
        Holds::Agents(None) => "the agent's default".to_owned(),
        Holds::Nothing => "nothing yet, and the agent needs it".to_owned(),
    }
}

/// Asks for the value of a setting; the menu is below.
#[must_use]
pub fn choose(name: &str, description: Option<&str>) -> String {
    let description = description.map(|text| format!("\n{}", escaped(text))).unwrap_or_default();
    format!("{INFO_MARK} What shall {} be in this channel?{description}", code(name))
}

/// A setting was changed; `None`: the default holds again.
#[must_use]
pub fn changed(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("{DONE_MARK} {} is now {}, from the next answer on.", code(name), code(value)),
        None => format!("{DONE_MARK} {} is the default again, from the next answer on.", code(name)),
    }
}

/// A value that the agent would refuse; `why` is a sentence.
#[must_use]
pub fn refused(why: &str) -> String {
    let why: String = why.chars().take(CHANGE_CHARS).collect();
    format!("{ERROR_MARK} {why} Nothing was changed.")
}

/// The agent has no such question any more.
#[must_use]
pub fn gone(name: &str) -> String {
    format!("{ERROR_MARK} This channel's agent has no {}. Nothing was changed.", code(name))
}

/// All values together take too much room.
#[must_use]
pub fn too_long() -> &'static str {
    "⚠️ All settings of this channel together are too long. Nothing was changed; try a shorter text."
}

/// Tess could not be asked what can be set.
#[must_use]
pub fn unavailable() -> &'static str {
    "⚠️ Tess could not be asked about this channel's agent; nothing was changed. Try again in a minute."
}

/// What follows when a channel with settings of its own is given another agent.
#[must_use]
pub fn dropped() -> &'static str {
    " The settings made here were for the one before, and are dropped."
}

/// A text on one line that Discord shows as it is.
fn code(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).map(|c| if c == '`' { '\'' } else { c }).collect();
    let more = if text.chars().nth(SHOWN_CHARS).is_some() { "…" } else { "" };
    format!("`{}{more}`", shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::MESSAGE_CHARS;

    #[test]
    fn what_holds_is_told_and_where_it_comes_from() {
        let own = Holds::Own("a `b`\nc".to_owned());
        let settings = [
            Setting { name: "temperature", holds: own },
            Setting { name: "model", holds: Holds::Bots("tess-5".to_owned()) },
            Setting { name: "tools", holds: Holds::Agents(None) },
            Setting { name: "language", holds: Holds::Agents(Some("pt".to_owned())) },
            Setting { name: "empresa", holds: Holds::Nothing },
        ];
        insta::assert_snapshot!(overview("Docs *Helper*", &settings, false), @r"
        ℹ️ **Docs \*Helper\*** answers in this channel with:
        - `temperature`: `a 'b' c`
        - `model`: the bot's default, `tess-5`
        - `tools`: the agent's default
        - `language`: the agent's default, `pt`
        - `empresa`: nothing yet, and the agent needs it
        To change them takes the permission **Manage Channels**.
        ");
        insta::assert_snapshot!(overview("Plain", &[], true), @"ℹ️ **Plain** has nothing that could be set.");
    }

    #[test]
    fn changes_are_told() {
        let texts = [
            choose("model", Some("Which *one*")),
            changed("model", Some("auto")),
            changed("model", None),
            refused("`n` takes a number, such as 5 or 0.5."),
            gone("model"),
            too_long().to_owned(),
            unavailable().to_owned(),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r"
        ℹ️ What shall `model` be in this channel?
        Which \*one\*
        ☑️ `model` is now `auto`, from the next answer on.
        ☑️ `model` is the default again, from the next answer on.
        ⚠️ `n` takes a number, such as 5 or 0.5. Nothing was changed.
        ⚠️ This channel's agent has no `model`. Nothing was changed.
        ⚠️ All settings of this channel together are too long. Nothing was changed; try a shorter text.
        ⚠️ Tess could not be asked about this channel's agent; nothing was changed. Try again in a minute.
        ");
    }

    #[test]
    fn many_long_settings_fit_in_one_message_with_the_sentence_about_a_change() {
        let long = "x".repeat(200);
        let setting = Setting { name: &long, holds: Holds::Agents(Some(long.clone())) };
        let text = overview(&"*".repeat(500), &vec![setting; 30], false);
        let both = text.chars().count() + refused(&long.repeat(9)).chars().count() + 1;
        assert!(both <= MESSAGE_CHARS, "{both}");
        assert!(text.contains("and 15 more"));
    }
}
