//! Tests of the whole bot between simulators of Discord and Tess. One file per behaviour; `support` is the harness.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue panics")]

mod agents;
mod architecture;
mod catch_up;
mod check;
mod commands;
mod conversation;
mod credits;
mod delivery;
mod discord_sim;
mod docs;
mod files;
mod gateway;
mod interactions;
mod languages;
mod live;
mod process;
mod settings;
mod shutdown;
mod stop_retry;
mod support;
mod tess_errors;
