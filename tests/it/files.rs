//! Files: what people attach reaches the agent, and what the agent makes is shown.

use serde_json::{Value, json};
use sim::{
    discord::Route,
    tess::{Fault, Route as TessRoute, TessOptions},
};
use tess_discord::telemetry::Outcome;

use crate::support::Chat;

const PDF: &[u8] = b"%PDF-1.7\x00\xff";

impl Chat {
    fn say_with_file(&self, user: &str, text: &str, name: &str, bytes: &[u8]) -> u64 {
        self.discord.say_with_file(self.channel, user, text, name, bytes)
    }

    fn say_with_files(&self, user: &str, text: &str, files: &[(&str, &[u8])]) -> u64 {
        self.discord.say_with_files(self.channel, user, &json!({ "content": text }), files)
    }

    /// Nothing that was sent to Tess is left there.
    async fn expect_no_file_left(&self) {
        self.until("every file to be deleted", || self.tess.files().is_empty()).await;
    }

    fn fetched(&self) -> usize {
        self.discord.requests_of(Route::Attachment)
    }
}

/// The files that an execution was given.
fn file_ids(body: &Value) -> usize {
    body["file_ids"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn code_is_read_with_its_name_and_language() {
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
async fn a_long_paste_is_answered_as_if_it_had_been_written() {
    let chat = Chat::start().await;
    chat.tess.answers(["Read."]);
    let paste = "word ".repeat(900);
    chat.say_with_file("alice", "", "message.txt", paste.as_bytes());
    chat.expect_reply("Read.").await;
    let content = chat.execution().await.messages[0]["content"].as_str().unwrap().to_owned();
    assert!(content.contains(&paste), "{content}");
    chat.finish().await;
}

#[tokio::test]
async fn a_text_stays_in_the_conversation_and_survives_an_edit_of_its_message() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    let message = chat.say_with_file("alice", "see", "a.txt", b"the fish");
    chat.expect_reply("One.").await;
    chat.settled().await;
    chat.execution().await;
    chat.discord.edit(message, "look");
    chat.say("bob", "and?");
    chat.expect_reply("Two.").await;
    let content = chat.execution().await.messages[0]["content"].as_str().unwrap().to_owned();
    assert!(content.starts_with("alice: look") && content.contains("the fish"), "{content}");
    assert_eq!(chat.fetched(), 1, "it is fetched once");
    chat.finish().await;
}

#[tokio::test]
async fn the_file_of_a_message_replied_to_is_read() {
    let chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["A fish.", "Still."]);
    let picture = chat.say_with_files("alice", "mine", &[("a.png", b"\x89PNG"), ("a.txt", b"the fish")]);
    for answer in ["A fish.", "Still."] {
        chat.reply_to("bob", picture, &format!("{} what is it?", chat.discord.mention()));
        chat.expect_reply(answer).await;
        let execution = chat.execution().await;
        assert_eq!(file_ids(&execution.body), 1);
        let asked = execution.messages.to_string();
        assert!(asked.contains("the fish"), "{asked}");
        chat.expect_no_file_left().await;
    }
    chat.finish().await;
}

#[tokio::test]
async fn a_document_is_lent_to_tess_for_the_time_of_the_turn() {
    let chat = Chat::start().await;
    chat.tess.answers(["Three pages."]);
    chat.tess.hold();
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    let execution = chat.execution().await;
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
async fn what_reading_a_file_costs_is_charged() {
    let chat = Chat::start().await;
    chat.tess.answers(["Three pages."]);
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    chat.expect_reply("Three pages.").await;
    chat.settled().await;
    assert!(chat.metrics.credits() > 0.25, "0.25 for the file, and something for the answer");
    chat.finish().await;
}

#[tokio::test]
async fn a_file_that_was_read_takes_no_memory_any_more() {
    let chat = Chat::start().await;
    let mut after_a_reset = Vec::new();
    for _ in 0..2 {
        chat.say_with_file("alice", "see", "report.pdf", PDF);
        chat.next().await;
        chat.settled().await;
        chat.discord.slash(chat.channel, "alice", "reset", &serde_json::json!({})).response().await;
        after_a_reset.push(chat.metrics.histories_bytes());
    }
    assert_eq!(after_a_reset[0], after_a_reset[1]);
    chat.finish().await;
}

#[tokio::test]
async fn a_file_that_two_channels_send_stays_until_both_are_answered() {
    let setup = Chat::setup();
    let options = TessOptions { deduplicate_files: true, ..setup.tess.clone() };
    let chat = setup.tess(options).start().await;
    let other = chat.discord.channel(chat.guild, "other");
    chat.tess.answers(["Three pages.", "Three as well.", "Welcome."]);
    chat.tess.hold();
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    chat.execution().await;
    chat.discord.say_with_file(other, "bob", "and this?", "report.pdf", PDF);
    assert_eq!(file_ids(&chat.execution().await.body), 1);
    assert_eq!(chat.tess.files().len(), 1);
    chat.tess.release_one();
    chat.expect_reply("Three pages.").await;
    // Whatever was to be deleted after the first is gone when this is answered.
    chat.say("alice", "thanks");
    chat.execution().await;
    assert_eq!(chat.tess.files().len(), 1, "the other still needs it");
    chat.tess.release();
    chat.expect_reply("Welcome.").await;
    chat.discord.next_message(other).await;
    chat.expect_no_file_left().await;
    chat.settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn a_document_that_a_kill_left_at_tess_is_deleted_by_the_next_start() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Three pages.", "Three."]);
    chat.tess.hold();
    chat.say_with_file("alice", "how long is it?", "report.pdf", PDF);
    chat.execution().await;
    let left = chat.tess.files()[0].id;
    chat.until("the file to be noted", || chat.rows_on_disk("lent") == 1).await;
    chat.kill_bot();
    chat.start_bot().await;
    chat.until("the file to be deleted", || chat.tess.files().iter().all(|file| file.id != left)).await;
    chat.tess.release();
    chat.next().await;
    chat.expect_no_file_left().await;
    chat.until("nothing to be noted", || chat.rows_on_disk("lent") == 0).await;
    chat.finish().await;
}

#[tokio::test]
async fn a_file_alone_is_answered_when_it_can_be_read_and_noted_when_not() {
    let chat = Chat::start().await;
    chat.tess.answers(["A cat.", "What about it?"]);
    chat.say_with_file("alice", "", "cat.png", b"\x89PNG");
    chat.expect_reply("A cat.").await;
    chat.expect_asked(&["user: alice: [file: cat.png]"]).await;
    chat.settled().await;
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
async fn what_can_not_be_read_is_told_by_name_under_the_answer() {
    let chat = Chat::start().await;
    chat.tess.answers(["Hello."]);
    let too_long = vec![b'x'; 70_000];
    chat.say_with_files("alice", "hi", &[("a.exe", b"MZ"), ("long.rs", &too_long), ("odd.rs", b"\xff\xfe")]);
    chat.expect_reply("Hello.").await;
    let told = chat.next().await.content;
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    for (line, (name, why)) in
        lines.iter().zip([("a.exe", "of this kind"), ("long.rs", "at most 64 KB"), ("odd.rs", "is none")])
    {
        assert!(line.starts_with("⚠️") && line.contains(name) && line.contains(why), "{line}");
    }
    assert_eq!(chat.fetched(), 1, "what is known to be refused is not fetched");
    chat.finish().await;
}

#[tokio::test]
async fn a_message_of_nothing_but_an_unreadable_file_costs_nothing() {
    let chat = Chat::start().await;
    chat.tess.fail_file_next();
    chat.say_with_file("alice", "", "report.pdf", PDF);
    let told = chat.next().await.content;
    assert!(told.starts_with("⚠️ **report.pdf**: Tess could not read it"), "{told}");
    chat.settled().await;
    assert_eq!((chat.tess.charged(), chat.metrics.outcome(Outcome::Failed("files_unread"))), (0, 1));
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn the_answer_comes_though_a_file_was_not_read() {
    let chat = Chat::start().await;
    chat.tess.answers(["Without it, then."]);
    chat.tess.fail_file_next();
    chat.say_with_file("alice", "summarise", "report.pdf", PDF);
    chat.expect_reply("Without it, then.").await;
    assert!(chat.next().await.content.contains("report.pdf"));
    assert_eq!(file_ids(&chat.execution().await.body), 0);
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn too_many_files_are_told_and_the_first_are_read() {
    let chat = Chat::start().await;
    chat.tess.answers(["Many."]);
    let files: Vec<(String, &[u8])> =
        (0..4).map(|n| (format!("{n}.txt"), &b"text"[..])).chain((0..6).map(|n| (format!("{n}.pdf"), PDF))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    chat.say_with_files("alice", "all of these", &files);
    chat.expect_reply("Many.").await;
    let told = chat.next().await.content;
    assert!(told.contains("**3.txt**: only 3") && told.contains("**5.pdf**: only 5"), "{told}");
    let execution = chat.execution().await;
    assert_eq!(file_ids(&execution.body), 5);
    let asked = execution.messages.to_string();
    assert_eq!(asked.matches("[content of").count(), 3, "{asked}");
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn a_text_never_takes_more_than_the_conversation_may_have() {
    let chat = Chat::setup().set("HISTORY_CHARS", "4000").start().await;
    chat.tess.answers(["Hm.", "Read elsewhere."]);
    chat.say_with_file("alice", "see", "a.rs", &[b'x'; 5_000]);
    chat.expect_reply("Hm.").await;
    assert!(chat.next().await.content.contains("too long for this conversation"));
    chat.expect_asked(&["user: alice: see\n[file: a.rs]"]).await;
    // Tess reads files of this ending: it gets it whole.
    chat.say_with_file("alice", "and this", "a.txt", &[b'x'; 5_000]);
    chat.expect_reply("Read elsewhere.").await;
    assert_eq!(file_ids(&chat.execution().await.body), 1);
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn switched_off_nothing_is_fetched_and_a_file_alone_is_noted() {
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
async fn only_discord_is_asked_for_files() {
    let chat = Chat::start().await;
    chat.tess.answers(["No."]);
    // Loopback and a valid address, but not Discord's: the simulated Tess would tell of an unknown route.
    let url = chat.tess.url();
    let attachment = json!({"id": "7", "filename": "a.txt", "size": 3, "url": format!("{url}/secret")});
    let message = json!({"content": "look", "attachments": [attachment]});
    chat.discord.say_with(chat.channel, "alice", &message);
    chat.expect_reply("No.").await;
    assert!(chat.next().await.content.contains("did not hand it over"));
    chat.finish().await;
}

#[tokio::test]
async fn a_file_that_discord_gives_at_the_second_try_is_read() {
    let chat = Chat::start().await;
    chat.tess.answers(["Got it."]);
    chat.discord.fail_next("GET", "/attachments/*", 503, json!("busy"), 1);
    chat.say_with_file("alice", "see", "a.txt", b"the fish");
    chat.expect_reply("Got it.").await;
    assert!(chat.execution().await.messages.to_string().contains("the fish"));
    assert_eq!(chat.fetched(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn a_file_that_leads_elsewhere_or_lies_about_its_size_is_not_read() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.discord.fail_next("GET", "/attachments/*", 302, json!("moved"), 1);
    chat.say_with_file("alice", "see", "a.txt", b"the fish");
    chat.expect_reply("One.").await;
    assert!(chat.next().await.content.contains("did not hand it over"));
    let long = vec![b'x'; 100_000];
    chat.discord.misreport_size_next(10);
    chat.say_with_file("alice", "and this", "a.rs", &long);
    chat.expect_reply("Two.").await;
    assert!(chat.next().await.content.contains("too large"));
    chat.finish().await;
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_turn_leaves_no_file_at_tess() {
    let chat = Chat::setup().start().await;
    chat.tess.hold();
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    chat.execution().await;
    assert_eq!(chat.tess.files().len(), 1);
    chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    chat.settled().await;
    chat.expect_no_file_left().await;
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn a_reset_while_a_file_is_being_read_leaves_none_either() {
    let mut setup = Chat::setup();
    setup.tess = TessOptions { file_polls: usize::MAX, ..TessOptions::default() };
    let chat = setup.start().await;
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    chat.until("the file to be at Tess", || chat.tess.files().len() == 1).await;
    chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    chat.settled().await;
    chat.expect_no_file_left().await;
    assert_eq!(chat.tess.execute_requests(), 0);
    chat.finish().await;
}

#[tokio::test]
async fn a_failed_execution_leaves_no_file_and_a_failed_deletion_harms_nobody() {
    let chat = Chat::start().await;
    chat.tess.fail_execution_next(json!("no"));
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    assert!(chat.next().await.content.starts_with("⚠️"));
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
async fn a_stop_gives_the_files_back() {
    let mut chat = Chat::setup().change(|config| config.shutdown_grace = std::time::Duration::ZERO).start().await;
    chat.tess.hold();
    chat.say_with_file("alice", "read this", "report.pdf", PDF);
    chat.execution().await;
    chat.stop_bot().await.unwrap();
    assert!(chat.tess.files().is_empty());
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn files_of_an_answer_are_shown_as_links() {
    let chat = Chat::start().await;
    chat.tess.answers(["Here: ![cat](https://cdn.example/cat.png)"]);
    chat.tess.generated_files_next(json!(["https://cdn.example/cat.pdf", "http://cdn.example/plain.pdf"]));
    chat.say("alice", "draw a cat");
    chat.expect_reply("Here:\nhttps://cdn.example/cat.png\nhttps://cdn.example/cat.pdf").await;
    chat.finish().await;
}

#[tokio::test]
async fn an_answer_of_nothing_but_a_file_is_its_link() {
    let chat = Chat::start().await;
    chat.tess.answers(["", ""]);
    chat.tess.generated_files_next(json!([{"name": "cat.png", "url": "https://cdn.example/cat.png"}]));
    chat.say("alice", "draw a cat");
    chat.expect_reply("https://cdn.example/cat.png").await;
    chat.tess.generated_files_next(json!(["http://cdn.example/cat.png"]));
    chat.say("alice", "again");
    assert!(chat.next().await.content.contains("answered with nothing"));
    chat.finish().await;
}

#[tokio::test]
async fn a_turn_that_is_repeated_brings_its_files_again_and_its_texts_once() {
    let chat = Chat::start().await;
    chat.tess.fail_execution_next(json!("broken"));
    let asked = chat.say_with_files("alice", "compare", &[("a.pdf", PDF), ("b.txt", b"the fish")]);
    let error = chat.next().await;
    chat.settled().await;
    chat.execution().await;
    chat.tess.answers(["Compared."]);
    chat.discord.press(error.id, &format!("retry:{asked}"), "alice").callback().await;
    chat.expect_reply("Compared.").await;
    let execution = chat.execution().await;
    let content = execution.messages[0]["content"].as_str().unwrap();
    assert_eq!((file_ids(&execution.body), content.matches("the fish").count()), (1, 1), "{content}");
    chat.expect_no_file_left().await;
    chat.finish().await;
}

#[tokio::test]
async fn a_live_answer_is_asked_with_files_and_shows_those_that_were_made() {
    let chat = Chat::setup().set("REPLY_MODE", "live").start().await;
    chat.tess.answers(["See ![a cat](https://files.example/cat.png)."]);
    chat.say_with_files("alice", "draw", &[("a.pdf", PDF), ("b.exe", b"MZ")]);
    let reply = chat.next().await;
    let unread = chat.next().await;
    assert!(unread.content.contains("b.exe"), "{}", unread.content);
    chat.settled().await;
    let shown = chat.discord.message(reply.id).unwrap().content;
    assert!(shown.contains("https://files.example/cat.png") && !shown.contains("!["), "{shown}");
    assert_eq!(file_ids(&chat.execution().await.body), 1);
    chat.expect_no_file_left().await;
    chat.finish().await;
}
