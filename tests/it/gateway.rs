//! Failures of the gateway: the bot reconnects, and no message is lost or answered twice.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use sim::discord::DiscordSim;
use tokio::io::AsyncReadExt;

use crate::support::Chat;

/// Posts a message and expects its answer.
async fn expect_answer(chat: &Chat, word: &str) {
    chat.tess.answers([word]);
    chat.say("alice", "hello?");
    chat.expect_reply(word).await;
}

/// Disturbs the connection between two messages that must both be answered.
async fn expect_recovery(disturb: impl AsyncFnOnce(&Chat)) -> Chat {
    let chat = Chat::start().await;
    expect_answer(&chat, "Before.").await;
    chat.wait_settled().await;
    disturb(&chat).await;
    expect_answer(&chat, "Right after.").await;
    expect_answer(&chat, "Later.").await;
    chat
}

#[tokio::test]
async fn dropped_connection_is_resumed_and_missed_events_are_replayed() {
    let chat = expect_recovery(async |chat| chat.discord.drop_connection()).await;
    assert_eq!((chat.discord.identifies(), chat.discord.resumes()), (1, 1));
    chat.finish().await;
}

#[tokio::test]
async fn resume_url_of_another_host_is_not_used() {
    let decoy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = Chat::setup();
    let mut options = setup.discord.clone();
    options.resume_url = Some(format!("ws://{}", decoy.local_addr().unwrap()));
    let chat = setup.discord(options).start().await;
    chat.discord.drop_connection();
    expect_answer(&chat, "Resumed.").await;
    assert_eq!(chat.discord.resumes(), 1);
    // twilight may open a connection there, but the bot drops it before anything is sent.
    if let Some(knocked) = decoy.accept().now_or_never() {
        let mut said = Vec::new();
        knocked.unwrap().0.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"");
    }
    chat.finish().await;
}

#[tokio::test]
async fn bot_reconnects_after_every_non_fatal_close_code() {
    for code in [1000, 1001, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009] {
        let chat = expect_recovery(async |chat| chat.discord.close_with(code)).await;
        chat.finish().await;
    }
}

#[tokio::test]
async fn fatal_close_code_ends_the_bot_with_one_line_that_says_what_to_do() {
    let cases = [
        (4004, "DISCORD_TOKEN"),
        (4010, "shard"),
        (4011, "shard"),
        (4012, "update"),
        (4013, "update"),
        (4014, "INTENT"),
    ];
    for (code, word) in cases {
        let mut chat = Chat::start().await;
        chat.discord.close_with(code);
        let error = chat.bot_ended().await.unwrap_err().to_string();
        assert!(error.contains(word) && error.lines().count() == 1, "{code}: {error}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn reconnect_request_is_followed() {
    expect_recovery(async |chat| chat.discord.send_reconnect()).await.finish().await;
}

#[tokio::test]
async fn invalid_session_is_resumed_or_replaced() {
    let chat = expect_recovery(async |chat| chat.discord.send_invalid_session(true)).await;
    assert_eq!(chat.discord.identifies(), 1);
    chat.finish().await;
    let chat = expect_recovery(async |chat| chat.discord.send_invalid_session(false)).await;
    assert_eq!(chat.discord.identifies(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn refused_resume_leads_to_a_catch_up() {
    let chat = expect_recovery(async |chat| {
        chat.discord.refuse_resume(1);
        chat.discord.drop_connection();
    })
    .await;
    assert_eq!((chat.discord.identifies(), chat.discord.resumes()), (2, 1));
    chat.finish().await;
}

#[tokio::test]
async fn refused_identify_is_repeated_with_backoff() {
    let chat = expect_recovery(async |chat| {
        chat.discord.refuse_identify(4);
        chat.discord.send_invalid_session(false);
    })
    .await;
    assert_eq!(chat.discord.identifies(), 6);
    chat.finish().await;
}

#[tokio::test]
async fn session_with_an_unreadable_ready_is_replaced_and_missed_messages_are_answered() {
    let chat = expect_recovery(async |chat| {
        chat.discord.malform_ready(1);
        chat.discord.send_invalid_session(false);
    })
    .await;
    assert_eq!((chat.discord.identifies(), chat.discord.resumes()), (3, 0));
    let metrics = chat.metrics.encode();
    let counted = metrics.lines().find(|line| line.contains("gateway_undecodable_total{") && line.contains("READY"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
    chat.finish().await;
}

#[tokio::test]
async fn missing_heartbeat_acknowledgement_leads_to_a_reconnect() {
    let setup = Chat::setup();
    let mut options = setup.discord.clone();
    options.heartbeat_interval = Duration::from_millis(500);
    let chat = setup.discord(options).start().await;
    expect_answer(&chat, "Before.").await;
    chat.discord.silence_gateway(true);
    chat.tess.answers(["After."]);
    chat.say("alice", "are you a zombie?");
    chat.discord.wait_disconnected().await;
    chat.discord.silence_gateway(false);
    chat.expect_reply("After.").await;
    chat.finish().await;
}

/// Makes the gateway unreachable; the bot must retry until it reconnects, and answer what was posted meanwhile.
/// The number of connections that the bot tried to open.
fn connection_attempts(chat: &Chat) -> u64 {
    let metrics = chat.metrics.encode();
    let opened = metrics.lines().filter(|line| line.starts_with("tess_discord_gateway_connections_total{"));
    opened.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

async fn expect_retries_until_available(unreachable: impl Fn(&DiscordSim, bool)) {
    let chat = Chat::setup()
        .change(|config| config.timings.gateway_connect_timeout = Duration::from_millis(300))
        .start()
        .await;
    expect_answer(&chat, "Before.").await;
    unreachable(&chat.discord, true);
    chat.discord.drop_connection();
    chat.tess.answers(["After."]);
    chat.say("alice", "anyone?");
    let before = connection_attempts(&chat);
    chat.until("more connection attempts", || connection_attempts(&chat) >= before + 3).await;
    unreachable(&chat.discord, false);
    chat.expect_reply("After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn connecting_is_retried_until_the_gateway_is_available() {
    expect_retries_until_available(DiscordSim::refuse_connections).await;
}

#[tokio::test]
async fn hanging_connect_times_out() {
    expect_retries_until_available(DiscordSim::hang_new_connections).await;
}

#[tokio::test]
async fn missing_hello_times_out() {
    expect_retries_until_available(DiscordSim::withhold_hello).await;
}

#[tokio::test]
async fn session_that_cannot_be_resumed_in_time_is_replaced() {
    let chat = Chat::setup()
        .change(|config| config.timings.gateway_connect_timeout = Duration::from_millis(400))
        .start()
        .await;
    expect_answer(&chat, "Before.").await;
    let first = chat.metrics.encode();
    let identifies = |text: &str| text.lines().find(|line| line.contains(r#"how="identify""#)).map(str::to_owned);
    let is_new = || identifies(&chat.metrics.encode()) != identifies(&first);
    chat.discord.withhold_hello(true);
    chat.discord.drop_connection();
    chat.until("an attempt to start a new session", is_new).await;
    chat.discord.withhold_hello(false);
    expect_answer(&chat, "After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn session_is_resumed_while_rest_is_down() {
    let chat = Chat::start().await;
    expect_answer(&chat, "Before.").await;
    chat.wait_settled().await;
    let (before, tried) = (chat.discord.identifies(), connection_attempts(&chat));
    chat.discord.set_down(true);
    chat.discord.drop_connection();
    chat.until("the bot to reconnect", || connection_attempts(&chat) > tried && chat.is_up()).await;
    chat.discord.set_down(false);
    assert_eq!(chat.discord.identifies(), before);
    expect_answer(&chat, "After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn last_identifies_of_the_budget_are_kept() {
    let chat = Chat::start().await;
    expect_answer(&chat, "Before.").await;
    chat.discord.set_session_limit(3, Duration::from_millis(200));
    chat.discord.send_invalid_session(false);
    chat.discord.wait_disconnected().await;
    let before = chat.discord.identifies();
    let discord = chat.discord.clone();
    chat.until("another request for the identify budget", || discord.requests_to("/gateway/bot") >= 3).await;
    assert_eq!(chat.discord.identifies(), before);
    chat.discord.set_session_limit(1000, Duration::from_millis(200));
    expect_answer(&chat, "After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn wrong_token_ends_the_bot_with_one_line() {
    let mut chat = Chat::setup().set("DISCORD_TOKEN", "wrong.token.here").prepare().await;
    chat.launch().await;
    let error = chat.bot_ended().await.unwrap_err().to_string();
    assert!(error.contains("DISCORD_TOKEN") && !error.contains("wrong"), "{error}");
    chat.finish().await;
}

#[tokio::test]
async fn disallowed_intent_ends_the_bot_with_instructions() {
    let mut chat = Chat::setup().prepare().await;
    chat.discord.disallow_message_content(true);
    chat.launch().await;
    let error = chat.bot_ended().await.unwrap_err().to_string();
    assert!(error.contains("MESSAGE CONTENT INTENT"), "{error}");
    chat.finish().await;
}

#[tokio::test]
async fn duplicate_event_is_processed_once() {
    let chat = Chat::start().await;
    chat.tess.answers(["Once.", "Next."]);
    let hi = chat.say("alice", "hi");
    chat.discord.redeliver(hi);
    chat.expect_reply("Once.").await;
    chat.discord.redeliver(hi);
    chat.say("alice", "next");
    chat.expect_reply("Next.").await;
    assert_eq!((chat.metrics.taken(), chat.tess.charged()), (2, 2));
    chat.finish().await;
}

#[tokio::test]
async fn events_out_of_order_are_processed_in_order() {
    let chat = Chat::start().await;
    chat.tess.answers(["Wait.", "All three."]);
    chat.tess.hold();
    chat.say("alice", "zero");
    chat.expect_asked(&["user: alice: zero"]).await;
    chat.discord.reverse_next_events(3);
    for text in ["one", "two", "three"] {
        chat.say("alice", text);
    }
    chat.wait_taken(4).await;
    chat.tess.release();
    chat.expect_reply("Wait.").await;
    chat.expect_reply("All three.").await;
    chat.expect_asked(&["user: alice: zero", "assistant: Wait.", "user: alice: one\nalice: two\nalice: three"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn message_with_unknown_values_is_answered_and_undecodable_event_is_counted() {
    let chat = Chat::start().await;
    chat.tess.answers(["Fine."]);
    chat.discord.dispatch_raw("MESSAGE_CREATE", json!({"id": "1", "channel_id": "2"}));
    let odd = json!({"content": "hi", "mentions": "not a list", "flags": null, "attachments": {"0": 1}});
    chat.discord.say_with(chat.channel, "alice", &odd);
    chat.expect_reply("Fine.").await;
    let text = chat.metrics.encode();
    let counted =
        text.lines().find(|line| line.contains("gateway_undecodable_total{") && line.contains("MESSAGE_CREATE"));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
    chat.finish().await;
}
