//! Discord's REST API, as far as the bot uses it. Decides nothing.
//!
//! Every request has a time limit and a bounded body, obeys Discord's rate limits, and is retried only where that is safe:
//! reads are, and creating a message is because each carries a `nonce` that Discord enforces, so that a message whose outcome is
//! unknown (time-out, 5xx, a truncated answer) is sent again without ever appearing twice.
//!
//! [`engine`] sends the requests; the other files are the routes, one method each. serenity's types and builders make the
//! bodies. Its client is not used: it has no time-outs, forgets the global limit between tasks, loops on a malformed header, and
//! reports a message that was created as an error when it cannot read the answer.

pub(crate) mod account;
mod answer;
mod application;
pub(crate) mod button;
mod cdn;
mod engine;
mod error;
pub(crate) mod interaction;
mod messages;
pub(crate) mod model;
mod post;
mod rate_limit;
mod responses;
mod retry;
#[cfg(test)]
mod tls_tests;

pub(crate) use self::{
    account::{ChannelInfo, GuildInfo},
    application::SessionStarts,
    cdn::FetchError,
    engine::Discord,
    error::DiscordError,
    messages::Page,
    post::{Nonce, Post, no_mentions},
    responses::InteractionAddress,
};
