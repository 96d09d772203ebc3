//! The small durable facts.
