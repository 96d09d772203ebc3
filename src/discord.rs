//! Discord's REST, as far as the bot uses it. Nothing is decided here.

pub mod model;
#[expect(dead_code, reason = "the client that uses it comes with the next commits")]
mod rate_limit;
