//! Shutdown, kill and start: no message is lost or answered twice.

use std::time::Duration;

use sim::discord::Route;

use crate::support::Chat;

#[tokio::test]
async fn shutdown_waits_for_the_running_turn() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Just in time."]);
    chat.tess.hold();
    chat.say("alice", "hi");
    chat.expect_asked(&["user: alice: hi"]).await;
    let tess = chat.tess.clone();
    let discord = chat.discord.clone();
    let channel = chat.channel;
    let (stopped, reply) = tokio::join!(chat.stop_bot(), async {
        tess.release();
        discord.next_message(channel).await
    });
    stopped.unwrap();
    assert_eq!(reply.content, "Just in time.");
    chat.finish().await;
}

#[tokio::test]
async fn turn_beyond_the_grace_period_is_answered_after_the_next_start() {
    let mut chat = Chat::setup().change(|config| config.shutdown_grace = Duration::from_millis(50)).start().await;
    chat.tess.answers(["Never heard.", "After the start."]);
    chat.tess.hold();
    let asked = chat.say("alice", "hi");
    chat.expect_asked(&["user: alice: hi"]).await;
    chat.stop_bot().await.unwrap();
    chat.tess.release();
    chat.start_bot().await;
    let reply = chat.expect_reply("After the start.").await;
    assert_eq!(reply.reply_to, Some(asked));
    chat.finish().await;
}

#[tokio::test]
async fn shutdown_ends_in_time_while_discord_is_unreachable() {
    let mut chat = Chat::setup().change(|config| config.shutdown_grace = Duration::from_millis(100)).start().await;
    chat.discord.refuse_connections(true);
    chat.discord.drop_connection();
    chat.discord.wait_disconnected().await;
    chat.stop_bot().await.unwrap();
    chat.discord.refuse_connections(false);
    chat.finish().await;
}

#[tokio::test]
async fn shutdown_ends_in_time_while_no_service_responds() {
    let mut chat = Chat::setup().change(|config| config.shutdown_grace = Duration::from_millis(100)).start().await;
    chat.tess.hang_next();
    chat.say("alice", "hi");
    assert!(chat.tess.wait_for_execute_requests(1).await);
    chat.discord.silence_gateway(true);
    chat.stop_bot().await.unwrap();
    chat.discord.silence_gateway(false);
    chat.finish().await;
}

#[tokio::test]
async fn shutdown_before_the_connection_ends_the_bot() {
    let mut chat = Chat::setup().prepare().await;
    chat.discord.hang_new_connections(true);
    chat.launch().await;
    chat.discord.wait_until("a try", |discord| discord.requests_of(Route::GatewayBot) >= 1).await;
    chat.stop_bot().await.unwrap();
    chat.finish().await;
}

#[tokio::test]
async fn messages_while_offline_are_one_turn_after_the_start() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Hi.", "Welcome back."]);
    chat.say("alice", "hi");
    chat.expect_reply("Hi.").await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.say("alice", "are you there?");
    let last = chat.say("bob", "hello?");
    chat.start_bot().await;
    let reply = chat.expect_reply("Welcome back.").await;
    assert_eq!(reply.reply_to, Some(last));
    chat.expect_asked(&["user: alice: hi"]).await;
    chat.expect_asked(&["user: alice: hi", "assistant: Hi.", "user: alice: are you there?\nbob: hello?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn catch_up_includes_channels_without_a_history() {
    let mut chat = Chat::start().await;
    chat.say("alice", "hi");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.wait_caught_up().await;
    chat.stop_bot().await.unwrap();
    let new = chat.discord.channel(chat.guild, "new");
    chat.tess.answers(["Found you."]);
    chat.discord.say(new, "bob", "anyone?");
    chat.start_bot().await;
    assert_eq!(chat.discord.next_message(new).await.content, "Found you.");
    chat.finish().await;
}

#[tokio::test]
async fn catch_up_excludes_channels_that_are_not_configured() {
    let mut chat = Chat::setup().prepare().await;
    let channel = chat.channel;
    chat.reconfigure(|config| config.intake.channels = [channel.into()].into());
    chat.start_bot().await;
    chat.say("alice", "hi");
    chat.next_message().await;
    chat.wait_caught_up().await;
    chat.stop_bot().await.unwrap();
    let unlisted = chat.discord.channel(chat.guild, "unlisted");
    chat.discord.say(unlisted, "bob", "not for the bot");
    chat.tess.answers(["Found."]);
    chat.say("alice", "there?");
    chat.start_bot().await;
    chat.expect_reply("Found.").await;
    let path = format!("/channels/{unlisted}/messages");
    assert!(!chat.discord.requests().iter().any(|request| request.path.contains(&path)));
    chat.finish().await;
}

#[tokio::test]
async fn direct_message_while_offline_is_answered() {
    let mut chat = Chat::start().await;
    let alice = "alice";
    let direct = chat.discord.dm(alice);
    chat.discord.say(direct, alice, "hi");
    chat.discord.next_message(direct).await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.tess.answers(["Still here."]);
    chat.discord.say(direct, alice, "there?");
    chat.start_bot().await;
    assert_eq!(chat.discord.next_message(direct).await.content, "Still here.");
    let executions = chat.tess.executions();
    let asked = executions.last().unwrap().messages.to_string();
    assert!(asked.contains(r#""content":"there?""#), "names in a direct message: {asked}");
    chat.finish().await;
}

#[tokio::test]
async fn answered_message_is_not_answered_again_after_restarts() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Once."]);
    chat.say("alice", "hi");
    chat.expect_reply("Once.").await;
    for _ in 0..3 {
        chat.kill_bot();
        chat.start_bot().await;
    }
    let discord = chat.discord.clone();
    chat.tess.answers(["Twice."]);
    chat.say("alice", "again");
    chat.expect_reply("Twice.").await;
    assert_eq!(discord.messages(chat.channel).len(), 4);
    assert_eq!(chat.tess.charged(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn catch_up_answers_messages_up_to_the_configured_age() {
    for (minutes, age, answered) in [(10, 5, true), (10, 20, false), (0, 5, false)] {
        let mut chat = Chat::start().await;
        let first = chat.discord.say_in_past(chat.channel, "alice", "first", age + 5);
        chat.discord.redeliver(first);
        chat.next_message().await;
        chat.wait_settled().await;
        chat.stop_bot().await.unwrap();
        let missed = chat.discord.say_in_past(chat.channel, "alice", "missed", age);
        chat.reconfigure(|config| config.catch_up = Duration::from_secs(minutes * 60));
        chat.start_bot().await;
        chat.wait_caught_up().await;
        assert_eq!(chat.metrics.taken(), u64::from(answered), "{age} minutes old, {minutes} minutes are caught up");
        if answered {
            assert_eq!(chat.next_message().await.reply_to, Some(missed));
        }
        chat.finish().await;
    }
}

#[tokio::test]
async fn catch_up_without_new_messages_executes_nothing() {
    let often = Duration::from_millis(20);
    let mut chat = Chat::setup().change(move |config| config.timings.last_seen_interval = often).start().await;
    let (guild, alice) = (chat.guild, "alice");
    let channels: Vec<u64> = (0..6).map(|n| chat.discord.channel(guild, &format!("c{n}"))).collect();
    for channel in &channels {
        chat.discord.say(*channel, alice, "hi");
        chat.discord.next_message(*channel).await;
    }
    chat.wait_settled().await;
    let last = chat.discord.messages(channels[5]).last().unwrap().id;
    // The bot's own answers count as marks after some time.
    let handled = |chat: &Chat| chat.number_on_disk(&format!("SELECT handled FROM channel WHERE id = {}", channels[5]));
    chat.until("the handled marks to be at the answers", || handled(&chat) == i64::try_from(last).unwrap()).await;
    chat.stop_bot().await.unwrap();
    let before = chat.discord.requests_of(Route::GetMessages);
    chat.start_bot().await;
    chat.wait_caught_up().await;
    assert_eq!(chat.discord.requests_of(Route::GetMessages), before);
    chat.finish().await;
}

#[tokio::test]
async fn catch_up_reads_more_than_one_page() {
    let mut chat = Chat::setup().set("HISTORY_MESSAGES", "200").start().await;
    chat.tess.answers(["Hi.", "All of them."]);
    chat.say("alice", "hi");
    chat.expect_reply("Hi.").await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    for n in 1..=150 {
        chat.say("alice", &format!("message {n}"));
    }
    chat.start_bot().await;
    chat.expect_reply("All of them.").await;
    chat.next_execution().await;
    let asked = chat.next_execution().await.messages.to_string();
    assert!(asked.contains("message 1\\n") && asked.contains("message 150"), "{asked}");
    assert_eq!(chat.metrics.taken(), 150);
    chat.finish().await;
}

#[tokio::test]
async fn kill_during_a_turn_leads_to_one_answer() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["Never posted.", "Posted."]);
    chat.tess.hold_next();
    let asked = chat.say("alice", "hi");
    chat.expect_asked(&["user: alice: hi"]).await;
    // The channel is stored before its first turn ends.
    chat.until("the write of the state", || chat.rows_on_disk("channel") == 1).await;
    chat.kill_bot();
    chat.start_bot().await;
    let reply = chat.expect_reply("Posted.").await;
    assert_eq!(reply.reply_to, Some(asked));
    chat.finish().await;
}

#[tokio::test]
async fn waiting_note_left_by_a_kill_is_removed() {
    let mut chat = Chat::setup().change(|config| config.reply.notice_after = Duration::from_millis(20)).start().await;
    chat.tess.answers(["Never posted.", "Posted."]);
    chat.tess.hold_next();
    chat.say("alice", "think");
    assert!(chat.next_message().await.content.starts_with('⏳'));
    chat.kill_bot();
    chat.reconfigure(|config| config.reply.notice_after = Duration::from_secs(60));
    chat.start_bot().await;
    chat.expect_reply("Posted.").await;
    chat.wait_settled().await;
    let left: Vec<String> = chat.discord.messages(chat.channel).into_iter().map(|message| message.content).collect();
    assert_eq!(left, ["think", "Posted."]);
    chat.finish().await;
}

#[tokio::test]
async fn deleted_state_file_is_counted_and_the_bot_continues_in_memory() {
    let chat = Chat::start().await;
    chat.say("alice", "hi");
    chat.next_message().await;
    chat.wait_settled().await;
    chat.remove_state();
    chat.tess.answers(["Still here."]);
    chat.say("alice", "hello?");
    chat.expect_reply("Still here.").await;
    let metrics = chat.metrics.clone();
    chat.until("the failure metric", || metrics.state_errors() > 0).await;
    chat.finish().await;
}

#[tokio::test]
async fn state_of_a_left_guild_is_removed() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.say("alice", "remember the fish");
    chat.expect_reply("One.").await;
    chat.wait_settled().await;
    let before = chat.metrics.histories_bytes();
    chat.discord.dispatch_raw("GUILD_DELETE", serde_json::json!({"id": chat.guild.to_string()}));
    let metrics = chat.metrics.clone();
    chat.until("the removal of the history", || metrics.histories_bytes() < before).await;
    chat.finish().await;
}

#[tokio::test]
async fn unanswered_close_frame_starts_no_new_session() {
    let mut chat = Chat::start().await;
    chat.discord.skip_close_frames(true);
    chat.stop_bot().await.unwrap();
    assert_eq!(chat.discord.identifies(), 1);
    chat.finish().await;
}
