//! Shows the images and files of an answer: Discord previews a URL, but no Markdown image.

use super::fence::Fence;
use crate::tess::GeneratedFile;

/// Replaces Markdown images in an output (`![…](https://…)`) by their URLs, and appends the URLs of generated files.
///
/// Each URL gets a line of its own. Only `https` URLs are shown. Code, and images inside links, stay as they are.
#[must_use]
pub(crate) fn with_media_urls(output: &str, files: &[GeneratedFile]) -> String {
    let mut lines = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    for line in output.lines() {
        match &open {
            Some(fence) if fence.is_closed_by(line) => open = None,
            Some(_) => {}
            None => open = Fence::parse_opening(line),
        }
        if open.is_none() && line.contains("![") {
            push_with_image_urls(&mut lines, line);
        } else {
            lines.push(line);
        }
    }
    let generated = files.iter().map(|file| file.url.as_str());
    lines.extend(generated.filter(|url| url.starts_with("https://") && !output.contains(url)));
    lines.join("\n")
}

/// Pushes a line with each of its images replaced by a line of its URL.
fn push_with_image_urls<'a>(lines: &mut Vec<&'a str>, line: &'a str) {
    let mut rest = line;
    while let Some(image) = find_image(rest) {
        lines.extend(Some(image.before.trim_end()).filter(|before| !before.is_empty()));
        lines.push(image.url);
        rest = image.after.trim_start();
    }
    lines.extend(Some(rest).filter(|rest| !rest.is_empty()));
}

/// A Markdown image within a line.
struct Image<'a> {
    before: &'a str,
    url: &'a str,
    after: &'a str,
}

/// The first image of a line that has an `https` URL and is neither in inline code nor in a link.
fn find_image(line: &str) -> Option<Image<'_>> {
    for (at, _) in line.match_indices("![") {
        let before = &line[..at];
        let is_in_link = before.ends_with('[');
        let is_in_code = before.matches('`').count() % 2 == 1;
        if is_in_link || is_in_code {
            continue;
        }
        let Some((_, after)) = line[at + "![".len()..].split_once(']') else { break };
        let Some((target, after)) = after.strip_prefix('(').and_then(split_at_closing_parenthesis) else { continue };
        // A title may follow the URL.
        let url = target.split_whitespace().next().unwrap_or_default().trim_matches(['<', '>']);
        if url.starts_with("https://") {
            return Some(Image { before, url, after });
        }
    }
    None
}

/// Splits a text at the `)` that closes a parenthesis opened before it; the text may hold pairs of its own.
fn split_at_closing_parenthesis(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            ')' => depth -= 1,
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
    fn images_and_generated_files_become_lines_with_their_urls() {
        let output =
            "Look: ![a cat](https://h/cat.png \"Cat\") nice ![](https://h/dog.png)\n\n![x](https://h/x.png)\nDone.";
        insta::assert_snapshot!(with_media_urls(output, &[file("https://h/a.pdf"), file("https://h/x.png")]), @r"
        Look:
        https://h/cat.png
        nice
        https://h/dog.png

        https://h/x.png
        Done.
        https://h/a.pdf
        ");
        assert_eq!(with_media_urls("", &[file("https://h/a.png")]), "https://h/a.png");
        assert_eq!(with_media_urls("![x](https://h/Foo_(bar).jpg)", &[]), "https://h/Foo_(bar).jpg");
    }

    #[test]
    fn other_schemes_code_and_links_stay_unchanged() {
        assert_eq!(with_media_urls("Hi.", &[file("http://h/a.png"), file("ftp://h/a")]), "Hi.");
        for same in [
            "![x](http://h/x.png)",
            "```md\n![x](https://h/x.png)\n```",
            "write `![x](https://h/x.png)` for a picture",
            "[![x](https://h/x.png)](https://h)",
            "![x] (no) ![",
            "Wow![1] More text [docs](https://a.b/x) end",
            "![x](https://h/x.png",
        ] {
            assert_eq!(with_media_urls(same, &[]), same);
        }
    }

    proptest! {
        #[test]
        fn output_without_images_is_unchanged(output in "(\\PC|\n|```| ){0,60}") {
            prop_assume!(!output.contains("!["));
            prop_assert_eq!(with_media_urls(&output, &[]), output.lines().collect::<Vec<_>>().join("\n"));
        }
    }
}
