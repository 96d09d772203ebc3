//! The files that Tess reads, and those that its executions generate. Pure.

use serde_json::Value;

/// Most files of one execution (<https://docs.tess.im>).
pub(crate) const MAX_FILES_PER_EXECUTION: usize = 5;

/// Longest file, in bytes. The documentation (<https://docs.tess.im>) says 200 MB, but public clients use `POST /files` only up to 32 MB and a
/// route with signed URLs above.
pub(crate) const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;

/// Longest audio file that Tess transcribes, in bytes (<https://docs.tess.im>).
const MAX_AUDIO_BYTES: usize = 10 * 1000 * 1000;

/// Extensions of documents that Tess reads.
const DOCUMENT_EXTENSIONS: [&str; 9] = ["txt", "doc", "docx", "csv", "pdf", "xls", "xlsx", "ppt", "pptx"];

/// Extensions of images that Tess reads.
const IMAGE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "gif", "bmp", "svg", "tiff", "webp"];

/// Extensions of video that Tess reads.
const VIDEO_EXTENSIONS: [&str; 6] = ["mp4", "avi", "mov", "mkv", "wmv", "flv"];

/// Extensions of audio that Tess reads.
const AUDIO_EXTENSIONS: [&str; 6] = ["mp3", "wav", "aac", "ogg", "flac", "m4a"];

/// Most files of an answer that are read.
const MAX_GENERATED_FILES: usize = 10;

/// Longest name of a file, in characters.
const MAX_NAME_CHARS: usize = 100;

/// A file that an execution generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GeneratedFile {
    /// Its name, without a path.
    pub name: String,
    /// Its URL, `http` or `https`, on a host that Tess chose.
    pub url: String,
}

/// The kinds of files that Tess reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FileKind {
    /// Tess reads its text.
    Document,
    /// A model sees it.
    Image,
    /// Tess transcribes it.
    Audio,
    /// A model sees it, and Tess transcribes it.
    Video,
}

impl FileKind {
    /// Returns the kind by the extension of a file's name; `None` if Tess reads no such file.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        let kinds: [(&[&str], Self); 4] = [
            (&DOCUMENT_EXTENSIONS, Self::Document),
            (&IMAGE_EXTENSIONS, Self::Image),
            (&AUDIO_EXTENSIONS, Self::Audio),
            (&VIDEO_EXTENSIONS, Self::Video),
        ];
        kinds.into_iter().find(|(extensions, _)| extensions.contains(&extension.as_str())).map(|(_, kind)| kind)
    }

    /// Returns the longest file of the kind, in bytes.
    pub(crate) fn max_bytes(self) -> usize {
        if self == Self::Audio { MAX_AUDIO_BYTES } else { MAX_FILE_BYTES }
    }
}

/// Reads the `generated_files` of an execution. No source shows one, so that URLs and objects with a URL are accepted;
/// entries without a URL are left out.
pub(super) fn generated_files(execution: &Value) -> Vec<GeneratedFile> {
    let files = match execution.get("generated_files") {
        Some(Value::Array(files)) => files.as_slice(),
        Some(file) => std::slice::from_ref(file),
        None => &[],
    };
    files.iter().filter_map(generated_file).take(MAX_GENERATED_FILES).collect()
}

fn generated_file(file: &Value) -> Option<GeneratedFile> {
    let field = |names: &[&str]| names.iter().find_map(|name| file.get(name)?.as_str());
    let url = file.as_str().or_else(|| field(&["url", "link", "file_url", "download_url"]))?.trim();
    let (_, path) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?.split_once('/')?;
    if url.contains(char::is_whitespace) {
        return None;
    }
    let in_url = path.split(['?', '#']).next().unwrap_or_default();
    let name = field(&["name", "filename", "file_name"]).unwrap_or(in_url);
    Some(GeneratedFile { name: base_name(name), url: url.to_owned() })
}

/// Returns the last part of a path without control characters.
fn base_name(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or("file");
    last.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn generated_files_are_read_in_every_form_that_has_a_url() {
        let url = "https://cdn.tess.im/out/a%20b.png?sig=1/2";
        let file = |name: &str, url: &str| GeneratedFile { name: name.to_owned(), url: url.to_owned() };
        for (files, expected) in [
            (json!(url), vec![file("a%20b.png", url)]),
            (json!([url]), vec![file("a%20b.png", url)]),
            (json!([{"url": url, "name": "../Aquarela.png"}]), vec![file("Aquarela.png", url)]),
            (json!({"link": url, "filename": "x"}), vec![file("x", url)]),
            (json!(["http://h/"]), vec![file("file", "http://h/")]),
            (json!([{"name": "x"}, null, 5, "javascript:alert(1)", "data:,x", "https://h/a b"]), vec![]),
            (json!(null), vec![]),
        ] {
            assert_eq!(generated_files(&json!({"generated_files": files})), expected, "{files}");
        }
        let many = json!({"generated_files": vec![url; 50]});
        assert_eq!(generated_files(&many).len(), MAX_GENERATED_FILES);
    }

    #[test]
    fn the_kind_of_a_file_follows_from_its_extension() {
        for (name, expected) in [
            ("a.PDF", Some(FileKind::Document)),
            ("b.tar.webp", Some(FileKind::Image)),
            ("c.m4a", Some(FileKind::Audio)),
            ("d.mkv", Some(FileKind::Video)),
            ("e.exe", None),
            ("pdf", None),
        ] {
            assert_eq!(FileKind::of(name), expected, "{name}");
        }
        assert!(FileKind::Audio.max_bytes() < FileKind::Video.max_bytes());
    }
}
