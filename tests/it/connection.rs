//! The gateway fails in every way it can: the bot comes back, and no message is lost or answered twice.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use sim::discord::DiscordSim;
use tokio::io::AsyncReadExt;

use crate::support::Chat;

/// Talks before and after something happened to the connection.
async fn talks_on(chat: &Chat, word: &str) {
    chat.tess.answers([word]);
    chat.say("alice", "hello?");
    chat.expect_reply(word).await;
}

/// A message that is posted while nobody listens is answered once the bot is back.
async fn survives(happen: impl AsyncFnOnce(&Chat)) -> Chat {
    let chat = Chat::start().await;
    talks_on(&chat, "Before.").await;
    chat.settled().await;
    happen(&chat).await;
    talks_on(&chat, "Right after.").await;
    talks_on(&chat, "Later.").await;
    chat
}

#[tokio::test]
async fn a_dropped_connection_is_resumed_and_what_was_missed_is_replayed() {
    let chat = survives(async |chat| chat.discord.drop_connection()).await;
    assert_eq!((chat.discord.identifies(), chat.discord.resumes()), (1, 1));
    chat.finish().await;
}

#[tokio::test]
async fn nothing_is_said_to_another_host_even_if_discord_names_it_for_resuming() {
    let decoy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = Chat::setup();
    let mut options = setup.discord.clone();
    options.resume_url = Some(format!("ws://{}", decoy.local_addr().unwrap()));
    let chat = setup.discord(options).start().await;
    chat.discord.drop_connection();
    talks_on(&chat, "Resumed.").await;
    assert_eq!(chat.discord.resumes(), 1);
    // The library may knock there; it is taken away before it says a word.
    if let Some(knocked) = decoy.accept().now_or_never() {
        let mut said = Vec::new();
        knocked.unwrap().0.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"");
    }
    chat.finish().await;
}

#[tokio::test]
async fn every_close_that_is_not_fatal_is_survived() {
    for code in [1000, 1001, 4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009] {
        let chat = survives(async |chat| chat.discord.close_with(code)).await;
        chat.finish().await;
    }
}

#[tokio::test]
async fn a_fatal_close_ends_the_bot_with_one_line_that_says_what_to_do() {
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
async fn a_request_to_reconnect_is_followed() {
    survives(async |chat| chat.discord.send_reconnect()).await.finish().await;
}

#[tokio::test]
async fn an_invalid_session_is_resumed_or_begun_anew() {
    let chat = survives(async |chat| chat.discord.send_invalid_session(true)).await;
    assert_eq!(chat.discord.identifies(), 1);
    chat.finish().await;
    let chat = survives(async |chat| chat.discord.send_invalid_session(false)).await;
    assert_eq!(chat.discord.identifies(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn what_was_missed_is_caught_up_with_when_the_resume_is_refused() {
    let chat = survives(async |chat| {
        chat.discord.refuse_resume(1);
        chat.discord.drop_connection();
    })
    .await;
    assert_eq!((chat.discord.identifies(), chat.discord.resumes()), (2, 1));
    chat.finish().await;
}

#[tokio::test]
async fn refused_identifies_are_repeated_with_growing_pauses() {
    let chat = survives(async |chat| {
        chat.discord.refuse_identify(4);
        chat.discord.send_invalid_session(false);
    })
    .await;
    assert_eq!(chat.discord.identifies(), 6);
    chat.finish().await;
}

#[tokio::test]
async fn a_gateway_that_answers_no_heartbeat_is_left() {
    let setup = Chat::setup();
    let mut options = setup.discord.clone();
    options.heartbeat_interval = Duration::from_millis(500);
    let chat = setup.discord(options).start().await;
    talks_on(&chat, "Before.").await;
    chat.discord.silence_gateway(true);
    chat.tess.answers(["After."]);
    chat.say("alice", "are you a zombie?");
    chat.discord.wait_disconnected().await;
    chat.discord.silence_gateway(false);
    chat.expect_reply("After.").await;
    chat.finish().await;
}

/// The gateway can not be reached for a while; the bot tries until it can, and answers what was said meanwhile.
/// Connections that the bot has begun to open.
fn tries(chat: &Chat) -> u64 {
    let metrics = chat.metrics.encode();
    let opened = metrics.lines().filter(|line| line.starts_with("tess_discord_gateway_connections_total{"));
    opened.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

async fn is_tried_until_it_is_back(unreachable: impl Fn(&DiscordSim, bool)) {
    let chat = Chat::setup()
        .change(|config| config.timings.gateway_connect_timeout = Duration::from_millis(300))
        .start()
        .await;
    talks_on(&chat, "Before.").await;
    unreachable(&chat.discord, true);
    chat.discord.drop_connection();
    chat.tess.answers(["After."]);
    chat.say("alice", "anyone?");
    let before = tries(&chat);
    chat.until("more tries", || tries(&chat) >= before + 3).await;
    unreachable(&chat.discord, false);
    chat.expect_reply("After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn a_gateway_that_is_down_is_tried_until_it_is_back() {
    is_tried_until_it_is_back(DiscordSim::refuse_connections).await;
}

#[tokio::test]
async fn a_connect_that_is_never_answered_is_given_up() {
    is_tried_until_it_is_back(DiscordSim::hang_connects).await;
}

#[tokio::test]
async fn a_gateway_that_never_says_hello_is_given_up() {
    is_tried_until_it_is_back(DiscordSim::hold_hello).await;
}

#[tokio::test]
async fn a_session_that_can_not_be_resumed_in_time_gives_way_to_a_new_one() {
    let chat = Chat::setup()
        .change(|config| config.timings.gateway_connect_timeout = Duration::from_millis(400))
        .start()
        .await;
    talks_on(&chat, "Before.").await;
    let first = chat.metrics.encode();
    let identifies = |text: &str| text.lines().find(|line| line.contains(r#"how="identify""#)).map(str::to_owned);
    let is_new = || identifies(&chat.metrics.encode()) != identifies(&first);
    chat.discord.withhold_hello(true);
    chat.discord.drop_connection();
    chat.until("a new session to be tried", is_new).await;
    chat.discord.withhold_hello(false);
    talks_on(&chat, "After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn a_session_is_gone_back_to_while_rest_is_down() {
    let chat = Chat::start().await;
    talks_on(&chat, "Before.").await;
    chat.settled().await;
    let (before, tried) = (chat.discord.identifies(), tries(&chat));
    chat.discord.set_down(true);
    chat.discord.drop_connection();
    chat.until("the bot to come back", || tries(&chat) > tried && chat.is_up()).await;
    chat.discord.set_down(false);
    assert_eq!(chat.discord.identifies(), before);
    talks_on(&chat, "After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn the_last_identifies_of_a_day_are_not_spent() {
    let chat = Chat::start().await;
    talks_on(&chat, "Before.").await;
    chat.discord.set_session_limit(3, Duration::from_millis(200));
    chat.discord.send_invalid_session(false);
    chat.discord.wait_disconnected().await;
    let before = chat.discord.identifies();
    let discord = chat.discord.clone();
    chat.until("the allowance to be asked again", || discord.requests_to("/gateway/bot") >= 3).await;
    assert_eq!(chat.discord.identifies(), before);
    chat.discord.set_session_limit(1000, Duration::from_millis(200));
    talks_on(&chat, "After.").await;
    chat.finish().await;
}

#[tokio::test]
async fn a_wrong_token_ends_the_bot_with_one_line() {
    let mut chat = Chat::setup().set("DISCORD_TOKEN", "wrong.token.here").prepare().await;
    chat.launch().await;
    let error = chat.bot_ended().await.unwrap_err().to_string();
    assert!(error.contains("DISCORD_TOKEN") && !error.contains("wrong"), "{error}");
    chat.finish().await;
}

#[tokio::test]
async fn an_intent_that_is_not_switched_on_ends_the_bot_with_where_to_click() {
    let mut chat = Chat::setup().prepare().await;
    chat.discord.disallow_message_content(true);
    chat.launch().await;
    let error = chat.bot_ended().await.unwrap_err().to_string();
    assert!(error.contains("MESSAGE CONTENT INTENT"), "{error}");
    chat.finish().await;
}

#[tokio::test]
async fn an_event_that_comes_twice_is_taken_once() {
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
async fn events_out_of_order_are_read_in_order() {
    let chat = Chat::start().await;
    chat.tess.answers(["Wait.", "All three."]);
    chat.tess.hold();
    chat.say("alice", "zero");
    chat.expect_asked(&["user: alice: zero"]).await;
    chat.discord.reverse_next_events(3);
    for text in ["one", "two", "three"] {
        chat.say("alice", text);
    }
    chat.taken(4).await;
    chat.tess.release();
    chat.expect_reply("Wait.").await;
    chat.expect_reply("All three.").await;
    chat.expect_asked(&["user: alice: zero", "assistant: Wait.", "user: alice: one\nalice: two\nalice: three"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn a_message_of_an_odd_form_is_answered_and_an_unreadable_event_is_counted() {
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
