//! What the programs that this one starts inherit of its environment.

use std::process::Command;

/// Variables that no other program needs where a profile is used.
const KEYS: [&str; 7] = [
    "INDUCTIVA_API_KEY",
    // The proxy of the machines, which may have a password in it.
    "INDUCTIVA_AWS_PROXY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_MFA_TOKEN_CODE",
];
/// Kept for commands of profiles: one may get credentials with it.
const OF_A_CONTAINER: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// Takes from a profile's command what it does not need.
pub fn without_keys(command: &mut Command) {
    for name in KEYS {
        command.env_remove(name);
    }
}

/// Takes all secrets from a program that has nothing to do with AWS, such as a browser.
pub fn without_secrets(command: &mut Command) {
    without_keys(command);
    command.env_remove(OF_A_CONTAINER);
}
