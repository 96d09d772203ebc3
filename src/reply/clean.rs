//! Removes what an agent puts around its answer: `<think>` blocks and a Markdown fence around the whole.

use super::fence::{Fence, unclosed_fence};

/// Whether nothing of an output would be posted: it is blank, or it holds only `<think>` blocks.
#[must_use]
pub(crate) fn is_blank(output: &str) -> bool {
    clean(output).is_empty()
}

/// Removes leading `<think>` blocks, a Markdown fence around the whole output, and the whitespace around it.
pub(super) fn clean(output: &str) -> &str {
    let mut output = output.trim();
    while let Some((_, answer)) = output.strip_prefix("<think>").and_then(|thoughts| thoughts.split_once("</think>")) {
        output = answer.trim_start();
    }
    unwrap_fence(output).unwrap_or(output)
}

/// Does what [`clean`] does for an output that is still being written.
///
/// An unfinished `<think>` block is removed. A Markdown fence that opens the output is taken for a fence around the whole.
pub(super) fn clean_partial(output: &str) -> &str {
    let mut output = output.trim_start();
    while let Some(thoughts) = output.strip_prefix("<think>") {
        let Some((_, answer)) = thoughts.split_once("</think>") else { return "" };
        output = answer.trim_start();
    }
    if "<think>".starts_with(output) {
        return "";
    }
    match output.split_once('\n') {
        Some((first, inside)) if Fence::parse_opening(first).is_some_and(|fence| fence.is_markdown()) => {
            inside.trim_start()
        }
        _ => output,
    }
}

/// The content of a Markdown fence around the whole output.
fn unwrap_fence(output: &str) -> Option<&str> {
    let (first, rest) = output.split_once('\n')?;
    let (inside, last) = rest.rsplit_once('\n')?;
    let fence = Fence::parse_opening(first)?;
    // If a fence were open at the end of `inside`, the last line would close that one, and the first fence would have
    // been closed earlier.
    let is_whole = fence.is_markdown() && fence.is_closed_by(last) && unclosed_fence(inside).is_none();
    is_whole.then(|| inside.trim()).filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn think_blocks_before_the_answer_are_removed() {
        assert_eq!(clean("<think>\nhm\n</think>\n\n<think>so</think>Yes, <think> is a tag."), "Yes, <think> is a tag.");
        assert_eq!(clean("<think>never ended"), "<think>never ended");
        assert!(is_blank("<think>hm</think>\n") && is_blank(" \n") && !is_blank("<think>hm"));
    }

    #[test]
    fn markdown_fence_around_the_whole_output_is_removed() {
        assert_eq!(clean("```markdown\n# Hi\n\n```sh\nls\n```\n```"), "# Hi\n\n```sh\nls\n```");
        assert_eq!(clean("~~~MD\nhi\n~~~"), "hi");
        for other in ["```json\n{}\n```", "```md\na\n```\nand\n```md\nb\n```", "```md\na\n```\nbye"] {
            assert_eq!(clean(other), other);
        }
    }

    #[test]
    fn unfinished_think_block_is_not_shown() {
        for text in ["<thi", "<think>", "<think>hm, what", "<think>hm</think>"] {
            assert_eq!(clean_partial(text), "", "{text}");
        }
        assert_eq!(clean_partial("<think>hm</think>\n\nYes"), "Yes");
        assert_eq!(clean_partial("<thin ice"), "<thin ice");
    }

    #[test]
    fn unfinished_markdown_fence_around_the_whole_output_is_removed() {
        assert_eq!(clean_partial("```markdown\n# Hi\n\nthere"), "# Hi\n\nthere");
        assert_eq!(clean_partial("```rust\nfn main"), "```rust\nfn main");
    }
}
