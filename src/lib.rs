//! A Discord bot that lets a channel chat with a Tess AI agent.

pub mod config;
pub mod discord;
pub mod history;
pub mod listen;
pub mod ops;
pub mod reply;
pub mod sim;
pub mod state;
pub mod telemetry;
pub mod tess;
