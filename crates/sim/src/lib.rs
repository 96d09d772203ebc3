//! Simulators of the two services the bot talks to, for the tests and the demo.
//!
//! They are independent witnesses: raw JSON and HTTP, nothing imported from the rest of this crate nor from serenity.

pub mod discord;
pub mod tess;
