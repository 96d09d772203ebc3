//! A serenity context without a serenity connection.
//!
//! poise hands every command a serenity `Context`, and that holds a messenger to a shard runner, which only a connected runner
//! can give. The gateway's socket is not serenity's here (see [`crate::gateway`]), so a runner is connected once to a socket on the
//! loopback interface that is dropped right away. Nothing is ever sent through its messenger.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::Context as _;
use axum::{Router, extract::WebSocketUpgrade, routing::any};
use serenity::{
    all::{GatewayIntents, ShardId, ShardInfo, ShardManager, ShardManagerOptions, ShardMessenger, ShardRunner},
    gateway::{Shard, ShardRunnerOptions},
    prelude::{Context, RwLock, TypeMap},
};
use tokio::{net::TcpListener, sync::Mutex};

/// What poise wants to see of serenity.
pub(super) struct Detached {
    pub(super) serenity: Context,
    pub(super) manager: Arc<ShardManager>,
}

pub(super) async fn detached(http: Arc<serenity::http::Http>) -> anyhow::Result<Detached> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("the loopback interface can not be used")?;
    let url = Arc::new(Mutex::new(format!("ws://{}/", listener.local_addr()?)));
    let accept = any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|_| async {}) });
    let server = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(accept)).await });
    let nobody = ShardInfo { id: ShardId(0), total: 1 };
    let shard = Shard::new(Arc::clone(&url), "", nobody, GatewayIntents::empty(), None).await;
    server.abort();
    let shard = shard.context("a socket on the loopback interface could not be opened")?;

    let data: Arc<RwLock<TypeMap>> = Arc::default();
    let (manager, _) = ShardManager::new(ShardManagerOptions {
        data: Arc::clone(&data),
        event_handlers: Vec::new(),
        raw_event_handlers: Vec::new(),
        framework: Arc::default(),
        shard_index: 0,
        shard_init: 0,
        shard_total: 0,
        ws_url: url,
        http: Arc::clone(&http),
        intents: GatewayIntents::empty(),
        presence: None,
    });
    let runner = ShardRunner::new(ShardRunnerOptions {
        data: Arc::clone(&data),
        event_handlers: Vec::new(),
        raw_event_handlers: Vec::new(),
        framework: None,
        manager: Arc::clone(&manager),
        shard,
        http: Arc::clone(&http),
    });
    let serenity = Context { data, shard: ShardMessenger::new(&runner), shard_id: ShardId(0), http };
    Ok(Detached { serenity, manager })
}
