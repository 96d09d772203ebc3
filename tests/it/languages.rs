//! The bot's texts: in the bot's language in public, and in the user's language in ephemeral responses.

use serde_json::json;

use crate::support::Chat;

/// The text of a command's ephemeral response to `user`.
async fn whispered(chat: &Chat, user: &str, command: &str) -> String {
    let shown = chat.discord.slash(chat.channel, user, command, &json!({})).response().await;
    assert!(shown.ephemeral, "{}", shown.content);
    shown.content
}

#[tokio::test]
async fn public_texts_are_in_the_bots_language() {
    let chat = Chat::setup().set("BOT_LANGUAGE", "pt-BR").start().await;
    chat.tess.fail_execution_next(json!("no"));
    chat.say("alice", "oi");
    let error = chat.next_message().await;
    assert!(error.content.starts_with("⚠️ O agente não conseguiu terminar a resposta."), "{}", error.content);
    assert_eq!(error.components[0]["components"][0]["label"], "Tentar de novo");
    // Alice's language is English.
    let reset = chat.discord.slash(chat.channel, "alice", "reset", &json!({})).response().await;
    assert!(!reset.ephemeral && reset.content.starts_with("☑️ Começando do zero"), "{}", reset.content);
    chat.finish().await;
}

#[tokio::test]
async fn ephemeral_texts_are_in_the_users_language() {
    for (bots, other) in [("en", "ℹ️ I answer every message here"), ("pt-BR", "ℹ️ Respondo a todas as mensagens")]
    {
        let chat = Chat::setup().set("BOT_LANGUAGE", bots).start().await;
        chat.discord.set_locale("bia", "pt-BR");
        chat.discord.set_locale("carole", "fr");
        assert!(whispered(&chat, "alice", "help").await.starts_with("ℹ️ I answer every message here"));
        assert!(whispered(&chat, "bia", "help").await.starts_with("ℹ️ Respondo a todas as mensagens"));
        assert!(whispered(&chat, "carole", "help").await.starts_with(other), "{bots}");
        chat.finish().await;
    }
}

#[tokio::test]
async fn commands_respond_in_portuguese() {
    let chat = Chat::start().await;
    chat.discord.set_locale("bia", "pt-BR");
    for (command, start) in [
        ("agent", "ℹ️ Este canal conversa com"),
        ("agents", "ℹ️ Os agentes que `/agent` pode escolher"),
        ("settings", "ℹ️ **Tess Helper** responde neste canal com"),
        ("usage", "ℹ️ Suas mensagens custaram"),
        ("stop", "ℹ️ Nada está sendo respondido"),
        ("retry", "ℹ️ Isso não pode mais ser repetido"),
    ] {
        let said = whispered(&chat, "bia", command).await;
        assert!(said.starts_with(start), "/{command}: {said}");
    }
    chat.finish().await;
}

#[tokio::test]
async fn buttons_and_menus_are_in_portuguese() {
    let chat = Chat::start().await;
    chat.discord.set_locale("bia", "pt-BR");
    chat.discord.make_manager("bia");
    let settings = chat.discord.slash(chat.channel, "bia", "settings", &json!({}));
    settings.response().await;
    let shown = settings.message().unwrap().id;
    let menu = chat.discord.choose(shown, "settings:question", "bia", &["choose:model"]).response().await;
    assert!(menu.content.starts_with("ℹ️ Qual deve ser `model` neste canal?"), "{}", menu.content);
    assert_eq!(menu.components[0]["components"][0]["options"][0]["label"], "o padrão do agente");
    assert_eq!(menu.components[1]["components"][0]["label"], "Voltar");
    chat.finish().await;
}
