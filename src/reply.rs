//! Turns an agent's output into Discord messages, and holds every text of the bot itself ([`texts`]).
//!
//! Pure, and linear in the length of the output. Outputs are Markdown: a paragraph, a list item, a table or a code block
//! stays in one message where it fits.

mod blocks;
mod clean;
mod cut;
mod fence;
mod join;
pub(crate) mod live;
pub(crate) mod media;
mod parts;
pub(crate) mod split;
pub(crate) mod texts;

pub(crate) use clean::is_blank;
pub(crate) use join::join;
pub(crate) use split::{Reply, split};
pub(crate) use texts::is_answer;
