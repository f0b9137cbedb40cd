//! What the programs that this one runs inherit of its environment.

use std::process::Command;

/// What no other program needs to know where a profile is used.
const KEYS: [&str; 7] = [
    "INDUCTIVA_API_KEY",
    // That of the machines, which may have a password in it.
    "INDUCTIVA_AWS_PROXY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_MFA_TOKEN_CODE",
];
/// A command of a profile may get credentials with it.
const OF_A_CONTAINER: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// For a command of a profile.
pub fn without_keys(command: &mut Command) {
    for name in KEYS {
        command.env_remove(name);
    }
}

/// For a program that has nothing to do with AWS, such as a browser.
pub fn without_secrets(command: &mut Command) {
    without_keys(command);
    command.env_remove(OF_A_CONTAINER);
}
