//! Every text of the bot itself, in English and in Brazilian Portuguese; one file a topic.
//!
//! A text says what happened and what to do next. It names no internal detail: those go to the log. Both languages of a
//! text stand next to each other, so that none can lack a text.

pub(crate) mod agents;
pub(crate) mod answers;
pub(crate) mod budgets;
pub(crate) mod commands;
pub(crate) mod errors;
pub(crate) mod files;
mod format;
mod marks;
pub(crate) mod settings;
pub(crate) mod turns;
pub(crate) mod usage;

pub(crate) use marks::{NOTICE_MARK, is_answer};
