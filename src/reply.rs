//! Turns an agent's output into Discord messages, and holds every text of the bot itself ([`texts`]).
//!
//! Pure, and linear in the length of the output. Outputs are Markdown: a paragraph, a list item, a table or a code block
//! stays in one message where it fits.

mod blocks;
mod clean;
mod cut;
mod fence;
mod join;
pub mod live;
pub mod media;
mod parts;
mod split;
pub mod texts;

pub use clean::is_blank;
pub use join::join;
pub use split::{MAX_MESSAGES, MESSAGE_CHARS, Reply, split};
pub use texts::is_answer;
