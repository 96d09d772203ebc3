//! The marks that the bot's own texts start with.
//!
//! A history rebuilt from Discord tells them from an agent's answers by these marks, so a mark must never change.

/// Starts a message about a turn that takes long.
pub(crate) const NOTICE_MARK: &str = "⏳";

/// Starts a text about something that failed or was refused.
pub(super) const ERROR_MARK: &str = "⚠️";

/// Starts a text about something that was done.
pub(super) const DONE_MARK: &str = "☑️";

/// Starts a text with information that was asked for.
pub(super) const INFO_MARK: &str = "ℹ️";

/// Whether one of the bot's own messages is an agent's answer, or a part of one, and not a text of the bot itself.
#[must_use]
pub(crate) fn is_answer(text: &str) -> bool {
    let text = text.trim_start();
    ![NOTICE_MARK, ERROR_MARK, DONE_MARK, INFO_MARK].iter().any(|mark| text.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_without_a_mark_at_its_start_is_an_answer() {
        assert!(is_answer("Hello!") && is_answer("It is ⚠️ dangerous"));
        for mark in ["⏳", "⚠️", "☑️", "ℹ️"] {
            assert!(!is_answer(&format!(" {mark} x")), "{mark}");
        }
    }
}
