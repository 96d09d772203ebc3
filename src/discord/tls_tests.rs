//! The production client with the default address, against a simulator behind TLS that has a certificate of `discord.com`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use sim::discord::{DiscordOptions, DiscordSim, Limit, LostResponse, Route, Scope};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    clients,
    config::{Config, Timings},
    discord::{Discord, DiscordError, Nonce, Post},
    ids::{ChannelId, MessageId},
    telemetry::Metrics,
};

/// How long a request may take on a busy machine.
const SOON: Duration = Duration::from_secs(15);

/// A simulator with a certificate of `discord.com`, and the production client, which trusts it.
struct Secure {
    sim: DiscordSim,
    discord: Discord,
    metrics: Metrics,
}

impl Secure {
    async fn start() -> Self {
        Self::start_with(DiscordOptions::default()).await
    }

    async fn start_with(options: DiscordOptions) -> Self {
        let sim = DiscordSim::start(options).await.unwrap();
        let behind: SocketAddr = sim.url().trim_start_matches("http://").parse().unwrap();
        let identity = rcgen::generate_simple_self_signed(["discord.com".to_owned()]).unwrap();
        let front = terminate_tls(&identity, behind).await;
        let trusted = reqwest::Certificate::from_der(identity.cert.der()).unwrap();
        let metrics = Metrics::new();
        let http = clients::http_client().resolve("discord.com", front).add_root_certificate(trusted).build().unwrap();
        let discord = Discord::new(http, &config(&sim.token()).discord, &Timings::default(), metrics.clone()).unwrap();
        Self { sim, discord, metrics }
    }

    async fn post(&self, channel: u64, message: u64, content: &str) -> Result<Option<MessageId>, DiscordError> {
        let nonce = Nonce::part(MessageId::new(message), 0);
        let post = Post { content, reply_to: None, nonce, file: None, silent: false, buttons: &[] };
        timeout(SOON, self.discord.post(ChannelId::new(channel), &post)).await.expect("a post in time")
    }

    fn contents(&self, channel: u64) -> Vec<String> {
        self.sim.messages(channel).into_iter().map(|message| message.content).collect()
    }

    fn finish(&self) {
        assert_eq!((self.sim.violations(), self.sim.unused_faults()), (Vec::new(), 0));
    }
}

/// A configuration without Discord's address, as in production.
fn config(token: &str) -> Config {
    let vars = [("DISCORD_TOKEN", token), ("TESS_API_KEY", "key"), ("TESS_AGENT_ID", "8794")];
    Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

/// Terminates TLS with a certificate and forwards to a plain server.
async fn terminate_tls(identity: &rcgen::CertifiedKey<rcgen::KeyPair>, behind: SocketAddr) -> SocketAddr {
    let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut plain = TcpStream::connect(behind).await.unwrap();
                if let Ok(mut secure) = acceptor.accept(socket).await {
                    // The client notices how the connection ends.
                    let _ = copy_bidirectional(&mut secure, &mut plain).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn tls_post_with_a_lost_response_is_not_duplicated() {
    for lost in [LostResponse::BadGateway, LostResponse::Closed, LostResponse::Undecodable] {
        let secure = Secure::start().await;
        let channel = secure.sim.general();
        secure.sim.lose_response_next(Route::CreateMessage, lost);
        let posted = secure.post(channel, 1, "Once.").await.unwrap();
        assert_eq!(posted.map(MessageId::get), secure.sim.messages(channel).last().map(|message| message.id));
        assert_eq!(secure.contents(channel), ["Once."], "{lost:?}");
        secure.finish();
    }
}

#[tokio::test]
async fn tls_global_rate_limit_delays_every_channel() {
    let secure = Secure::start().await;
    let (general, other) = (secure.sim.general(), secure.sim.channel(secure.sim.guild("Another"), "other"));
    secure.sim.rate_limit_next(Route::CreateMessage, Duration::from_millis(300), Scope::Global, 1);
    // The second is sent after the first met the limit. A request before `retry_after` would be a violation.
    let first = secure.post(general, 1, "First.");
    let second = async {
        // That the simulator has sent the 429 is not enough: the client must have read it.
        let is_limited = async {
            while secure.metrics.rate_limited("global") == 0 {
                yield_now().await;
            }
        };
        timeout(SOON, is_limited).await.expect("the first post to be limited");
        secure.post(other, 2, "Second.").await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!((secure.contents(general), secure.contents(other)), (vec!["First.".into()], vec!["Second.".into()]));
    secure.finish();
}

#[tokio::test]
async fn tls_posts_keep_the_limit_of_the_channel() {
    let message_limit = Limit { requests: 2, per: Duration::from_millis(150) };
    let secure = Secure::start_with(DiscordOptions { message_limit, ..DiscordOptions::default() }).await;
    let channel = secure.sim.general();
    let posts = (1..=5).map(|number| secure.post(channel, number, "hi"));
    assert!(join_all(posts).await.iter().all(Result::is_ok));
    assert_eq!(secure.contents(channel).len(), 5);
    assert_eq!(secure.sim.invalid_requests(), 0, "the limit was never exceeded");
    secure.finish();
}

#[tokio::test]
async fn tls_rejected_token_is_not_retried() {
    let secure = Secure::start().await;
    let channel = secure.sim.general();
    let body = serde_json::json!({"message": "401: Unauthorized", "code": 0});
    secure.sim.fail_next("POST", "*/messages", 401, body, 1);
    for number in 1..=2 {
        assert!(matches!(secure.post(channel, number, "hi").await, Err(DiscordError::Unauthorized)));
    }
    assert_eq!(secure.sim.requests_of(Route::CreateMessage), 1);
    secure.finish();
}
