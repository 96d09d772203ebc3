//! Attachments of users reach the agent, and files of the agent are shown.

use serde_json::{Value, json};
use sim::{
    discord::Route,
    tess::{Fault, Route as TessRoute, TessOptions},
};

use crate::support::Chat;

const PDF: &[u8] = b"%PDF-1.7\x00\xff";

impl Chat {
    fn say_with_file(&self, user: &str, text: &str, name: &str, bytes: &[u8]) -> u64 {
        self.discord.say_with_file(self.channel, user, text, name, bytes)
    }

    fn say_with_files(&self, user: &str, text: &str, files: &[(&str, &[u8])]) -> u64 {
        self.discord.say_with_files(self.channel, user, &json!({ "content": text }), files)
    }

    /// Expects that every upload is deleted.
    async fn expect_no_file_left(&self) {
        self.until("the deletion of every upload", || self.tess.files().is_empty()).await;
    }

    fn fetched(&self) -> usize {
        self.discord.requests_of(Route::Attachment)
    }
}

/// The ids of an execution's files.
fn file_ids(body: &Value) -> usize {
    body["file_ids"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn code_file_is_sent_to_the_agent_with_name_and_language() {
    let chat = Chat::start().await;
    chat.tess.answers(["Nice."]);
    chat.say_with_file("alice", "what is this?", "main.rs", b"fn main() {}\n");
    chat.expect_reply("Nice.").await;
    let asked = "user: alice: what is this?\n[file: main.rs]\n[content of main.rs]\n```rust\nfn main() {}\n```";
    chat.expect_asked(&[asked]).await;
    assert_eq!(chat.tess.files_received(), 0);
    chat.finish().await;
}

#[tokio::test]
async fn pasted_text_file_is_answered_like_a_message() {
    let chat = Chat::start().await;
    chat.tess.answers(["Read."]);
    let paste = "word ".repeat(900);
    chat.say_with_file("alice", "", "message.txt", paste.as_bytes());
    chat.expect_reply("Read.").await;
    let content = chat.next_execution().await.messages[0]["content"].as_str().unwrap().to_owned();
    assert!(content.contains(&paste), "{content}");
    chat.finish().await;
}

#[tokio::test]
async fn text_file_stays_in_the_history_after_an_edit() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    let message = chat.say_with_file("alice", "see", "a.txt", b"the fish");
    chat.expect_reply("One.").await;
    chat.wait_settled().await;
    chat.next_execution().await;
    chat.discord.edit(message, "look");
    chat.say("bob", "and?");
    chat.expect_reply("Two.").await;
    let content = chat.next_execution().await.messages[0]["content"].as_str().unwrap().to_owned();
    assert!(content.starts_with("alice: look") && content.contains("the fish"), "{content}");
    assert_eq!(chat.fetched(), 1, "it is downloaded once");
    chat.finish().await;
}

#[tokio::test]
async fn file_of_the_referenced_message_is_read() {
    let chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["A fish.", "Still."]);
    let picture = chat.say_with_files("alice", "mine", &[("a.png", b"\x89PNG"), ("a.txt", b"the fish")]);
    for answer in ["A fish.", "Still."] {
        chat.reply_to("bob", picture, &format!("{} what is it?", chat.discord.mention()));
        chat.expect_reply(answer).await;
        let execution = chat.next_execution().await;
        assert_eq!(file_ids(&execution.body), 1);
        let asked = execution.messages.to_string();
        assert!(asked.contains("the fish"), "{asked}");
        chat.expect_no_file_left().await;
    }
    chat.finish().await;
}

#[tokio::test]
async fn document_is_uploaded_for_the_turn_and_deleted_after_it() {
    let chat = Chat::start().await;
    chat.tess.answers(["Three pages."]);
    chat.tess.hold();
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    let execution = chat.next_execution().await;
    assert_eq!(file_ids(&execution.body), 1);
    let stored = chat.tess.files();
    assert_eq!((stored[0].name.as_str(), stored[0].mime.as_str()), ("report.pdf", "application/pdf"));
    assert!(stored[0].process && stored[0].content == PDF);
    chat.tess.release();
    chat.expect_reply("Three pages.").await;
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn credits_for_reading_a_file_are_recorded() {
    let chat = Chat::start().await;
    chat.tess.answers(["Three pages."]);
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    chat.expect_reply("Three pages.").await;
    chat.wait_settled().await;
    assert!(chat.metrics.credits() > 0.25, "0.25 for the file, and something for the answer");
    chat.finish().await;
}

#[tokio::test]
async fn file_content_is_released_after_the_turn() {
    let chat = Chat::start().await;
    let mut after_a_reset = Vec::new();
    for _ in 0..2 {
        chat.say_with_file("alice", "see", "report.pdf", PDF);
        chat.next_message().await;
        chat.wait_settled().await;
        chat.discord.slash(chat.channel, "alice", "reset", &serde_json::json!({})).response().await;
        after_a_reset.push(chat.metrics.histories_bytes());
    }
    assert_eq!(after_a_reset[0], after_a_reset[1]);
    chat.finish().await;
}

#[tokio::test]
async fn upload_shared_by_two_channels_is_deleted_after_both_turns() {
    let setup = Chat::setup();
    let options = TessOptions { deduplicate_files: true, ..setup.tess.clone() };
    let chat = setup.tess(options).start().await;
    let other = chat.discord.channel(chat.guild, "other");
    chat.tess.answers(["Three pages.", "Three as well.", "Welcome."]);
    chat.tess.hold();
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    chat.next_execution().await;
    chat.discord.say_with_file(other, "bob", "and this?", "report.pdf", PDF);
    assert_eq!(file_ids(&chat.next_execution().await.body), 1);
    assert_eq!(chat.tess.files().len(), 1);
    chat.tess.release_one();
    chat.expect_reply("Three pages.").await;
    // When this is answered, the deletions after the first turn are done.
    chat.say("alice", "thanks");
    chat.next_execution().await;
    assert_eq!(chat.tess.files().len(), 1, "the other channel needs it");
    chat.tess.release();
    chat.expect_reply("Welcome.").await;
    chat.discord.next_message(other).await;
    chat.expect_no_file_left().await;
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn upload_left_by_a_kill_is_deleted_by_the_next_start() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Three pages.", "Three."]);
    chat.tess.hold();
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    chat.next_execution().await;
    let left = chat.tess.files()[0].id;
    chat.until("the upload to be recorded", || chat.rows_on_disk("lent") == 1).await;
    chat.kill_bot();
    chat.start_bot().await;
    chat.until("the deletion of the upload", || chat.tess.files().iter().all(|file| file.id != left)).await;
    chat.tess.release();
    chat.next_message().await;
    chat.expect_no_file_left().await;
    chat.until("no recorded upload", || chat.rows_on_disk("lent") == 0).await;
    chat.finish().await;
}

#[tokio::test]
async fn message_with_only_a_file_is_answered_if_the_file_is_readable() {
    let chat = Chat::start().await;
    chat.tess.answers(["A cat.", "What about it?"]);
    chat.say_with_file("alice", "", "cat.png", b"\x89PNG");
    chat.expect_reply("A cat.").await;
    chat.expect_asked(&["user: alice: [file: cat.png]"]).await;
    chat.wait_settled().await;
    chat.say_with_file("alice", "", "cat.exe", b"MZ");
    chat.say("bob", "hm");
    chat.expect_reply("What about it?").await;
    let asked = ["user: alice: [file: cat.png]", "assistant: A cat.", "user: alice: [file: cat.exe]\nbob: hm"];
    chat.expect_asked(&asked).await;
    assert_eq!(chat.metrics.taken(), 2);
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn unreadable_files_are_named_under_the_answer() {
    let chat = Chat::start().await;
    chat.tess.answers(["Hello."]);
    let too_long = vec![b'x'; 70_000];
    chat.say_with_files("alice", "hi", &[("a.exe", b"MZ"), ("long.rs", &too_long), ("odd.rs", b"\xff\xfe")]);
    chat.expect_reply("Hello.").await;
    let reply = chat.next_message().await.content;
    let lines: Vec<_> = reply.lines().collect();
    assert_eq!(lines.len(), 3, "{reply}");
    for (line, (name, why)) in
        lines.iter().zip([("a.exe", "of this kind"), ("long.rs", "at most 64 KB"), ("odd.rs", "is not one")])
    {
        assert!(line.starts_with("⚠️") && line.contains(name) && line.contains(why), "{line}");
    }
    assert_eq!(chat.fetched(), 1, "a file that Tess refuses is not downloaded");
    chat.finish().await;
}

#[tokio::test]
async fn message_with_only_an_unreadable_file_costs_nothing() {
    let chat = Chat::start().await;
    chat.tess.fail_file_next();
    chat.say_with_file("alice", "", "report.pdf", PDF);
    let reply = chat.next_message().await.content;
    assert!(reply.starts_with("⚠️ **report.pdf**: Tess could not read it"), "{reply}");
    chat.wait_settled().await;
    assert_eq!((chat.tess.charged(), chat.metrics.outcomes("failed", "files_unread")), (0, 1));
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn unreadable_file_does_not_prevent_the_answer() {
    let chat = Chat::start().await;
    chat.tess.answers(["Without it, then."]);
    chat.tess.fail_file_next();
    chat.say_with_file("alice", "summarise", "report.pdf", PDF);
    chat.expect_reply("Without it, then.").await;
    assert!(chat.next_message().await.content.contains("report.pdf"));
    assert_eq!(file_ids(&chat.next_execution().await.body), 0);
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn files_beyond_the_limit_are_reported_and_the_first_are_read() {
    let chat = Chat::start().await;
    chat.tess.answers(["Many."]);
    let files: Vec<(String, &[u8])> =
        (0..4).map(|n| (format!("{n}.txt"), &b"text"[..])).chain((0..6).map(|n| (format!("{n}.pdf"), PDF))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    chat.say_with_files("alice", "all of these", &files);
    chat.expect_reply("Many.").await;
    let reply = chat.next_message().await.content;
    assert!(reply.contains("**3.txt**: only 3") && reply.contains("**5.pdf**: only 5"), "{reply}");
    let execution = chat.next_execution().await;
    assert_eq!(file_ids(&execution.body), 5);
    let asked = execution.messages.to_string();
    assert_eq!(asked.matches("[content of").count(), 3, "{asked}");
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn text_file_is_cut_to_the_history_budget() {
    let chat = Chat::setup().set("HISTORY_CHARS", "4000").start().await;
    chat.tess.answers(["Hm.", "Read elsewhere."]);
    chat.say_with_file("alice", "see", "a.rs", &[b'x'; 5_000]);
    chat.expect_reply("Hm.").await;
    assert!(chat.next_message().await.content.contains("too long for this conversation"));
    chat.expect_asked(&["user: alice: see\n[file: a.rs]"]).await;
    // Tess can process files with this extension, so the whole file is uploaded.
    chat.say_with_file("alice", "and this", "a.txt", &[b'x'; 5_000]);
    chat.expect_reply("Read elsewhere.").await;
    assert_eq!(file_ids(&chat.next_execution().await.body), 1);
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn with_files_off_nothing_is_downloaded() {
    let chat = Chat::setup().set("TESS_FILES", "off").start().await;
    chat.tess.answers(["Names only."]);
    chat.say_with_file("alice", "", "a.txt", b"secret");
    chat.say_with_file("alice", "see", "b.pdf", PDF);
    chat.expect_reply("Names only.").await;
    chat.expect_asked(&["user: alice: [file: a.txt]\nalice: see\n[file: b.pdf]"]).await;
    assert_eq!((chat.fetched(), chat.tess.files_received(), chat.metrics.taken()), (0, 0, 1));
    chat.finish().await;
}

#[tokio::test]
async fn files_are_downloaded_only_from_discord() {
    let chat = Chat::start().await;
    chat.tess.answers(["No."]);
    // A valid URL on loopback that is not Discord's. The simulated Tess would record a request for an unknown route.
    let url = chat.tess.url();
    let attachment = json!({"id": "7", "filename": "a.txt", "size": 3, "url": format!("{url}/secret")});
    let message = json!({"content": "look", "attachments": [attachment]});
    chat.discord.say_with(chat.channel, "alice", &message);
    chat.expect_reply("No.").await;
    assert!(chat.next_message().await.content.contains("did not hand it over"));
    chat.finish().await;
}

#[tokio::test]
async fn failed_download_is_retried() {
    let chat = Chat::start().await;
    chat.tess.answers(["Got it."]);
    chat.discord.fail_next("GET", "/attachments/*", 503, json!("busy"), 1);
    chat.say_with_file("alice", "see", "a.txt", b"the fish");
    chat.expect_reply("Got it.").await;
    assert!(chat.next_execution().await.messages.to_string().contains("the fish"));
    assert_eq!(chat.fetched(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn redirected_and_oversized_files_are_not_read() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.discord.fail_next("GET", "/attachments/*", 302, json!("moved"), 1);
    chat.say_with_file("alice", "see", "a.txt", b"the fish");
    chat.expect_reply("One.").await;
    assert!(chat.next_message().await.content.contains("did not hand it over"));
    let long = vec![b'x'; 100_000];
    chat.discord.misreport_size_next(10);
    chat.say_with_file("alice", "and this", "a.rs", &long);
    chat.expect_reply("Two.").await;
    assert!(chat.next_message().await.content.contains("too large"));
    chat.finish().await;
}

#[tokio::test]
async fn reset_during_a_turn_deletes_its_uploads() {
    let chat = Chat::setup().start().await;
    chat.tess.hold();
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    chat.next_execution().await;
    assert_eq!(chat.tess.files().len(), 1);
    chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    chat.wait_settled().await;
    chat.expect_no_file_left().await;
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn reset_during_an_upload_deletes_it() {
    let mut setup = Chat::setup();
    setup.tess = TessOptions { file_polls: usize::MAX, ..TessOptions::default() };
    let chat = setup.start().await;
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    chat.until("the upload", || chat.tess.files().len() == 1).await;
    chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    chat.wait_settled().await;
    chat.expect_no_file_left().await;
    assert_eq!(chat.tess.execute_requests(), 0);
    chat.finish().await;
}

#[tokio::test]
async fn failed_execution_deletes_uploads_and_failed_deletion_is_harmless() {
    let chat = Chat::start().await;
    chat.tess.fail_execution_next(json!("no"));
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    assert!(chat.next_message().await.content.starts_with("⚠️"));
    chat.expect_no_file_left().await;
    chat.tess.answers(["Fine."]);
    chat.tess.hold();
    chat.say_with_file("alice", "and this", "report.pdf", PDF);
    chat.until("the second execution", || chat.tess.execute_requests() == 2).await;
    let refused = Fault::Answer { status: 500, content_type: "application/json", body: "{}".to_owned() };
    chat.tess.fault_on(TessRoute::File, refused);
    chat.tess.release();
    chat.expect_reply("Fine.").await;
    chat.finish().await;
}

#[tokio::test]
async fn shutdown_deletes_uploads() {
    let mut chat = Chat::setup().change(|config| config.shutdown_grace = std::time::Duration::ZERO).start().await;
    chat.tess.hold();
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    chat.next_execution().await;
    chat.stop_bot().await.unwrap();
    assert!(chat.tess.files().is_empty());
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn generated_files_are_shown_as_links() {
    let chat = Chat::start().await;
    chat.tess.answers(["Here: ![cat](https://cdn.example/cat.png)"]);
    chat.tess.generated_files_next(json!(["https://cdn.example/cat.pdf", "http://cdn.example/plain.pdf"]));
    chat.say("alice", "draw a cat");
    chat.expect_reply("Here:\nhttps://cdn.example/cat.png\nhttps://cdn.example/cat.pdf").await;
    chat.finish().await;
}

#[tokio::test]
async fn answer_with_only_a_generated_file_is_its_link() {
    let chat = Chat::start().await;
    chat.tess.answers(["", ""]);
    chat.tess.generated_files_next(json!([{"name": "cat.png", "url": "https://cdn.example/cat.png"}]));
    chat.say("alice", "draw a cat");
    chat.expect_reply("https://cdn.example/cat.png").await;
    chat.tess.generated_files_next(json!(["http://cdn.example/cat.png"]));
    chat.say("alice", "again");
    assert!(chat.next_message().await.content.contains("answered with nothing"));
    chat.finish().await;
}

#[tokio::test]
async fn retried_turn_uploads_its_files_again() {
    let chat = Chat::start().await;
    chat.tess.fail_execution_next(json!("broken"));
    let asked = chat.say_with_files("alice", "compare", &[("a.pdf", PDF), ("b.txt", b"the fish")]);
    let error = chat.next_message().await;
    chat.wait_settled().await;
    chat.next_execution().await;
    chat.tess.answers(["Compared."]);
    chat.discord.press(error.id, &format!("retry:{asked}"), "alice").callback().await;
    chat.expect_reply("Compared.").await;
    let execution = chat.next_execution().await;
    let content = execution.messages[0]["content"].as_str().unwrap();
    assert_eq!((file_ids(&execution.body), content.matches("the fish").count()), (1, 1), "{content}");
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn live_answer_takes_files_and_shows_generated_ones() {
    let chat = Chat::setup().set("REPLY_MODE", "live").start().await;
    chat.tess.answers(["See ![a cat](https://files.example/cat.png)."]);
    chat.say_with_files("alice", "draw", &[("a.pdf", PDF), ("b.exe", b"MZ")]);
    let reply = chat.next_message().await;
    let unread = chat.next_message().await;
    assert!(unread.content.contains("b.exe"), "{}", unread.content);
    chat.wait_settled().await;
    let shown = chat.discord.message(reply.id).unwrap().content;
    assert!(shown.contains("https://files.example/cat.png") && !shown.contains("!["), "{shown}");
    assert_eq!(file_ids(&chat.next_execution().await.body), 1);
    chat.expect_no_file_left().await;
    chat.finish().await;
}
