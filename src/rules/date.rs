//! Days and times in UTC, as people and the log read them. The calendar is the proleptic Gregorian one (RFC 3339
//! section 1), and every unix time has a date: nothing here fails or overflows.
#![forbid(unsafe_code)]

use std::fmt;

const DAY: i64 = 86_400;

/// A day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Date {
    /// Days since 1970-01-01.
    days: i64,
}

impl Date {
    /// `None` if there is no such day, or it lies outside the years 0 to 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let date = Self { days: days_since_epoch(i64::from(year), i64::from(month), i64::from(day)) };
        // A day that is not there (month 13, 30 February) comes back as another one.
        (date.civil() == (i64::from(year), i64::from(month), i64::from(day)) && year <= 9999).then_some(date)
    }

    /// `2026-12-01`, and nothing around it.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<u16> {
            let digits = text.get(from..to)?;
            if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
        };
        if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
            return None;
        }
        Self::new(number(0, 4)?, u8::try_from(number(5, 7)?).ok()?, u8::try_from(number(8, 10)?).ok()?)
    }

    /// The day in which that unix time lies.
    pub fn of(unix: i64) -> Self {
        Self { days: unix.div_euclid(DAY) }
    }

    /// 00:00 UTC of this day, unix seconds.
    pub fn start(self) -> i64 {
        self.days.saturating_mul(DAY)
    }

    /// Year, month and day (after Howard Hinnant, "chrono-compatible low-level date algorithms"): years are counted
    /// from 1 March, so that the leap day is a year's last, in eras of 400 years, which all have 146,097 days.
    fn civil(self) -> (i64, i64, i64) {
        let days = self.days.saturating_add(719_468);
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let leaps = (day / 1460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
        let year = day.saturating_sub(leaps) / 365;
        let day = day.saturating_sub(days_before(year));
        let month = day.saturating_mul(5).saturating_add(2) / 153;
        let first = month.saturating_mul(153).saturating_add(2) / 5;
        let january = i64::from(month >= 10);
        (
            era.saturating_mul(400).saturating_add(year).saturating_add(january),
            if month < 10 { month.saturating_add(3) } else { month.saturating_sub(9) },
            day.saturating_sub(first).saturating_add(1),
        )
    }
}

/// The way back, for any year and for months and days that are there.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year.saturating_sub(1) } else { year };
    let month = if month > 2 { month.saturating_sub(3) } else { month.saturating_add(9) };
    let first = month.saturating_mul(153).saturating_add(2) / 5;
    year.div_euclid(400)
        .saturating_mul(146_097)
        .saturating_add(days_before(year.rem_euclid(400)))
        .saturating_add(first)
        .saturating_add(day)
        .saturating_sub(719_469)
}

/// Days of an era that lie before its year `year`.
fn days_before(year: i64) -> i64 {
    year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100)
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

/// `2026-11-24T09:14:07Z` (RFC 3339 section 5.6).
pub fn rfc3339(unix: i64) -> String {
    let (hour, minute, second) = clock(unix);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", Date::of(unix))
}

/// `2026-11-24 09:14 UTC`.
pub fn minutes(unix: i64) -> String {
    let (hour, minute, _) = clock(unix);
    format!("{} {hour:02}:{minute:02} UTC", Date::of(unix))
}

/// `09:12:07 UTC`.
pub fn time_of_day(unix: i64) -> String {
    let (hour, minute, second) = clock(unix);
    format!("{hour:02}:{minute:02}:{second:02} UTC")
}

fn clock(unix: i64) -> (i64, i64, i64) {
    let second = unix.rem_euclid(DAY);
    (second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_511_647, "2026-11-24T09:14:07Z"),
            (2_147_483_647, "2038-01-19T03:14:07Z"),
            (2_147_483_648, "2038-01-19T03:14:08Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), text);
        }
        assert_eq!(minutes(1_795_511_647), "2026-11-24 09:14 UTC");
        assert_eq!(time_of_day(1_795_511_647), "09:14:07 UTC");
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut expected = (1999_u16, 12_u8, 31_u8);
        for day in Date::new(1999, 12, 31).unwrap().days..Date::new(2405, 1, 1).unwrap().days {
            let (year, month, of_month) = expected;
            let date = Date::new(year, month, of_month).unwrap();
            assert_eq!((date.days, date.to_string()), (day, format!("{year:04}-{month:02}-{of_month:02}")));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][usize::from(month - 1)];
            assert_eq!(Date::new(year, month, length + 1), None);
            expected = match (month, of_month) {
                (12, 31) => (year + 1, 1, 1),
                (_, last) if last == length => (year, month + 1, 1),
                _ => (year, month, of_month + 1),
            };
        }
    }

    #[test]
    fn only_a_day_that_is_there_is_a_date() {
        assert_eq!(Date::parse("2026-12-01"), Date::new(2026, 12, 1));
        assert_eq!(Date::parse("2026-12-01").unwrap().start(), 1_796_083_200);
        for wrong in ["", "2026-12-1", "2026-13-01", "2026-02-29", "2026-00-10", "2026-01-00", "20261-2-01", "2026-12-01 ", "+026-12-01"] {
            assert_eq!(Date::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Date::new(10_000, 1, 1), None);
    }

    #[test]
    fn g_03_every_unix_time_has_a_date() {
        for unix in [0, 1, 29, 30, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 33, i64::MAX, i64::MIN, -1] {
            assert!(rfc3339(unix).ends_with('Z') && minutes(unix).ends_with(" UTC"));
            assert!(Date::of(unix).start() <= unix.max(i64::MIN + DAY));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_date_comes_back_as_written(days in -10_000_000_i64..10_000_000, text: String) {
            let date = Date { days };
            let (year, month, day) = date.civil();
            proptest::prop_assert_eq!(days_since_epoch(year, month, day), days);
            if let Some(date) = Date::parse(&text) {
                proptest::prop_assert_eq!(date.to_string(), text);
            }
        }
    }
}
