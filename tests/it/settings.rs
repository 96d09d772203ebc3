//! `/settings`: a channel's own answers to its agent's questions.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    discord::{InteractionHandle, SimResponse},
    tess::{Fault, POET, REVIEWER, Route},
};

use crate::support::Chat;

const BOSS: &str = "boss";

/// `/settings` of one person, from view to view.
struct Settings<'a> {
    chat: &'a Chat,
    user: &'static str,
    opened: InteractionHandle,
}

impl<'a> Settings<'a> {
    async fn open(chat: &'a Chat, user: &'static str) -> (Self, SimResponse) {
        let opened = chat.discord.slash(chat.channel, user, "settings", &json!([]));
        let shown = opened.response().await;
        (Self { chat, user, opened }, shown)
    }

    fn message(&self) -> u64 {
        self.opened.message().unwrap().id
    }

    fn choose(&self, id: &str, values: &[&str]) -> InteractionHandle {
        self.chat.discord.choose(self.message(), id, self.user, values)
    }

    /// Chooses a question with options, and then some of them.
    async fn set(&self, question: &str, values: &[&str]) -> SimResponse {
        self.choose("settings:question", &[&format!("choose:{question}")]).response().await;
        self.choose(&format!("settings:option:{question}"), values).response().await
    }

    /// Chooses a question that is answered in writing, and sends its form.
    async fn write(&self, question: &str, text: &str) -> SimResponse {
        let form = self.choose("settings:question", &[&format!("write:{question}")]);
        form.submit(&[("value", text)]).await.response().await
    }
}

impl Chat {
    /// A chat with a manager, whose channel has the agent of many questions.
    async fn with_reviewer() -> Self {
        let chat = Self::setup().set("TESS_AGENT_ID", &REVIEWER.to_string()).start().await;
        chat.discord.make_manager(BOSS);
        chat
    }

    /// What the agent is executed with next, beside the conversation.
    async fn asked_with(&self) -> Value {
        self.say("alice", "hi");
        self.next().await;
        let mut body = self.execution().await.body;
        for usual in ["messages", "waitExecution", "wait_execution", "stream"] {
            body.as_object_mut().unwrap().remove(usual);
        }
        body
    }
}

async fn choose_agent(chat: &Chat, id: u64) -> SimResponse {
    let options = json!([{"type": 3, "name": "id", "value": id.to_string()}]);
    chat.discord.slash(chat.channel, BOSS, "agent", &options).response().await
}

/// Values of the menu in a message.
fn menu(shown: &SimResponse) -> Vec<String> {
    let options = shown.components[0]["components"][0]["options"].as_array().cloned().unwrap_or_default();
    options.iter().map(|option| option["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn without_a_change_it_shows_what_holds() {
    let chat = Chat::setup().set("TESS_MODEL", "tess-5").start().await;
    let (_, shown) = Settings::open(&chat, "alice").await;
    assert!(shown.ephemeral);
    for line in ["- `temperature`: the agent's default", "- `model`: the bot's default, `tess-5`"] {
        assert!(shown.content.contains(line), "{}", shown.content);
    }
    assert!(shown.content.contains("**Manage Channels**") && menu(&shown).is_empty(), "{}", shown.content);
    chat.finish().await;
}

#[tokio::test]
async fn an_option_that_was_chosen_is_sent_from_the_next_turn_on_and_survives_a_restart() {
    let mut chat = Chat::with_reviewer().await;
    {
        let (settings, shown) = Settings::open(&chat, BOSS).await;
        let all = ["choose:temperature", "choose:model", "choose:tools", "write:nome-da-empresa", "choose:max_mode"];
        assert_eq!(menu(&shown), all);
        let changed = settings.set("model", &["=claude-4-sonnet"]).await;
        assert!(changed.content.starts_with("☑️ `model` is now `claude-4-sonnet`"), "{}", changed.content);
        assert!(changed.content.contains("- `model`: `claude-4-sonnet`"), "{}", changed.content);
        settings.set("temperature", &["=0.25"]).await;
        settings.set("max_mode", &["=true"]).await;
    }
    let set = json!({"model": "claude-4-sonnet", "temperature": "0.25", "max_mode": true});
    assert_eq!(chat.asked_with().await, set);
    chat.stop_bot().await.unwrap();
    chat.start_bot().await;
    assert_eq!(chat.asked_with().await, set);
    let elsewhere = chat.discord.channel(chat.guild, "elsewhere");
    chat.discord.say(elsewhere, "alice", "hi");
    chat.discord.next_message(elsewhere).await;
    assert!(chat.execution().await.body.get("model").is_none(), "another channel has its own");
    chat.finish().await;
}

#[tokio::test]
async fn the_default_can_be_chosen_again() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("tools", &["=internet"]).await;
    let changed = settings.set("tools", &["default"]).await;
    assert!(changed.content.starts_with("☑️ `tools` is the default again"), "{}", changed.content);
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn a_text_is_written_in_a_form_and_an_empty_one_is_the_default() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    let changed = settings.write("nome-da-empresa", "Pareto").await;
    assert!(changed.content.contains("- `nome-da-empresa`: `Pareto`"), "{}", changed.content);
    assert_eq!(chat.asked_with().await, json!({"nome-da-empresa": "Pareto"}));
    let form = settings.choose("settings:question", &["write:nome-da-empresa"]);
    let field = form.callback().await["data"]["components"][0]["components"][0].clone();
    assert_eq!(field["value"], "Pareto", "what holds can be edited");
    settings.write("nome-da-empresa", "").await;
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn a_value_that_the_agent_would_refuse_is_not_kept() {
    let chat = Chat::with_reviewer().await;
    chat.tess.add_question(REVIEWER, json!({"type": "number", "name": "depth", "required": false}));
    let (settings, _) = Settings::open(&chat, BOSS).await;
    let refused = settings.write("depth", "deep").await;
    assert!(refused.content.starts_with("⚠️ `depth` takes a number"), "{}", refused.content);
    let changed = settings.write("depth", "2,5").await;
    assert!(changed.content.contains("- `depth`: `2.5`"), "{}", changed.content);
    assert_eq!(chat.asked_with().await, json!({"depth": 2.5}));
    chat.finish().await;
}

#[tokio::test]
async fn a_boolean_is_chosen_and_several_options_are_chosen_at_once() {
    let chat = Chat::with_reviewer().await;
    chat.tess.add_question(REVIEWER, json!({"type": "boolean", "name": "kind", "required": false}));
    let nets = json!({"type": "multiselect", "name": "nets", "options": ["web", "news", "books"], "required": false});
    chat.tess.add_question(REVIEWER, nets);
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("kind", &["=no"]).await;
    settings.set("nets", &["=web", "=books"]).await;
    assert_eq!(chat.asked_with().await, json!({"kind": false, "nets": ["web", "books"]}));
    chat.finish().await;
}

#[tokio::test]
async fn many_options_come_in_pages() {
    let chat = Chat::with_reviewer().await;
    let many: Vec<_> = (0..60).map(|n| format!("voice-{n}")).collect();
    chat.tess.add_question(REVIEWER, json!({"type": "select", "name": "voice", "options": many, "required": false}));
    let (settings, _) = Settings::open(&chat, BOSS).await;
    let first = settings.choose("settings:question", &["choose:voice"]).response().await;
    assert_eq!((menu(&first).len(), menu(&first)[1].as_str()), (25, "=voice-0"));
    let press = |id: &str| chat.discord.press(settings.message(), id, BOSS);
    press("settings:page:1:voice").response().await;
    let last = press("settings:page:2:voice").response().await;
    assert_eq!(menu(&last).last().unwrap(), "=voice-59");
    settings.choose("settings:option:voice", &["=voice-59"]).response().await;
    assert_eq!(chat.asked_with().await, json!({"voice": "voice-59"}));
    settings.choose("settings:question", &["choose:voice"]).response().await;
    let back = press("settings:back").response().await;
    assert!(back.content.starts_with("ℹ️ **Code Reviewer**"), "{}", back.content);
    chat.finish().await;
}

#[tokio::test]
async fn who_may_not_manage_channels_changes_nothing() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    // Discord shows the message to the boss alone; a forged press is refused all the same.
    let forged = chat.discord.choose(settings.message(), "settings:question", "alice", &["choose:model"]);
    assert!(forged.response().await.content.contains("**Manage Channels**"));
    let (settings, _) = Settings::open(&chat, BOSS).await;
    let form = settings.choose("settings:question", &["write:nome-da-empresa"]);
    let forged = form.submit_as("alice", &[("value", "x")]).await;
    assert!(forged.response().await.content.contains("**Manage Channels**"));
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn another_agent_drops_them_and_says_so() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("model", &["=gpt-4o-mini"]).await;
    let same = choose_agent(&chat, REVIEWER).await;
    assert!(!same.content.contains("dropped"), "{}", same.content);
    let other = choose_agent(&chat, POET).await;
    assert!(
        other.content.ends_with("The settings made here were for the one before, and are dropped."),
        "{}",
        other.content
    );
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn settings_that_the_agent_lost_are_dropped_with_the_next_change() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("max_mode", &["=true"]).await;
    // Made anew, it has the usual questions alone.
    chat.tess.add_agent(REVIEWER, "Code Reviewer", "chat");
    let gone = settings.choose("settings:question", &["choose:max_mode"]).response().await;
    assert!(gone.content.starts_with("⚠️ This channel's agent has no `max_mode`"), "{}", gone.content);
    settings.set("model", &["=auto"]).await;
    assert_eq!(chat.asked_with().await, json!({"model": "auto"}));
    chat.finish().await;
}

#[tokio::test]
async fn a_tess_that_can_not_be_asked_changes_nothing() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.choose("settings:question", &["choose:model"]).response().await;
    chat.tess.fault_on(Route::Agents, Fault::DropConnection);
    let failed = settings.choose("settings:option:model", &["=auto"]).response().await;
    assert!(failed.content.starts_with("⚠️ Tess could not be asked"), "{}", failed.content);
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn a_slow_tess_does_not_make_a_press_late() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    chat.tess.fault_on(Route::Agents, Fault::Slow(Duration::from_millis(2_000)));
    settings.choose("settings:question", &["choose:model"]).callback().await;
    let shown = || settings.opened.message().unwrap().content;
    chat.until("the options to be shown", || shown().contains("What shall `model` be")).await;
    chat.finish().await;
}

#[tokio::test]
async fn in_a_direct_message_everyone_may_change_them() {
    let chat = Chat::start().await;
    let direct = chat.discord.dm("alice");
    let opened = chat.discord.slash(direct, "alice", "settings", &json!([]));
    assert!(!menu(&opened.response().await).is_empty());
    let message = opened.message().unwrap().id;
    chat.discord.choose(message, "settings:question", "alice", &["choose:model"]).response().await;
    chat.discord.choose(message, "settings:option:model", "alice", &["=auto"]).response().await;
    chat.discord.say(direct, "alice", "hi");
    chat.discord.next_message(direct).await;
    assert_eq!(chat.execution().await.body["model"], "auto");
    chat.finish().await;
}

#[tokio::test]
async fn an_agent_that_is_gone_takes_its_settings_with_it() {
    let chat = Chat::start().await;
    chat.discord.make_manager(BOSS);
    choose_agent(&chat, REVIEWER).await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("model", &["=gpt-4o-mini"]).await;
    chat.tess.remove_agent(REVIEWER);
    chat.say("alice", "hi");
    chat.next().await;
    let told = chat.next().await;
    assert!(told.content.ends_with("are dropped."), "{}", told.content);
    let body = chat.execution().await.body;
    assert_eq!((&body["model"], &body["messages"][0]["content"]), (&Value::Null, &json!("alice: hi")));
    chat.settled().await;
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn an_agent_that_is_left_out_later_leaves_its_settings_to_nobody() {
    let mut chat = Chat::start().await;
    chat.discord.make_manager(BOSS);
    choose_agent(&chat, REVIEWER).await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("model", &["=gpt-4o-mini"]).await;
    chat.stop_bot().await.unwrap();
    let allowed = Chat::setup().set("TESS_AGENTS", &POET.to_string()).prepare().await.config().tess.clone();
    chat.reconfigure(|config| config.tess.allowed_agents = allowed.allowed_agents);
    chat.start_bot().await;
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}
