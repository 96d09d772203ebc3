//! Tess fails in every way it can: one clear text for the person, no second charge, and the conversation goes on.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::support::Chat;

/// The bot says what went wrong, and answers the next message as if nothing had been.
async fn one_text_and_then_an_answer(chat: Chat, word: &str) {
    let asked = chat.say("alice", "hi");
    let text = chat.next().await;
    assert_eq!(text.reply_to, Some(asked));
    assert!(text.content.starts_with("⚠️") && text.content.contains(word), "{}", text.content);
    chat.settled().await;
    chat.tess.answers(["Here I am."]);
    chat.say("alice", "again");
    chat.expect_reply("Here I am.").await;
    chat.finish().await;
}

#[tokio::test]
async fn an_execution_that_failed_with_http_200_is_told() {
    for error in [json!(null), json!("agent execution failed"), json!({"message": "it broke"})] {
        let chat = Chat::start().await;
        chat.tess.fail_execution_next(error);
        one_text_and_then_an_answer(chat, "could not finish").await;
    }
}

#[tokio::test]
async fn an_empty_answer_is_told() {
    let chat = Chat::start().await;
    chat.tess.succeed_empty_next();
    one_text_and_then_an_answer(chat, "nothing").await;
}

#[tokio::test]
async fn an_answer_of_nothing_but_thoughts_is_an_empty_one() {
    for mode in ["final", "live"] {
        let chat = Chat::setup().set("REPLY_MODE", mode).start().await;
        chat.tess.answers(["<think>What could I say?</think>\n"]);
        one_text_and_then_an_answer(chat, "nothing").await;
    }
}

#[tokio::test]
async fn no_credits_left_is_told() {
    let chat = Chat::start().await;
    chat.tess.no_credits_next();
    one_text_and_then_an_answer(chat, "credits").await;
}

#[tokio::test]
async fn a_5xx_is_an_unknown_outcome_and_is_not_repeated() {
    for status in [500, 502, 503, 504] {
        let chat = Chat::start().await;
        chat.tess.html_next(status);
        let tess = chat.tess.clone();
        one_text_and_then_an_answer(chat, "charged").await;
        assert_eq!(tess.execute_requests(), 2, "{status}");
    }
}

#[tokio::test]
async fn cloudflares_524_is_an_unknown_outcome_and_is_charged_once() {
    let chat = Chat::start().await;
    chat.tess.plain_524_next();
    let tess = chat.tess.clone();
    one_text_and_then_an_answer(chat, "charged").await;
    assert_eq!(tess.charged(), 2, "one for each message");
}

#[tokio::test]
async fn a_body_that_is_cut_and_one_that_never_ends_are_unknown_outcomes() {
    let chat = Chat::start().await;
    chat.tess.truncate_next();
    one_text_and_then_an_answer(chat, "charged").await;
    let chat = Chat::start().await;
    chat.tess.endless_body_next();
    one_text_and_then_an_answer(chat, "charged").await;
    let chat = Chat::start().await;
    chat.tess.drop_connection_next();
    one_text_and_then_an_answer(chat, "charged").await;
}

#[tokio::test]
async fn a_tess_that_never_answers_is_given_up_in_time() {
    let chat = Chat::setup().change(|config| config.timings.execute_timeout = Duration::from_secs(1)).start().await;
    chat.tess.hang_next();
    one_text_and_then_an_answer(chat, "charged").await;
}

#[tokio::test]
async fn a_429_is_waited_for_and_nobody_notices() {
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
async fn an_unfinished_execution_is_polled_to_its_end() {
    let chat = Chat::start().await;
    chat.tess.answers(["At last."]);
    chat.tess.unfinished_next(3);
    chat.say("alice", "hi");
    chat.expect_reply("At last.").await;
    assert_eq!((chat.tess.charged(), chat.tess.polls()), (1, 4));
    chat.finish().await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_until_tess_is_back() {
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
async fn a_vanished_agent_a_wrong_key_and_a_missing_workspace_are_told_apart() {
    let chat = Chat::start().await;
    chat.tess.fail_next(404, &json!({"message": "Agent not found"}));
    one_text_and_then_an_answer(chat, "agent").await;
    let chat = Chat::start().await;
    chat.tess.fail_next(403, &json!({"error": "Invalid authentication"}));
    one_text_and_then_an_answer(chat, "TESS_API_KEY").await;
    let chat = Chat::start().await;
    chat.tess.fail_next(422, &json!({"message": "The x-workspace-id header is required."}));
    one_text_and_then_an_answer(chat, "TESS_WORKSPACE_ID").await;
}

#[tokio::test]
async fn who_waits_long_sees_a_note_and_it_is_gone_with_the_answer() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(30)).start().await;
    chat.tess.answers(["Finally."]);
    chat.tess.hold();
    let asked = chat.say("alice", "think hard");
    let note = chat.next().await;
    assert!(note.content.starts_with('⏳'), "{}", note.content);
    assert_eq!(note.reply_to, Some(asked));
    chat.tess.release();
    chat.expect_reply("Finally.").await;
    chat.settled().await;
    let left: Vec<String> = chat.discord.messages(chat.channel).into_iter().map(|message| message.content).collect();
    assert_eq!(left, ["think hard", "Finally."]);
    chat.finish().await;
}

#[tokio::test]
async fn a_note_is_taken_away_after_a_failure_too() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(30)).start().await;
    chat.tess.fail_execution_next(json!("no"));
    chat.tess.hold();
    chat.say("alice", "think hard");
    chat.next().await;
    chat.tess.release();
    let text = chat.next().await;
    assert!(text.content.starts_with("⚠️"), "{}", text.content);
    chat.settled().await;
    assert_eq!(chat.discord.messages(chat.channel).len(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn a_panic_in_a_turn_is_told_and_the_bot_goes_on() {
    // No clock goes that far: the turn breaks as a bug would break it.
    let mut chat = Chat::setup().change(|config| config.tess.timeout = Duration::MAX).start().await;
    for round in 1..=2 {
        let asked = chat.say("alice", "hi");
        let text = chat.next().await;
        assert_eq!(text.reply_to, Some(asked));
        assert!(text.content.starts_with("⚠️ Something broke"), "{}", text.content);
        chat.settled().await;
        chat.panics = round;
    }
    chat.finish().await;
}

#[tokio::test]
async fn a_limit_of_requests_is_kept_and_channels_are_served_in_turn() {
    let chat = Chat::setup().set("TESS_REQUESTS_PER_SECOND", "20").start().await;
    let channels: Vec<u64> = (0..6).map(|n| chat.discord.channel(chat.guild, &format!("c{n}"))).collect();
    // In its first turn a channel waits for its earlier messages, each as long as Discord takes for them.
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
    // Six requests are five pauses of a twentieth of a second.
    assert!(executions.last().unwrap().at - begun >= Duration::from_millis(250));
    chat.finish().await;
}

#[tokio::test]
async fn the_channel_that_waits_longest_is_served_next_however_loud_another_is() {
    let chat = Chat::setup().set("TESS_REQUESTS_PER_SECOND", "20").start().await;
    let loud = chat.channel;
    let quiet: Vec<u64> = (0..3).map(|n| chat.discord.channel(chat.guild, &format!("quiet{n}"))).collect();
    chat.tess.answer_with(|_| "ok".to_owned());
    // In its first turn a channel waits for its earlier messages, each as long as Discord takes for them.
    for channel in quiet.iter().chain([&loud]) {
        chat.discord.say(*channel, "bob", "hello");
        chat.discord.next_message(*channel).await;
    }
    chat.settled().await;
    let before = chat.tess.executions().len();
    chat.tess.hold_next();
    chat.say("alice", "me first");
    chat.until("the first to be asked", || chat.tess.executions().len() > before).await;
    for channel in &quiet {
        chat.discord.say(*channel, "bob", "and me");
    }
    for n in 0..20 {
        chat.say("alice", &format!("me again {n}"));
    }
    chat.taken(4 + 1 + 3 + 20).await;
    chat.tess.release();
    chat.settled().await;
    let asked = chat.tess.executions().split_off(before);
    let who: Vec<bool> = asked.iter().map(|execution| execution.messages.to_string().contains("and me")).collect();
    // The loud channel was first, and its next turn comes after all that waited before it.
    assert_eq!(who, [false, true, true, true, false]);
    for channel in quiet.iter().chain([&loud]) {
        while chat.discord.try_next_message(*channel).is_some() {}
    }
    chat.finish().await;
}
