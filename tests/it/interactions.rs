//! Interactions that arrive malformed, and answers to them that get lost.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{
    discord::{LostResponse, Route, Scope},
    tess::REVIEWER,
};

use crate::support::Chat;

const NOT_UNDERSTOOD: &str = "⚠️ The bot could not understand this request.";

/// What may stand in the place of any field; `None` removes it.
fn malformed() -> Vec<Option<Value>> {
    vec![None, Some(json!(null)), Some(json!(7)), Some(json!("odd")), Some(json!([])), Some(json!({}))]
}

#[tokio::test]
async fn command_with_a_malformed_field_is_still_answered() {
    let chat = Chat::start().await;
    let pointers = [
        "/type",
        "/data",
        "/version",
        "/application_id",
        "/guild_id",
        "/guild",
        "/guild_locale",
        "/channel_id",
        "/channel",
        "/member",
        "/member/user",
        "/member/user/id",
        "/member/user/public_flags",
        "/member/permissions",
        "/member/roles",
        "/locale",
        "/entitlements",
        "/attachment_size_limit",
        "/app_permissions",
        "/context",
        "/data/id",
        "/data/type",
        "/data/name",
        "/data/options",
        "/authorizing_integration_owners",
    ];
    for pointer in pointers {
        for wrong in malformed() {
            chat.discord.malform_next_interaction(pointer, wrong.clone());
            let shown = chat.discord.slash(chat.channel, "alice", "help", &json!({})).response().await;
            assert!(shown.ephemeral, "{pointer} {wrong:?}");
            let is_asked_for = ["/type", "/data", "/data/name"].contains(&pointer);
            let expected = if is_asked_for { NOT_UNDERSTOOD } else { "ℹ️ I answer every message here" };
            assert!(shown.content.starts_with(expected), "{pointer} {wrong:?}: {}", shown.content);
        }
    }
    let counted = r#"tess_discord_gateway_undecodable_total{type="INTERACTION_CREATE"}"#;
    assert!(chat.metrics.encode().contains(counted));
    chat.finish().await;
}

#[tokio::test]
async fn press_with_a_malformed_field_is_still_answered() {
    let chat = Chat::start().await;
    let pointers = [
        "/message",
        "/message/author/public_flags",
        "/message/components",
        "/member/user/avatar",
        "/locale",
        "/channel",
        "/data/component_type",
        "/data/values",
        "/data/custom_id",
        "/guild_locale",
    ];
    for number in 1..=9 {
        chat.tess.add_agent(77_001 + number, &format!("Extra {number}"), "chat");
    }
    let list = chat.discord.slash(chat.channel, "alice", "agents", &json!({}));
    list.response().await;
    let message = list.message().unwrap().id;
    for pointer in pointers {
        for wrong in malformed() {
            chat.discord.malform_next_interaction(pointer, wrong.clone());
            let callback = chat.discord.press(message, "agents:1", "alice").callback().await;
            if pointer == "/data/custom_id" {
                assert_eq!(callback["type"], 4, "{pointer} {wrong:?}");
                continue;
            }
            assert_eq!(callback["type"], 7, "{pointer} {wrong:?}");
            // Back to the first page, which has the button again.
            chat.discord.press(message, "agents:0", "alice").response().await;
        }
    }
    chat.finish().await;
}

#[tokio::test]
async fn completion_with_a_malformed_field_still_gets_choices() {
    let chat = Chat::start().await;
    for (pointer, is_offered) in [("/locale", true), ("/member", true), ("/data/options", true), ("/data/name", false)]
    {
        chat.discord.malform_next_interaction(pointer, Some(json!([])));
        let offered = chat.discord.autocomplete(chat.channel, "alice", "agent", "id", "").response().await;
        assert_eq!((offered.kind, offered.choices.is_empty()), (8, !is_offered), "{pointer}");
    }
    chat.finish().await;
}

#[tokio::test]
async fn form_with_a_malformed_field_is_still_answered() {
    let chat = Chat::setup().set("TESS_AGENT_ID", &REVIEWER.to_string()).start().await;
    chat.discord.make_manager("boss");
    let settings = chat.discord.slash(chat.channel, "boss", "settings", &json!({}));
    settings.response().await;
    let message = settings.message().unwrap().id;
    let value = ["write:nome-da-empresa"];
    for pointer in ["/locale", "/message", "/member/roles", "/member/user", "/data/custom_id"] {
        let form = chat.discord.choose(message, "settings:question", "boss", &value);
        form.callback().await;
        chat.discord.malform_next_interaction(pointer, Some(json!(7)));
        let shown = form.submit(&[("value", "Pareto")]).await.response().await;
        let is_asked_for = pointer == "/data/custom_id";
        let expected = if is_asked_for { NOT_UNDERSTOOD } else { "☑️ `nome-da-empresa` is now `Pareto`" };
        assert!(shown.content.starts_with(expected), "{pointer}: {}", shown.content);
    }
    chat.finish().await;
}

#[tokio::test]
async fn permissions_that_cannot_be_read_are_none() {
    let chat = Chat::start().await;
    chat.discord.make_manager("boss");
    for (pointer, wrong) in [("/member/permissions", Some(json!({}))), ("/member", None), ("/member", Some(json!(7)))] {
        chat.discord.malform_next_interaction(pointer, wrong);
        let options = json!({"id": chat.tess.default_agent().to_string()});
        let refused = chat.discord.slash(chat.channel, "boss", "agent", &options).response().await;
        assert!(refused.content.contains("**Manage Channels**"), "{pointer}: {}", refused.content);
    }
    chat.finish().await;
}

#[tokio::test]
async fn answer_whose_outcome_is_unknown_is_sent_again_and_shown_once() {
    let chat = Chat::start().await;
    for lost in [LostResponse::BadGateway, LostResponse::Closed] {
        chat.discord.lose_response_next(Route::Callback, lost);
        let used = chat.discord.slash(chat.channel, "alice", "help", &json!({}));
        assert!(used.response().await.content.starts_with("ℹ️"));
        chat.until("the second try", || chat.discord.requests_of(Route::Callback) % 2 == 0).await;
        assert!(used.followups().is_empty());
    }
    chat.finish().await;
}

#[tokio::test]
async fn limited_answer_waits_for_its_own_limit() {
    let chat = Chat::start().await;
    chat.discord.rate_limit_next(Route::Callback, Duration::from_millis(300), Scope::User, 1);
    let shown = chat.discord.slash(chat.channel, "alice", "help", &json!({})).response().await;
    assert!(shown.content.starts_with("ℹ️"));
    chat.finish().await;
}

#[tokio::test]
async fn global_limit_does_not_hold_an_answer_back() {
    let chat = Chat::start().await;
    chat.tess.answers(["Hello!"]);
    chat.discord.rate_limit_next(Route::Typing, Duration::from_secs(2), Scope::Global, 1);
    chat.say("alice", "hi");
    chat.until("the limit", || chat.metrics.rate_limited("global") > 0).await;
    let shown = chat.discord.slash(chat.channel, "alice", "help", &json!({})).response().await;
    assert!(shown.content.starts_with("ℹ️"));
    assert!(chat.discord.try_next_message(chat.channel).is_none(), "the limit still holds the reply back");
    chat.expect_reply("Hello!").await;
    chat.finish().await;
}

#[tokio::test]
async fn refused_interaction_token_is_not_the_bots() {
    let chat = Chat::start().await;
    let refusal = json!({"code": 50027, "message": "Invalid Webhook Token"});
    chat.discord.fail_next("POST", "/interactions/*", 401, refusal, 1);
    chat.discord.slash(chat.channel, "alice", "help", &json!({}));
    chat.until("the refusal", || chat.discord.requests_of(Route::Callback) == 1).await;
    let again = chat.discord.slash(chat.channel, "alice", "help", &json!({})).response().await;
    assert!(again.content.starts_with("ℹ️"));
    chat.finish().await;
}
