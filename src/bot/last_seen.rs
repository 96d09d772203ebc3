//! Records until when the bot received messages, so that the next start knows what it missed.

use std::{convert::Infallible, time::SystemTime};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{config::Timings, conversation::Conversations, ops::Readiness, state::State};

/// Writes the last-seen time into the state.
pub(super) struct LastSeen<'a> {
    pub(super) state: &'a State,
    pub(super) conversations: &'a Conversations,
    pub(super) readiness: &'a watch::Receiver<Readiness>,
    pub(super) timings: &'a Timings,
}

impl LastSeen<'_> {
    /// Records the present time, less the time in which a lost connection goes undetected. Does nothing unless the gateway is up
    /// and catch-up is complete: until then earlier messages are still missing.
    pub(super) fn record(&self) {
        if *self.readiness.borrow() == Readiness::Up && self.conversations.has_caught_up() {
            self.state.set_last_seen(SystemTime::now() - self.timings.undetected_disconnect);
        }
    }

    /// Records at intervals for ever, and advances the handled marks of idle channels each time.
    pub(super) async fn record_at_intervals(&self) -> Infallible {
        let mut ticks = interval(self.timings.last_seen_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.conversations.advance_marks();
            self.record();
        }
    }
}
