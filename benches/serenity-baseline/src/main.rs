//! The least serenity program that takes a message to Tess and posts the answer, while it shows that it is typing.
//!
//! The counterpart of `examples/baseline.rs` on serenity's own client, and with typing. It reads the bot's own variables:
//! `DISCORD_TOKEN`, `DISCORD_API_URL`, `TESS_API_KEY`, `TESS_API_URL` and `TESS_AGENT_ID`.

use std::{env, error::Error};

use serde_json::{Value, json};
use serenity::{
    all::{
        ClientBuilder, Context, CreateAllowedMentions, CreateMessage, EventHandler, GatewayIntents, HttpBuilder,
        Message, Nonce,
    },
    async_trait,
};

struct Tess {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Tess {
    fn from_env() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let url = format!("{}/agents/{}/execute", env::var("TESS_API_URL")?, env::var("TESS_AGENT_ID")?);
        Ok(Self { http: reqwest::Client::new(), url, key: env::var("TESS_API_KEY")? })
    }

    async fn execute(&self, text: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        let body = json!({"messages": [{"role": "user", "content": text}], "waitExecution": true});
        let request = self.http.post(&self.url).bearer_auth(&self.key).header("accept", "application/json").json(&body);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["responses"][0]["output"].as_str().ok_or("no output")?.to_owned())
    }
}

#[async_trait]
impl EventHandler for Tess {
    async fn message(&self, context: Context, message: Message) {
        if message.author.bot {
            return;
        }
        let typing = message.channel_id.start_typing(&context.http);
        let executed = self.execute(&message.content).await;
        typing.stop();
        match executed {
            Ok(output) => {
                let reply = CreateMessage::new()
                    .content(output)
                    .reference_message(&message)
                    .allowed_mentions(CreateAllowedMentions::new())
                    .nonce(Nonce::String(message.id.to_string()))
                    .enforce_nonce(true);
                if let Err(error) = message.channel_id.send_message(&context, reply).await {
                    eprintln!("not posted: {error}");
                }
            }
            Err(error) => eprintln!("no answer: {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let discord = HttpBuilder::new(env::var("DISCORD_TOKEN")?)
        .proxy(env::var("DISCORD_API_URL")?)
        .ratelimiter_disabled(true)
        .build();
    let intents = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::MESSAGE_CONTENT;
    let tess = Tess::from_env()?;
    ClientBuilder::new_with_http(discord, intents).event_handler(tess).await?.start().await?;
    Ok(())
}
