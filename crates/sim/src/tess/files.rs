//! The stored files: sent, read after some polls, deleted.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{
        ConnectInfo, DefaultBodyLimit, Multipart, Path, Query, State,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    Shared, TessSim,
    faults::{Fault, Route},
    net::Cut,
    routes::{Params, Sim, refuse, respond},
};

/// Files that an account stores.
const STORED: usize = 30;

/// Bytes of a request beside the file.
const FORM_BYTES: usize = 64 * 1024;

/// What reading a file costs.
const READING: f64 = 0.25;

/// Where ids begin.
const FIRST_ID: u64 = 73_325;

/// A stored file.
#[derive(Clone, Debug)]
pub struct StoredFile {
    /// Its id.
    pub id: u64,
    /// The name it was sent with.
    pub name: String,
    /// The type it was sent with.
    pub mime: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Whether it was to be read.
    pub process: bool,
    /// `waiting`, `completed` or `failed`.
    pub status: String,
}

/// How a stored file goes.
struct Stored {
    file: StoredFile,
    /// Polls that still find it waiting.
    polls_left: usize,
    fails: bool,
}

/// The files of the account.
#[derive(Default)]
pub(super) struct Files {
    stored: BTreeMap<u64, Stored>,
    received: u64,
    failing: usize,
}

impl Files {
    /// The status of a file, without counting as a poll.
    pub(super) fn status(&self, id: u64) -> Option<&str> {
        self.stored.get(&id).map(|stored| stored.file.status.as_str())
    }

    fn store(&mut self, mut file: StoredFile, polls: usize, one_id: bool) -> Value {
        if let Some(same) = self.stored.values().find(|stored| one_id && stored.file.content == file.content) {
            return same.view();
        }
        file.id = FIRST_ID + self.received;
        self.received += 1;
        let fails = self.failing > 0 && file.process;
        self.failing -= usize::from(fails);
        let stored = Stored { file, polls_left: polls, fails };
        let view = stored.view();
        self.stored.insert(stored.file.id, stored);
        view
    }

    fn polled(&mut self, id: u64) -> Option<Value> {
        let stored = self.stored.get_mut(&id)?;
        if stored.file.process && stored.polls_left == 0 {
            stored.file.status = if stored.fails { "failed" } else { "completed" }.to_owned();
        }
        stored.polls_left = stored.polls_left.saturating_sub(1);
        Some(stored.view())
    }
}

impl Stored {
    fn view(&self) -> Value {
        let StoredFile { id, name, content, status, .. } = &self.file;
        let credits = if status == "completed" { READING } else { 0.0 };
        json!({
            "id": id, "object": "file", "bytes": content.len(), "created_at": "2026-09-02T22:26:27+00:00",
            "filename": name, "credits": credits, "status": status, "metadata": null,
        })
    }
}

pub(super) fn router(file_bytes: usize) -> Router<Arc<Shared>> {
    let upload = post(upload).layer(DefaultBodyLimit::max(file_bytes.saturating_add(FORM_BYTES)));
    Router::new().route("/files", get(list).merge(upload)).route("/files/{id}", get(show).delete(delete))
}

async fn upload(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, form: Multipart) -> Response {
    let fault = sim.change(|world| world.next_fault(Route::Upload));
    if let Some(response) = fault.as_ref().and_then(Fault::instead) {
        return response;
    }
    let too_long = || refuse(413, &json!({"error": "Payload too large"}));
    let file = match read(form).await {
        Ok(Some(file)) if file.content.len() > sim.options.file_bytes => return too_long(),
        Ok(Some(file)) => file,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => return too_long(),
        wrong => {
            sim.change(|world| world.violation(format!("a form without its fields: {:?}", wrong.err())));
            return refuse(422, &json!({"message": "The file field is required."}));
        }
    };
    let (polls, one_id) = (sim.options.file_polls, sim.options.one_id_for_equal_files);
    let stored =
        sim.change(|world| (world.files.stored.len() < STORED).then(|| world.files.store(file, polls, one_id)));
    match stored {
        Some(view) => Fault::deliver(fault.as_ref(), &view, cut).await,
        None => refuse(422, &json!({"message": "Storage limit of 30 files reached."})),
    }
}

/// The file in a form; `None` when a field is missing or odd.
async fn read(mut form: Multipart) -> Result<Option<StoredFile>, MultipartError> {
    let (mut process, mut file) = (None, None);
    while let Some(field) = form.next_field().await? {
        match field.name() {
            Some("process") => process = field.text().await?.parse().ok(),
            Some("file") => file = read_file(field).await?,
            _ => return Ok(None),
        }
    }
    Ok(file.zip(process).map(|(file, process)| StoredFile { process, ..file }))
}

async fn read_file(field: Field<'_>) -> Result<Option<StoredFile>, MultipartError> {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let Some((name, mime)) = text(field.file_name()).zip(text(field.content_type())) else { return Ok(None) };
    let content = field.bytes().await?.to_vec();
    Ok(Some(StoredFile { id: 0, name, mime, content, process: false, status: "waiting".to_owned() }))
}

async fn list(State(sim): Sim, Query(params): Params) -> Response {
    let per_page = params.get("per_page").and_then(|text| text.parse().ok()).unwrap_or(15).min(100);
    let data: Vec<Value> = sim.world().files.stored.values().take(per_page).map(Stored::view).collect();
    refuse(200, &json!({"data": data}))
}

async fn show(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Path(id): Path<u64>) -> Response {
    match sim.change(|world| world.files.polled(id)) {
        Some(view) => respond(&sim, Route::File, &view, cut).await,
        None => refuse(404, &json!({"message": "File not found"})),
    }
}

async fn delete(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Path(id): Path<u64>) -> Response {
    match sim.change(|world| world.files.stored.remove(&id)) {
        Some(_) => respond(&sim, Route::File, &json!({"id": id, "object": "file", "deleted": true}), cut).await,
        None => refuse(404, &json!({"message": "File not found"})),
    }
}

impl TessSim {
    /// The files that are stored now, oldest first.
    pub fn files(&self) -> Vec<StoredFile> {
        self.shared.world().files.stored.values().map(|stored| stored.file.clone()).collect()
    }

    /// Files that were ever stored.
    pub fn files_received(&self) -> u64 {
        self.shared.world().files.received
    }

    /// The next file that is to be read cannot be; several calls fail several.
    pub fn fail_file_next(&self) {
        self.shared.change(|world| world.files.failing += 1);
    }

    /// Queues `generated_files` for the next executions that succeed.
    pub fn generated_files_next(&self, files: Value) {
        self.shared.change(|world| world.generated.push_back(files));
    }
}
