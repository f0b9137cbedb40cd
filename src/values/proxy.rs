//! The HTTP proxy that machines go out through.

use std::fmt;

use url::Url;

/// An HTTP proxy's address. It may have a user and a password, which must be neither
/// shown nor put into a tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

impl Proxy {
    /// # Errors
    /// The address has more than a host; in words that follow it.
    pub fn new(url: Url) -> Result<Self, &'static str> {
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("has more than a host and a port in it");
        }
        Ok(Self(url))
    }

    /// The address as programs take it, with user and password.
    pub fn with_user(&self) -> String {
        self.0.as_str().trim_end_matches('/').to_owned()
    }

    /// The address with other texts for its user and password, if it has any. Each is
    /// made from the length of the real one.
    #[must_use]
    pub fn with_other_user(&self, other: impl Fn(usize) -> String) -> Self {
        let mut url = self.0.clone();
        // Neither fails if there is a host.
        if !self.0.username().is_empty() {
            let _ = url.set_username(&other(self.0.username().len()));
        }
        if let Some(password) = self.0.password() {
            let _ = url.set_password(Some(&other(password.len())));
        }
        Self(url)
    }
}

/// Without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        // Neither fails if there is a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        f.write_str(url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str) -> Result<Proxy, &'static str> {
        Proxy::new(Url::parse(text).expect("an address"))
    }

    #[test]
    fn user_and_password_are_for_programs_and_not_for_people() {
        let proxy = proxy("http://someone:word@proxy.test:3128/").expect("a proxy");
        assert_eq!(proxy.with_user(), "http://someone:word@proxy.test:3128");
        assert_eq!(proxy.to_string(), "http://proxy.test:3128");
        assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.test:3128)");
        let other = proxy.with_other_user(|length| "x".repeat(length));
        assert_eq!(other.with_user(), "http://xxxxxxx:xxxx@proxy.test:3128");
    }

    #[test]
    fn it_is_a_host_and_no_page() {
        for bad in ["http://p/path", "http://p/?q", "http://p/#f"] {
            assert!(proxy(bad).is_err(), "{bad}");
        }
    }
}
