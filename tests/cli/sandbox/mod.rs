//! Sandbox servers for the whole test run, and in them an AWS account of its own
//! for each test, so that tests neither see each other nor depend on an order.

mod leaks;
pub mod run;
mod secret;
mod server;
mod stream;
mod values;

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use snapbox::IntoData;
use tempfile::TempDir;

use leaks::Watch;
#[cfg(unix)]
pub use run::signal;
pub use run::{INTERRUPTED, Run, ended, finish, finish_with_stdin, spawn, until_it_says};
use secret::Leak;
use server::{CONTROL, SERVERS, Server};
pub use values::{list, tags, text};

/// The key that the sandbox's Inductiva API takes.
pub const API_KEY: &str = "sandbox-key";
/// The secret key of the user that AWS knows.
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Where the commands run, unless they say otherwise.
pub const REGION: &str = "eu-west-2";
/// The environment variable that leaves out the sandbox's delays: machines run,
/// and are gone, by the next request. No test's outcome may hang on it.
const NO_DELAYS: &str = "INDUCTIVA_AWS_TESTS_WITHOUT_DELAYS";

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
    #[track_caller]
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
    #[track_caller]
    pub fn run(&self, line: &str) -> Run {
        finish(&mut self.command(line.split_whitespace()))
    }

    /// Runs the program, which must succeed without a warning, and reads its JSON.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        self.json_that_warns(line, "")
    }

    /// The same with these warnings.
    #[track_caller]
    pub fn json_that_warns(&self, line: &str, warnings: impl IntoData) -> Value {
        let run = self.run(&format!("{line} --quiet --output json"));
        run.succeeds(warnings);
        run.document()
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
    pub fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(3);
        while !condition(self) {
            assert!(Instant::now() < deadline, "never came true: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
