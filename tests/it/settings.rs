//! `/settings`: the channel's answers to its agent's questions.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    discord::{InteractionHandle, SimResponse},
    tess::{Fault, POET, REVIEWER, Route},
};

use crate::support::Chat;

const BOSS: &str = "boss";

/// A user's `/settings`, from one view to the next.
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

    /// Chooses a question with options, then some of the options.
    async fn set(&self, question: &str, values: &[&str]) -> SimResponse {
        self.choose("settings:question", &[&format!("choose:{question}")]).response().await;
        self.choose(&format!("settings:option:{question}"), values).response().await
    }

    /// Chooses a question that is answered with text, and submits its modal.
    async fn write(&self, question: &str, text: &str) -> SimResponse {
        let form = self.choose("settings:question", &[&format!("write:{question}")]);
        form.submit(&[("value", text)]).await.response().await
    }
}

impl Chat {
    /// A chat with a manager, in a channel whose agent has questions of its own.
    async fn with_reviewer() -> Self {
        let chat = Self::setup().set("TESS_AGENT_ID", &REVIEWER.to_string()).start().await;
        chat.discord.make_manager(BOSS);
        chat
    }

    /// The options of the next execution.
    async fn asked_with(&self) -> Value {
        self.say("alice", "hi");
        self.next_message().await;
        let mut body = self.next_execution().await.body;
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

/// The values of a message's menu.
fn menu(shown: &SimResponse) -> Vec<String> {
    let options = shown.components[0]["components"][0]["options"].as_array().cloned().unwrap_or_default();
    options.iter().map(|option| option["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn settings_show_the_defaults() {
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
async fn chosen_option_is_sent_from_the_next_turn_and_after_a_restart() {
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
    assert!(chat.next_execution().await.body.get("model").is_none(), "another channel keeps its own");
    chat.finish().await;
}

#[tokio::test]
async fn default_can_be_restored() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("tools", &["=internet"]).await;
    let changed = settings.set("tools", &["default"]).await;
    assert!(changed.content.starts_with("☑️ `tools` is the default again"), "{}", changed.content);
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn text_is_entered_in_a_modal_and_an_empty_one_restores_the_default() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    let changed = settings.write("nome-da-empresa", "Pareto").await;
    assert!(changed.content.contains("- `nome-da-empresa`: `Pareto`"), "{}", changed.content);
    assert_eq!(chat.asked_with().await, json!({"nome-da-empresa": "Pareto"}));
    let form = settings.choose("settings:question", &["write:nome-da-empresa"]);
    let field = form.callback().await["data"]["components"][0]["components"][0].clone();
    assert_eq!(field["value"], "Pareto", "the current value is filled in");
    settings.write("nome-da-empresa", "").await;
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn invalid_value_is_not_stored() {
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
async fn boolean_and_multiple_choice_options_can_be_set() {
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
async fn many_options_are_paged() {
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
async fn changing_settings_requires_manage_channels() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    // Discord shows the message only to the boss. A forged interaction must be refused nevertheless.
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
async fn changing_the_agent_drops_the_settings_and_says_so() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("model", &["=gpt-4o-mini"]).await;
    let same = choose_agent(&chat, REVIEWER).await;
    assert!(!same.content.contains("removed"), "{}", same.content);
    let other = choose_agent(&chat, POET).await;
    assert!(
        other.content.ends_with("The settings of this channel were for the previous agent and were removed."),
        "{}",
        other.content
    );
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn settings_unknown_to_the_agent_are_dropped_with_the_next_change() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("max_mode", &["=true"]).await;
    // The new agent with this id has no questions of its own.
    chat.tess.add_agent(REVIEWER, "Code Reviewer", "chat");
    let gone = settings.choose("settings:question", &["choose:max_mode"]).response().await;
    assert!(gone.content.starts_with("⚠️ This channel's agent has no `max_mode`"), "{}", gone.content);
    settings.set("model", &["=auto"]).await;
    assert_eq!(chat.asked_with().await, json!({"model": "auto"}));
    chat.finish().await;
}

#[tokio::test]
async fn unreachable_tess_changes_no_settings() {
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
async fn component_responds_in_time_when_tess_is_slow() {
    let chat = Chat::with_reviewer().await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    chat.tess.fault_on(Route::Agents, Fault::Slow(Duration::from_millis(2_000)));
    settings.choose("settings:question", &["choose:model"]).callback().await;
    let shown = || settings.opened.message().unwrap().content;
    chat.until("the options to be listed", || shown().contains("What shall `model` be")).await;
    chat.finish().await;
}

#[tokio::test]
async fn settings_in_direct_messages_need_no_permission() {
    let chat = Chat::start().await;
    let direct = chat.discord.dm("alice");
    let opened = chat.discord.slash(direct, "alice", "settings", &json!([]));
    assert!(!menu(&opened.response().await).is_empty());
    let message = opened.message().unwrap().id;
    chat.discord.choose(message, "settings:question", "alice", &["choose:model"]).response().await;
    chat.discord.choose(message, "settings:option:model", "alice", &["=auto"]).response().await;
    chat.discord.say(direct, "alice", "hi");
    chat.discord.next_message(direct).await;
    assert_eq!(chat.next_execution().await.body["model"], "auto");
    chat.finish().await;
}

#[tokio::test]
async fn deleted_agent_drops_its_settings() {
    let chat = Chat::start().await;
    chat.discord.make_manager(BOSS);
    choose_agent(&chat, REVIEWER).await;
    let (settings, _) = Settings::open(&chat, BOSS).await;
    settings.set("model", &["=gpt-4o-mini"]).await;
    chat.tess.remove_agent(REVIEWER);
    chat.say("alice", "hi");
    chat.next_message().await;
    let reply = chat.next_message().await;
    assert!(reply.content.ends_with("were removed."), "{}", reply.content);
    let body = chat.next_execution().await.body;
    assert_eq!((&body["model"], &body["messages"][0]["content"]), (&Value::Null, &json!("alice: hi")));
    chat.wait_settled().await;
    assert_eq!(chat.asked_with().await, json!({}));
    chat.finish().await;
}

#[tokio::test]
async fn agent_removed_from_the_configuration_drops_its_settings() {
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
