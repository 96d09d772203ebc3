//! The bare baseline: the least program on the bot's own libraries that takes a message to Tess and posts the answer.
//!
//! No history, no typing, no checks, no limits, no retries. `cargo bench --bench bot` measures the bot beside it. It reads the bot's
//! own variables: `DISCORD_TOKEN`, `DISCORD_API_URL`, `TESS_API_KEY`, `TESS_API_URL` and `TESS_AGENT_ID`.
//!
//! `benches/serenity-baseline/` is the same program on serenity's client.

use std::{env, error::Error, sync::Arc};

use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use twilight_gateway::{ConfigBuilder, Intents, Message, Shard, ShardId};

/// The form that Discord requires.
const USER_AGENT: &str = "DiscordBot (https://github.com/tess-discord, baseline)";

struct Baseline {
    http: reqwest::Client,
    discord_url: String,
    discord_token: String,
    tess_url: String,
    tess_key: String,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    t: Option<String>,
    #[serde(default)]
    d: Value,
}

impl Baseline {
    fn from_env() -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self {
            http: reqwest::Client::builder().user_agent(USER_AGENT).build()?,
            discord_url: format!("{}/api/v10", env::var("DISCORD_API_URL")?),
            discord_token: env::var("DISCORD_TOKEN")?,
            tess_url: format!("{}/agents/{}/execute", env::var("TESS_API_URL")?, env::var("TESS_AGENT_ID")?),
            tess_key: env::var("TESS_API_KEY")?,
        })
    }

    async fn gateway_url(&self) -> Result<String, Box<dyn Error + Send + Sync>> {
        let request = self.http.get(format!("{}/gateway", self.discord_url));
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["url"].as_str().ok_or("no gateway")?.trim_end_matches('/').to_owned())
    }

    async fn answer(&self, message: &Value) -> Result<(), Box<dyn Error + Send + Sync>> {
        let output = self.execute(&message["content"]).await?;
        let reply = json!({
            "content": output,
            "message_reference": {"message_id": message["id"]},
            "allowed_mentions": {"parse": []},
            "nonce": message["id"],
            "enforce_nonce": true,
        });
        let channel = message["channel_id"].as_str().ok_or("no channel")?;
        let request = self.http.post(format!("{}/channels/{channel}/messages", self.discord_url));
        let request = request.header("authorization", format!("Bot {}", self.discord_token)).json(&reply);
        let _: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(())
    }

    async fn execute(&self, text: &Value) -> Result<String, Box<dyn Error + Send + Sync>> {
        let body = json!({"messages": [{"role": "user", "content": text}], "waitExecution": true});
        let request = self.http.post(&self.tess_url).bearer_auth(&self.tess_key);
        let request = request.header("accept", "application/json").json(&body);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["responses"][0]["output"].as_str().ok_or("no output")?.to_owned())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let baseline = Arc::new(Baseline::from_env()?);
    let intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
    let config = ConfigBuilder::new(baseline.discord_token.clone(), intents);
    let config = config.proxy_url(baseline.gateway_url().await?).build();
    let mut shard = Shard::with_config(ShardId::ONE, config);
    while let Some(item) = shard.next().await {
        let frame: Frame = match item {
            Ok(Message::Text(text)) => serde_json::from_str(&text)?,
            Ok(Message::Close(_)) => continue,
            Err(error) => {
                eprintln!("gateway: {error}");
                continue;
            }
        };
        if frame.t.as_deref() != Some("MESSAGE_CREATE") || frame.d["author"]["bot"] == true {
            continue;
        }
        let baseline = Arc::clone(&baseline);
        tokio::spawn(async move {
            if let Err(error) = baseline.answer(&frame.d).await {
                eprintln!("not answered: {error}");
            }
        });
    }
    Ok(())
}
