//! Files: sent before an execution that reads them, and made by one.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{
    Inner, TessError,
    detail::Hidden,
    error::file_refusal,
    http::Reply,
    light::{LIGHT_REQUEST, LOOK_UP},
    wire,
};
use crate::ids::FileId;

/// Files that one execution takes (Tess's documentation, 2026).
pub const MAX_FILES_PER_EXECUTION: usize = 5;

/// Longest file, in bytes. The documentation says 200 MB; public clients use `POST /files` up to 32 MB, and another
/// route of signed addresses above.
pub const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;

/// Longest file of sound that is put into words, in bytes (Tess's documentation, 2026).
pub const MAX_AUDIO_BYTES: usize = 10 * 1000 * 1000;

/// Files that an account stores (Tess's documentation, 2026): they are deleted after use.
pub const MAX_STORED_FILES: usize = 30;

/// Endings of documents that Tess reads.
pub const DOCUMENT_EXTENSIONS: [&str; 9] = ["txt", "doc", "docx", "csv", "pdf", "xls", "xlsx", "ppt", "pptx"];

/// Endings of images that Tess reads.
pub const IMAGE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "gif", "bmp", "svg", "tiff", "webp"];

/// Endings of video that Tess reads.
pub const VIDEO_EXTENSIONS: [&str; 6] = ["mp4", "avi", "mov", "mkv", "wmv", "flv"];

/// Endings of sound that Tess reads.
pub const AUDIO_EXTENSIONS: [&str; 6] = ["mp3", "wav", "aac", "ogg", "flac", "m4a"];

/// How long sending a file may take.
const UPLOAD: Duration = Duration::from_secs(120);

/// How long it may take in all, waiting for a free request and for the end of a rate limit included.
const UPLOAD_IN_ALL: Duration = Duration::from_secs(180);

/// Files of an answer that are read at most.
const GENERATED_FILES: usize = 10;

/// Longest name of a file, in characters.
const NAME_CHARS: usize = 100;

/// A file that an execution made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Its name, without a path.
    pub name: String,
    /// Where it is, `http` or `https`; at a host that Tess chose.
    pub url: String,
}

/// What Tess does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Its text is read.
    Document,
    /// It is looked at.
    Image,
    /// It is put into words.
    Audio,
    /// It is looked at and put into words.
    Video,
}

impl FileKind {
    /// The kind that a file's name tells; `None` when Tess reads no such file.
    pub fn of(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        let kinds: [(&[&str], Self); 4] = [
            (&DOCUMENT_EXTENSIONS, Self::Document),
            (&IMAGE_EXTENSIONS, Self::Image),
            (&AUDIO_EXTENSIONS, Self::Audio),
            (&VIDEO_EXTENSIONS, Self::Video),
        ];
        kinds.into_iter().find(|(endings, _)| endings.contains(&ending.as_str())).map(|(_, kind)| kind)
    }

    /// Longest file of the kind, in bytes.
    pub fn max_bytes(self) -> usize {
        if self == Self::Audio { MAX_AUDIO_BYTES } else { MAX_FILE_BYTES }
    }
}

impl Inner {
    pub(super) async fn upload(
        &self,
        name: &str,
        mime: &str,
        bytes: Vec<u8>,
        process: bool,
    ) -> Result<FileId, TessError> {
        let boundary = format!("tess-discord-{:032x}", fastrand::u128(..));
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let body = form(&boundary, name, mime, &bytes, process);
        drop(bytes);
        let post = self.http.post("/files", &content_type, body)?;
        let reply = self.send(&post, UPLOAD, UPLOAD_IN_ALL).await?;
        if !reply.status.is_success() {
            return Err(self.refused_file(&reply));
        }
        let stored: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let places = [stored.get("id"), stored.pointer("/data/id")];
        let id = places.into_iter().flatten().find_map(wire::id);
        id.map(FileId).ok_or_else(|| TessError::Unavailable { detail: "the answer has no file id".to_owned() })
    }

    pub(super) async fn wait_for_file(&self, id: FileId, deadline: Instant) -> Result<f64, TessError> {
        let begun = Instant::now();
        let end = |reply: &Reply| match reply.status {
            status if status.is_client_error() => Some(Err(self.refused_file(reply))),
            status if status.is_success() => self.read_or_failed(&reply.body),
            _ => None,
        };
        let ended = timeout_at(deadline, self.poll(&format!("/files/{id}"), end)).await;
        ended.unwrap_or_else(|_| Err(TessError::TimedOut { waited: begun.elapsed() }))?
    }

    pub(super) async fn delete_file(&self, id: FileId) -> Result<(), TessError> {
        let reply = self.send(&self.http.delete(&format!("/files/{id}"))?, LIGHT_REQUEST, LOOK_UP).await?;
        let is_gone = reply.status.is_success() || reply.status == reqwest::StatusCode::NOT_FOUND;
        if is_gone { Ok(()) } else { Err(self.refused_file(&reply)) }
    }

    /// What reading a file cost, once Tess is done with it; a status that no source knows is not the end.
    fn read_or_failed(&self, body: &[u8]) -> Option<Result<f64, TessError>> {
        let file: Value = serde_json::from_slice(body).ok()?;
        let file = file.get("data").unwrap_or(&file);
        match file.get("status")?.as_str()?.to_ascii_lowercase().as_str() {
            "completed" | "succeeded" | "processed" => Some(Ok(wire::credits(file))),
            "failed" | "error" => {
                let said = file.get("error").map(wire::said).unwrap_or_default();
                let detail = Hidden::new(&self.config.api_key, &[]).detail(&format!("it could not be read {said}"));
                Some(Err(TessError::FileRefused { detail }))
            }
            _ => None,
        }
    }

    fn refused_file(&self, reply: &Reply) -> TessError {
        file_refusal(reply, &Hidden::new(&self.config.api_key, &[]))
    }
}

/// The body of `POST /files`. Written here because reqwest's own form is a stream, which cannot be sent again after a
/// 429.
fn form(boundary: &str, name: &str, mime: &str, bytes: &[u8], process: bool) -> Vec<u8> {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.replace('\\', "_").replace('"', "%22");
    let is_mime = mime.contains('/') && mime.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let mime = if is_mime { mime } else { "application/octet-stream" };
    let before = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"process\"\r\n\r\n{process}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: {mime}\r\n\r\n"
    );
    let after = format!("\r\n--{boundary}--\r\n");
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

/// The `generated_files` of an execution. No source shows one, so addresses alone and objects are read; what has no
/// address is left out.
pub(super) fn generated_files(execution: &Value) -> Vec<GeneratedFile> {
    let files = match execution.get("generated_files") {
        Some(Value::Array(files)) => files.as_slice(),
        Some(file) => std::slice::from_ref(file),
        None => &[],
    };
    files.iter().filter_map(generated_file).take(GENERATED_FILES).collect()
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

/// The last part of a path, fit to be shown.
fn base_name(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or("file");
    last.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_has_both_fields_and_no_header_of_the_files_making() {
        let form = form("b", "a\"\r\nX: \\1é.pdf", "text/plain\r\nX: 2", b"\x00\xff", true);
        let text = String::from_utf8_lossy(&form).replace('\r', "");
        insta::assert_snapshot!(text.replace('\0', "0"), @r#"
        --b
        Content-Disposition: form-data; name="process"

        true
        --b
        Content-Disposition: form-data; name="file"; filename="a%22X: _1é.pdf"
        Content-Type: application/octet-stream

        0�
        --b--
        "#);
    }

    #[test]
    fn generated_files_are_read_in_every_form_that_has_an_address() {
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
        assert_eq!(generated_files(&many).len(), GENERATED_FILES);
    }

    #[test]
    fn the_kind_of_a_file_is_told_by_its_ending() {
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
