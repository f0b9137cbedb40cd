//! Times and spans as people read them: in their own time zone (`TZ`, else the
//! system's). JSON has RFC 3339 in UTC instead.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, Zoned, tz::TimeZone};

/// `14:20` today, `Thursday 14:20` within six days before or after, else
/// `2026-12-03 14:20`; in the user's own time.
pub fn moment(time: SystemTime, now: SystemTime) -> String {
    moment_in(&TimeZone::system(), time, now)
}

fn moment_in(zone: &TimeZone, time: SystemTime, now: SystemTime) -> String {
    let zoned =
        |time| -> Option<Zoned> { Some(Timestamp::try_from(time).ok()?.to_zoned(zone.clone())) };
    let (Some(time), Some(now)) = (zoned(time), zoned(now)) else {
        // No calendar goes so far.
        return "n/a".into();
    };
    let days = now
        .date()
        .until(time.date())
        .map_or(i32::MAX, |span| span.get_days());
    let format = match days {
        0 => "%H:%M",
        -6..=6 => "%A %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    time.strftime(format).to_string()
}

/// `2026-12-03 14:20 CET`: an RFC 3339 time in the user's own zone. A text that cannot be
/// read stays as it is.
pub fn in_own_zone(rfc_3339: &str) -> String {
    in_zone(&TimeZone::system(), rfc_3339)
}

fn in_zone(zone: &TimeZone, rfc_3339: &str) -> String {
    rfc_3339.parse::<Timestamp>().map_or_else(
        |_| rfc_3339.to_owned(),
        |time| {
            let time = time.to_zoned(zone.clone());
            time.strftime("%Y-%m-%d %H:%M %Z").to_string()
        },
    )
}

/// `14:20:05`, in the user's own time.
pub fn of_day(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(
        |_| "n/a".into(),
        |time| {
            let time = time.to_zoned(TimeZone::system());
            time.strftime("%H:%M:%S").to_string()
        },
    )
}

/// `42s`, `12m`, `3h12m`, `2d3h`: whole units, rounded down.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-24T16:00:00Z, a Monday.
    const MONDAY: Duration = Duration::from_hours(490_000);

    #[test]
    fn a_moment_is_told_in_the_zone_and_by_the_day_of_its_reader() {
        let now = SystemTime::UNIX_EPOCH + MONDAY;
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let told = |zone: &TimeZone, hours| moment_in(zone, now + Duration::from_hours(hours), now);
        assert_eq!(told(&TimeZone::UTC, 0), "16:00");
        assert_eq!(told(&TimeZone::UTC, 7), "23:00");
        assert_eq!(told(&TimeZone::UTC, 8), "Tuesday 00:00");
        // It is Tuesday there already.
        assert_eq!(told(&tokyo, 8), "09:00");
        assert_eq!(told(&TimeZone::UTC, 6 * 24), "Sunday 16:00");
        assert_eq!(told(&TimeZone::UTC, 7 * 24), "2025-12-01 16:00");
        let before = |hours| moment_in(&TimeZone::UTC, now - Duration::from_hours(hours), now);
        assert_eq!(before(17), "Sunday 23:00");
        assert_eq!(before(40 * 24), "2025-10-15 16:00");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h0m"),
            (11_520, "3h12m"),
            (183_600, "2d3h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn a_time_that_was_told_is_told_in_the_zone_of_its_reader() {
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let text = "2025-11-24T16:00:00Z";
        assert_eq!(in_zone(&TimeZone::UTC, text), "2025-11-24 16:00 UTC");
        assert_eq!(in_zone(&tokyo, text), "2025-11-25 01:00 +09");
        assert_eq!(in_zone(&tokyo, "soon"), "soon");
    }
}
