//! The routes of files.

use std::sync::Arc;

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
use serde_json::json;

use super::{
    fault::{Fault, Route},
    files::StoredFile,
    net::Cut,
    responses::{json_response, respond},
    state::{Params, Shared, Sim},
};

/// Bytes of an upload in addition to the file.
const FORM_BYTES: usize = 64 * 1024;

pub(super) fn router(file_bytes: usize) -> Router<Arc<Shared>> {
    let upload = post(upload).layer(DefaultBodyLimit::max(file_bytes.saturating_add(FORM_BYTES)));
    Router::new().route("/files", get(list).merge(upload)).route("/files/{id}", get(show).delete(delete))
}

async fn upload(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, form: Multipart) -> Response {
    let fault = sim.change(|world| world.next_fault(Route::Upload));
    if let Some(response) = fault.as_ref().and_then(Fault::instead) {
        return response;
    }
    let too_large = || json_response(413, &json!({"error": "Payload too large"}));
    let file = match read_form(form).await {
        Ok(Some(file)) if file.content.len() > sim.options.file_bytes => return too_large(),
        Ok(Some(file)) => file,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => return too_large(),
        wrong => {
            sim.change(|world| {
                world.record_violation(format!("an upload with missing or unknown fields: {:?}", wrong.err()));
            });
            return json_response(422, &json!({"message": "The file field is required."}));
        }
    };
    let (polls, deduplicate) = (sim.options.file_polls, sim.options.deduplicate_files);
    match sim.change(|world| world.files.store(file, polls, deduplicate)) {
        Some(view) => Fault::deliver(fault.as_ref(), &view, cut).await,
        None => json_response(422, &json!({"message": "Storage limit of 30 files reached."})),
    }
}

/// Reads the file of an upload; `None` when a field is missing or unknown.
async fn read_form(mut form: Multipart) -> Result<Option<StoredFile>, MultipartError> {
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
    let data = sim.world().files.list(per_page);
    json_response(200, &json!({"data": data}))
}

async fn show(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Path(id): Path<u64>) -> Response {
    match sim.change(|world| world.files.poll(id)) {
        Some(view) => respond(&sim, Route::File, &view, cut).await,
        None => json_response(404, &json!({"message": "File not found"})),
    }
}

async fn delete(State(sim): Sim, ConnectInfo(cut): ConnectInfo<Cut>, Path(id): Path<u64>) -> Response {
    if !sim.change(|world| world.files.delete(id)) {
        return json_response(404, &json!({"message": "File not found"}));
    }
    respond(&sim, Route::File, &json!({"id": id, "object": "file", "deleted": true}), cut).await
}
