//! Files for an agent: sent, waited for, read, deleted.

use std::time::Duration;

use serde_json::json;
use sim::tess::{Fault, Route, TessOptions};
use tokio::time::Instant;

use super::{
    super::{MAX_FILES_PER_EXECUTION, Options, TessError},
    A_MOMENT, Harness, answer_of,
};

use crate::ids::FileId;

/// Most files that an account stores (<https://docs.tess.im>), which is why the bot deletes them after use.
const MAX_STORED_FILES: usize = 30;

const PDF: &[u8] = b"%PDF-1.7\r\n--\x00\xff\r\n";

impl Harness {
    async fn send(&self, bytes: &[u8]) -> Result<FileId, TessError> {
        self.tess.upload("relatório \"final\".pdf", "application/pdf", bytes.to_vec(), true).await
    }

    async fn wait_for(&self, file: FileId) -> Result<f64, TessError> {
        self.tess.wait_for_file(file, Instant::now() + Duration::from_secs(10)).await
    }
}

#[tokio::test]
async fn a_file_is_uploaded_processed_and_read_by_an_execution() {
    let t = Harness::with(TessOptions { file_polls: 2, ..TessOptions::default() }, |_, _| {}).await;
    let file = t.send(PDF).await.unwrap();
    let stored = &t.sim.files()[0];
    assert_eq!(
        (stored.id, stored.name.as_str(), stored.mime.as_str()),
        (file.0, "relatório %22final%22.pdf", "application/pdf")
    );
    assert_eq!((stored.content.as_slice(), stored.process, stored.status.as_str()), (PDF, true, "waiting"));
    assert_eq!(t.wait_for(file).await.unwrap(), 0.25, "what reading it cost");
    assert_eq!(t.sim.files()[0].status, "completed");
    t.ask_with(&Options::default(), &[file]).await.unwrap();
    assert_eq!(t.sim.next_execution().await.unwrap().body["file_ids"], json!([file.0]));
    t.tess.delete_file(file).await.unwrap();
    assert!(t.sim.files().is_empty());
    assert_eq!((t.sim.polls(), t.sim.execute_requests()), (0, 1));
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn deleting_a_file_that_is_gone_succeeds() {
    let t = Harness::new().await;
    let file = t.send(PDF).await.unwrap();
    t.tess.delete_file(file).await.unwrap();
    t.tess.delete_file(file).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_too_long_is_refused() {
    let t = Harness::with(TessOptions { file_bytes: 1_000, ..TessOptions::default() }, |_, _| {}).await;
    t.send(&[b'x'; 1_000]).await.unwrap();
    match t.send(&[b'x'; 1_001]).await {
        Err(TessError::FileRefused { detail }) => assert_eq!(detail, "HTTP 413: Payload too large"),
        other => panic!("{other:?}"),
    }
    assert_eq!(t.sim.files_received(), 1);
}

#[tokio::test]
async fn a_full_storage_is_distinguished_from_a_refused_file() {
    let t = Harness::new().await;
    let mut last = None;
    for _ in 0..MAX_STORED_FILES {
        last = Some(t.send(PDF).await.unwrap());
    }
    assert!(matches!(t.send(PDF).await, Err(TessError::StorageFull { .. })));
    t.tess.delete_file(last.unwrap()).await.unwrap();
    t.send(PDF).await.unwrap();
    t.sim.fault_on(Route::Upload, answer_of(422, &json!({"message": "The file type is not supported."})));
    assert!(matches!(t.send(PDF).await, Err(TessError::FileRefused { .. })));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused() {
    let t = Harness::new().await;
    t.sim.fail_file_next();
    let file = t.send(PDF).await.unwrap();
    assert!(matches!(t.wait_for(file).await, Err(TessError::FileRefused { .. })));
    t.tess.delete_file(file).await.unwrap();
    assert!(matches!(t.wait_for(file).await, Err(TessError::FileRefused { .. })), "it is gone");
}

#[tokio::test]
async fn a_file_is_waited_for_until_its_deadline() {
    let t = Harness::with(TessOptions { file_polls: usize::MAX, ..TessOptions::default() }, |_, _| {}).await;
    let file = t.send(PDF).await.unwrap();
    match t.tess.wait_for_file(file, Instant::now() + A_MOMENT).await {
        Err(TessError::TimedOut { waited }) => assert!(waited >= A_MOMENT),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_failed_poll_of_a_file_is_followed_by_the_next_one() {
    let t = Harness::new().await;
    let file = t.send(PDF).await.unwrap();
    for fault in [
        answer_of(500, &json!({})),
        answer_of(200, &json!({"status": "processing"})),
        Fault::Truncate,
        Fault::DropConnection,
        Fault::RateLimit { retry_after: Some(0.1), header: false },
    ] {
        t.sim.fault_on(Route::File, fault);
    }
    t.wait_for(file).await.unwrap();
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn a_rate_limited_upload_is_repeated_and_a_lost_one_is_not() {
    let t = Harness::new().await;
    t.sim.fault_on(Route::Upload, Fault::RateLimit { retry_after: Some(0.1), header: false });
    t.send(PDF).await.unwrap();
    assert_eq!(t.sim.files_received(), 1);
    t.sim.fault_on(Route::Upload, Fault::DropConnection);
    assert!(matches!(t.send(PDF).await, Err(TessError::Unavailable { .. })));
    assert_eq!(t.sim.files_received(), 2, "it was stored, and not sent twice");
    for odd in [answer_of(503, &json!({})), answer_of(200, &json!({"object": "file"}))] {
        t.sim.fault_on(Route::Upload, odd);
        assert!(matches!(t.send(PDF).await, Err(TessError::Unavailable { .. })));
    }
    assert_eq!(t.sim.violations(), [""; 0]);
}

#[tokio::test]
async fn a_file_that_tess_does_not_know_is_refused() {
    let t = Harness::new().await;
    let unread = t.send(PDF).await.unwrap();
    for (files, violation) in [
        (vec![FileId(7)], "The selected file_ids.0 is invalid."),
        (vec![unread], "file_ids.0 is waiting."),
        (vec![unread; MAX_FILES_PER_EXECUTION + 1], "The file_ids field must be an array of at most 5 ids."),
    ] {
        let refused = t.ask_with(&Options::default(), &files).await;
        assert!(matches!(refused, Err(TessError::Refused { .. })), "{refused:?}");
        assert_eq!(t.sim.violations().last().unwrap(), violation);
    }
    assert_eq!(t.sim.charged(), 0);
}

#[tokio::test]
async fn a_file_that_is_only_stored_is_not_read() {
    let t = Harness::new().await;
    let file = t.tess.upload("a.txt", "text/plain", b"a".to_vec(), false).await.unwrap();
    assert!(!t.sim.files()[0].process);
    assert!(t.tess.wait_for_file(file, Instant::now() + A_MOMENT).await.is_err());
}
