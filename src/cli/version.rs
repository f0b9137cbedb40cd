//! What `--version` says.

/// The version. `.ci/release` sets these variables and so adds the commit and its date.
/// Without them a build does not depend on the commit.
pub fn version() -> String {
    with_commit(
        env!("CARGO_PKG_VERSION"),
        option_env!("INDUCTIVA_AWS_COMMIT"),
        option_env!("INDUCTIVA_AWS_COMMIT_DATE"),
    )
}

fn with_commit(version: &str, commit: Option<&str>, date: Option<&str>) -> String {
    match (commit, date) {
        (Some(commit), Some(date)) => format!("{version} ({commit}, {date})"),
        _ => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::with_commit;

    #[test]
    fn a_release_says_its_commit_and_date() {
        assert_eq!(
            with_commit("1.2.3", Some("0a1b2c3d4"), Some("2026-11-27")),
            "1.2.3 (0a1b2c3d4, 2026-11-27)"
        );
        assert_eq!(with_commit("1.2.3", None, None), "1.2.3");
    }
}
