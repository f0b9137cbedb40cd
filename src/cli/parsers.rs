//! Values of options that need no type of their own.

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
        Err("the name is that of a file too: no '/', and no '.' in front".into())
    } else {
        Ok(text.to_owned())
    }
}
