//! Sandbox servers for the whole test run, and in them an AWS account of its own
//! for each test, so that tests neither see each other nor depend on an order.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

#[path = "leaks.rs"]
mod leaks;

use leaks::{Leak, Watch};
use serde_json::{Value, json};
use snapbox::{Assert, IntoData, Redactions};
use tempfile::TempDir;

/// The key that the sandbox's Inductiva API takes.
pub const API_KEY: &str = "sandbox-key";
/// The secret key of the user that AWS knows.
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Where the commands run, unless they say otherwise.
pub const REGION: &str = "eu-west-2";
/// The environment variable that leaves out the sandbox's delays: machines run,
/// and are gone, by the next request. No test's outcome may hang on it.
const NO_DELAYS: &str = "INDUCTIVA_AWS_TESTS_WITHOUT_DELAYS";

/// The server. It ends when its stdin closes, which is when this process ends.
struct Server {
    url: String,
    _process: Child,
}

/// Each keeps one core busy at most; accounts are spread over them.
static SERVERS: LazyLock<Vec<Server>> =
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
static CONTROL: LazyLock<ureq::Agent> = LazyLock::new(|| {
    ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .build()
        .into()
});

/// An AWS account, with a home folder on this machine that has nothing in it.
pub struct Account {
    pub number: String,
    pub home: TempDir,
    server: &'static Server,
    watch: Watch,
}

/// No test ends with a secret anywhere; and the sandbox keeps nothing of it, which
/// hundreds of tests share.
impl Drop for Account {
    fn drop(&mut self) {
        // A second panic would end all tests.
        let leaks = if std::thread::panicking() || self.watch.is_over() {
            Vec::new()
        } else {
            self.leaks()
        };
        let _ = self.ask("DELETE", "account", None);
        let leaks: Vec<String> = leaks.iter().map(Leak::to_string).collect();
        assert!(leaks.is_empty(), "secrets leak:\n{}", leaks.join("\n"));
    }
}

/// A command that has ended: a test says how, with [`Run::assert`] and the like.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Account {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let place = NEXT.fetch_add(1, Ordering::Relaxed);
        let account = Self {
            number: (200_000_000_000 + place).to_string(),
            server: &SERVERS[place % SERVERS.len()],
            home: tempfile::tempdir().expect("a temporary folder"),
            watch: Watch::new(),
        };
        account.put("clock", json!({"stand": true}));
        if std::env::var_os(NO_DELAYS).is_some() {
            account.put(
                "settings",
                json!({
                    "pending_seconds": 0, "shutting_down_seconds": 0,
                    "stopping_seconds": 0, "image_pending_seconds": 0,
                }),
            );
        }
        account
    }

    /// Time passes: for the sandbox, and for the programs that run by its clock.
    pub fn pass(&self, seconds: f64) {
        self.put("clock", json!({"advance": seconds}));
    }

    /// Enough time passes for machines that were launched to run, and for those
    /// that are ending to be gone.
    pub fn settle(&self) {
        self.pass(1.0);
    }

    /// From now on a program's pauses last until [`Self::pass`] has let their
    /// time pass.
    pub fn hold_pauses(&self) {
        self.put("clock", json!({"pauses_wait": true}));
    }

    /// Waits until a program pauses: what it does before is done.
    pub fn until_pausing(&self) {
        self.put("clock", json!({"await_pause": true}));
    }

    /// Waits until a program pauses, lets that time pass, and waits until it
    /// pauses again.
    pub fn pass_pause(&self) {
        self.put("clock", json!({"pass_pause": true}));
        self.until_pausing();
    }

    /// The end of a program whose pauses wait: they are over at once from now on.
    #[must_use = "a command that fails, or says what nobody expected, fails its test"]
    pub fn ended(&self, child: Child) -> Run {
        self.put("clock", json!({"pauses_wait": false}));
        ended(child)
    }

    /// Waits until a call is held by a fault of kind `hold` or `hold_answer`.
    pub fn until_held(&self) {
        self.until_so_many_are_held(1);
    }

    /// Waits until so many calls, or more, are held at a time.
    pub fn until_so_many_are_held(&self, calls: usize) {
        self.until(&format!("{calls} calls are held"), |account| {
            let held = list(&account.get("faults"));
            let held = held.iter().filter_map(|fault| fault["held"].as_u64());
            held.sum::<u64>() >= calls as u64
        });
    }

    /// Where AWS calls go.
    pub fn aws_url(&self) -> String {
        format!("{}/{}", self.server.url, self.number)
    }

    /// Where Inductiva calls go.
    pub fn api_url(&self) -> String {
        format!("{}/inductiva", self.aws_url())
    }

    /// An id for temporary keys of this account's: AWS tells accounts apart by it.
    pub fn session_key_id(&self) -> String {
        format!("ASIA{}TEST", self.number)
    }

    /// The environment of a command: nothing of the developer's own.
    pub fn environment(&self) -> HashMap<String, String> {
        [
            ("PATH", self.watch.search_path()),
            ("HOME", self.home.path().display().to_string()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.into()),
            ("AWS_REGION", REGION.into()),
            ("AWS_ENDPOINT_URL", self.aws_url()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("INDUCTIVA_API_KEY", API_KEY.into()),
            ("INDUCTIVA_API_URL", self.api_url()),
            (
                "INDUCTIVA_AWS_TEST_CLOCK",
                format!("{}/_sandbox/clock", self.aws_url()),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The program with these arguments, to be run or to be changed first.
    pub fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inductiva-aws"));
        command
            .args(args)
            .env_clear()
            .envs(self.environment())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    /// Starts the program with the words of `line`, to be looked at meanwhile.
    pub fn start(&self, line: &str) -> Child {
        spawn(&mut self.command(line.split_whitespace()))
    }

    /// Runs the program with the words of `line` as its arguments.
    #[must_use = "a command that fails, or says what nobody expected, fails its test"]
    pub fn run(&self, line: &str) -> Run {
        finish(&mut self.command(line.split_whitespace()))
    }

    /// Runs the program, which must succeed, and reads its JSON.
    pub fn json(&self, line: &str) -> Value {
        let run = self.run(&format!("{line} --output json"));
        assert_eq!(run.code, 0, "{line}\n{}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{line}\n{}", run.stdout))
    }

    /// A file in the home folder.
    pub fn file(&self, path: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder is made");
        self.watch.place(&path, contents.as_ref());
        fs::write(&path, contents).expect("a file is written");
        path
    }

    /// The places where secrets of this account are and should not be.
    fn leaks(&self) -> Vec<Leak> {
        let known: Vec<(String, String)> =
            serde_json::from_value(self.get("secrets")).expect("names and values");
        self.watch.leaks(&self.number, self.home.path(), &known)
    }

    /// The same for a test that is to have some; all others end with none.
    pub fn expected_leaks(&self) -> Vec<String> {
        self.watch.end();
        self.leaks().iter().map(Leak::to_string).collect()
    }

    /// The arguments and variables of the programs that the program has started.
    pub fn children(&self) -> String {
        self.watch.children()
    }

    /// What a boto3 client for EC2 answers.
    pub fn ec2(&self, method: &str, kwargs: Value) -> Value {
        self.ec2_in(REGION, method, kwargs)
    }

    /// The same in another region.
    pub fn ec2_in(&self, region: &str, method: &str, kwargs: Value) -> Value {
        self.boto3("ec2", region, method, kwargs)
    }

    /// What a boto3 client answers.
    pub fn boto3(&self, service: &str, region: &str, method: &str, kwargs: Value) -> Value {
        self.control(
            "POST",
            "boto3",
            Some(json!({"service": service, "region": region, "method": method, "kwargs": kwargs})),
        )
    }

    /// All instances as boto3 shows them, terminated ones too.
    pub fn instances(&self) -> Vec<Value> {
        let answer = self.ec2("describe_instances", json!({}));
        list(&answer["Reservations"])
            .iter()
            .flat_map(|r| list(&r["Instances"]))
            .collect()
    }

    /// The ids of the machines that are pending or running, as boto3 shows them.
    pub fn live(&self) -> Vec<String> {
        // Much less to read than all about them, where there are hundreds.
        let answer = self.ec2(
            "describe_instance_status",
            json!({"IncludeAllInstances": true}),
        );
        let mut ids: Vec<String> = list(&answer["InstanceStatuses"])
            .iter()
            .filter(|i| matches!(text(&i["InstanceState"]["Name"]), "pending" | "running"))
            .map(|i| text(&i["InstanceId"]).to_owned())
            .collect();
        ids.sort();
        ids
    }

    /// Ends all groups on Inductiva's side, as somebody may do on its own page.
    pub fn end_groups(&self) {
        for group in self.groups() {
            let address = format!("{}/compute/group", self.api_url());
            let ended = ureq::delete(&address)
                .query("machine_group_id", text(&group["id"]))
                .header("X-API-Key", API_KEY)
                .call();
            assert!(ended.expect("an answer").status().is_success());
        }
    }

    /// How many machines were ever launched.
    pub fn launched(&self) -> usize {
        list(&self.get("launched")["instances"]).len()
    }

    /// The groups of the Inductiva API that are not deleted.
    pub fn groups(&self) -> Vec<Value> {
        let groups = list(&self.get("inductiva")["groups"]);
        groups
            .into_iter()
            .filter(|g| g["deleted"] == false)
            .collect()
    }

    /// The record of all requests.
    pub fn requests(&self) -> Vec<Value> {
        list(&self.get("requests"))
    }

    /// The names of the operations, in the order of the record.
    pub fn operations(&self) -> Vec<String> {
        self.requests()
            .iter()
            .map(|r| text(&r["operation"]).to_owned())
            .collect()
    }

    /// How often the operation is in the record.
    pub fn calls(&self, operation: &str) -> usize {
        self.operations().iter().filter(|o| *o == operation).count()
    }

    /// Starts the record anew.
    pub fn forget_requests(&self) {
        self.control("DELETE", "requests", None);
    }

    pub fn get(&self, what: &str) -> Value {
        self.control("GET", what, None)
    }

    pub fn put(&self, what: &str, body: Value) -> Value {
        self.control("PUT", what, Some(body))
    }

    pub fn post(&self, what: &str, body: Value) -> Value {
        self.control("POST", what, Some(body))
    }

    /// Orders a fault: see the sandbox's `faults.py`.
    pub fn fault(&self, fault: Value) {
        self.post("faults", fault);
    }

    /// Ends all faults.
    pub fn forget_faults(&self) {
        self.control("DELETE", "faults", None);
    }

    fn control(&self, method: &str, what: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, what, body);
        let mut response = answer.expect("the sandbox answers");
        let body = response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()
            .expect("text");
        assert!(
            response.status().is_success(),
            "{what}: {} {body}",
            response.status()
        );
        serde_json::from_str(&body).unwrap_or_default()
    }

    fn ask(
        &self,
        method: &str,
        what: &str,
        body: Option<Value>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/_sandbox/{what}", self.aws_url()))
            .body(body.map_or(String::new(), |body| body.to_string()))
            .expect("a request");
        CONTROL.run(request)
    }

    /// Asks again until the condition holds; the time for it bounds a failure, and
    /// is more than any machine needs.
    pub fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(3);
        while !condition(self) {
            assert!(Instant::now() < deadline, "never came true: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
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
pub fn finish(command: &mut Command) -> Run {
    ended(spawn(command))
}

/// Runs a command to its end with something on its stdin.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
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
pub fn ended(child: Child) -> Run {
    let id = child.id();
    let output = child.wait_with_output().expect("the program ends");
    let run = Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    };
    leaks::printed(id, &run.stdout, &run.stderr);
    run
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
fn whole(output: &str, expected: impl IntoData) {
    Assert::new()
        .action_env("SNAPSHOTS")
        .redact_with(placeholders())
        .eq(without_usual_options(output), expected);
}

/// Lines to be pasted say which AWS they are for. That is the account's own sandbox,
/// and mostly the same region, which nobody needs to read again and again: a test of
/// them (`lines.rs`) looks at all of it.
fn without_usual_options(output: &str) -> String {
    let endpoint = r" --endpoint-url http://127\.0\.0\.1:[0-9]+/[0-9]{12}\b";
    // By the sandbox's clock, of which a test moves on what is under way: any call may
    // be said to be slow then (`list.rs` has it said).
    let slow = r"(?m)^waiting for [A-Za-z0-9 ]+ to answer [A-Za-z]+\n";
    let usual = regex::Regex::new(&format!("( --region {REGION})?{endpoint}|{slow}"));
    usual
        .expect("a pattern")
        .replace_all(output, "")
        .into_owned()
}

fn placeholders() -> Redactions {
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
        let pattern: regex::Regex = regex::Regex::new(pattern).expect("a pattern");
        placeholders.insert(name, pattern).expect("a placeholder");
    }
    placeholders
}

/// The items of a JSON list.
#[track_caller]
pub fn list(value: &Value) -> Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
        .clone()
}

/// A JSON text.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The tags of an AWS resource by their keys.
#[track_caller]
pub fn tags(resource: &Value) -> HashMap<String, String> {
    let tags = resource.get("Tags").or_else(|| resource.get("TagSet"));
    list(tags.unwrap_or_else(|| panic!("no tags: {resource}")))
        .iter()
        .map(|tag| (text(&tag["Key"]).to_owned(), text(&tag["Value"]).to_owned()))
        .collect()
}
