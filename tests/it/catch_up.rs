//! Catch-up and rebuild under several faults at once: no message is lost or answered twice. The soak found these cases.

use std::time::{Duration, Instant};

use serde_json::json;
use sim::discord::{Limit, Route};

use crate::support::{Chat, SOON, Setup};

#[tokio::test]
async fn catch_up_is_retried_until_discord_responds() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.say("alice", "first");
    chat.expect_reply("One.").await;
    chat.stop_bot().await.unwrap();
    chat.say("alice", "second");
    // Longer than the timeout of one request.
    chat.discord.fail_next("GET", "/channels/*/messages", 503, json!("<html></html>"), 6);
    chat.start_bot().await;
    chat.expect_reply("Two.").await;
    chat.finish().await;
}

#[tokio::test]
async fn message_between_parts_of_a_reply_is_answered_after_a_kill() {
    let mut chat = Chat::start().await;
    let long = format!("{}\n\n{}", "first part ".repeat(170), "second part ".repeat(150));
    chat.tess.answers([long]);
    chat.discord.set_delay(Route::CreateMessage, SOON / 50);
    chat.say("alice", "tell me more");
    assert!(chat.next_message().await.content.starts_with("first"));
    chat.tess.hold();
    chat.say("bob", "and what of this?");
    assert!(chat.next_message().await.content.starts_with("second"));
    let _ = (chat.next_execution().await, chat.next_execution().await);
    chat.kill_bot();
    chat.tess.release();
    chat.tess.answers(["To bob."]);
    chat.start_bot().await;
    chat.expect_reply("To bob.").await;
    chat.finish().await;
}

#[tokio::test]
async fn history_after_a_kill_contains_an_answer_posted_after_the_next_message() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["One.", "Lost.", "Two."]);
    chat.tess.hold();
    chat.say("alice", "first");
    chat.expect_asked(&["user: alice: first"]).await;
    chat.say("bob", "second");
    chat.wait_taken(2).await;
    chat.tess.release_one();
    chat.expect_reply("One.").await;
    let asked = ["user: alice: first", "assistant: One.", "user: bob: second"];
    chat.expect_asked(&asked).await;
    chat.kill_bot();
    chat.tess.release();
    chat.start_bot().await;
    chat.expect_reply("Two.").await;
    chat.expect_asked(&asked).await;
    chat.finish().await;
}

#[tokio::test]
async fn message_during_a_rebuild_is_answered_once() {
    let chat = Chat::start().await;
    chat.tess.answers(["Both."]);
    chat.discord.set_delay(Route::GetMessages, SOON / 30);
    chat.say("alice", "first");
    chat.discord.wait_until("the request for the history", |it| it.requests_of(Route::GetMessages) > 0).await;
    chat.say("bob", "second");
    chat.expect_reply("Both.").await;
    chat.wait_settled().await;
    chat.expect_asked(&["user: alice: first\nbob: second"]).await;
    assert_eq!((chat.tess.charged(), chat.metrics.taken()), (1, 2));
    chat.finish().await;
}

#[tokio::test]
async fn reply_interrupted_between_parts_is_posted_again_after_the_start() {
    let setup = Chat::setup();
    let mut options = setup.discord.clone();
    // The second part waits, so that something can happen between the two.
    options.message_limit = Limit { requests: 1, per: Duration::from_millis(1500) };
    let mut chat = setup.discord(options).start().await;
    let long = format!("{}\n\n{}", "one ".repeat(400).trim_end(), "two ".repeat(400).trim_end());
    chat.tess.answers([long.as_str(), long.as_str(), "Short."]);
    let asked = chat.say("alice", "at length");
    assert!(chat.next_message().await.content.starts_with("one"));
    chat.kill_bot();
    chat.discord.forget_client();
    chat.start_bot().await;
    let first = chat.next_message().await;
    assert!(first.content.starts_with("one") && first.reply_to == Some(asked));
    assert!(chat.next_message().await.content.starts_with("two"));
    chat.wait_settled().await;
    let left = chat.discord.messages(chat.channel);
    assert_eq!(left.len(), 3, "{}", chat.discord.transcript(chat.channel));
    assert_eq!(left[1].components, serde_json::json!([]), "it is complete");
    chat.say("alice", "thanks");
    chat.expect_reply("Short.").await;
    chat.finish().await;
}

#[tokio::test]
async fn new_message_waits_for_the_catch_up() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Hi.", "Both at once."]);
    chat.say("alice", "hi");
    chat.expect_reply("Hi.").await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.say("alice", "missed");
    chat.discord.set_delay(Route::GetMessages, Duration::from_millis(400));
    chat.start_bot().await;
    chat.say("bob", "said now");
    chat.expect_reply("Both at once.").await;
    chat.expect_asked(&["user: alice: hi"]).await;
    chat.expect_asked(&["user: alice: hi", "assistant: Hi.", "user: alice: missed\nbob: said now"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn reply_references_the_newest_existing_message() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Both."]);
    chat.tess.hold();
    chat.say("alice", "first");
    chat.expect_asked(&["user: alice: first"]).await;
    let second = chat.say("bob", "second");
    let third = chat.say("carol", "third");
    chat.wait_taken(3).await;
    chat.tess.release_one();
    chat.expect_reply("One.").await;
    let _ = chat.next_execution().await;
    chat.discord.delete(third);
    // Events come in order: once the message of another channel is processed, the deletion is as well.
    let other = chat.discord.channel(chat.guild, "other");
    chat.discord.say(other, "dave", "a sign");
    chat.wait_taken(4).await;
    chat.tess.release();
    assert_eq!(chat.expect_reply("Both.").await.reply_to, Some(second));
    let _ = chat.discord.next_message(other).await;
    chat.finish().await;
}

#[tokio::test]
async fn failing_waiting_note_does_not_delay_the_shutdown() {
    let setup = Chat::setup().set("NOTICE_AFTER", "1");
    let mut chat = setup.change(|config| config.shutdown_grace = Duration::from_millis(100)).start().await;
    chat.tess.hold();
    chat.discord.fail_next("POST", "/channels/*/messages", 503, json!("<html></html>"), 1000);
    chat.say("alice", "this takes a while");
    chat.discord.wait_until("an attempt to post the waiting note", |it| it.requests_of(Route::CreateMessage) > 0).await;
    let asked = Instant::now();
    chat.stop_bot().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    chat.discord.clear_faults();
    chat.finish().await;
}

#[tokio::test]
async fn message_before_the_catch_up_does_not_hide_missed_messages() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Found."]);
    chat.stop_bot().await.unwrap();
    // No message was ever posted here, so no state of the channel exists.
    chat.channel = chat.discord.channel(chat.guild, "new");
    chat.say("alice", "missed");
    chat.discord.set_delay(Route::GetMessages, SOON);
    chat.start_bot().await;
    let now = chat.say("bob", "said now");
    chat.wait_taken(1).await;
    chat.discord.delete(now);
    let metrics = chat.metrics.clone();
    chat.until("the channel to be evicted", move || metrics.settled() == 1).await;
    chat.kill_bot();
    chat.discord.set_delay(Route::GetMessages, Duration::ZERO);
    chat.start_bot().await;
    chat.expect_reply("Found.").await;
    chat.expect_asked(&["user: alice: missed"]).await;
    chat.finish().await;
}

/// A bot that continuously records when it was last connected.
fn recording_last_seen() -> Setup {
    Chat::setup().change(|config| {
        config.shutdown_grace = Duration::from_millis(300);
        (config.timings.last_seen_interval, config.timings.undetected_disconnect) =
            (Duration::from_millis(10), Duration::ZERO);
    })
}

/// Waits for the next second: the time of the last connection is recorded in seconds.
async fn next_second(chat: &Chat) {
    let now = Instant::now();
    chat.until("the next second", || now.elapsed() > Duration::from_secs(1)).await;
}

#[tokio::test]
async fn catch_up_interrupted_by_shutdown_continues_at_the_next_start() {
    let mut chat = recording_last_seen().start().await;
    chat.stop_bot().await.unwrap();
    let new = chat.discord.channel(chat.guild, "new");
    chat.discord.say(new, "alice", "missed");
    chat.discord.set_delay(Route::GetMessages, SOON);
    chat.tess.hold();
    chat.start_bot().await;
    // A running turn makes the shutdown take its grace period.
    chat.say("bob", "think");
    next_second(&chat).await;
    chat.stop_bot().await.unwrap();
    chat.discord.set_delay(Route::GetMessages, Duration::ZERO);
    chat.tess.release();
    chat.tess.answers(["One.", "Another."]);
    chat.start_bot().await;
    chat.discord.next_message(new).await;
    chat.next_message().await;
    chat.finish().await;
}

#[tokio::test]
async fn unavailable_guild_is_caught_up_after_a_restart() {
    let mut chat = recording_last_seen().start().await;
    chat.tess.answers(["Found."]);
    chat.stop_bot().await.unwrap();
    chat.channel = chat.discord.channel(chat.guild, "new");
    chat.say("alice", "missed");
    chat.discord.withhold_guilds(true);
    chat.start_bot().await;
    next_second(&chat).await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.discord.withhold_guilds(false);
    chat.expect_reply("Found.").await;
    chat.finish().await;
}

#[tokio::test]
async fn missed_deletion_does_not_remove_the_reference_of_a_reply() {
    for mode in ["final", "live"] {
        let chat = Chat::setup().set("REPLY_MODE", mode).start().await;
        chat.tess.answers(["One.", "Both."]);
        chat.tess.hold();
        chat.say("alice", "first");
        chat.next_execution().await;
        let second = chat.say("bob", "second");
        let third = chat.say("carol", "third");
        chat.wait_taken(3).await;
        chat.tess.release_one();
        chat.next_message().await;
        chat.next_execution().await;
        chat.discord.delete_silently(third);
        chat.tess.release();
        assert_eq!(chat.next_message().await.reply_to, Some(second), "{mode}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn reply_to_a_deleted_message_does_not_settle_a_later_one_after_a_kill() {
    for button in ["on", "off"] {
        let mut chat = Chat::setup().set("RETRY_BUTTON", button).start().await;
        chat.tess.answers(["To nobody.", "To bob."]);
        chat.tess.hold();
        let gone = chat.say("alice", "first");
        chat.next_execution().await;
        chat.discord.delete_silently(gone);
        let after = chat.say("bob", "second");
        chat.wait_taken(2).await;
        chat.tess.release_one();
        let reply = chat.next_message().await;
        assert_eq!((reply.reply_to, reply.id > after), (None, true));
        chat.kill_bot();
        chat.tess.release();
        chat.start_bot().await;
        assert_eq!(chat.next_message().await.reply_to, Some(after));
        chat.finish().await;
    }
}

#[tokio::test]
async fn channel_without_missed_messages_is_not_requested_at_every_start() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Hi."]);
    chat.tess.hold();
    chat.say("alice", "hi");
    chat.next_execution().await;
    // The bot gets no event of its own answer, so it cannot know that there is no event before it.
    chat.discord.silence_gateway(true);
    chat.tess.release();
    chat.expect_reply("Hi.").await;
    chat.wait_settled().await;
    chat.kill_bot();
    chat.discord.silence_gateway(false);
    let mut asked = Vec::new();
    for _ in 0..3 {
        chat.start_bot().await;
        chat.wait_caught_up().await;
        asked.push(chat.discord.requests_of(Route::GetMessages));
        chat.stop_bot().await.unwrap();
    }
    assert_eq!(asked, [asked[0]; 3]);
    chat.finish().await;
}

#[tokio::test]
async fn new_message_waits_for_the_catch_up_across_sessions() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Both."]);
    chat.tess.hold();
    chat.stop_bot().await.unwrap();
    chat.channel = chat.discord.channel(chat.guild, "new");
    chat.say("alice", "missed");
    chat.discord.set_delay(Route::GetMessages, SOON);
    chat.start_bot().await;
    chat.say("bob", "said now");
    chat.wait_taken(1).await;
    chat.discord.withhold_guilds(true);
    let before = chat.discord.identifies();
    chat.discord.send_invalid_session(false);
    chat.discord.wait_until("a new session", |it| it.identifies() > before).await;
    chat.discord.wait_connected().await;
    chat.discord.set_delay(Route::GetMessages, Duration::ZERO);
    // Direct channels are requested at once, so the old session is over when this request is seen.
    let metrics = chat.metrics.clone();
    chat.until("only the guild to be left to catch up", move || metrics.catching_up() == 1).await;
    chat.discord.withhold_guilds(false);
    chat.wait_caught_up().await;
    chat.tess.release();
    chat.expect_reply("Both.").await;
    chat.wait_settled().await;
    chat.expect_asked(&["user: alice: missed\nbob: said now"]).await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn own_message_does_not_hide_an_earlier_event_in_transit() {
    let mut chat = Chat::start().await;
    chat.wait_caught_up().await;
    chat.tess.answers(["To alice.", "A sign.", "To bob."]);
    chat.tess.hold();
    chat.say("alice", "first");
    chat.next_execution().await;
    // Discord stores it, and sends its event after those of later messages.
    let late = chat.discord.say_in_past(chat.channel, "bob", "second", 0);
    chat.tess.release();
    chat.expect_reply("To alice.").await;
    chat.wait_settled().await;
    // When this one is answered, the bot has received the event of its own message above.
    let other = chat.discord.channel(chat.guild, "other");
    chat.discord.say(other, "carol", "anybody?");
    chat.discord.next_message(other).await;
    chat.wait_settled().await;
    chat.kill_bot();
    chat.start_bot().await;
    assert_eq!(chat.expect_reply("To bob.").await.reply_to, Some(late));
    chat.finish().await;
}

#[tokio::test]
async fn catch_up_between_sessions_precedes_a_starting_turn() {
    let mut chat = Chat::start().await;
    chat.stop_bot().await.unwrap();
    chat.channel = chat.discord.channel(chat.guild, "new");
    chat.say("alice", "missed");
    chat.discord.set_delay(Route::Typing, Duration::from_millis(900));
    chat.start_bot().await;
    // The missed message is found and its turn is about to start.
    chat.discord.wait_until("typing", |it| it.requests_of(Route::Typing) > 0).await;
    chat.discord.refuse_connections(true);
    chat.discord.send_invalid_session(false);
    chat.discord.wait_disconnected().await;
    chat.say("bob", "in the gap");
    chat.discord.fail_next("GET", "/channels/*/messages", 503, json!("<html></html>"), 3);
    chat.discord.refuse_connections(false);
    chat.discord.wait_connected().await;
    chat.say("carol", "said now");
    chat.next_message().await;
    chat.expect_asked(&["user: alice: missed\nbob: in the gap\ncarol: said now"]).await;
    chat.wait_settled().await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn message_with_a_late_event_is_answered_after_a_kill() {
    let mut chat = Chat::start().await;
    chat.wait_caught_up().await;
    chat.tess.answers(["To bob.", "Lost.", "To alice."]);
    chat.tess.hold();
    let first = chat.discord.say_in_past(chat.channel, "alice", "first", 0);
    chat.say("bob", "second");
    chat.expect_asked(&["user: alice: first\nbob: second"]).await;
    chat.discord.redeliver(first);
    chat.wait_taken(2).await;
    chat.tess.release_one();
    chat.expect_reply("To bob.").await;
    chat.next_execution().await;
    chat.kill_bot();
    chat.tess.release();
    chat.start_bot().await;
    assert_eq!(chat.expect_reply("To alice.").await.reply_to, Some(first));
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.wait_caught_up().await;
    assert_eq!(chat.tess.charged(), 3, "a settled message stays settled");
    chat.finish().await;
}

#[tokio::test]
async fn missed_messages_to_others_become_context() {
    let chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["Hello.", "Blue."]);
    chat.say("bob", &format!("{} hi", chat.discord.mention()));
    chat.expect_reply("Hello.").await;
    chat.wait_settled().await;
    chat.next_execution().await;
    chat.discord.refuse_connections(true);
    chat.discord.send_invalid_session(false);
    chat.discord.wait_disconnected().await;
    chat.say("alice", "the fish is blue");
    chat.say("bob", &format!("{} which colour has it?", chat.discord.mention()));
    chat.discord.refuse_connections(false);
    chat.expect_reply("Blue.").await;
    let asked = ["user: bob: hi", "assistant: Hello.", "user: alice: the fish is blue\nbob: which colour has it?"];
    chat.expect_asked(&asked).await;
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn missed_messages_to_others_become_context_after_a_reset() {
    let chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["Hello.", "Blue."]);
    chat.say("bob", &format!("{} hi", chat.discord.mention()));
    chat.expect_reply("Hello.").await;
    chat.wait_settled().await;
    chat.next_execution().await;
    chat.discord.slash(chat.channel, "bob", "reset", &json!({})).response().await;
    chat.discord.refuse_connections(true);
    chat.discord.send_invalid_session(false);
    chat.discord.wait_disconnected().await;
    chat.say("alice", "the fish is blue");
    chat.say("bob", &format!("{} which colour has it?", chat.discord.mention()));
    chat.discord.refuse_connections(false);
    chat.expect_reply("Blue.").await;
    chat.expect_asked(&["user: alice: the fish is blue\nbob: which colour has it?"]).await;
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn part_with_the_nonce_of_a_deleted_message_gets_another_nonce() {
    for mode in ["final", "live"] {
        let chat = Chat::setup().set("REPLY_MODE", mode).start().await;
        let answer = format!("{}\n\n{}", "a".repeat(1_500), "b".repeat(1_500));
        chat.tess.answers([answer.as_str()]);
        let gone = json!({"message": "Unknown Message", "code": 10008});
        chat.discord.fail_next("POST", "/channels/*/messages", 404, gone, 1);
        let asked = chat.say("alice", "tell me at length");
        assert_eq!(chat.next_message().await.reply_to, Some(asked), "{mode}");
        chat.wait_settled().await;
        let messages = chat.discord.messages(chat.channel);
        let posted: String = messages.iter().filter(|it| it.author == "bot").map(|it| it.content.as_str()).collect();
        assert_eq!(posted, answer.replace('\n', ""), "{mode}");
        chat.next_message().await;
        chat.finish().await;
    }
}

#[tokio::test]
async fn queued_message_is_not_evicted_by_context() {
    let chat = Chat::setup().set("RESPOND_TO", "mentions").set("HISTORY_MESSAGES", "3").start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.tess.hold();
    chat.say("alice", &format!("{} first", chat.discord.mention()));
    chat.next_execution().await;
    let asked = chat.say("bob", &format!("{} second", chat.discord.mention()));
    for n in 0..6 {
        chat.say("carol", &format!("chatter {n}"));
    }
    chat.wait_taken(2).await;
    // When this is answered, the events of carol's messages are processed.
    let other = chat.discord.channel(chat.guild, "other");
    chat.discord.say(other, "dave", &chat.discord.mention());
    chat.wait_taken(3).await;
    chat.tess.release();
    chat.expect_reply("One.").await;
    assert_eq!(chat.next_message().await.reply_to, Some(asked));
    chat.discord.next_message(other).await;
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn messages_in_a_rejoined_guild_are_answered() {
    let chat = Chat::start().await;
    chat.tess.answers(["Before.", "After."]);
    chat.say("alice", "hi");
    chat.expect_reply("Before.").await;
    chat.wait_settled().await;
    let known = chat.metrics.histories_bytes();
    chat.discord.dispatch_raw("GUILD_DELETE", json!({"id": chat.guild.to_string()}));
    chat.until("the history to be evicted", || chat.metrics.histories_bytes() < known).await;
    assert_eq!(chat.metrics.histories_bytes(), 0);
    chat.say("alice", "hello again");
    chat.expect_reply("After.").await;
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn missed_message_is_answered_despite_many_later_ones() {
    let mut chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["Found."]);
    chat.stop_bot().await.unwrap();
    let asked = chat.say("alice", &format!("{} missed", chat.discord.mention()));
    // Well below the time limit of a request in the tests, which a busy machine would pass otherwise.
    chat.discord.set_delay(Route::GetMessages, Duration::from_millis(400));
    chat.start_bot().await;
    for n in 0..100 {
        chat.say("carol", &format!("chatter {n}"));
    }
    assert_eq!(chat.next_message().await.reply_to, Some(asked));
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn catch_up_skips_none_of_hundreds_of_messages() {
    let mut chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["Found."]);
    chat.stop_bot().await.unwrap();
    for n in 0..650 {
        chat.say("carol", &format!("chatter {n}"));
    }
    let asked = chat.say("alice", &format!("{} missed", chat.discord.mention()));
    chat.start_bot().await;
    assert_eq!(chat.next_message().await.reply_to, Some(asked));
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn context_between_missed_messages_is_kept_after_a_restart() {
    let mut chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["Blue."]);
    chat.stop_bot().await.unwrap();
    let bot = chat.discord.mention();
    chat.say("bob", &format!("{bot} hello"));
    chat.say("alice", "the fish is blue");
    chat.say("bob", &format!("{bot} which colour has it?"));
    chat.start_bot().await;
    chat.expect_reply("Blue.").await;
    chat.expect_asked(&["user: bob: hello\nalice: the fish is blue\nbob: which colour has it?"]).await;
    chat.wait_settled().await;
    chat.finish().await;
}

#[tokio::test]
async fn messages_before_the_bot_joined_a_guild_are_not_answered() {
    let chat = Chat::start().await;
    let told_of = chat.discord.channel(chat.guild, "long there");
    let before = chat.discord.say_in_past(told_of, "alice", "between us", 0);
    let channel = json!({"id": told_of.to_string(), "last_message_id": before.to_string()});
    chat.discord.dispatch_raw("GUILD_CREATE", json!({"id": "4242", "channels": [channel]}));
    chat.say("alice", "hi");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.wait_caught_up().await;
    assert_eq!(chat.metrics.taken(), 1);
    assert!(chat.discord.messages(told_of).iter().all(|message| message.author != "bot"));
    chat.finish().await;
}

#[tokio::test]
async fn messages_to_others_are_not_answered_after_a_command() {
    let often = Duration::from_millis(20);
    let setup = Chat::setup().set("RESPOND_TO", "mentions");
    let mut chat = setup.change(move |config| config.timings.last_seen_interval = often).start().await;
    let other = chat.discord.channel(chat.guild, "other");
    chat.say("alice", "nobody asked the bot");
    chat.discord.slash(chat.channel, "alice", "reset", &json!({})).response().await;
    // By the time this message's mark is stored, marks of the bot's own messages would be as well.
    chat.discord.say(other, "bob", &chat.discord.mention());
    let last = chat.discord.next_message(other).await.id;
    let handled = |chat: &Chat| chat.number_on_disk(&format!("SELECT handled FROM channel WHERE id = {other}"));
    chat.until("the handled mark to be at the answer", || handled(&chat) == i64::try_from(last).unwrap()).await;
    chat.stop_bot().await.unwrap();
    chat.say("alice", "nor does anybody now");
    chat.start_bot().await;
    chat.wait_caught_up().await;
    assert_eq!(chat.metrics.taken(), 0);
    chat.finish().await;
}
