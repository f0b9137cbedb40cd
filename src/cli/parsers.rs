//! Values of options that need no type of their own.

use std::time::Duration;

use crate::values::{GroupName, is_machine_id};

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

/// The name of a group that is to be made: not one that `list`, `logs` and `terminate`
/// would take for a machine's id.
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

/// A price as EC2 takes it.
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

/// A name that is a file's name too.
pub fn file_stem(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\', '\0']) {
        Err("the name is also a file name: no '/', and no '.' in front".into())
    } else {
        Ok(text.to_owned())
    }
}

/// A span of time written as `90s`, `30m`, `8h`, `3d`, or a sequence such as `1h30m`.
///
/// # Errors
/// Text without a unit, with an unknown unit, or of no length at all.
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

#[cfg(test)]
mod tests {
    use super::*;

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
