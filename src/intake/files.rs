//! Decides how each file of a message reaches the agent, if it can.

use crate::{discord::model::Attachment, tess::FileKind};

/// Largest file that is put into the conversation as text, in bytes.
pub(crate) const TEXT_BYTES: usize = 64 * 1024;

/// File extensions of text and code, with the language name for a code block; sorted by extension.
const TEXT_EXTENSIONS: [(&str, &str); 68] = [
    ("bash", "bash"),
    ("bat", "bat"),
    ("c", "c"),
    ("cc", "cpp"),
    ("cfg", "ini"),
    ("clj", "clojure"),
    ("conf", "ini"),
    ("cpp", "cpp"),
    ("cs", "csharp"),
    ("css", "css"),
    ("csv", "csv"),
    ("dart", "dart"),
    ("diff", "diff"),
    ("ex", "elixir"),
    ("exs", "elixir"),
    ("go", "go"),
    ("gradle", "groovy"),
    ("graphql", "graphql"),
    ("h", "c"),
    ("hpp", "cpp"),
    ("hs", "haskell"),
    ("htm", "html"),
    ("html", "html"),
    ("ini", "ini"),
    ("ipynb", "json"),
    ("java", "java"),
    ("jl", "julia"),
    ("js", "js"),
    ("json", "json"),
    ("jsonl", "json"),
    ("jsx", "jsx"),
    ("kt", "kotlin"),
    ("less", "less"),
    ("log", ""),
    ("lua", "lua"),
    ("markdown", "markdown"),
    ("md", "markdown"),
    ("mjs", "js"),
    ("ml", "ocaml"),
    ("nix", "nix"),
    ("patch", "diff"),
    ("php", "php"),
    ("pl", "perl"),
    ("properties", "ini"),
    ("proto", "protobuf"),
    ("ps1", "powershell"),
    ("py", "python"),
    ("r", "r"),
    ("rb", "ruby"),
    ("rs", "rust"),
    ("rst", "rst"),
    ("scala", "scala"),
    ("scss", "scss"),
    ("sh", "bash"),
    ("sql", "sql"),
    ("swift", "swift"),
    ("tex", "latex"),
    ("tf", "hcl"),
    ("toml", "toml"),
    ("ts", "ts"),
    ("tsv", "tsv"),
    ("tsx", "tsx"),
    ("txt", ""),
    ("vue", "vue"),
    ("xml", "xml"),
    ("yaml", "yaml"),
    ("yml", "yaml"),
    ("zig", "zig"),
];

/// How a file reaches the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileRoute {
    /// Its text is appended to the message, as a code block.
    Inline {
        /// The language of the code block; empty when there is none.
        language: &'static str,
    },
    /// It is uploaded to Tess.
    Upload(FileKind),
}

impl FileRoute {
    /// The route of a file by its name, media type and size; `None` when the agent cannot read it.
    ///
    /// A text that is too large for the conversation is uploaded if Tess reads files of its kind.
    #[must_use]
    pub(crate) fn of(file: &Attachment) -> Option<Self> {
        match language(file) {
            Some(language) if file.size <= TEXT_BYTES => Some(Self::Inline { language }),
            // If Tess does not read the file either, the route is `Inline`, so that its size is reported as the problem.
            Some(language) => Self::upload(file).or(Some(Self::Inline { language })),
            None => Self::upload(file),
        }
    }

    /// The route of a file that turned out not to be text, or not to fit into the conversation.
    #[must_use]
    pub(crate) fn upload(file: &Attachment) -> Option<Self> {
        FileKind::of(&file.filename).map(Self::Upload)
    }
}

/// The language of a text file; `None` for any other file.
///
/// The extension takes precedence over the media type: Discord reports TypeScript as video.
fn language(file: &Attachment) -> Option<&'static str> {
    let extension =
        file.filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let by_extension = TEXT_EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, language)| *language);
    let is_text = || file.content_type.as_deref().is_some_and(|mime| mime.starts_with("text/"));
    by_extension.or_else(|| (FileKind::of(&file.filename).is_none() && is_text()).then_some(""))
}

/// The text of a file as the agent is sent it: its name, then a code block that nothing in the text can close.
#[must_use]
pub(crate) fn inline_block(name: &str, language: &str, text: &str) -> String {
    let longest_run = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest_run.max(2) + 1);
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("[content of {name}]\n{fence}{language}\n{}\n{fence}", text.trim_end_matches(['\n', '\r']))
}

/// The text of a file, without a byte order mark; `None` when it is not UTF-8 text.
#[must_use]
pub(crate) fn decode_text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    Some(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(filename: &str, content_type: Option<&str>, size: usize) -> Attachment {
        let content_type = content_type.map(str::to_owned);
        Attachment { filename: filename.to_owned(), content_type, size, ..Attachment::default() }
    }

    #[test]
    fn route_depends_on_extension_then_media_type_then_size() {
        let text = |language| Some(FileRoute::Inline { language });
        for (name, mime, size, expected) in [
            ("main.RS", None, 10, text("rust")),
            ("app.ts", Some("video/mp2t"), 10, text("ts")),
            ("message.txt", Some("text/plain; charset=utf-8"), TEXT_BYTES, text("")),
            ("message.txt", None, TEXT_BYTES + 1, Some(FileRoute::Upload(FileKind::Document))),
            ("main.rs", None, TEXT_BYTES + 1, text("rust")),
            ("Makefile", Some("text/plain"), 10, text("")),
            ("Makefile", None, 10, None),
            ("a.svg", Some("text/xml"), 10, Some(FileRoute::Upload(FileKind::Image))),
            ("voice-message.ogg", Some("audio/ogg"), 10, Some(FileRoute::Upload(FileKind::Audio))),
            ("a.exe", Some("application/octet-stream"), 10, None),
        ] {
            assert_eq!(FileRoute::of(&file(name, mime, size)), expected, "{name} {size}");
        }
    }

    #[test]
    fn text_extensions_are_sorted_and_unique() {
        assert!(TEXT_EXTENSIONS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn inline_block_holds_the_name_and_the_text() {
        insta::assert_snapshot!(inline_block("a\nb.md", "markdown", "# Hi\n```rust\nx\n```\n\n"), @r"
        [content of a b.md]
        ````markdown
        # Hi
        ```rust
        x
        ```
        ````
        ");
        insta::assert_snapshot!(inline_block("a.txt", "", ""), @r"
        [content of a.txt]
        ```

        ```
        ");
    }

    #[test]
    fn only_utf_8_without_nul_is_text() {
        assert_eq!(decode_text(b"\xef\xbb\xbfol\xc3\xa1"), Some("olá"));
        assert_eq!(decode_text(b"\xff\xfeo\0l\0"), None);
        assert_eq!(decode_text(b"a\0b"), None);
    }

    proptest! {
        #[test]
        fn no_text_closes_its_own_code_block(text in "(`{1,5}|\n|x| ){0,40}") {
            let block = inline_block("a", "", &text);
            let fence = block.lines().nth(1).unwrap().to_owned();
            prop_assert_eq!(block.lines().filter(|line| line.trim().starts_with(&fence)).count(), 2);
        }
    }
}
