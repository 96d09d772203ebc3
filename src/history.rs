//! The bounded history of a channel, and the messages that the agent is sent of it.
//!
//! Pure: no I/O and no clock. The same event may come twice, and events may come in any order. The order of a history
//! depends on message ids alone: a greater id (a snowflake) is a later message.

mod entry;
mod list;
mod request;

pub(crate) use entry::Entry;
pub(crate) use list::{History, Retention};
