//! Amounts of Tess credits.

use std::{fmt, iter::Sum, ops::Add};

/// Millionths in one credit. A short answer costs thousandths, which a long sum of floats would lose.
const MICRO: f64 = 1_000_000.0;

/// An amount of Tess credits, stored in millionths. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Credits(u64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);

    /// Builds an amount from millionths.
    #[must_use]
    pub const fn from_micro(micro: u64) -> Self {
        Self(micro)
    }

    /// Returns the amount in millionths.
    #[must_use]
    pub const fn micro(self) -> u64 {
        self.0
    }

    /// Builds an amount from a number of credits; NaN and negative numbers count as 0.
    #[must_use]
    pub fn from_number(credits: f64) -> Self {
        // The cast saturates, and turns NaN and negative numbers into 0.
        Self((credits * MICRO).round() as u64)
    }

    /// Returns its share of `whole`, from 0 to 1; 0 if `whole` is 0.
    #[must_use]
    pub fn share_of(self, whole: Self) -> f64 {
        if whole == Self::ZERO { 0.0 } else { (self.0 as f64 / whole.0 as f64).min(1.0) }
    }
}

impl Add for Credits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Credits {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Displays two decimals, or four below one credit, where the price of an answer is.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            0 => "0".to_owned(),
            1..100 => "<0.0001".to_owned(),
            100..1_000_000 => format!("{:.4}", self.0 as f64 / MICRO),
            _ => format!("{:.2}", self.0 as f64 / MICRO),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_amounts_count_as_zero() {
        for invalid in [f64::NAN, -1.0, f64::NEG_INFINITY, 0.0] {
            assert_eq!(Credits::from_number(invalid), Credits::ZERO, "{invalid}");
        }
        assert_eq!(Credits::from_number(f64::INFINITY) + Credits::from_micro(1), Credits::from_micro(u64::MAX));
    }

    #[test]
    fn many_small_amounts_add_up_exactly() {
        let small = Credits::from_number(0.000_337);
        assert_eq!((0..100_000).map(|_| small).sum::<Credits>(), Credits::from_number(33.7));
    }

    #[test]
    fn the_precision_of_an_amount_depends_on_its_size() {
        let shown = [0.0, 0.000_001, 0.006_145, 0.999_999, 1.0, 12.345, 1_234.5].map(Credits::from_number);
        let shown = shown.map(|credits| credits.to_string());
        assert_eq!(shown, ["0", "<0.0001", "0.0061", "1.0000", "1.00", "12.35", "1234.50"]);
        assert_eq!(format!("{:>6}|", Credits::from_number(2.0)), "  2.00|");
    }

    #[test]
    fn a_share_is_between_0_and_1() {
        let one = Credits::from_number(1.0);
        assert_eq!([one.share_of(Credits::ZERO), one.share_of(one + one), (one + one).share_of(one)], [0.0, 0.5, 1.0]);
    }
}
