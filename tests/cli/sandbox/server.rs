//! The sandbox servers: as many as a test run asks for, each with many accounts.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

/// The server. It ends when its stdin closes, which is when this process ends.
pub struct Server {
    pub url: String,
    _process: Child,
}

/// Each keeps one core busy at most; accounts are spread over them.
pub static SERVERS: LazyLock<Vec<Server>> =
    LazyLock::new(|| (0..crate::SERVERS).map(|_| Server::start()).collect());

impl Server {
    fn start() -> Self {
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/run");
        let mut process = Command::new(run)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/sandbox/run starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the sandbox says its port");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("the sandbox did not start, its messages are above: {line:?}")
        });
        Self {
            url: format!("http://127.0.0.1:{}", ready["port"]),
            _process: process,
        }
    }
}

/// Speaks to the control endpoint, past any proxy; answers can be large.
pub static CONTROL: LazyLock<ureq::Agent> = LazyLock::new(|| {
    ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .build()
        .into()
});
