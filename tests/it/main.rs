//! The tests of the whole: one binary, one sentence a test.

mod discord_sim;
mod tess_client;
