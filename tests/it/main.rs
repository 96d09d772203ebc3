//! The tests of the whole: one binary, one sentence a test.

#![expect(clippy::unwrap_used, reason = "a test that can not go on panics")]

mod agents;
mod architecture;
mod checking;
mod commands;
mod connection;
mod credits;
mod discord_sim;
mod docs;
mod files;
mod languages;
mod live;
mod nothing_lost;
mod process;
mod sending;
mod settings;
mod stop_retry;
mod stopping;
mod support;
mod talking;
mod tess_fails;
mod tls;
