//! Simulators of Discord and Tess, for the tests, the demo and the soak of tess-discord.
//!
//! They work with plain HTTP and JSON, and share no code with the bot or its libraries. An error in the bot's
//! understanding of a protocol is therefore not repeated here.

pub mod discord;
pub mod tess;
