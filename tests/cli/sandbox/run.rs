//! Runs of the program: how they begin, how they end, and what is asserted of them.

use std::{
    io::{Read, Write as _},
    panic::Location,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use regex::Regex;
use serde_json::Value;
use snapbox::{Assert, IntoData, Redactions};

use super::{REGION, leaks, stream::Stream};

/// A command that has ended: a test says how, with [`Run::assert`] and the like. What
/// it has printed and the test does not look at is a failure ([`Stream`]).
pub struct Run {
    pub code: i32,
    pub stdout: Stream,
    pub stderr: Stream,
}

impl Run {
    /// Asserts code, stdout and stderr together, and each of them whole: output
    /// that is not expected fails. `[ID]` and the other placeholders stand for what
    /// differs from run to run; `.unordered()` is for lines of machines or regions
    /// that come in any order.
    #[track_caller]
    pub fn assert(&self, code: i32, stdout: impl IntoData, stderr: impl IntoData) -> &Self {
        self.assert_code(code);
        whole(&self.stdout, stdout);
        whole(&self.stderr, stderr);
        self
    }

    /// Asserts code and all of stderr, and gives stdout for the test to read: a
    /// document, a script, or a table, whose columns are as wide as its addresses.
    #[track_caller]
    pub fn ends(&self, code: i32, stderr: impl IntoData) -> &str {
        self.assert_code(code);
        whole(&self.stderr, stderr);
        &self.stdout
    }

    /// [`Self::ends`] with success.
    #[track_caller]
    pub fn succeeds(&self, stderr: impl IntoData) -> &str {
        self.ends(0, stderr)
    }

    /// Asserts a failure that prints nothing on stdout, and all of stderr.
    #[track_caller]
    pub fn fails(&self, code: i32, stderr: impl IntoData) -> &Self {
        self.assert(code, "", stderr)
    }

    /// What the test does not look at may be anything, because of `why`: else it is a
    /// failure.
    #[must_use = "the rest is looked at, or nothing is"]
    pub fn ignoring_the_rest(self, why: &'static str) -> Self {
        self.stdout.ignore(why);
        self.stderr.ignore(why);
        self
    }

    #[track_caller]
    fn assert_code(&self, code: i32) {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
    }

    /// The document of `--output json`, on success.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {}", self.stdout))
    }

    /// The document of `--output json`, on failure: the last line of stderr.
    #[track_caller]
    pub fn error(&self) -> Value {
        let last = without_usual_options(self.stderr.lines().last().unwrap_or_default());
        let document: Value =
            serde_json::from_str(&last).unwrap_or_else(|_| panic!("no JSON: {last}"));
        document["error"].clone()
    }
}

/// Runs a command to its end.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
pub fn finish(command: &mut Command) -> Run {
    ended(spawn(command))
}

/// Runs a command to its end with something on its stdin.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
pub fn finish_with_stdin(command: &mut Command, stdin: &str) -> Run {
    let mut child = spawn(command.stdin(Stdio::piped()));
    let mut pipe = child.stdin.take().expect("stdin is a pipe");
    // The program may have ended without reading it.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    ended(child)
}

/// Starts a command whose output is kept, unless it goes elsewhere already.
pub fn spawn(command: &mut Command) -> Child {
    let child = command.stderr(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    leaks::started(command, &child);
    child
}

/// Waits until a command has said this on stderr, which is then read up to there:
/// what it has said.
pub fn until_it_says(child: &mut Child, words: &str) -> String {
    let said = read_up_to(child.stderr.as_mut().expect("stderr is a pipe"), words);
    assert!(
        said.ends_with(words),
        "it never says {words:?}, but: {said}"
    );
    said
}

/// What comes up to these words, or to the end without them.
pub fn read_up_to(stream: &mut impl Read, words: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(words.as_bytes()) {
        if stream.read(&mut byte).expect("it can be read") == 0 {
            break;
        }
        said.extend(byte);
    }
    String::from_utf8(said).expect("it is UTF-8")
}

/// What a `start` says when it was interrupted, and not before.
pub const INTERRUPTED: &str = "interrupted: bringing what is under way to an end";

/// Waits for the end of a command that `spawn` started.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
pub fn ended(child: Child) -> Run {
    let id = child.id();
    let output = child.wait_with_output().expect("the program ends");
    let stdout = String::from_utf8(output.stdout).expect("stdout is UTF-8");
    let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    leaks::printed(id, &stdout, &stderr);
    let run_at = Location::caller();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: Stream::new(stdout, "stdout", run_at),
        stderr: Stream::new(stderr, "stderr", run_at),
    }
}

/// Sends a signal, such as `-INT`.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
}

/// Asserts all of an output; `SNAPSHOTS=overwrite` rewrites a `str!` that differs.
#[track_caller]
pub fn whole(output: &str, expected: impl IntoData) {
    Assert::new()
        .action_env("SNAPSHOTS")
        .redact_with(PLACEHOLDERS.clone())
        .eq(without_usual_options(output), expected);
}

/// Lines to be pasted say which AWS they are for. That is the account's own sandbox,
/// and mostly the same region, which nobody needs to read again and again: a test of
/// them (`lines.rs`) looks at all of it.
pub(super) fn without_usual_options(output: &str) -> String {
    static USUAL: LazyLock<Regex> = LazyLock::new(|| {
        let endpoint = r" --endpoint-url http://127\.0\.0\.1:[0-9]+/[0-9]{12}\b";
        // By the sandbox's clock, of which a test moves on what is under way: any call may
        // be said to be slow then (`list.rs` has it said).
        let slow = r"(?m)^waiting for [A-Za-z0-9' -]+ to answer [^\n]+\n";
        // The last line of `terminate`, by the sandbox's clock, too (`spent_elsewhere.rs`
        // has it said).
        let spent = r"(?m)^.*: [0-9]+ machines? ran\b.*: .*\n";
        let usual = format!("( --region {REGION})?{endpoint}|{slow}|{spent}");
        Regex::new(&usual).expect("a pattern")
    });
    USUAL.replace_all(output, "").into_owned()
}

/// Compiled once: a test without optimisation compiles a pattern for longer than the
/// program runs.
static PLACEHOLDERS: LazyLock<Redactions> = LazyLock::new(|| {
    let mut placeholders = Redactions::new();
    for (name, pattern) in [
        ("[ID]", r"\bi-[0-9a-f]{17}\b"),
        ("[VPC]", r"\bvpc-[0-9a-f]{17}\b"),
        ("[SG]", r"\bsg-[0-9a-f]{17}\b"),
        ("[SUBNET]", r"\bsubnet-[0-9a-f]{17}\b"),
        ("[ROUTES]", r"\brtb-[0-9a-f]{17}\b"),
        ("[UUID]", r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
        ("[GROUP]", r"\baws-[a-z0-9]{8}\b"),
        ("[ACCOUNT]", r"\b20000000[0-9]{4}\b"),
        ("[SERVER]", r"127\.0\.0\.1:[0-9]+"),
        (
            "[TIME]",
            r"\b20[0-9-]{8}(T[0-9:.]+Z| [0-9:]{5} [A-Z0-9+-]+)\b",
        ),
        ("[HOME]", r"(/[\w.-]+)*/\.tmp\w{6}"),
    ] {
        let pattern = Regex::new(pattern).expect("a pattern");
        placeholders.insert(name, pattern).expect("a placeholder");
    }
    placeholders
});
