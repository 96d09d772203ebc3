//! Failures of Tess: one clear text for the user, no second charge, and the conversation continues.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::support::Chat;

/// Expects an error text with `word` for the next message, and an answer to the one after it.
async fn expect_error_then_answer(chat: Chat, word: &str) {
    let asked = chat.say("alice", "hi");
    let text = chat.next_message().await;
    assert_eq!(text.reply_to, Some(asked));
    assert!(text.content.starts_with("⚠️") && text.content.contains(word), "{}", text.content);
    chat.wait_settled().await;
    chat.tess.answers(["Here I am."]);
    chat.say("alice", "again");
    chat.expect_reply("Here I am.").await;
    chat.finish().await;
}

#[tokio::test]
async fn failed_execution_with_http_200_is_reported() {
    for error in [json!(null), json!("agent execution failed"), json!({"message": "it broke"})] {
        let chat = Chat::start().await;
        chat.tess.fail_execution_next(error);
        expect_error_then_answer(chat, "could not finish").await;
    }
}

#[tokio::test]
async fn empty_answer_is_reported() {
    let chat = Chat::start().await;
    chat.tess.succeed_empty_next();
    expect_error_then_answer(chat, "nothing").await;
}

#[tokio::test]
async fn answer_with_only_thoughts_is_empty() {
    for mode in ["final", "live"] {
        let chat = Chat::setup().set("REPLY_MODE", mode).start().await;
        chat.tess.answers(["<think>What could I say?</think>\n"]);
        expect_error_then_answer(chat, "nothing").await;
    }
}

#[tokio::test]
async fn exhausted_credits_are_reported() {
    let chat = Chat::start().await;
    chat.tess.no_credits_next();
    expect_error_then_answer(chat, "credits").await;
}

#[tokio::test]
async fn http_5xx_is_an_unknown_outcome_and_not_retried() {
    for status in [500, 502, 503, 504] {
        let chat = Chat::start().await;
        chat.tess.html_next(status);
        let tess = chat.tess.clone();
        expect_error_then_answer(chat, "charged").await;
        assert_eq!(tess.execute_requests(), 2, "{status}");
    }
}

#[tokio::test]
async fn http_524_is_an_unknown_outcome_and_charged_once() {
    let chat = Chat::start().await;
    chat.tess.plain_524_next();
    let tess = chat.tess.clone();
    expect_error_then_answer(chat, "charged").await;
    assert_eq!(tess.charged(), 2, "one per message");
}

#[tokio::test]
async fn truncated_and_endless_bodies_are_unknown_outcomes() {
    let chat = Chat::start().await;
    chat.tess.truncate_next();
    expect_error_then_answer(chat, "charged").await;
    let chat = Chat::start().await;
    chat.tess.endless_body_next();
    expect_error_then_answer(chat, "charged").await;
    let chat = Chat::start().await;
    chat.tess.drop_connection_next();
    expect_error_then_answer(chat, "charged").await;
}

#[tokio::test]
async fn hanging_execution_times_out() {
    let chat = Chat::setup().change(|config| config.timings.execute_timeout = Duration::from_secs(1)).start().await;
    chat.tess.hang_next();
    expect_error_then_answer(chat, "charged").await;
}

#[tokio::test]
async fn http_429_is_waited_for_and_answered() {
    let chat = Chat::start().await;
    chat.tess.answers(["Here."]);
    chat.tess.rate_limit_next(Some(0.05), true);
    chat.tess.rate_limit_next(None, true);
    chat.say("alice", "hi");
    chat.expect_reply("Here.").await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn unfinished_execution_is_polled_to_its_end() {
    let chat = Chat::start().await;
    chat.tess.answers(["At last."]);
    chat.tess.unfinished_next(3);
    chat.say("alice", "hi");
    chat.expect_reply("At last.").await;
    assert_eq!((chat.tess.charged(), chat.tess.polls()), (1, 4));
    chat.finish().await;
}

#[tokio::test]
async fn refused_connection_is_retried_until_tess_is_available() {
    let chat = Chat::start().await;
    chat.tess.answers(["Back."]);
    chat.tess.refuse_connections(true).await;
    chat.say("alice", "hi");
    chat.discord.wait_for_typing(chat.channel).await;
    chat.tess.refuse_connections(false).await;
    chat.expect_reply("Back.").await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn deleted_agent_wrong_key_and_missing_workspace_have_their_own_texts() {
    let chat = Chat::start().await;
    chat.tess.fail_next(404, &json!({"message": "Agent not found"}));
    expect_error_then_answer(chat, "agent").await;
    let chat = Chat::start().await;
    chat.tess.fail_next(403, &json!({"error": "Invalid authentication"}));
    expect_error_then_answer(chat, "TESS_API_KEY").await;
    let chat = Chat::start().await;
    chat.tess.fail_next(422, &json!({"message": "The x-workspace-id header is required."}));
    expect_error_then_answer(chat, "TESS_WORKSPACE_ID").await;
}

#[tokio::test]
async fn waiting_note_is_posted_and_removed_with_the_answer() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(30)).start().await;
    chat.tess.answers(["Finally."]);
    chat.tess.hold();
    let asked = chat.say("alice", "think hard");
    let note = chat.next_message().await;
    assert!(note.content.starts_with('⏳'), "{}", note.content);
    assert_eq!(note.reply_to, Some(asked));
    chat.tess.release();
    chat.expect_reply("Finally.").await;
    chat.wait_settled().await;
    let left: Vec<String> = chat.discord.messages(chat.channel).into_iter().map(|message| message.content).collect();
    assert_eq!(left, ["think hard", "Finally."]);
    chat.finish().await;
}

#[tokio::test]
async fn waiting_note_is_removed_after_a_failure() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(30)).start().await;
    chat.tess.fail_execution_next(json!("no"));
    chat.tess.hold();
    chat.say("alice", "think hard");
    chat.next_message().await;
    chat.tess.release();
    let text = chat.next_message().await;
    assert!(text.content.starts_with("⚠️"), "{}", text.content);
    chat.wait_settled().await;
    assert_eq!(chat.discord.messages(chat.channel).len(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn panic_in_a_turn_is_reported_and_the_bot_continues() {
    // The deadline overflows, which makes the turn panic like a bug would.
    let mut chat = Chat::setup().change(|config| config.tess.timeout = Duration::MAX).start().await;
    for round in 1..=2 {
        let asked = chat.say("alice", "hi");
        let text = chat.next_message().await;
        assert_eq!(text.reply_to, Some(asked));
        assert!(text.content.starts_with("⚠️ Something broke"), "{}", text.content);
        chat.wait_settled().await;
        chat.panics = round;
    }
    chat.finish().await;
}

#[tokio::test]
async fn panic_while_a_refusal_is_posted_is_reported_and_the_channel_continues() {
    // When Discord refuses the bot in a channel, the end of the pause overflows.
    let setup = Chat::setup().set("MESSAGES_PER_USER_MINUTE", "1");
    let mut chat = setup.change(|config| config.timings.refused_channel_pause = Duration::MAX).start().await;
    chat.tess.answers(["One.", "For bob."]);
    chat.say("alice", "first");
    chat.expect_reply("One.").await;
    chat.wait_settled().await;
    let refusal = json!({"code": 50013, "message": "Missing Permissions"});
    chat.discord.fail_next("POST", "/channels/*/messages", 403, refusal, 1);
    let second = chat.say("alice", "second");
    let text = chat.next_message().await;
    assert_eq!(text.reply_to, Some(second));
    assert!(text.content.starts_with("⚠️ Something broke"), "{}", text.content);
    chat.wait_settled().await;
    chat.panics = 1;
    chat.say("bob", "and I?");
    chat.expect_reply("For bob.").await;
    chat.finish().await;
}

#[tokio::test]
async fn panic_while_a_channel_is_prepared_leaves_its_messages_answered() {
    let mut chat = Chat::setup().change(|config| config.timings.refused_channel_pause = Duration::MAX).start().await;
    chat.tess.answers(["Hello."]);
    chat.discord.fail_next(
        "POST",
        "/channels/*/typing",
        403,
        json!({"code": 50013, "message": "Missing Permissions"}),
        1,
    );
    chat.say("alice", "hi");
    chat.expect_reply("Hello.").await;
    chat.wait_settled().await;
    chat.panics = 1;
    chat.finish().await;
}

#[tokio::test]
async fn request_limit_is_kept_and_channels_take_turns() {
    let chat = Chat::setup().set("TESS_REQUESTS_PER_SECOND", "20").start().await;
    let channels: Vec<u64> = (0..6).map(|n| chat.discord.channel(chat.guild, &format!("c{n}"))).collect();
    // The first turn of a channel waits for the rebuild of its history, which takes a different time in each channel.
    for channel in &channels {
        chat.discord.say(*channel, "alice", "hello");
        chat.discord.next_message(*channel).await;
    }
    let begun = Instant::now();
    for channel in &channels {
        chat.discord.say(*channel, "alice", &format!("from {channel}"));
    }
    for channel in &channels {
        chat.discord.next_message(*channel).await;
    }
    let executions = chat.tess.executions().split_off(channels.len());
    let served = executions.iter().map(|execution| execution.messages.to_string());
    for (asked, channel) in served.zip(&channels) {
        assert!(asked.contains(&format!("from {channel}")), "{asked}");
    }
    // Between six requests there are five intervals of 1/20 s.
    assert!(executions.last().unwrap().at - begun >= Duration::from_millis(250));
    chat.finish().await;
}

#[tokio::test]
async fn longest_waiting_channel_is_served_next() {
    let chat = Chat::setup().set("TESS_REQUESTS_PER_SECOND", "20").start().await;
    let loud = chat.channel;
    let quiet: Vec<u64> = (0..3).map(|n| chat.discord.channel(chat.guild, &format!("quiet{n}"))).collect();
    chat.tess.answer_with(|_| "ok".to_owned());
    // The first turn of a channel waits for the rebuild of its history, which takes a different time in each channel.
    for channel in quiet.iter().chain([&loud]) {
        chat.discord.say(*channel, "bob", "hello");
        chat.discord.next_message(*channel).await;
    }
    chat.wait_settled().await;
    let before = chat.tess.executions().len();
    chat.tess.hold_next();
    chat.say("alice", "me first");
    chat.until("the first execution", || chat.tess.executions().len() > before).await;
    for channel in &quiet {
        chat.discord.say(*channel, "bob", "and me");
    }
    for n in 0..20 {
        chat.say("alice", &format!("me again {n}"));
    }
    chat.wait_taken(4 + 1 + 3 + 20).await;
    chat.tess.release();
    chat.wait_settled().await;
    let asked = chat.tess.executions().split_off(before);
    let who: Vec<bool> = asked.iter().map(|execution| execution.messages.to_string().contains("and me")).collect();
    // The busy channel was first. Its next turn comes after those of all channels that waited.
    assert_eq!(who, [false, true, true, true, false]);
    for channel in quiet.iter().chain([&loud]) {
        while chat.discord.try_next_message(*channel).is_some() {}
    }
    chat.finish().await;
}
