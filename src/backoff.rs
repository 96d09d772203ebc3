//! Pauses between tries that double, up to a longest one.

use std::time::Duration;

/// Exponential backoff from `min` to `max`, without jitter unless [`Backoff::with_jitter`] adds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    jitter: f64,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, jitter: 0.0, failures: 0 }
    }

    /// Shortens each pause by a random part of itself, at most `fraction` (0 to 1), so that callers do not return together.
    pub(crate) const fn with_jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction;
        self
    }

    /// Counts a failure and returns the pause that follows it.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.pause_after(self.failures)
    }

    /// Returns the pause after the given number of failures in a row, for callers that count them.
    pub(crate) fn pause_after(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        let longest = self.min.saturating_mul(factor).min(self.max);
        longest.mul_f64(1.0 - self.jitter * fastrand::f64())
    }

    /// Makes the next pause the shortest one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(120);

    #[test]
    fn pauses_double_up_to_the_longest_and_start_small_again_after_a_reset() {
        let mut backoff = Backoff::new(MIN, MAX);
        for expected in [1, 2, 4, 8, 16, 32, 64, 120, 120, 120] {
            assert_eq!(backoff.next_pause(), Duration::from_secs(expected));
        }
        backoff.reset();
        assert_eq!(backoff.next_pause(), MIN);
    }

    #[test]
    fn any_number_of_failures_has_a_pause() {
        let backoff = Backoff::new(MIN, MAX);
        assert_eq!(
            [0, 1, 2, 7, 8, u32::MAX].map(|failures| backoff.pause_after(failures).as_secs()),
            [1, 1, 2, 64, 120, 120]
        );
        assert_eq!(Backoff::new(Duration::ZERO, MAX).pause_after(9), Duration::ZERO);
    }

    #[test]
    fn jitter_shortens_a_pause_by_at_most_its_fraction() {
        let backoff = Backoff::new(MIN, MAX).with_jitter(0.25);
        let pauses: Vec<_> = (0..1_000).map(|_| backoff.pause_after(3)).collect();
        assert!(pauses.iter().all(|pause| (MIN * 3..=MIN * 4).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause < MIN * 13 / 4) && pauses.iter().any(|pause| *pause > MIN * 15 / 4));
    }

    #[test]
    fn a_day_of_refused_sessions_stays_far_below_discords_thousand_identifies() {
        let mut backoff = Backoff::new(MIN, MAX).with_jitter(0.25);
        let day = Duration::from_secs(24 * 3_600);
        let (mut passed, mut identifies) = (Duration::ZERO, 0);
        while passed < day {
            passed += backoff.next_pause();
            identifies += 1;
        }
        assert!(identifies < 980, "{identifies}");
    }
}
