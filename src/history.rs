//! A channel's history.
