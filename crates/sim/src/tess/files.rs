//! The stored files of the account.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Files that an account can store.
const MAX_FILES: usize = 30;

/// Credits for processing a file.
const PROCESSING_CREDITS: f64 = 0.25;

/// The first id.
const FIRST_ID: u64 = 73_325;

/// A stored file.
#[derive(Clone, Debug)]
pub struct StoredFile {
    /// The file's id.
    pub id: u64,
    /// The name of the upload.
    pub name: String,
    /// The media type of the upload.
    pub mime: String,
    /// The content.
    pub content: Vec<u8>,
    /// Whether the upload asked for processing.
    pub process: bool,
    /// `waiting`, `completed` or `failed`.
    pub status: String,
}

/// A stored file with its further course.
struct Stored {
    file: StoredFile,
    /// Polls that still return `waiting`.
    polls_left: usize,
    /// Whether processing fails.
    fails: bool,
}

/// All files of the account.
#[derive(Default)]
pub(super) struct Files {
    stored: BTreeMap<u64, Stored>,
    /// Files that were ever stored.
    pub(super) received: u64,
    /// How many of the next files fail.
    pub(super) failing: usize,
}

impl Files {
    /// The status of a file; does not count as a poll.
    pub(super) fn status(&self, id: u64) -> Option<&str> {
        self.stored.get(&id).map(|stored| stored.file.status.as_str())
    }

    /// Stores a file and returns its JSON; `None` when the account is full. With `deduplicate`, a file with the content of
    /// a stored one is not stored again.
    pub(super) fn store(&mut self, mut file: StoredFile, polls: usize, deduplicate: bool) -> Option<Value> {
        if self.stored.len() >= MAX_FILES {
            return None;
        }
        if let Some(same) = self.stored.values().find(|stored| deduplicate && stored.file.content == file.content) {
            return Some(same.view());
        }
        file.id = FIRST_ID + self.received;
        self.received += 1;
        let fails = self.failing > 0 && file.process;
        self.failing -= usize::from(fails);
        let stored = Stored { file, polls_left: polls, fails };
        let view = stored.view();
        self.stored.insert(stored.file.id, stored);
        Some(view)
    }

    /// The JSON of a file; counts as a poll.
    pub(super) fn poll(&mut self, id: u64) -> Option<Value> {
        let stored = self.stored.get_mut(&id)?;
        if stored.file.process && stored.polls_left == 0 {
            stored.file.status = if stored.fails { "failed" } else { "completed" }.to_owned();
        }
        stored.polls_left = stored.polls_left.saturating_sub(1);
        Some(stored.view())
    }

    /// Deletes a file; false when there is none.
    pub(super) fn delete(&mut self, id: u64) -> bool {
        self.stored.remove(&id).is_some()
    }

    /// The stored files, oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &StoredFile> {
        self.stored.values().map(|stored| &stored.file)
    }

    /// The JSON of the oldest stored files.
    pub(super) fn list(&self, max: usize) -> Vec<Value> {
        self.stored.values().take(max).map(Stored::view).collect()
    }
}

impl Stored {
    fn view(&self) -> Value {
        let StoredFile { id, name, content, status, .. } = &self.file;
        let credits = if status == "completed" { PROCESSING_CREDITS } else { 0.0 };
        json!({
            "id": id, "object": "file", "bytes": content.len(), "created_at": "2026-09-02T22:26:27+00:00",
            "filename": name, "credits": credits, "status": status, "metadata": null,
        })
    }
}
