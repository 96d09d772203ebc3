//! Choosing one of the account's agents, and agents that no longer exist.

use serde_json::{Value, json};
use sim::{
    discord::SimResponse,
    tess::{Fault, HELPER, POET, REVIEWER, Route},
};

use crate::support::Chat;

const OTHER: u64 = 77_001;

async fn choose(chat: &Chat, agent: u64) -> SimResponse {
    chat.discord.make_manager("boss");
    chat.discord.slash(chat.channel, "boss", "agent", &json!({"id": agent.to_string()})).response().await
}

/// Labels and custom ids of the enabled buttons.
fn buttons(components: &Value) -> Vec<(String, String)> {
    let parts = components.as_array().into_iter().flatten().flat_map(|row| row["components"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    parts.filter(|part| part["disabled"] != true).map(|part| (text(&part["label"]), text(&part["custom_id"]))).collect()
}

#[tokio::test]
async fn agent_list_is_ephemeral_and_paged_by_buttons() {
    let chat = Chat::start().await;
    for number in 1..=9 {
        chat.tess.add_agent(OTHER + number, &format!("Extra {number}"), "chat");
    }
    let list = chat.discord.slash(chat.channel, "alice", "agents", &json!({}));
    let first = list.response().await;
    assert!(first.ephemeral);
    insta::assert_snapshot!(first.content, @"
    ℹ️ The agents that `/agent` can choose, page 1 of 3:
    - **Code Reviewer** (agent 51002)
      Reads a diff and says what it would change
    - **Extra 1** (agent 77002)
    - **Extra 2** (agent 77003)
    - **Extra 3** (agent 77004)
    - **Extra 4** (agent 77005)
    ");
    assert_eq!(buttons(&first.components), [("▶".to_owned(), "agents:1".to_owned())]);
    let message = list.message().unwrap().id;
    let second = chat.discord.press(message, "agents:1", "alice").response().await;
    assert!(second.content.contains("page 2 of 3") && second.content.contains("Extra 5"), "{}", second.content);
    let both = [("◀".to_owned(), "agents:0".to_owned()), ("▶".to_owned(), "agents:2".to_owned())];
    assert_eq!(buttons(&second.components), both);
    let last = chat.discord.press(message, "agents:2", "alice").response().await;
    assert!(last.content.contains("page 3 of 3") && last.content.contains("Tess Helper"), "{}", last.content);
    assert_eq!(buttons(&last.components), [("◀".to_owned(), "agents:1".to_owned())]);
    chat.finish().await;
}

#[tokio::test]
async fn agent_list_of_one_page_shows_descriptions_and_no_buttons() {
    let chat = Chat::start().await;
    let list = chat.discord.slash(chat.channel, "alice", "agents", &json!({})).response().await;
    insta::assert_snapshot!(list.content, @"
    ℹ️ The agents that `/agent` can choose:
    - **Code Reviewer** (agent 51002)
      Reads a diff and says what it would change
    - **Poeta Brasileiro** (agent 46589)
    - **Tess Helper** (agent 8794, answers here)
    ");
    assert_eq!(buttons(&list.components), []);
    chat.finish().await;
}

#[tokio::test]
async fn failed_agent_list_is_reported() {
    let chat = Chat::start().await;
    chat.tess.refuse_connections(true).await;
    let list = chat.discord.slash(chat.channel, "alice", "agents", &json!({})).response().await;
    assert!(list.ephemeral && list.content.contains("could not be asked"), "{}", list.content);
    chat.finish().await;
}

#[tokio::test]
async fn only_configured_agents_are_offered_and_accepted() {
    let chat = Chat::setup().set("TESS_AGENTS", &format!("{REVIEWER} 424242")).start().await;
    let offered = chat.discord.autocomplete(chat.channel, "alice", "agent", "id", "").response().await.choices;
    let names: Vec<_> = offered.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [format!("Code Reviewer ({REVIEWER})"), format!("Tess Helper ({HELPER})")]);
    let refused = choose(&chat, POET).await;
    assert!(refused.ephemeral && refused.content.contains(&POET.to_string()), "{}", refused.content);
    assert!(choose(&chat, REVIEWER).await.content.contains("Code Reviewer"));
    chat.say("alice", "hi");
    chat.next_message().await;
    assert_eq!(chat.next_execution().await.agent, REVIEWER);
    chat.finish().await;
}

#[tokio::test]
async fn agent_removed_from_the_configuration_no_longer_answers() {
    let mut chat = Chat::start().await;
    choose(&chat, POET).await;
    chat.stop_bot().await.unwrap();
    let allowed = Chat::setup().set("TESS_AGENTS", &REVIEWER.to_string()).prepare().await.config().tess.clone();
    chat.reconfigure(|config| config.tess.allowed_agents = allowed.allowed_agents);
    chat.start_bot().await;
    chat.say("alice", "hi");
    chat.next_message().await;
    assert_eq!(chat.next_execution().await.agent, HELPER);
    chat.finish().await;
}

#[tokio::test]
async fn agent_with_required_questions_is_refused_with_their_names() {
    let chat = Chat::start().await;
    chat.tess.add_agent(OTHER, "Form", "chat");
    for name in ["nome-da-empresa", "tom"] {
        chat.tess.add_question(OTHER, json!({"type": "text", "name": name, "required": true}));
    }
    let refused = choose(&chat, OTHER).await;
    assert!(refused.ephemeral);
    insta::assert_snapshot!(refused.content, @"⚠️ **Form** cannot answer here. It needs **nome-da-empresa**, **tom** with every message. Choose another with `/agent`.");
    chat.say("alice", "hi");
    chat.next_message().await;
    assert_eq!(chat.next_execution().await.agent, HELPER);
    chat.finish().await;
}

#[tokio::test]
async fn deleted_agent_is_reported_once_and_replaced_by_the_default() {
    let mut chat = Chat::start().await;
    chat.tess.add_agent(OTHER, "Second Agent", "chat");
    choose(&chat, OTHER).await;
    chat.tess.remove_agent(OTHER);
    chat.tess.answers(["From the default.", "Again.", "And again."]);
    let asked = chat.say("alice", "hi");
    chat.expect_reply("From the default.").await;
    let reply = chat.next_message().await;
    assert_eq!(reply.reply_to, Some(asked));
    insta::assert_snapshot!(reply.content, @"⚠️ This channel's agent (77001) no longer exists in Tess. The default (agent 8794) answers from now on. Choose another with `/agent`.");
    chat.wait_settled().await;
    chat.say("alice", "more");
    chat.expect_reply("Again.").await;
    chat.expect_asked(&["user: alice: hi"]).await;
    chat.expect_asked(&["user: alice: hi", "assistant: From the default.", "user: alice: more"]).await;
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    chat.say("alice", "still there?");
    chat.expect_reply("And again.").await;
    assert_eq!(chat.next_execution().await.agent, HELPER);
    assert_eq!(chat.tess.charged(), 3);
    chat.finish().await;
}

#[tokio::test]
async fn chosen_agent_is_kept_while_tess_knows_no_agent() {
    let chat = Chat::start().await;
    chat.tess.add_agent(OTHER, "Second Agent", "chat");
    choose(&chat, OTHER).await;
    for _ in 0..2 {
        let body = r#"{"message":"Agent not found"}"#.to_owned();
        chat.tess.fault_on(Route::Execute, Fault::Answer { status: 404, content_type: "application/json", body });
    }
    chat.say("alice", "hi");
    let text = chat.next_message().await;
    assert!(text.content.starts_with("⚠️ Tess has no agent"), "{}", text.content);
    chat.wait_settled().await;
    chat.tess.answers(["From the second."]);
    chat.say("alice", "and now?");
    chat.expect_reply("From the second.").await;
    assert_eq!(chat.next_execution().await.agent, OTHER);
    chat.finish().await;
}

#[tokio::test]
async fn html_in_place_of_json_is_reported_and_keeps_the_chosen_agent() {
    let chat = Chat::start().await;
    chat.tess.add_agent(OTHER, "Second Agent", "chat");
    choose(&chat, OTHER).await;
    chat.tess.html_next(404);
    chat.say("alice", "hi");
    let text = chat.next_message().await;
    assert!(text.content.contains("TESS_API_URL"), "{}", text.content);
    chat.wait_settled().await;
    chat.say("alice", "and now?");
    chat.next_message().await;
    assert_eq!(chat.next_execution().await.agent, OTHER);
    chat.finish().await;
}
