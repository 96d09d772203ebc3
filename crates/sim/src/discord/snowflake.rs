//! Discord's ids and the times that they contain. <https://discord.com/developers/docs/reference#snowflakes>

use std::time::{SystemTime, UNIX_EPOCH};

/// 2015-01-01T00:00:00Z, in milliseconds of Unix time.
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

/// Bits of a snowflake below its milliseconds.
const TIME_SHIFT: u32 = 22;

/// Generates ids from the wall clock, each greater than the one before.
#[derive(Default)]
pub(super) struct Snowflakes {
    last: u64,
}

impl Snowflakes {
    pub(super) fn next(&mut self) -> u64 {
        self.last = at(unix_ms()).max(self.last + 1);
        self.last
    }
}

/// The smallest id of a moment in the past.
pub(super) fn minutes_ago(minutes: u64) -> u64 {
    at(unix_ms().saturating_sub(minutes * 60_000))
}

/// The creation time of an id in Discord's format.
pub(super) fn timestamp(id: u64) -> String {
    let unix_ms = (id >> TIME_SHIFT) + DISCORD_EPOCH_MS;
    let (seconds, millis) = (unix_ms / 1_000, unix_ms % 1_000);
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}000+00:00")
}

/// The current time in Discord's format.
pub(super) fn timestamp_now() -> String {
    timestamp(at(unix_ms()))
}

fn at(unix_ms: u64) -> u64 {
    unix_ms.saturating_sub(DISCORD_EPOCH_MS) << TIME_SHIFT
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Days since 1970 to year, month and day: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_matches_the_example_in_discords_documentation() {
        assert_eq!(timestamp(175_928_847_299_117_063), "2016-04-30T11:18:25.796000+00:00");
    }

    #[test]
    fn dates_of_leap_days_and_new_years_are_correct() {
        assert_eq!(civil_date(19_782), (2024, 2, 29));
        assert_eq!(civil_date(19_783), (2024, 3, 1));
        assert_eq!(civil_date(20_454), (2026, 1, 1));
    }

    #[test]
    fn ids_increase_and_are_greater_than_those_of_the_past() {
        let mut ids = Snowflakes::default();
        let (first, second) = (ids.next(), ids.next());
        assert!(first < second);
        assert!(minutes_ago(1) < first);
    }
}
