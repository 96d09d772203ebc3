//! What there is to see in an answer, as Discord shows it: an address on a line of its own.

use super::blocks::Fence;
use crate::tess::GeneratedFile;

/// An agent's output with each picture in it (`![…](https://…)`) and each file of the execution as its address, which Discord shows as
/// what it is. Only `https` addresses are shown. Code stays as it is.
#[must_use]
pub fn shown(output: &str, files: &[GeneratedFile]) -> String {
    let mut lines = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    for line in output.lines() {
        match &open {
            Some(fence) if fence.is_closed_by(line) => open = None,
            Some(_) => {}
            None => open = Fence::opening(line),
        }
        if open.is_none() && line.contains("![") {
            push_with_pictures(&mut lines, line);
        } else {
            lines.push(line);
        }
    }
    let made = files.iter().map(|file| file.url.as_str());
    lines.extend(made.filter(|url| url.starts_with("https://") && !output.contains(url)));
    lines.join("\n")
}

/// A line in pieces: what stands before a picture, its address, what stands behind it.
fn push_with_pictures<'a>(lines: &mut Vec<&'a str>, line: &'a str) {
    let mut rest = line;
    while let Some((before, url, behind)) = picture(rest) {
        lines.extend(Some(before.trim_end()).filter(|before| !before.is_empty()));
        lines.push(url);
        rest = behind.trim_start();
    }
    lines.extend(Some(rest).filter(|rest| !rest.is_empty()));
}

/// The first picture of a line that has an address to be shown: what is before it, the address, what is behind it. One that is within
/// code or a link is left alone.
fn picture(line: &str) -> Option<(&str, &str, &str)> {
    for (at, _) in line.match_indices("![") {
        let before = &line[..at];
        if before.ends_with('[') || before.matches('`').count() % 2 == 1 {
            continue;
        }
        let Some((_, behind)) = line[at + "![".len()..].split_once(']') else { break };
        let Some((target, behind)) = behind.strip_prefix('(').and_then(closed) else { continue };
        // A title may stand behind the address.
        let url = target.split_whitespace().next().unwrap_or_default().trim_matches(['<', '>']);
        if url.starts_with("https://") {
            return Some((before, url, behind));
        }
    }
    None
}

/// What stands before the `)` that closes, and what behind it: an address may have pairs of its own.
fn closed(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return Some((&text[..at], &text[at + 1..])),
            ')' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(url: &str) -> GeneratedFile {
        GeneratedFile { name: "a.png".to_owned(), url: url.to_owned() }
    }

    #[test]
    fn pictures_and_files_are_lines_of_their_addresses() {
        let output =
            "Look: ![a cat](https://h/cat.png \"Cat\") nice ![](https://h/dog.png)\n\n![x](https://h/x.png)\nDone.";
        insta::assert_snapshot!(shown(output, &[file("https://h/a.pdf"), file("https://h/x.png")]), @r"
        Look:
        https://h/cat.png
        nice
        https://h/dog.png

        https://h/x.png
        Done.
        https://h/a.pdf
        ");
        assert_eq!(shown("", &[file("https://h/a.png")]), "https://h/a.png");
        assert_eq!(shown("![x](https://h/Foo_(bar).jpg)", &[]), "https://h/Foo_(bar).jpg");
    }

    #[test]
    fn only_https_is_shown_and_code_is_left_alone() {
        assert_eq!(shown("Hi.", &[file("http://h/a.png"), file("ftp://h/a")]), "Hi.");
        for same in [
            "![x](http://h/x.png)",
            "```md\n![x](https://h/x.png)\n```",
            "write `![x](https://h/x.png)` for a picture",
            "[![x](https://h/x.png)](https://h)",
            "![x] (no) ![",
            "Wow![1] More text [docs](https://a.b/x) end",
            "![x](https://h/x.png",
        ] {
            assert_eq!(shown(same, &[]), same);
        }
    }

    proptest! {
        #[test]
        fn an_output_without_pictures_is_as_it_was(output in "(\\PC|\n|```| ){0,60}") {
            prop_assume!(!output.contains("!["));
            prop_assert_eq!(shown(&output, &[]), output.lines().collect::<Vec<_>>().join("\n"));
        }
    }
}
