//! Pauses that grow.

use std::time::Duration;

/// Exponential pauses with jitter, from `min` to `max`.
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    tries: u32,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, tries: 0 }
    }

    /// The next pause: between three quarters and the whole of the longest that is due.
    pub(super) fn next(&mut self) -> Duration {
        let longest = self.min.saturating_mul(1 << self.tries.min(20)).min(self.max);
        self.tries += 1;
        longest.mul_f64(0.75 + fastrand::f64() / 4.0)
    }

    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_small_again_after_a_reset() {
        let secs = Duration::from_secs;
        let mut backoff = Backoff::new(secs(1), secs(120));
        for longest in [1, 2, 4, 8, 16, 32, 64, 120, 120, 120] {
            let pause = backoff.next();
            assert!(pause <= secs(longest) && pause >= secs(longest) * 3 / 4, "{pause:?} of {longest}");
        }
        backoff.reset();
        assert!(backoff.next() <= secs(1));
    }

    #[test]
    fn a_day_of_refused_sessions_stays_far_below_discords_thousand_identifies() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120));
        let day = Duration::from_secs(24 * 3600);
        let (mut passed, mut identifies) = (Duration::ZERO, 0);
        while passed < day {
            passed += backoff.next();
            identifies += 1;
        }
        assert!(identifies < 980, "{identifies}");
    }
}
