//! The bot's executable.

fn main() {}
