//! A simulator of Discord: the gateway and REST on one port, over guilds, channels, users and messages in memory.
//!
//! A test (or the demo) starts a [`DiscordSim`], lets users [`say`](DiscordSim::say) things and use commands, and reads
//! what the bot posts with [`next_message`](DiscordSim::next_message):
//!
//! ```no_run
//! # use sim::discord::{DiscordOptions, DiscordSim};
//! # async fn example() -> std::io::Result<()> {
//! let discord = DiscordSim::start(DiscordOptions::default()).await?;
//! // … start a bot with `discord.url()` and `discord.token()` …
//! discord.wait_connected().await;
//! discord.say(discord.general(), "alice", "hi");
//! assert_eq!(discord.next_message(discord.general()).await.content, "Hello!");
//! assert!(discord.violations().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! The simulator is strict. It refuses what Discord refuses, with the same error, and records a violation. It also
//! records what Discord accepts and this bot must not do: a message that could ping, one without an enforced nonce, a
//! request during a 429. Each fault of the real service that a test can inject has a name (`inject.rs`).
//!
//! Every request and every payload of the gateway changes one `State` under one lock, then wakes the tasks that wait
//! for a change. Nothing else is shared, and no lock is held across an await.
//!
//! The files import each other in one direction. From bottom to top:
//!
//! - data: `snowflake`, `json`, `close_codes`, `routes`, `answer`, `body`, `limits`, `checks`, `faults`, `observed`, `world`,
//!   `objects`, `sessions`, and `state`, which contains them;
//! - the server: `record`, `messages`, `interactions`, `commands`, `cdn`, `protocol`, then `sockets` and `rest`;
//! - the handle of a test: `sim`, then `setup`, `people`, `interact`, `inject`, `inspect`.

mod answer;
mod body;
mod cdn;
mod checks;
mod close_codes;
mod commands;
mod faults;
mod inject;
mod inspect;
mod interact;
mod interactions;
mod json;
mod limits;
mod messages;
mod objects;
mod observed;
mod people;
mod protocol;
mod record;
mod rest;
mod routes;
mod sessions;
mod setup;
mod sim;
mod snowflake;
mod sockets;
mod state;
mod world;

pub use self::{
    faults::LostResponse,
    interact::InteractionHandle,
    limits::{Limit, Scope},
    observed::{SimMessage, SimRequest, SimResponse},
    routes::Route,
    sim::DiscordSim,
    state::DiscordOptions,
};
