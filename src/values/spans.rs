//! Spans of time as people write them.

use std::{fmt::Write as _, time::Duration};

/// A span as sentences have it: `58 s` below two minutes, then `15m`, `1h30m`, `3d`.
/// Parts of a second are left out.
pub fn in_words(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        _ => typed(span),
    }
}

/// A span as options take it, such as `--max-lifetime`: `90s`, `30m`, `8h`, `3d`,
/// `1h30m`. Parts of a second are left out.
pub fn typed(span: Duration) -> String {
    let mut rest = span.as_secs();
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        // More than a day stays in hours, which are easier to compare with other hours.
        if unit == "d" && !rest.is_multiple_of(seconds) {
            continue;
        }
        if rest >= seconds {
            let _ = write!(text, "{}{unit}", rest / seconds);
            rest %= seconds;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_units_that_people_use() {
        for (seconds, as_typed, as_told) in [
            (0, "0s", "0 s"),
            (1, "1s", "1 s"),
            (60, "1m", "60 s"),
            (90, "1m30s", "90 s"),
            (119, "1m59s", "119 s"),
            (120, "2m", "2m"),
            (900, "15m", "15m"),
            (3_600, "1h", "1h"),
            (5_400, "1h30m", "1h30m"),
            (86_400, "1d", "1d"),
            (90_000, "25h", "25h"),
            (259_200, "3d", "3d"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!(
                (typed(span).as_str(), in_words(span).as_str()),
                (as_typed, as_told)
            );
        }
    }
}
