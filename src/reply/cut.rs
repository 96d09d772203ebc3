//! Chooses where a text is cut.

/// How far to look back for the start of a character that is made of several code points.
const MAX_STEPS_BACK: usize = 64;

/// Cuts a text after at most `max_chars` characters, and drops the whitespace at the cut.
///
/// Prefers the end of a line, then the end of a sentence, then the end of a word.
pub(super) fn cut(text: &str, max_chars: usize) -> (&str, &str) {
    let Some((end, _)) = text.char_indices().nth(max_chars) else { return (text, "") };
    let (chunk, rest) = text.split_at(break_point(text, end));
    (chunk.trim_end(), trim_leading_blank_lines(rest))
}

/// The best byte to cut at, at or before `end`; never 0.
fn break_point(text: &str, end: usize) -> usize {
    // Whitespace right after `end` is a possible cut too.
    let window_end = text[end..].chars().next().map_or(end, |next| end + next.len_utf8());
    let window = &text[..window_end];
    let line = window.rfind('\n').filter(|at| *at > 0);
    let word = window.rfind(char::is_whitespace).filter(|at| *at > 0);
    line.filter(|at| *at >= end / 4)
        .or_else(|| sentence_end(window).filter(|at| *at >= end / 2))
        .or(word.filter(|at| *at >= end / 2))
        .or(line)
        .or(word)
        .unwrap_or_else(|| character_start(text, end))
}

/// The last whitespace that follows the end of a sentence.
fn sentence_end(text: &str) -> Option<usize> {
    let gaps = text.char_indices().rev().filter(|(_, c)| c.is_whitespace());
    gaps.map(|(at, _)| at).find(|at| {
        let before = text[..*at].trim_end_matches(['"', '\'', ')', '*', '_', '”', '’', '»']);
        before.ends_with(['.', '!', '?', '…', '。', '！', '？'])
    })
}

/// The start of the visible character that the code point at `end` belongs to.
fn character_start(text: &str, end: usize) -> usize {
    let mut at = end;
    let mut following = text[end..].chars().next();
    for previous in text[..end].chars().rev().take(MAX_STEPS_BACK) {
        if !following.is_some_and(extends_previous) && previous != '\u{200d}' {
            return at;
        }
        at -= previous.len_utf8();
        following = Some(previous);
    }
    // There are only joined code points within reach. They are cut, since otherwise nothing would be.
    end
}

/// Whether a code point is shown together with the one before it: marks, joiners, variations, skin tones, tags.
///
/// Knows the Unicode blocks that hold only such code points, and the marks of a few scripts.
fn extends_previous(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{64b}'..='\u{65f}'
        | '\u{93a}'..='\u{93c}' | '\u{93e}'..='\u{94f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{3099}' | '\u{309a}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Removes blank lines at the start; keeps the indentation of the first other line.
fn trim_leading_blank_lines(text: &str) -> &str {
    let trimmed = text.trim_start();
    let blank = &text[..text.len() - trimmed.len()];
    blank.rfind('\n').map_or(trimmed, |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_prefers_a_line_then_a_sentence_then_a_word() {
        assert_eq!(cut("one. two\nthree four", 12), ("one. two", "three four"));
        assert_eq!(cut("One two. Three four", 14), ("One two.", "Three four"));
        assert_eq!(cut("one two three", 10), ("one two", "three"));
        assert_eq!(cut("one two", 3), ("one", "two"), "the whitespace right after the limit counts");
        assert_eq!(cut("short", 5), ("short", ""));
    }

    #[test]
    fn cut_drops_blank_lines_and_keeps_indentation() {
        assert_eq!(cut("one\n\n\n    two", 5), ("one", "    two"));
    }

    #[test]
    fn visible_characters_stay_whole() {
        let accented = "e\u{301}\u{323}";
        assert_eq!(cut(&accented.repeat(3), 4), (accented, &*accented.repeat(2)));
    }
}
