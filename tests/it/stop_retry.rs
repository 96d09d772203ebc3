//! `/stop` and `/retry`, and their buttons.

use std::time::Duration;

use serde_json::json;
use sim::discord::{InteractionHandle, Route, SimMessage};

use crate::support::Chat;

const STOPPED: &str = "☑️ Stopped. What the agent had begun may still be charged.";

fn slash(chat: &Chat, user: &str, name: &str) -> InteractionHandle {
    chat.discord.slash(chat.channel, user, name, &json!([]))
}

/// Posts a message whose execution is held; returns the message's id.
async fn held(chat: &Chat, text: &str) -> u64 {
    chat.tess.hold_next();
    let asked = chat.say("alice", text);
    chat.next_execution().await;
    asked
}

/// Makes the next turn fail; returns the message and the error text.
async fn failure(chat: &Chat) -> (SimMessage, u64) {
    chat.tess.fail_execution_next(json!("broken"));
    let asked = chat.say("alice", "hi");
    let error = chat.next_message().await;
    chat.wait_settled().await;
    chat.next_execution().await;
    (error, asked)
}

/// Whether a message has a button whose custom id starts with `prefix`.
fn has_button(chat: &Chat, message: u64, start: &str) -> bool {
    let message = chat.discord.message(message).unwrap();
    let rows = message.components.as_array().into_iter().flatten();
    let mut buttons = rows.filter_map(|row| row["components"].as_array()).flatten();
    buttons.any(|button| button["custom_id"].as_str().is_some_and(|id| id.starts_with(start)))
}

async fn until_no_button(chat: &Chat, message: u64) {
    let discord = chat.discord.clone();
    let is_plain = move || discord.message(message).is_some_and(|message| message.components == json!([]));
    chat.until("the removal of the old button", is_plain).await;
}

#[tokio::test]
async fn stop_cancels_the_turn_and_the_conversation_continues() {
    let chat = Chat::start().await;
    chat.tess.answers(["Never seen.", "Seen."]);
    let asked = held(&chat, "think").await;
    let response = slash(&chat, "alice", "stop").response().await;
    assert!(response.ephemeral && response.content.starts_with('☑'), "{}", response.content);
    assert_eq!(chat.expect_reply(STOPPED).await.reply_to, Some(asked));
    chat.tess.release();
    chat.wait_settled().await;
    chat.say("bob", "and me?");
    chat.expect_reply("Seen.").await;
    chat.expect_asked(&["user: alice: think\nbob: and me?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn stopped_message_is_not_answered_after_a_restart() {
    let mut chat = Chat::start().await;
    held(&chat, "think").await;
    slash(&chat, "alice", "stop").response().await;
    chat.expect_reply(STOPPED).await;
    chat.kill_bot();
    chat.tess.release();
    chat.start_bot().await;
    chat.wait_caught_up().await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn waiting_note_has_a_stop_button() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(20)).start().await;
    let asked = held(&chat, "think").await;
    let note = chat.next_message().await;
    let callback = chat.discord.press(note.id, &format!("stop:{asked}"), "alice").callback().await;
    assert_eq!(callback["type"], 6);
    chat.expect_reply(STOPPED).await;
    chat.wait_settled().await;
    assert!(chat.discord.message(note.id).is_none(), "the waiting note is removed");
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn stopped_live_reply_stays_and_is_not_in_the_history() {
    let chat = Chat::setup().set("REPLY_MODE", "live").start().await;
    chat.tess.answers(["One two three four five six.", "Seen."]);
    chat.tess.hold_stream_after(1);
    let asked = chat.say("alice", "count");
    let reply = chat.next_message().await;
    chat.next_execution().await;
    chat.discord.press(reply.id, &format!("stop:{asked}"), "alice").callback().await;
    chat.expect_reply(STOPPED).await;
    chat.wait_settled().await;
    let reply = chat.discord.message(reply.id).unwrap();
    assert_eq!((reply.content.as_str(), reply.components), ("One two three\n-# ⚠️ Not finished.", json!([])));
    chat.tess.release();
    chat.say("alice", "well?");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.expect_asked(&["user: alice: count\nalice: well?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn stop_requires_the_requester_or_manage_messages() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(20)).start().await;
    let asked = held(&chat, "think").await;
    let note = chat.next_message().await;
    let button = format!("stop:{asked}");
    let by_button = chat.discord.press(note.id, &button, "mallory").response().await;
    let by_command = slash(&chat, "mallory", "stop").response().await;
    for refused in [by_button, by_command] {
        assert!(refused.ephemeral && refused.content.contains("Manage Messages"), "{}", refused.content);
    }
    assert_eq!(chat.metrics.in_flight(), 1);
    chat.discord.make_manager("boss");
    chat.discord.press(note.id, &button, "boss").callback().await;
    chat.expect_reply(STOPPED).await;
    chat.tess.release();
    chat.finish().await;
}

#[tokio::test]
async fn stop_and_retry_without_a_turn_say_so() {
    let chat = Chat::start().await;
    for name in ["stop", "retry"] {
        let response = slash(&chat, "alice", name).response().await;
        assert!(response.ephemeral && response.content.starts_with('ℹ'), "{}", response.content);
    }
    chat.finish().await;
}

#[tokio::test]
async fn error_has_a_retry_button_that_is_removed_on_use() {
    let chat = Chat::start().await;
    let (error, asked) = failure(&chat).await;
    chat.tess.answers(["Now it works."]);
    let callback = chat.discord.press(error.id, &format!("retry:{asked}"), "alice").callback().await;
    assert_eq!(callback["type"], 6);
    let reply = chat.expect_reply("Now it works.").await;
    assert_eq!(reply.reply_to, Some(asked));
    chat.expect_asked(&["user: alice: hi"]).await;
    until_no_button(&chat, error.id).await;
    assert_eq!(chat.tess.charged(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn second_error_removes_the_retry_button_of_the_first() {
    let chat = Chat::start().await;
    let (error, asked) = failure(&chat).await;
    chat.tess.fail_execution_next(json!("still broken"));
    chat.discord.press(error.id, &format!("retry:{asked}"), "alice").callback().await;
    let second = chat.next_message().await;
    assert_ne!(second.id, error.id, "a new refusal is a new message");
    until_no_button(&chat, error.id).await;
    chat.tess.answers(["At last."]);
    chat.discord.press(second.id, &format!("retry:{asked}"), "alice").callback().await;
    chat.expect_reply("At last.").await;
    chat.finish().await;
}

#[tokio::test]
async fn retry_replaces_the_answer() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Bad.", "Good.", "Three.", "Four."]);
    chat.say("alice", "hi");
    chat.expect_reply("Bad.").await;
    chat.wait_settled().await;
    let response = slash(&chat, "alice", "retry").response().await;
    assert!(response.ephemeral && response.content.starts_with('☑'), "{}", response.content);
    chat.expect_reply("Good.").await;
    chat.wait_settled().await;
    chat.say("alice", "next");
    chat.expect_reply("Three.").await;
    for _ in 0..2 {
        chat.expect_asked(&["user: alice: hi"]).await;
    }
    chat.expect_asked(&["user: alice: hi", "assistant: Good.", "user: alice: next"]).await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("alice", "after");
    chat.expect_reply("Four.").await;
    let lines = ["user: alice: hi", "assistant: Good.", "user: alice: next", "assistant: Three.", "user: alice: after"];
    chat.expect_asked(&lines).await;
    chat.finish().await;
}

#[tokio::test]
async fn failed_retry_keeps_the_old_answer() {
    let chat = Chat::start().await;
    chat.tess.answers(["Good enough."]);
    chat.say("alice", "hi");
    chat.expect_reply("Good enough.").await;
    chat.wait_settled().await;
    chat.tess.fail_execution_next(json!("broken"));
    slash(&chat, "alice", "retry").response().await;
    assert!(chat.next_message().await.content.starts_with("⚠️"));
    chat.wait_settled().await;
    chat.tess.answers(["Three."]);
    chat.say("alice", "next");
    chat.expect_reply("Three.").await;
    chat.next_execution().await;
    chat.next_execution().await;
    chat.expect_asked(&["user: alice: hi", "assistant: Good enough.", "user: alice: next"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn retry_requires_the_requester_and_no_running_turn() {
    let chat = Chat::start().await;
    let (error, asked) = failure(&chat).await;
    let button = format!("retry:{asked}");
    let refused = chat.discord.press(error.id, &button, "mallory").response().await;
    assert!(refused.ephemeral && refused.content.contains("Manage Messages"), "{}", refused.content);
    chat.tess.answers(["Meanwhile."]);
    held(&chat, "something else").await;
    let busy = chat.discord.press(error.id, &button, "alice").response().await;
    assert!(busy.ephemeral && busy.content.contains("still answering"), "{}", busy.content);
    chat.tess.release();
    chat.expect_reply("Meanwhile.").await;
    chat.wait_settled().await;
    assert_eq!(chat.tess.charged(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn stale_retry_button_has_no_effect() {
    let chat = Chat::start().await;
    let (error, asked) = failure(&chat).await;
    chat.discord.fail_next("PATCH", "/channels/*", 403, json!({"code": 50013, "message": "Missing Permissions"}), 1);
    chat.tess.answers(["Later."]);
    chat.say("alice", "later");
    chat.expect_reply("Later.").await;
    chat.wait_settled().await;
    let response = chat.discord.press(error.id, &format!("retry:{asked}"), "alice").response().await;
    assert!(response.ephemeral && response.content.contains("Only the last question"), "{}", response.content);
    chat.finish().await;
}

#[tokio::test]
async fn only_the_last_reply_has_a_retry_button() {
    for mode in ["final", "live"] {
        let chat = Chat::setup().set("REPLY_MODE", mode).start().await;
        chat.tess.answers(["One.", "Two.", "Two again."]);
        chat.say("alice", "first");
        let first = chat.next_message().await;
        chat.wait_settled().await;
        let asked = chat.say("alice", "second");
        let second = chat.next_message().await;
        until_no_button(&chat, first.id).await;
        chat.wait_settled().await;
        chat.discord.press(second.id, &format!("retry:{asked}"), "alice").callback().await;
        let again = chat.next_message().await;
        chat.wait_settled().await;
        assert_eq!(chat.discord.message(again.id).unwrap().content, "Two again.");
        until_no_button(&chat, second.id).await;
        assert!(has_button(&chat, again.id, "retry:"), "{mode}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn retry_button_is_on_the_last_part_of_a_reply() {
    let chat = Chat::start().await;
    chat.tess.answers([format!("{}\n\n{}", "one ".repeat(400), "two ".repeat(400)).as_str()]);
    chat.say("alice", "tell me more");
    let (first, last) = (chat.next_message().await, chat.next_message().await);
    chat.wait_settled().await;
    assert!(!has_button(&chat, first.id, "") && has_button(&chat, last.id, "retry:"));
    chat.finish().await;
}

#[tokio::test]
async fn with_the_retry_button_off_only_errors_have_it() {
    for mode in ["final", "live"] {
        let chat = Chat::setup().set("RETRY_BUTTON", "off").set("REPLY_MODE", mode).start().await;
        chat.tess.answers(["Plain."]);
        chat.say("alice", "hi");
        let reply = chat.next_message().await;
        chat.wait_settled().await;
        chat.next_execution().await;
        assert!(!has_button(&chat, reply.id, ""), "{mode}");
        let (error, _) = failure(&chat).await;
        assert!(has_button(&chat, error.id, "retry:"), "{mode}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn retry_button_from_before_a_restart_is_removed_with_the_next_reply() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Before.", "After."]);
    chat.say("alice", "hi");
    let before = chat.expect_reply("Before.").await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    assert!(has_button(&chat, before.id, "retry:"));
    chat.start_bot().await;
    chat.say("alice", "again");
    chat.expect_reply("After.").await;
    until_no_button(&chat, before.id).await;
    chat.finish().await;
}

#[tokio::test]
async fn reset_removes_the_retry_button() {
    let chat = Chat::start().await;
    chat.tess.answers(["Forget it."]);
    chat.say("alice", "hi");
    let reply = chat.expect_reply("Forget it.").await;
    chat.wait_settled().await;
    slash(&chat, "alice", "reset").response().await;
    until_no_button(&chat, reply.id).await;
    chat.finish().await;
}

#[tokio::test]
async fn turn_stopped_before_its_start_is_not_executed() {
    let chat =
        Chat::setup().change(|config| config.timings.discord_request_timeout = Duration::from_secs(9)).start().await;
    chat.discord.set_delay(Route::Typing, Duration::from_millis(1500));
    chat.say("alice", "hi");
    chat.wait_taken(1).await;
    let response = slash(&chat, "alice", "stop").response().await;
    assert!(response.content.starts_with('☑'), "{}", response.content);
    assert!(chat.next_message().await.content.starts_with("☑️ Stopped"));
    chat.wait_settled().await;
    assert_eq!(chat.tess.execute_requests(), 0);
    chat.finish().await;
}

#[tokio::test]
async fn stop_button_works_when_the_newest_message_exceeded_a_budget() {
    let setup = Chat::setup().set("MESSAGES_PER_USER_MINUTE", "1");
    let chat = setup.change(|config| config.reply.notice_after = Duration::from_millis(50)).start().await;
    chat.tess.hold();
    chat.say("alice", "first");
    chat.next_execution().await;
    let note = chat.next_message().await;
    let asked = chat.say("bob", "and I?");
    chat.say("alice", "once more");
    chat.wait_taken(3).await;
    chat.discord.press(note.id, &format!("stop:{}", note.reply_to.unwrap()), "alice").callback().await;
    assert!(chat.next_message().await.content.starts_with("☑️ Stopped"));
    chat.next_execution().await;
    let note = chat.next_message().await;
    assert_eq!(note.reply_to, Some(asked));
    let callback = chat.discord.press(note.id, &format!("stop:{asked}"), "bob").callback().await;
    assert_eq!(callback["type"], 6, "{callback}");
    assert!(chat.next_message().await.content.starts_with("☑️ Stopped"));
    assert!(chat.next_message().await.content.contains("1 message a minute"));
    chat.tess.release();
    chat.wait_settled().await;
    chat.finish().await;
}
