//! The slash commands, used as in Discord.

use std::time::Duration;

use serde_json::json;
use sim::tess::{Fault, Route};

use crate::support::Chat;

#[tokio::test]
async fn agent_without_an_id_shows_the_agent_as_ephemeral_response() {
    let chat = Chat::start().await;
    let alice = "alice";
    let shown = chat.discord.slash(chat.channel, alice, "agent", &json!([])).response().await;
    assert!(shown.ephemeral);
    assert!(shown.content.contains(&chat.tess.title(chat.tess.default_agent())), "{}", shown.content);
    chat.finish().await;
}

#[tokio::test]
async fn manager_changes_the_agent_publicly_and_a_restart_keeps_it() {
    let mut chat = Chat::start().await;
    let other = 77_001;
    chat.tess.add_agent(other, "Second Agent", "chat");
    let boss = "boss";
    chat.discord.make_manager(boss);
    let options = json!([{"type": 3, "name": "id", "value": other.to_string()}]);
    let switched = chat.discord.slash(chat.channel, boss, "agent", &options).response().await;
    assert!(!switched.ephemeral);
    assert!(switched.content.contains("Second Agent"), "{}", switched.content);
    for restart in [false, true] {
        if restart {
            chat.stop_bot().await.unwrap();
            chat.start_bot().await;
        }
        chat.tess.answers(["From the second."]);
        chat.say("alice", "who are you?");
        chat.expect_reply("From the second.").await;
        assert_eq!(chat.next_execution().await.agent, other);
    }
    let elsewhere = chat.discord.channel(chat.guild, "elsewhere");
    chat.discord.say(elsewhere, "alice", "and you?");
    chat.discord.next_message(elsewhere).await;
    assert_eq!(chat.next_execution().await.agent, chat.tess.default_agent());
    chat.finish().await;
}

#[tokio::test]
async fn changing_the_agent_requires_manage_channels() {
    let chat = Chat::start().await;
    let other = 77_001;
    chat.tess.add_agent(other, "Second Agent", "chat");
    let options = json!([{"type": 3, "name": "id", "value": other.to_string()}]);
    let alice = "alice";
    let refused = chat.discord.slash(chat.channel, alice, "agent", &options).response().await;
    assert!(refused.ephemeral && refused.content.contains("Manage Channels"), "{}", refused.content);
    chat.tess.answers(["Still me."]);
    chat.say("alice", "hi");
    chat.expect_reply("Still me.").await;
    assert_eq!(chat.next_execution().await.agent, chat.tess.default_agent());
    chat.finish().await;
}

#[tokio::test]
async fn unknown_agent_and_non_chat_agent_are_refused() {
    let chat = Chat::start().await;
    let painter = 77_002;
    chat.tess.add_agent(painter, "Painter", "image");
    let boss = "boss";
    chat.discord.make_manager(boss);
    for (id, word) in [("424242", "424242"), (painter.to_string().as_str(), "Painter"), ("a-slug", "a-slug")] {
        let options = json!([{"type": 3, "name": "id", "value": id}]);
        let refused = chat.discord.slash(chat.channel, boss, "agent", &options).response().await;
        assert!(refused.ephemeral && refused.content.contains(word), "{id}: {}", refused.content);
    }
    chat.finish().await;
}

#[tokio::test]
async fn autocomplete_offers_the_chat_agents_of_the_account() {
    let chat = Chat::start().await;
    chat.tess.add_agent(77_003, "Poção Mágica", "chat");
    chat.tess.add_agent(77_002, "Painter", "image");
    let alice = "alice";
    let choices = |typed: &'static str| {
        let discord = chat.discord.clone();
        async move { discord.autocomplete(chat.channel, alice, "agent", "id", typed).response().await.choices }
    };
    let all = choices("").await;
    assert!(all.iter().any(|choice| choice.0.contains("Poção Mágica")), "{all:?}");
    assert!(!all.iter().any(|choice| choice.0.contains("Painter")), "{all:?}");
    let folded = choices("pocao").await;
    assert_eq!(folded.len(), 1, "{folded:?}");
    chat.finish().await;
}

#[tokio::test]
async fn command_responds_in_time_when_tess_is_slow() {
    let chat = Chat::start().await;
    let other = 77_001;
    chat.tess.add_agent(other, "Second Agent", "chat");
    chat.tess.fault_on(Route::Agents, Fault::Slow(Duration::from_millis(2000)));
    let boss = "boss";
    chat.discord.make_manager(boss);
    let options = json!([{"type": 3, "name": "id", "value": other.to_string()}]);
    let switched = chat.discord.slash(chat.channel, boss, "agent", &options).response().await;
    assert!(switched.deferred && switched.content.contains("Second Agent"), "{}", switched.content);
    chat.finish().await;
}

#[tokio::test]
async fn reset_drops_the_history_and_a_restart_does_not_rebuild_it() {
    let mut chat = Chat::start().await;
    chat.tess.answers(["One.", "Two.", "Three."]);
    chat.say("alice", "remember the fish");
    chat.expect_reply("One.").await;
    chat.wait_settled().await;
    let done = chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    assert!(!done.ephemeral);
    chat.say("alice", "what?");
    chat.expect_reply("Two.").await;
    chat.expect_asked(&["user: alice: remember the fish"]).await;
    chat.expect_asked(&["user: alice: what?"]).await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("alice", "and now?");
    chat.expect_reply("Three.").await;
    chat.expect_asked(&["user: alice: what?", "assistant: Two.", "user: alice: and now?"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn answer_to_a_message_before_the_reset_is_dropped() {
    let chat = Chat::start().await;
    chat.tess.answers(["Too late.", "Fresh."]);
    chat.tess.hold();
    chat.say("alice", "old");
    chat.expect_asked(&["user: alice: old"]).await;
    chat.discord.slash(chat.channel, "alice", "reset", &json!([])).response().await;
    chat.wait_settled().await;
    chat.tess.release();
    chat.say("alice", "new");
    chat.expect_reply("Fresh.").await;
    chat.expect_asked(&["user: alice: new"]).await;
    chat.finish().await;
}

#[tokio::test]
async fn help_lists_every_command() {
    let chat = Chat::start().await;
    let help = chat.discord.slash(chat.channel, "alice", "help", &json!([])).response().await;
    assert!(help.ephemeral);
    let commands = chat.discord.commands();
    let names: Vec<&str> =
        commands.as_array().unwrap().iter().map(|command| command["name"].as_str().unwrap()).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(help.content.contains(&format!("/{name}")), "{name}: {}", help.content);
    }
    chat.finish().await;
}

#[tokio::test]
async fn commands_are_registered_only_when_they_changed() {
    let mut chat = Chat::start().await;
    let discord = chat.discord.clone();
    chat.until("the registration of the commands", || discord.command_puts() == 1).await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("alice", "hi");
    chat.next_message().await;
    assert_eq!(chat.discord.command_puts(), 1);
    chat.finish().await;
}

#[tokio::test]
async fn commands_in_direct_messages_need_no_permission() {
    let chat = Chat::start().await;
    let other = 77_001;
    chat.tess.add_agent(other, "Second Agent", "chat");
    let alice = "alice";
    let direct = chat.discord.dm(alice);
    let options = json!([{"type": 3, "name": "id", "value": other.to_string()}]);
    let switched = chat.discord.slash(direct, alice, "agent", &options).response().await;
    assert!(switched.content.contains("Second Agent"), "{}", switched.content);
    chat.finish().await;
}

#[tokio::test]
async fn commands_have_portuguese_descriptions() {
    let chat = Chat::start().await;
    let discord = chat.discord.clone();
    chat.until("the registration of the commands", || discord.command_puts() == 1).await;
    for command in chat.discord.commands().as_array().unwrap() {
        let options = command["options"].as_array().into_iter().flatten();
        for described in options.chain([command]) {
            let portuguese = described["description_localizations"]["pt-BR"].as_str();
            // Discord allows 1 to 100 characters.
            assert!(portuguese.is_some_and(|text| (1..=100).contains(&text.chars().count())), "{described}");
        }
    }
    chat.finish().await;
}
