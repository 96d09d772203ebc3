//! Every text of the bot itself, in English and in Brazilian Portuguese; one file a topic.
//!
//! A text says what happened and what to do next. It names no internal detail: those go to the log. Both languages of a
//! text stand next to each other, so that none can lack a text.

pub mod agents;
pub mod answers;
pub mod budgets;
pub mod commands;
pub mod errors;
pub mod files;
mod format;
mod marks;
pub mod settings;
pub mod turns;
pub mod usage;

pub use marks::{NOTICE_MARK, is_answer};
