//! Credits: recorded, shown by `/usage`, and limited by budgets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tess_discord::Credits;

use crate::support::Chat;

/// A budget that the first answer exceeds.
const NEXT_TO_NOTHING: &str = "0.0001";

/// All credits spent so far, in the bot's format.
fn spent(chat: &Chat) -> String {
    Credits::from_number(chat.metrics.credits()).to_string()
}

/// The response to `/usage`, which must be ephemeral.
async fn usage(chat: &Chat, channel: u64, user: &str, options: &Value) -> String {
    let shown = chat.discord.slash(channel, user, "usage", options).response().await;
    assert!(shown.ephemeral, "{}", shown.content);
    shown.content
}

/// The choice `server` of `/usage`.
fn of_the_server() -> Value {
    json!({"scope": 1})
}

/// Expects a refusal of `message` as the bot's next message; returns the time from which the budget allows messages.
async fn expect_refusal(chat: &Chat, message: u64, words: &str) -> SystemTime {
    let refusal = chat.next_message().await;
    assert_eq!(refusal.reply_to, Some(message), "{}", refusal.content);
    assert!(refusal.content.starts_with("⚠️") && refusal.content.contains(words), "{}", refusal.content);
    let (_, time) = refusal.content.split_once("<t:").expect("a time");
    let (seconds, _) = time.split_once(":R>").expect("a relative time");
    UNIX_EPOCH + Duration::from_secs(seconds.parse().unwrap())
}

/// Waits until this many messages have the outcome.
async fn expect_skipped(chat: &Chat, reason: &'static str, messages: u64) {
    let metrics = chat.metrics.clone();
    chat.until(reason, move || metrics.outcomes("skipped", reason) == messages).await;
}

#[tokio::test]
async fn usage_shows_the_credits_of_the_requester_after_a_restart() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["One.", "Two."]);
    for (text, answer) in [("first", "One."), ("second", "Two.")] {
        chat.say("alice", text);
        chat.expect_reply(answer).await;
    }
    let spent = spent(&chat);
    assert_ne!(spent, "0");
    for restart in [false, true] {
        if restart {
            chat.stop_bot().await.unwrap();
            chat.start_bot().await;
        }
        let own = usage(&chat, chat.channel, "alice", &json!({})).await;
        for line in ["today", "in 7 days", "in 30 days"] {
            assert!(own.contains(&format!("{line}: **{spent}**")), "{own}");
        }
        let others = usage(&chat, chat.channel, "bob", &json!({})).await;
        assert!(others.contains("today: **0**"), "{others}");
    }
    chat.finish().await;
}

#[tokio::test]
async fn usage_of_the_guild_is_shown_to_managers() {
    let chat = Chat::start().await;
    chat.discord.make_manager("boss");
    let nothing = usage(&chat, chat.channel, "boss", &of_the_server()).await;
    assert!(nothing.contains("Nothing was spent"), "{nothing}");
    chat.say("alice", "hi");
    chat.next_message().await;
    let on_the_server = spent(&chat);
    let direct = chat.discord.dm("bob");
    chat.discord.say(direct, "bob", "psst");
    chat.discord.next_message(direct).await;
    let shown = usage(&chat, chat.channel, "boss", &of_the_server()).await;
    let (alice, bob, agent) = (chat.discord.user("alice"), chat.discord.user("bob"), chat.tess.default_agent());
    let amounts = [format!("<@{alice}>"), format!("<#{}>", chat.channel), format!("agents: Tess Helper ({agent})")];
    for amount in amounts.map(|of| format!("{of} {on_the_server}")) {
        assert!(shown.contains(&amount), "{amount}: {shown}");
    }
    assert!(shown.contains('█') && !shown.contains(&bob.to_string()), "{shown}");
    let refused = usage(&chat, chat.channel, "alice", &of_the_server()).await;
    assert!(refused.contains("Manage Server") && !refused.contains('█'), "{refused}");
    let nowhere = usage(&chat, direct, "bob", &of_the_server()).await;
    assert!(nowhere.contains("no server"), "{nowhere}");
    chat.finish().await;
}

#[tokio::test]
async fn exceeded_user_budget_is_reported_once_and_messages_remain_context() {
    let chat = Chat::setup().set("CREDITS_PER_USER_DAY", NEXT_TO_NOTHING).start().await;
    chat.tess.answers(["One.", "For bob."]);
    chat.say("alice", "first");
    chat.expect_reply("One.").await;
    let second = chat.say("alice", "second");
    let opens = expect_refusal(&chat, second, "You have used up").await;
    let wait = opens.duration_since(SystemTime::now()).unwrap_or_default();
    assert!(wait <= Duration::from_secs(24 * 3_600), "{wait:?}");
    assert_eq!(opens.duration_since(UNIX_EPOCH).unwrap().as_secs() % (24 * 3_600), 0, "midnight UTC");
    chat.say("alice", "third");
    expect_skipped(&chat, "user_budget", 2).await;
    chat.say("bob", "and I?");
    chat.expect_reply("For bob.").await;
    chat.expect_asked(&["user: alice: first"]).await;
    let together = "user: alice: second\nalice: third\nbob: and I?";
    chat.expect_asked(&["user: alice: first", "assistant: One.", together]).await;
    let own = usage(&chat, chat.channel, "alice", &json!({})).await;
    assert!(own.contains("of the 0.0001 a day"), "{own}");
    chat.finish().await;
}

#[tokio::test]
async fn guild_budget_applies_to_all_channels_and_not_to_direct_messages() {
    let chat = Chat::setup().set("CREDITS_PER_GUILD_DAY", NEXT_TO_NOTHING).start().await;
    let other = chat.discord.channel(chat.guild, "other");
    chat.discord.say(other, "alice", "first");
    chat.discord.next_message(other).await;
    for user in ["alice", "bob"] {
        let message = chat.say(user, "and here?");
        expect_refusal(&chat, message, "This server has used up").await;
    }
    chat.discord.say(other, "alice", "and there?");
    expect_skipped(&chat, "guild_budget", 3).await;
    let direct = chat.discord.dm("alice");
    chat.tess.answers(["Between us."]);
    chat.discord.say(direct, "alice", "psst");
    assert_eq!(chat.discord.next_message(direct).await.content, "Between us.");
    chat.finish().await;
}

#[tokio::test]
async fn total_budget_applies_everywhere_and_after_a_restart() {
    let mut chat = Chat::setup().set("CREDITS_PER_DAY", NEXT_TO_NOTHING).start().await;
    let direct = chat.discord.dm("alice");
    chat.discord.say(direct, "alice", "psst");
    chat.discord.next_message(direct).await;
    for restart in [false, true] {
        if restart {
            chat.stop_bot().await.unwrap();
            chat.start_bot().await;
        }
        let message = chat.say("bob", "and I?");
        expect_refusal(&chat, message, "This bot has used up").await;
        expect_skipped(&chat, "budget", 1).await;
    }
    assert_eq!(chat.tess.execute_requests(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn answer_with_unknown_credits_uses_no_budget() {
    let chat = Chat::setup().set("CREDITS_PER_DAY", NEXT_TO_NOTHING).start().await;
    chat.tess.answers(["One.", "Two."]);
    chat.tess.null_credits_next();
    for (text, answer) in [("first", "One."), ("second", "Two.")] {
        chat.say("alice", text);
        chat.expect_reply(answer).await;
    }
    chat.finish().await;
}

#[tokio::test]
async fn messages_beyond_the_limit_per_minute_are_refused_until_the_first_expires() {
    let chat = Chat::setup().set("MESSAGES_PER_USER_MINUTE", "2").start().await;
    for text in ["first", "second"] {
        chat.say("alice", text);
        chat.next_message().await;
    }
    let third = chat.say("alice", "third");
    let opens = expect_refusal(&chat, third, "2 messages a minute").await;
    let wait = opens.duration_since(SystemTime::now()).expect("later than now");
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
    chat.say("alice", "fourth");
    expect_skipped(&chat, "user_minute", 2).await;
    chat.tess.answers(["For bob."]);
    chat.say("bob", "and I?");
    chat.expect_reply("For bob.").await;
    assert_eq!(chat.tess.execute_requests(), 3);
    chat.finish().await;
}

#[tokio::test]
async fn batch_is_answered_within_the_budget_and_the_rest_stays_refused() {
    let mut chat = Chat::setup().set("MESSAGES_PER_USER_MINUTE", "1").start().await;
    chat.tess.answers(["One.", "For bob.", "For carol."]);
    chat.tess.hold();
    chat.say("alice", "first");
    chat.expect_asked(&["user: alice: first"]).await;
    let bobs = chat.say("bob", "second");
    let over = chat.say("alice", "third");
    chat.wait_taken(3).await;
    chat.tess.release();
    chat.expect_reply("One.").await;
    assert_eq!(chat.expect_reply("For bob.").await.reply_to, Some(bobs));
    expect_refusal(&chat, over, "1 message a minute").await;
    chat.wait_settled().await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("carol", "fourth");
    chat.expect_reply("For carol.").await;
    assert_eq!(chat.tess.execute_requests(), 3);
    chat.finish().await;
}

#[tokio::test]
async fn kill_during_a_turn_loses_neither_answers_nor_refusals() {
    let mut chat = Chat::setup().set("CREDITS_PER_USER_DAY", NEXT_TO_NOTHING).start().await;
    chat.tess.answers(["One.", "For carol.", "Lost.", "For bob."]);
    chat.say("alice", "first");
    chat.expect_reply("One.").await;
    chat.tess.hold();
    chat.say("carol", "second");
    chat.next_execution().await;
    chat.next_execution().await;
    let bobs = chat.say("bob", "third");
    let over = chat.say("alice", "fourth");
    chat.wait_taken(4).await;
    chat.tess.release_one();
    chat.expect_reply("For carol.").await;
    chat.next_execution().await;
    chat.kill_bot();
    chat.tess.release();
    chat.start_bot().await;
    assert_eq!(chat.expect_reply("For bob.").await.reply_to, Some(bobs));
    expect_refusal(&chat, over, "You have used up").await;
    chat.finish().await;
}

#[tokio::test]
async fn exhausted_tess_credits_are_counted() {
    let chat = Chat::start().await;
    for refusals in 1..=2 {
        chat.tess.no_credits_next();
        chat.say("alice", "hi");
        assert!(chat.next_message().await.content.contains("no credits left"));
        assert_eq!(chat.metrics.no_credits_refusals(), refusals);
    }
    assert!(chat.metrics.encode().contains("tess_discord_no_credits_total 2"));
    chat.finish().await;
}

#[tokio::test]
async fn retry_beyond_the_budget_is_refused_publicly() {
    let chat = Chat::setup().set("CREDITS_PER_USER_DAY", NEXT_TO_NOTHING).start().await;
    chat.tess.answers(["One."]);
    let asked = chat.say("alice", "first");
    let reply = chat.expect_reply("One.").await;
    chat.wait_settled().await;
    chat.discord.press(reply.id, &format!("retry:{asked}"), "alice").callback().await;
    expect_refusal(&chat, asked, "You have used up").await;
    assert_eq!(chat.tess.charged(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn retry_counts_towards_the_limit_per_minute() {
    let chat = Chat::setup().set("MESSAGES_PER_USER_MINUTE", "1").start().await;
    chat.tess.answers(["One.", "Another one."]);
    let asked = chat.discord.say_in_past(chat.channel, "alice", "two minutes ago", 2);
    chat.discord.redeliver(asked);
    chat.expect_reply("One.").await;
    chat.wait_settled().await;
    chat.discord.slash(chat.channel, "alice", "retry", &json!({})).response().await;
    chat.expect_reply("Another one.").await;
    chat.wait_settled().await;
    chat.discord.slash(chat.channel, "alice", "retry", &json!({})).response().await;
    expect_refusal(&chat, asked, "1 message a minute").await;
    assert_eq!(chat.tess.charged(), 2);
    chat.finish().await;
}

#[tokio::test]
async fn charged_empty_answer_counts_towards_the_budget() {
    let chat = Chat::setup().set("CREDITS_PER_USER_DAY", NEXT_TO_NOTHING).start().await;
    chat.tess.succeed_empty_next();
    chat.say("alice", "first");
    assert!(chat.next_message().await.content.contains("answered with nothing"));
    let second = chat.say("alice", "second");
    expect_refusal(&chat, second, "You have used up").await;
    chat.finish().await;
}
