//! Values of options that need no type of their own.

use std::{ops::RangeInclusive, time::Duration};

use crate::values::{GroupName, is_machine_id};

/// A whole number of a range.
pub fn from_to(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        number.ok_or_else(|| format!("it is a whole number from {first} to {last}"))
    }
}

/// Any whole number.
pub fn whole_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "it is a whole number".into())
}

/// An id of EC2's: the prefix and hexadecimal digits.
pub fn resource_id(prefix: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |text: &str| {
        let digits = text.strip_prefix(prefix).unwrap_or_default();
        if (8..=17).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            Ok(text.to_owned())
        } else {
            Err(format!("an id looks like {prefix}0123456789abcdef0"))
        }
    }
}

/// The name of a group that is to be made. `list`, `logs` and `terminate` must not take
/// it for a machine's id.
pub fn new_group_name(text: &str) -> Result<GroupName, String> {
    if is_machine_id(text) {
        return Err("that is what the id of a machine looks like".into());
    }
    text.parse()
}

pub fn scope(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":_-./".contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a scope looks like sso:account:access".into())
    }
}

pub fn account(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() == 12 && digits.chars().all(|c| c.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err("an AWS account id has 12 digits".into())
    }
}

/// A price in the form that EC2 takes.
pub fn price(text: &str) -> Result<String, String> {
    usd(text).map(|_| text.to_owned())
}

pub fn usd(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(usd)
            if usd > 0.0
                && usd.is_finite()
                && text.chars().all(|c| c.is_ascii_digit() || c == '.') =>
        {
            Ok(usd)
        }
        _ => Err("a price in USD an hour looks like 0.05".into()),
    }
}

/// An amount of money.
pub fn budget(text: &str) -> Result<String, String> {
    match usd(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("an amount in USD looks like 20 or 7.50".into()),
    }
}

/// A name that can also be a file's name.
pub fn file_stem(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', '\0']) {
        Err("the name is also a file name: no '/', and no '.' in front".into())
    } else {
        Ok(text.to_owned())
    }
}

/// A [`duration`] of a day at most.
pub fn up_to_a_day(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration > Duration::from_hours(24) {
        return Err("that is more than 24h".to_owned());
    }
    Ok(duration)
}

/// A span of time written as `90s`, `30m`, `8h`, `3d`, or a sequence such as `1h30m`.
///
/// # Errors
/// Text without a unit or with an unknown one, or a span of zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a number and a unit: 90s, 30m, 8h, 3d, 1h30m".to_owned();
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .filter(|end| *end > 0)
            .ok_or_else(wrong)?;
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[end] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return Err(wrong()),
        };
        seconds = number
            .checked_mul(unit)
            .and_then(|more| seconds.checked_add(more))
            .filter(|total| *total <= 10 * 365 * 86_400)
            .ok_or("that is more than ten years")?;
        rest = &rest[end + 1..];
    }
    if seconds == 0 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

/// Whole minutes up to a year, as a plain number or as a duration. 0 is allowed.
pub fn minutes(text: &str) -> Result<u32, String> {
    let plain: Result<u32, _> = text.parse();
    let minutes = match plain {
        Ok(minutes) => minutes,
        Err(_) if text == "0m" => 0,
        Err(_) => {
            let seconds = duration(text)?.as_secs();
            if seconds % 60 != 0 {
                return Err("it counts in whole minutes, such as 2m".into());
            }
            u32::try_from(seconds / 60).unwrap_or(u32::MAX)
        }
    };
    if minutes > 525_600 {
        return Err("that is more than a year (365d)".into());
    }
    Ok(minutes)
}

/// Whole seconds up to an hour, as a plain number or as a duration.
pub fn seconds(text: &str) -> Result<u64, String> {
    let plain: Result<u64, _> = text.parse();
    let seconds = match plain {
        Ok(seconds) => seconds,
        Err(_) => duration(text)?.as_secs(),
    };
    if (1..=3_600).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("it is between 1s and 1h".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_number_keeps_its_unit() {
        for (text, value) in [
            ("0", Ok(0)),
            ("0m", Ok(0)),
            ("30", Ok(30)),
            ("30m", Ok(30)),
            ("1h30m", Ok(90)),
            ("525600", Ok(525_600)),
            ("365d", Ok(525_600)),
        ] {
            assert_eq!(minutes(text), value, "{text}");
        }
        for bad in ["", "-1", "1.5", "90s", "0s", "366d", "525601", "4294967296"] {
            assert!(minutes(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!((seconds("5"), seconds("1m")), (Ok(5), Ok(60)));
        for bad in ["0", "3601", "2h", "x"] {
            assert!(seconds(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_day_is_the_most() {
        assert_eq!(up_to_a_day("1d"), Ok(Duration::from_hours(24)));
        assert!(up_to_a_day("24h1s").is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("3d"), Ok(Duration::from_hours(72)));
        for bad in [
            "",
            "8",
            "h",
            "8x",
            "0m",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "9999d",
        ] {
            assert!(duration(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
