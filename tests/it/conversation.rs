//! Conversations: which messages are answered, what the agent sees, and what users see.

use serde_json::json;
use sim::discord::Route;

use crate::support::Chat;

#[tokio::test]
async fn message_is_answered_by_the_agent() {
    let chat = Chat::start().await;
    chat.tess.answers(["Hello, alice!"]);
    let hi = chat.say("alice", "hi");
    let reply = chat.expect_reply("Hello, alice!").await;
    assert_eq!(reply.reply_to, Some(hi));
    chat.expect_asked(&["user: alice: hi"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn agent_sees_the_conversation_with_names() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.say("alice", "first");
    chat.expect_reply("One.").await;
    chat.expect_asked(&["user: alice: first"]).await;
    chat.say("bob", "second");
    chat.expect_reply("Two.").await;
    chat.expect_asked(&["user: alice: first", "assistant: One.", "user: bob: second"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn messages_during_a_turn_are_the_next_batch() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Both."]);
    chat.tess.hold();
    chat.say("alice", "first");
    chat.expect_asked(&["user: alice: first"]).await;
    chat.say("bob", "second");
    let last = chat.say("carol", "third");
    chat.wait_taken(3).await;
    chat.tess.release();
    chat.expect_reply("One.").await;
    let reply = chat.expect_reply("Both.").await;
    assert_eq!(reply.reply_to, Some(last));
    chat.expect_asked(&["user: alice: first", "assistant: One.", "user: bob: second\ncarol: third"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn channels_run_turns_concurrently() {
    let chat = Chat::start().await;
    let other = chat.discord.channel(chat.guild, "random");
    chat.tess.answers(["Slow.", "Quick."]);
    chat.tess.hold_next();
    chat.say("alice", "in general");
    chat.expect_asked(&["user: alice: in general"]).await;
    chat.discord.say(other, "bob", "in random");
    assert_eq!(chat.discord.next_message(other).await.content, "Quick.");
    chat.tess.release();
    chat.expect_reply("Slow.").await;
    chat.finish().await;
}

#[tokio::test]
async fn direct_messages_are_sent_without_names() {
    let chat = Chat::start().await;
    let alice = "alice";
    let direct = chat.discord.dm(alice);
    chat.tess.answers(["Between us."]);
    chat.discord.say(direct, alice, "psst");
    assert_eq!(chat.discord.next_message(direct).await.content, "Between us.");
    chat.expect_asked(&["user: psst"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn messages_of_bots_webhooks_and_the_system_are_not_answered() {
    let chat = Chat::start().await;
    let alice = "alice";
    chat.discord.say_with(
        chat.channel,
        alice,
        &json!({"content": "a bot", "author": {"id": "77", "username": "other", "bot": true}}),
    );
    chat.discord.say_with(chat.channel, alice, &json!({"content": "a webhook", "webhook_id": "78"}));
    chat.discord.say_with(chat.channel, alice, &json!({"content": "joined", "type": 7}));
    chat.tess.answers(["Only you."]);
    chat.say("alice", "a person");
    chat.expect_reply("Only you.").await;
    assert_eq!(chat.metrics.taken(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn with_respond_to_mentions_other_messages_are_context() {
    let chat = Chat::setup().set("RESPOND_TO", "mentions").start().await;
    chat.tess.answers(["Sure.", "Again."]);
    chat.say("alice", "shall we ask it?");
    chat.say("bob", &format!("{} what do you think?", chat.discord.mention()));
    let sure = chat.expect_reply("Sure.").await;
    chat.expect_asked(&["user: alice: shall we ask it?\nbob: what do you think?"]).await;
    chat.reply_to("alice", sure.id, "really?");
    chat.expect_reply("Again.").await;
    chat.finish().await;
}

#[tokio::test]
async fn only_configured_channels_and_their_threads_are_answered() {
    let setup = Chat::setup();
    let mut chat = setup.prepare().await;
    let guild = chat.guild;
    let listed = chat.discord.channel(guild, "agent");
    let thread = chat.discord.thread(listed, "a thread");
    chat.reconfigure(|config| config.intake.channels = [listed.into()].into());
    chat.start_bot().await;
    chat.say("alice", "not listed");
    chat.tess.answers(["In the channel.", "In the thread."]);
    let alice = "alice";
    chat.discord.say(listed, alice, "listed");
    assert_eq!(chat.discord.next_message(listed).await.content, "In the channel.");
    chat.discord.say(thread, alice, "a thread of it");
    assert_eq!(chat.discord.next_message(thread).await.content, "In the thread.");
    let new = chat.discord.thread(listed, "a new thread");
    chat.tess.answers(["In the new thread."]);
    chat.discord.say(new, alice, "new");
    assert_eq!(chat.discord.next_message(new).await.content, "In the new thread.");
    assert_eq!(chat.metrics.taken(), 3);
    chat.finish().await;
}

#[tokio::test]
async fn mentions_become_names_and_the_bots_is_removed() {
    let chat = Chat::start().await;
    chat.tess.answers(["Yes."]);
    let bob = chat.discord.user("bob");
    chat.say("alice", &format!("{} do you know <@{bob}>?", chat.discord.mention()));
    chat.expect_reply("Yes.").await;
    chat.expect_asked(&["user: alice: do you know @bob?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn nickname_in_the_guild_is_the_name_for_the_agent() {
    let chat = Chat::start().await;
    let alice = "alice";
    chat.discord.set_nick(chat.guild, alice, "Ali");
    chat.tess.answers(["Hi."]);
    chat.say("alice", "hi");
    chat.expect_reply("Hi.").await;
    chat.expect_asked(&["user: Ali: hi"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn reply_quotes_a_message_outside_the_history() {
    let chat = Chat::setup().set("HISTORY_MESSAGES", "1").start().await;
    chat.tess.answers(["One.", "Two.", "Three."]);
    let old = chat.say("alice", "the password is fish");
    chat.expect_reply("One.").await;
    chat.say("bob", "something else");
    chat.expect_reply("Two.").await;
    chat.reply_to("carol", old, "is it?");
    chat.expect_reply("Three.").await;
    chat.next_execution().await;
    chat.next_execution().await;
    let asked = chat.next_execution().await.messages.to_string();
    assert!(asked.contains("alice") && asked.contains("the password is fish") && asked.contains("is it?"), "{asked}");
    chat.finish().await;
}

#[tokio::test]
async fn forwarded_text_counts_as_text() {
    let chat = Chat::start().await;
    chat.tess.answers(["Old news."]);
    let forward = json!({
        "content": "",
        "message_reference": {"type": 1, "message_id": "5", "channel_id": chat.channel.to_string()},
        "message_snapshots": [{"message": {"content": "the news", "attachments": [], "type": 0}}],
    });
    chat.discord.say_with(chat.channel, "alice", &forward);
    chat.expect_reply("Old news.").await;
    let asked = chat.next_execution().await.messages.to_string();
    assert!(asked.contains("the news"), "{asked}");
    chat.finish().await;
}

#[tokio::test]
async fn with_files_off_message_with_only_a_file_is_context() {
    let chat = Chat::setup().set("TESS_FILES", "off").start().await;
    chat.tess.answers(["I see a name."]);
    let file = json!({"content": "", "attachments": [{"id": "9", "filename": "cat.png", "size": 10, "url": "https://cdn.discordapp.com/x",
        "proxy_url": "https://cdn.discordapp.com/x"}]});
    chat.discord.say_with(chat.channel, "alice", &file);
    chat.say("alice", "what did I post?");
    chat.expect_reply("I see a name.").await;
    let asked = chat.next_execution().await.messages.to_string();
    assert!(asked.contains("cat.png"), "{asked}");
    assert_eq!(chat.metrics.taken(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn typing_off_sends_no_indicator_but_the_probe_of_a_new_channel() {
    let chat = Chat::setup().set("TYPING", "off").start().await;
    chat.tess.answers(["One.", "Two."]);
    for (text, answer) in [("first", "One."), ("second", "Two.")] {
        chat.say("alice", text);
        chat.expect_reply(answer).await;
        chat.wait_settled().await;
    }
    assert_eq!(chat.discord.requests_of(Route::Typing), 1);
    chat.finish().await;
}

#[tokio::test]
async fn typing_is_triggered_until_the_reply() {
    let chat = Chat::start().await;
    chat.tess.answers(["Done."]);
    chat.tess.hold();
    chat.say("alice", "think");
    chat.discord.wait_for_typing(chat.channel).await;
    let (discord, channel) = (chat.discord.clone(), chat.channel);
    chat.until("another typing request", || discord.typing_count(channel) >= 3).await;
    chat.tess.release();
    chat.expect_reply("Done.").await;
    chat.finish().await;
}

#[tokio::test]
async fn output_of_the_agent_cannot_ping() {
    let chat = Chat::start().await;
    chat.tess.answers(["@everyone <@&1> <@2> wake up"]);
    chat.say("alice", "hi");
    // The simulator records a violation for a message that could ping.
    chat.expect_reply("@everyone <@&1> <@2> wake up").await;
    chat.finish().await;
}

#[tokio::test]
async fn long_answer_is_posted_in_parts_and_the_first_is_a_reply() {
    let chat = Chat::start().await;
    let long =
        (1..=60).map(|n| format!("Paragraph {n} {}", "word ".repeat(20).trim_end())).collect::<Vec<_>>().join("\n\n");
    chat.tess.answers([long.as_str(), "Short."]);
    let asked = chat.say("alice", "tell me everything");
    let first = chat.next_message().await;
    assert_eq!(first.reply_to, Some(asked));
    let mut parts = vec![first.content];
    while !parts.last().unwrap().contains("Paragraph 60 ") {
        let part = chat.next_message().await;
        assert_eq!(part.reply_to, None);
        assert!(part.content.chars().count() <= 2000);
        parts.push(part.content);
    }
    assert!(parts.len() > 2, "{}", parts.len());
    chat.wait_settled().await;
    chat.say("alice", "and now?");
    chat.expect_reply("Short.").await;
    chat.next_execution().await;
    let second = chat.next_execution().await;
    assert_eq!(second.messages[1]["content"], long, "the history contains the whole answer");
    chat.finish().await;
}

#[tokio::test]
async fn very_long_answer_is_posted_as_a_file_with_its_first_part() {
    let chat = Chat::start().await;
    let long =
        (1..=400).map(|n| format!("Paragraph {n} {}", "word ".repeat(20).trim_end())).collect::<Vec<_>>().join("\n\n");
    chat.tess.answers([long.as_str()]);
    chat.say("alice", "tell me everything");
    let message = chat.next_message().await;
    let [(name, content)] = message.files.as_slice() else { panic!("{} files", message.files.len()) };
    assert!(name.ends_with(".md"), "{name}");
    assert_eq!(String::from_utf8_lossy(content), long);
    assert!(message.content.starts_with("Paragraph 1 "), "{}", message.content);
    chat.finish().await;
}

#[tokio::test]
async fn edited_message_is_sent_in_its_current_form() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    let first = chat.say("alice", "my cat is grey");
    chat.expect_reply("One.").await;
    chat.discord.edit(first, "my cat is black");
    chat.say("alice", "what colour?");
    chat.expect_reply("Two.").await;
    chat.expect_asked(&["user: alice: my cat is grey"]).await;
    chat.expect_asked(&["user: alice: my cat is black", "assistant: One.", "user: alice: what colour?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn link_preview_changes_nothing() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    let first = chat.say("alice", "see https://example.org");
    chat.expect_reply("One.").await;
    chat.discord.unfurl(first);
    chat.say("alice", "well?");
    chat.expect_reply("Two.").await;
    chat.expect_asked(&["user: alice: see https://example.org"]).await;
    chat.expect_asked(&["user: alice: see https://example.org", "assistant: One.", "user: alice: well?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn deleted_messages_are_removed_from_the_history() {
    let chat = Chat::start().await;
    chat.tess.answers(["One.", "Two.", "Three."]);
    let secret = chat.say("alice", "my number is 555");
    chat.expect_reply("One.").await;
    let other = chat.say("bob", "forget that");
    chat.expect_reply("Two.").await;
    chat.discord.delete(secret);
    chat.discord.delete_bulk(&[other]);
    chat.say("carol", "what was the number?");
    chat.expect_reply("Three.").await;
    chat.next_execution().await;
    chat.next_execution().await;
    let asked = chat.next_execution().await.messages.to_string();
    assert!(!asked.contains("555") && !asked.contains("forget that"), "{asked}");
    chat.finish().await;
}

#[tokio::test]
async fn message_deleted_in_the_queue_is_not_answered() {
    let chat = Chat::start().await;
    chat.tess.answers(["One."]);
    chat.tess.hold();
    chat.say("alice", "first");
    chat.expect_asked(&["user: alice: first"]).await;
    let second = chat.say("bob", "second");
    chat.wait_taken(2).await;
    chat.discord.delete(second);
    chat.until("the deletion to be processed", || chat.metrics.settled() == 1).await;
    chat.tess.release();
    chat.expect_reply("One.").await;
    chat.wait_settled().await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn history_is_limited_in_messages_and_drops_whole_turns() {
    let chat = Chat::setup().set("HISTORY_MESSAGES", "4").start().await;
    chat.tess.answers(["A1", "A2", "A3"]);
    for text in ["q1", "q2", "q3"] {
        chat.say("alice", text);
        chat.next_message().await;
    }
    chat.next_execution().await;
    chat.next_execution().await;
    chat.expect_asked(&["user: alice: q2", "assistant: A2", "user: alice: q3"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn instructions_are_the_first_developer_message() {
    let chat = Chat::setup().set("TESS_INSTRUCTIONS", "Answer in verse.").start().await;
    chat.tess.answers(["Roses."]);
    chat.say("alice", "hi");
    chat.expect_reply("Roses.").await;
    chat.expect_asked(&["developer: Answer in verse.", "user: alice: hi"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn only_configured_options_are_sent() {
    let chat = Chat::start().await;
    chat.tess.answers(["Hi."]);
    chat.say("alice", "hi");
    chat.expect_reply("Hi.").await;
    let body = chat.next_execution().await.body;
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["messages", "waitExecution"]);
    chat.finish().await;

    let chat = Chat::setup().set("TESS_TEMPERATURE", "0.5").set("TESS_TOOLS", "internet").start().await;
    chat.tess.answers(["Hi."]);
    chat.say("alice", "hi");
    chat.expect_reply("Hi.").await;
    let body = chat.next_execution().await.body;
    assert_eq!((&body["temperature"], &body["tools"]), (&json!("0.5"), &json!("internet")));
    chat.finish().await;
}

#[tokio::test]
async fn history_is_rebuilt_from_discord_after_a_restart() {
    let mut chat = Chat::start().await;
    let long = (1..=30).map(|n| format!("Line {n} {}", "word ".repeat(30).trim_end())).collect::<Vec<_>>().join("\n");
    chat.tess.answers(["One.", long.as_str(), "Three."]);
    chat.say("alice", "first");
    chat.expect_reply("One.").await;
    chat.say("bob", "at length");
    let mut read = chat.next_message().await;
    while !read.content.contains("Line 30 ") {
        read = chat.next_message().await;
    }
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("carol", "and?");
    chat.expect_reply("Three.").await;
    chat.next_execution().await;
    chat.next_execution().await;
    let long = format!("assistant: {long}");
    let lines = ["user: alice: first", "assistant: One.", "user: bob: at length", long.as_str(), "user: carol: and?"];
    chat.expect_asked(&lines).await;
    chat.finish().await;
}

#[tokio::test]
async fn memory_of_histories_is_limited_and_an_evicted_one_is_rebuilt() {
    let chat = Chat::setup().change(|config| config.history.total_bytes = 40_000).start().await;
    let guild = chat.guild;
    let alice = "alice";
    chat.tess.answer_with(|_| "Noted.".to_owned());
    let first = chat.discord.channel(guild, "first");
    let text = "x".repeat(1900);
    chat.discord.say(first, alice, "remember the fish");
    chat.discord.next_message(first).await;
    for n in 0..30 {
        let channel = chat.discord.channel(guild, &format!("c{n}"));
        chat.discord.say(channel, alice, &text);
        chat.discord.next_message(channel).await;
    }
    chat.wait_settled().await;
    // Eviction frees a tenth at a time, so most of what fits is kept.
    let kept = chat.metrics.histories_bytes();
    assert!((30_000..=40_000).contains(&kept), "{kept}");
    for _ in 0..31 {
        chat.next_execution().await;
    }
    chat.discord.say(first, alice, "what?");
    chat.discord.next_message(first).await;
    let asked = chat.next_execution().await.messages.to_string();
    assert!(asked.contains("remember the fish"), "{asked}");
    chat.finish().await;
}

#[tokio::test]
async fn metrics_of_histories_match_their_content() {
    let chat = Chat::setup().change(|config| config.history.total_bytes = 1).start().await;
    chat.tess.answer_with(|_| "Noted.".to_owned());
    for n in 0..5 {
        let channel = chat.discord.channel(chat.guild, &format!("c{n}"));
        chat.discord.say(channel, "alice", "hi");
        chat.discord.next_message(channel).await;
        chat.wait_settled().await;
    }
    // All but the last were evicted, and the metrics were reduced accordingly.
    let kept = chat.metrics.histories_bytes();
    assert!((1..2_000).contains(&kept), "{kept}");
    chat.finish().await;
}
