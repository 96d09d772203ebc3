//! What is said about stopping and repeating.

/// Ends an answer of which only a part came. It tells people, and a history rebuilt from Discord, that it is none.
pub const NOT_FINISHED: &str = "-# ⚠️ Not finished.";

/// On the button that ends an answer.
pub const STOP_LABEL: &str = "Stop";

/// On the button that asks again.
pub const RETRY_LABEL: &str = "Try again";

/// Whether one of the bot's messages is the end of an answer that was never finished.
#[must_use]
pub fn is_not_finished(text: &str) -> bool {
    text.trim_end().ends_with(NOT_FINISHED)
}

/// In place of an answer that a person stopped.
#[must_use]
pub fn stopped() -> &'static str {
    "☑️ Stopped. What the agent had begun may still be charged."
}

/// To who used `/stop`.
#[must_use]
pub fn stopping() -> &'static str {
    "☑️ Stopping it."
}

/// Nothing is being answered.
#[must_use]
pub fn nothing_to_stop() -> &'static str {
    "ℹ️ Nothing is being answered here right now."
}

/// To who used `/retry`.
#[must_use]
pub fn retrying() -> &'static str {
    "☑️ Asking again; a new answer takes the place of the last one."
}

/// The turn is not the last one, or too long ago.
#[must_use]
pub fn nothing_to_retry() -> &'static str {
    "ℹ️ That can not be repeated any more: only the last question here can be, and not after a restart or a reset."
}

/// A turn runs.
#[must_use]
pub fn retry_later() -> &'static str {
    "ℹ️ I am still answering here. Try again once I am done."
}

/// Someone else's question.
#[must_use]
pub fn not_yours() -> &'static str {
    "⚠️ Only who asked can do that, or someone with the permission **Manage Messages**."
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::reply::is_answer;

    #[test]
    fn stopping_and_repeating_are_told_and_none_of_it_is_an_answer() {
        let texts =
            [stopped(), stopping(), nothing_to_stop(), retrying(), nothing_to_retry(), retry_later(), not_yours()];
        assert!(texts.iter().all(|text| !is_answer(text)));
        assert_snapshot!(texts.join("\n"), @"
        ☑️ Stopped. What the agent had begun may still be charged.
        ☑️ Stopping it.
        ℹ️ Nothing is being answered here right now.
        ☑️ Asking again; a new answer takes the place of the last one.
        ℹ️ That can not be repeated any more: only the last question here can be, and not after a restart or a reset.
        ℹ️ I am still answering here. Try again once I am done.
        ⚠️ Only who asked can do that, or someone with the permission **Manage Messages**.
        ");
    }

    #[test]
    fn an_answer_that_was_broken_off_is_known_by_its_end() {
        assert!(is_not_finished(&format!("The answer is\n{NOT_FINISHED}")));
        assert!(!is_not_finished("The answer is 42."));
    }
}
