//! `REPLY_MODE=live`: a reply is posted with the first words, edited as it grows, and never left incomplete.

use std::time::Duration;

use serde_json::json;
use sim::discord::{LostResponse, Route, Scope, SimMessage};

use crate::support::{Chat, Setup};

fn live() -> Setup {
    Chat::setup().set("REPLY_MODE", "live")
}

/// About 3,500 characters, with a code block at the boundary of two messages.
fn long() -> String {
    let code: String = (1..=60).map(|n| format!("let number_{n} = compute({n});\n")).collect();
    let words = "A sentence of a few words. ".repeat(30);
    format!("{}\n\n```rust\n{code}```\n\n{}", words.trim_end(), words.trim_end())
}

fn buttons(message: &SimMessage) -> Vec<String> {
    let rows = message.components.as_array().into_iter().flatten();
    let parts = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    parts.map(|part| part["custom_id"].as_str().unwrap().to_owned()).collect()
}

/// The current texts of the channel, one line per message.
fn shown(chat: &Chat) -> Vec<String> {
    chat.discord.messages(chat.channel).into_iter().map(|message| message.content).collect()
}

async fn until_shown(chat: &Chat, content: &str) {
    chat.until(content, || shown(chat).iter().any(|text| text == content)).await;
}

/// Marks the bot's messages as read.
fn read_all(chat: &Chat) -> Vec<SimMessage> {
    std::iter::from_fn(|| chat.discord.try_next_message(chat.channel)).collect()
}

#[tokio::test]
async fn live_reply_is_posted_with_the_first_words_and_edited_to_the_end() {
    let chat = live().start().await;
    chat.tess.answers(["One two three four five six seven eight nine."]);
    chat.tess.hold_stream_after(2);
    let asked = chat.say("alice", "count");
    let reply = chat.next_message().await;
    assert_eq!(reply.reply_to, Some(asked));
    until_shown(&chat, "One two three four five six").await;
    assert_eq!(buttons(&chat.discord.message(reply.id).unwrap()), [format!("stop:{asked}")]);
    chat.tess.release();
    chat.wait_settled().await;
    let whole = chat.discord.message(reply.id).unwrap();
    assert_eq!(whole.content, "One two three four five six seven eight nine.");
    assert_eq!(buttons(&whole), [format!("retry:{asked}")]);
    assert_eq!(chat.next_execution().await.body["stream"], json!(true));
    chat.finish().await;
}

#[tokio::test]
async fn long_live_reply_spans_messages_with_closed_code_blocks() {
    let mut setup = live();
    setup.tess.event_interval = Duration::from_millis(1);
    let chat = setup.start().await;
    chat.tess.answers([long().as_str(), "Short."]);
    let asked = chat.say("alice", "at length");
    chat.wait_settled().await;
    let parts = read_all(&chat);
    assert_eq!(parts.len(), 2, "{parts:#?}");
    assert_eq!((parts[0].reply_to, parts[1].reply_to), (Some(asked), None));
    assert_eq!((buttons(&parts[0]), buttons(&parts[1])), (vec![], vec![format!("retry:{asked}")]));
    for part in &parts {
        for edit in chat.discord.edits_of(part.id) {
            assert_eq!(edit.content.matches("```").count() % 2, 0, "{}", edit.content);
        }
    }
    assert!(parts[1].content.ends_with("a few words."), "{}", parts[1].content);
    chat.say("alice", "and now?");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.next_execution().await;
    let second = chat.next_execution().await;
    assert_eq!(second.messages[1]["content"], long(), "the history contains the whole answer");
    chat.finish().await;
}

#[tokio::test]
async fn full_message_is_not_edited_until_the_end() {
    let chat = live().start().await;
    chat.tess.answers([long().as_str()]);
    // Beyond the boundary, so that the second message exists.
    chat.tess.hold_stream_after(120);
    chat.say("alice", "at length");
    let first = chat.next_message().await;
    let second = chat.next_message().await;
    let full = chat.discord.message(first.id).unwrap();
    assert_eq!((buttons(&full).len(), buttons(&second).len()), (1, 1));
    chat.tess.release();
    chat.wait_settled().await;
    let last = chat.discord.message(first.id).unwrap();
    assert_eq!((last.content, last.components), (full.content, json!([])));
    chat.finish().await;
}

#[tokio::test]
async fn very_long_live_reply_ends_with_a_file() {
    let chat = live().start().await;
    let long = "A sentence of some words, and another one. ".repeat(400).trim_end().to_owned();
    chat.tess.answers([long.as_str()]);
    chat.say("alice", "everything");
    chat.wait_settled().await;
    let parts = read_all(&chat);
    let (last, before) = parts.split_last().unwrap();
    assert!(before.len() == 5 && before.iter().all(|part| part.files.is_empty()));
    assert_eq!(String::from_utf8_lossy(&last.files[0].1), long);
    assert_eq!(buttons(last).len(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn edits_keep_a_minimum_interval() {
    let mut setup = live().change(|config| config.timings.live_edit_interval = Duration::from_millis(200));
    setup.tess.event_interval = Duration::from_millis(2);
    let chat = setup.start().await;
    chat.tess.answers(["word ".repeat(600)]);
    let begun = tokio::time::Instant::now();
    chat.say("alice", "many words");
    chat.wait_settled().await;
    let most = begun.elapsed().as_millis() / 200 + 6;
    let edits = chat.discord.requests_of(Route::EditMessage) as u128;
    assert!((1..=most).contains(&edits), "{edits} edits, at most {most}");
    read_all(&chat);
    chat.finish().await;
}

#[tokio::test]
async fn lost_and_rate_limited_requests_leave_one_complete_reply() {
    for lost in [LostResponse::BadGateway, LostResponse::Closed] {
        let chat = live().start().await;
        chat.tess.answers(["One two three four five six."]);
        chat.tess.hold_stream_after(1);
        chat.discord.lose_response_next(Route::CreateMessage, lost);
        chat.discord.lose_response_next(Route::EditMessage, lost);
        chat.discord.rate_limit_next(Route::EditMessage, Duration::from_millis(120), Scope::User, 1);
        chat.say("alice", "count");
        chat.next_message().await;
        chat.tess.release();
        chat.wait_settled().await;
        assert_eq!(shown(&chat), ["count", "One two three four five six."], "{lost:?}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn broken_stream_is_completed_by_polling() {
    let chat = live().start().await;
    chat.tess.answers(["One two three four five six seven."]);
    chat.tess.break_stream_next(1);
    chat.say("alice", "count");
    let reply = chat.next_message().await;
    chat.wait_settled().await;
    assert_eq!(chat.discord.message(reply.id).unwrap().content, "One two three four five six seven.");
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn answer_without_a_stream_is_posted() {
    let chat = live().start().await;
    chat.tess.answers(["At once."]);
    chat.tess.no_stream_next();
    chat.say("alice", "hi");
    chat.expect_reply("At once.").await;
    chat.wait_settled().await;
    assert_eq!(chat.discord.requests_of(Route::EditMessage), 0);
    chat.finish().await;
}

#[tokio::test]
async fn error_during_a_stream_keeps_the_text_out_of_the_history() {
    let mut chat = live().start().await;
    chat.tess.answers(["One two three four five six.", "Better.", "Best."]);
    chat.tess.hold_stream_after(1);
    chat.tess.fail_stream_next(1, "out of breath");
    let asked = chat.say("alice", "count");
    chat.next_message().await;
    chat.tess.release();
    let text = chat.next_message().await;
    assert!(text.reply_to == Some(asked) && text.content.starts_with("⚠️"), "{}", text.content);
    chat.wait_settled().await;
    assert_eq!(shown(&chat)[1], "One two three\n-# ⚠️ Not finished.");
    chat.say("alice", "again");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("alice", "and again");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.next_execution().await;
    chat.expect_asked(&["user: alice: count\nalice: again"]).await;
    chat.expect_asked(&["user: alice: count\nalice: again", "assistant: Better.", "user: alice: and again"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn part_blocked_by_automod_ends_the_reply_with_a_reason() {
    let chat = live().start().await;
    chat.discord.block_content("forbidden");
    chat.tess.answers(["One two three forbidden five six."]);
    chat.tess.hold_stream_after(1);
    chat.say("alice", "count");
    let reply = chat.next_message().await;
    chat.tess.release();
    assert!(chat.next_message().await.content.starts_with("⚠️"));
    chat.wait_settled().await;
    let reply = chat.discord.message(reply.id).unwrap();
    assert_eq!((reply.content.as_str(), reply.components), ("One two three\n-# ⚠️ Not finished.", json!([])));
    chat.finish().await;
}

#[tokio::test]
async fn reset_during_a_live_reply_deletes_it() {
    let chat = live().start().await;
    chat.tess.answers([long().as_str()]);
    chat.tess.hold_stream_after(120);
    chat.say("alice", "at length");
    chat.next_message().await;
    chat.next_message().await;
    chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    chat.wait_settled().await;
    let left = shown(&chat);
    assert!(left.len() == 2 && left[1].starts_with('☑'), "{left:#?}");
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn deleted_live_reply_is_not_posted_again() {
    let chat = live().start().await;
    chat.tess.answers(["One two three four five six."]);
    chat.tess.hold_stream_after(1);
    chat.say("alice", "count");
    let reply = chat.next_message().await;
    chat.discord.delete(reply.id);
    chat.tess.release();
    chat.wait_settled().await;
    assert_eq!(shown(&chat), ["count"]);
    chat.finish().await;
}

#[tokio::test]
async fn waiting_note_is_removed_with_the_first_words() {
    let chat = live().change(|config| config.reply.notice_after = Duration::from_millis(20)).start().await;
    chat.tess.answers(["One two three four five six."]);
    chat.tess.hold_stream_after(0);
    chat.say("alice", "count");
    let note = chat.next_message().await;
    assert!(note.content.starts_with('⏳'), "{}", note.content);
    chat.tess.release();
    chat.next_message().await;
    chat.wait_settled().await;
    assert_eq!(shown(&chat), ["count", "One two three four five six."]);
    chat.finish().await;
}

#[tokio::test]
async fn live_reply_interrupted_by_shutdown_is_replaced_after_the_start() {
    let mut chat = live().change(|config| config.shutdown_grace = Duration::from_millis(50)).start().await;
    chat.tess.answers(["One two three four five six.", "Afresh."]);
    chat.tess.hold_stream_after(1);
    let asked = chat.say("alice", "count");
    chat.next_message().await;
    chat.stop_bot().await.unwrap();
    assert_eq!(shown(&chat), ["count", "One two three"]);
    chat.tess.release();
    chat.start_bot().await;
    let reply = chat.next_message().await;
    assert_eq!(reply.reply_to, Some(asked));
    chat.wait_settled().await;
    assert_eq!(shown(&chat), ["count", "Afresh."]);
    chat.finish().await;
}

#[tokio::test]
async fn kill_during_a_live_reply_leads_to_one_answer() {
    for catch_up in ["30", "0"] {
        let mut chat = live().set("CATCH_UP_MINUTES", catch_up).start().await;
        chat.tess.answers(["Hi."]);
        chat.say("alice", "hi");
        chat.next_message().await;
        chat.wait_settled().await;
        chat.tess.answers([long().as_str(), "Afresh."]);
        chat.tess.hold_stream_after(120);
        chat.say("alice", "at length");
        chat.next_message().await;
        chat.next_message().await;
        chat.kill_bot();
        chat.tess.release();
        chat.start_bot().await;
        if catch_up == "0" {
            chat.say("alice", "hello?");
        }
        chat.next_message().await;
        chat.wait_settled().await;
        let left = shown(&chat);
        assert!(left.len() <= 5 && left.last().unwrap() == "Afresh.", "{left:#?}");
        assert!(!left.iter().any(|text| text.contains("compute")), "{left:#?}");
        chat.next_execution().await;
        chat.next_execution().await;
        let asked = chat.next_execution().await.messages.to_string();
        assert!(asked.contains("Hi.") && !asked.contains("compute"), "{asked}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn complete_live_reply_is_not_repeated_after_a_kill() {
    let mut chat = live().start().await;
    chat.tess.answers([long().as_str()]);
    chat.say("alice", "at length");
    chat.wait_settled().await;
    let before = shown(&chat);
    chat.kill_bot();
    chat.start_bot().await;
    chat.wait_caught_up().await;
    assert_eq!((shown(&chat), chat.tess.charged()), (before, 1));
    read_all(&chat);
    chat.finish().await;
}
