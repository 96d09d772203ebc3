//! Failures of Discord's REST API: each reply is posted once, or the failure is reported.

use std::time::Duration;

use serde_json::json;
use sim::discord::{LostResponse, Route, Scope};

use crate::support::Chat;

#[tokio::test]
async fn post_with_a_lost_response_is_not_duplicated() {
    for lost in [LostResponse::BadGateway, LostResponse::Closed, LostResponse::Undecodable] {
        let chat = Chat::start().await;
        chat.tess.answers(["Once."]);
        chat.discord.lose_response_next(Route::CreateMessage, lost);
        chat.say("alice", "hi");
        chat.expect_reply("Once.").await;
        chat.wait_settled().await;
        assert_eq!(chat.discord.messages(chat.channel).len(), 2, "{lost:?}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn reply_is_posted_after_an_outage_of_discord() {
    let chat = Chat::start().await;
    chat.tess.answers(["Late but there."]);
    chat.discord.fail_next("POST", "*/messages", 503, json!("upstream connect error"), 3);
    chat.say("alice", "hi");
    chat.expect_reply("Late but there.").await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn hanging_post_times_out_and_is_retried() {
    let chat = Chat::setup()
        .change(|config| config.timings.discord_request_timeout = Duration::from_millis(100))
        .start()
        .await;
    chat.tess.answers(["Second try."]);
    chat.discord.hang_next(Route::CreateMessage);
    chat.say("alice", "hi");
    chat.expect_reply("Second try.").await;
    chat.finish().await;
}

#[tokio::test]
async fn rate_limited_post_waits_for_retry_after() {
    let chat = Chat::start().await;
    chat.tess.answers(["Patience."]);
    chat.discord.rate_limit_next(Route::CreateMessage, Duration::from_millis(120), Scope::User, 1);
    chat.say("alice", "hi");
    // The simulator records a violation for a request before `retry_after`.
    chat.expect_reply("Patience.").await;
    chat.finish().await;
}

#[tokio::test]
async fn concurrent_post_waits_for_the_rate_limited_one() {
    let chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(20)).start().await;
    chat.tess.answers(["In its time."]);
    chat.tess.hold();
    chat.discord.set_delay(Route::CreateMessage, Duration::from_millis(100));
    chat.discord.rate_limit_next(Route::CreateMessage, Duration::from_millis(300), Scope::User, 1);
    chat.say("alice", "hi");
    // The waiting note is rate limited when the answer is ready to be posted.
    chat.discord.wait_until("the note", |discord| discord.requests_of(Route::CreateMessage) == 1).await;
    chat.tess.release();
    chat.wait_settled().await;
    let messages = chat.discord.messages(chat.channel);
    assert_eq!(messages.last().map(|message| message.content.as_str()), Some("In its time."), "{messages:?}");
    while chat.discord.try_next_message(chat.channel).is_some() {}
    chat.finish().await;
}

#[tokio::test]
async fn global_rate_limit_delays_every_channel() {
    let chat = Chat::start().await;
    let other = chat.discord.channel(chat.guild, "other");
    let alice = "alice";
    chat.discord.rate_limit_next(Route::CreateMessage, Duration::from_millis(150), Scope::Global, 1);
    chat.say("alice", "hi");
    chat.discord.wait_for_typing(chat.channel).await;
    chat.discord.say(other, alice, "hi");
    chat.next_message().await;
    chat.discord.next_message(other).await;
    chat.finish().await;
}

#[tokio::test]
async fn refusing_channel_is_not_requested_for_a_while() {
    let cases = [(403, 50013), (403, 50001), (404, 10003), (400, 160_005), (400, 50083)];
    for (status, code) in cases {
        let chat = Chat::start().await;
        chat.discord.refuse_channel(chat.channel, status, code);
        chat.say("alice", "hi");
        chat.wait_settled().await;
        let charged = chat.tess.charged();
        chat.say("alice", "hello?");
        let metrics = chat.metrics.clone();
        chat.until("the outcome of the second message", || metrics.settled() == 2).await;
        assert_eq!(chat.tess.charged(), charged, "{code}: nothing is spent on an answer that cannot be posted");
        assert!(chat.discord.invalid_requests() < 10, "{code}");
        assert!(chat.discord.unread().is_empty());
        chat.finish().await;
    }
}

#[tokio::test]
async fn answer_blocked_by_automod_is_reported() {
    let chat = Chat::start().await;
    chat.tess.answers(["a forbidden word"]);
    chat.discord.block_content("forbidden");
    chat.say("alice", "hi");
    let text = chat.next_message().await;
    assert!(text.content.starts_with("⚠️"), "{}", text.content);
    chat.finish().await;
}

#[tokio::test]
async fn part_that_cannot_be_posted_is_reported() {
    let chat = Chat::start().await;
    let long = format!("{}\n\n{} forbidden", "fine ".repeat(380), "word ".repeat(380));
    chat.tess.answers([long.as_str()]);
    chat.discord.block_content("forbidden");
    chat.say("alice", "hi");
    assert!(chat.next_message().await.content.starts_with("fine"));
    let text = chat.next_message().await;
    assert!(text.content.starts_with("⚠️"), "{}", text.content);
    chat.finish().await;
}

#[tokio::test]
async fn message_deleted_during_its_turn_is_answered() {
    let chat = Chat::start().await;
    chat.tess.answers(["To whom?"]);
    chat.tess.hold();
    let hi = chat.say("alice", "hi");
    chat.expect_asked(&["user: alice: hi"]).await;
    chat.discord.delete(hi);
    chat.tess.release();
    let reply = chat.expect_reply("To whom?").await;
    assert_eq!(reply.reply_to, None);
    chat.finish().await;
}

#[tokio::test]
async fn failed_rebuild_does_not_prevent_the_answer() {
    let chat = Chat::start().await;
    chat.tess.answers(["Anyway."]);
    chat.discord.fail_next("GET", "/channels/*/messages", 500, json!({}), 4);
    chat.say("alice", "hi");
    chat.expect_reply("Anyway.").await;
    chat.finish().await;
}

#[tokio::test]
async fn failed_typing_has_no_effect() {
    let chat = Chat::start().await;
    chat.tess.answers(["Fine."]);
    chat.discord.fail_next("POST", "*/typing", 500, json!({}), 1);
    chat.say("alice", "hi");
    chat.expect_reply("Fine.").await;
    chat.finish().await;
}

#[tokio::test]
async fn rejected_token_ends_the_running_bot() {
    let mut chat = Chat::start().await;
    chat.discord.fail_next("POST", "*/messages", 401, json!({"message": "401: Unauthorized", "code": 0}), 1);
    chat.say("alice", "hi");
    let error = chat.bot_ended().await.unwrap_err().to_string();
    assert!(error.contains("DISCORD_TOKEN"), "{error}");
    chat.finish().await;
}

#[tokio::test]
async fn reply_has_no_reference_without_permission_to_read_the_history() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    let refusal = json!({"message": "Cannot reply without permission to read message history", "code": 160_002});
    chat.discord.fail_next("POST", "/channels/*/messages", 403, refusal, 1);
    for (text, answer) in [("hi", "One."), ("hello?", "Two.")] {
        chat.say("alice", text);
        assert_eq!(chat.expect_reply(answer).await.reply_to, None);
        chat.wait_settled().await;
    }
    assert_eq!(chat.tess.charged(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn html_403_of_a_proxy_is_not_treated_as_discords_refusal() {
    let chat = Chat::start().await;
    chat.tess.answers(["Here."]);
    chat.discord.fail_next("POST", "/channels/*/messages", 403, json!("<html>Sorry, you have been blocked</html>"), 1);
    chat.say("alice", "hi");
    chat.expect_reply("Here.").await;
    chat.wait_settled().await;
    chat.finish().await;
}
