//! Joins the messages of one answer again.

use super::fence::{Fence, fence_closed_by_last_line};

/// Joins the messages of one answer into one text, for a history that is rebuilt from Discord.
///
/// A code block that was split over two messages becomes one block again. Other changes of [`split`](super::split()) stay:
/// repeated table heads, and a line break at each seam.
#[must_use]
pub(crate) fn join<'a>(messages: impl Iterator<Item = &'a str>) -> String {
    let mut whole = String::new();
    for message in messages.map(str::trim).filter(|message| !message.is_empty()) {
        let (first_line, rest) = message.split_once('\n').unwrap_or((message, ""));
        let closed = fence_closed_by_last_line(&whole).map(|fence| fence.line.trim());
        let continues_code =
            closed.is_some_and(|opening| Fence::parse_opening(first_line).is_some() && opening == first_line.trim());
        if continues_code {
            whole.truncate(whole.rfind('\n').unwrap_or(0));
        }
        if !whole.is_empty() {
            whole.push('\n');
        }
        whole.push_str(if continues_code { rest } else { message });
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_are_joined_only_with_a_block_of_the_same_opening_line() {
        assert_eq!(join(["```a\n1\n```", "```a\n2\n```"].into_iter()), "```a\n1\n2\n```");
        assert_eq!(join(["```a\n1\n```", "```b\n2\n```", "", "end"].into_iter()), "```a\n1\n```\n```b\n2\n```\nend");
        assert_eq!(join(std::iter::empty()), "");
    }
}
