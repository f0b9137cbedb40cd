//! What every test ends with: the secrets of its account are looked for in all that
//! the program printed, wrote and handed on to other programs.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use regex::Regex;
use tempfile::TempDir;

use super::secret::{Leak, Secret, found};

/// The variables of a command that are secrets.
const VARIABLES: [&str; 6] = [
    INDUCTIVA_KEY,
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_MFA_TOKEN_CODE",
    TOKEN_OF_A_CONTAINER,
];
const INDUCTIVA_KEY: &str = "INDUCTIVA_API_KEY";
/// Of the machines, and of this computer: those have a password in the address.
const PROXIES: [&str; 3] = [PROXY_OF_MACHINES, "HTTPS_PROXY", "HTTP_PROXY"];
const PROXY_OF_MACHINES: &str = "INDUCTIVA_AWS_PROXY";
/// Commands of a profile keep it: they may get credentials with it.
const TOKEN_OF_A_CONTAINER: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const PRIVATE_KEY: &str = "private key";
/// What the program's children need as well.
const KEPT_BY_CHILDREN: [&str; 3] = [TOKEN_OF_A_CONTAINER, "HTTPS_PROXY", "HTTP_PROXY"];
/// The options that are.
const OPTIONS: [&str; 3] = ["--api-key", "--mfa-code", "--token-code"];
/// What the program may keep secrets in, for their owner alone: files and folders
/// below the home folder.
const KEPT_IN: [&str; 6] = [
    ".aws/credentials",
    ".aws/login/cache",
    ".aws/sso/cache",
    ".aws/cli/cache",
    ".aws/inductiva-aws",
    ".inductiva/api_key",
];

/// Stands before the programs that profiles name: writes down what everybody can see
/// of one that the program itself has started, and becomes that one.
#[cfg(target_os = "linux")]
const RECORDER: &str = r#"#!/bin/sh
here=${0%/*} name=${0##*/}
case $(readlink "/proc/$PPID/exe") in
*/inductiva-aws)
    tr '\0' '\n' <"/proc/$$/cmdline" >"$here/$$.argv"
    tr '\0' '\n' <"/proc/$$/environ" >"$here/$$.environ"
    ;;
esac
IFS=:
for folder in $PATH; do
    [ "$folder" = "$here" ] || [ ! -x "$folder/$name" ] || exec "$folder/$name" "$@"
done
exit 127
"#;
#[cfg(target_os = "linux")]
const PROGRAMS: [&str; 7] = ["sh", "cat", "echo", "printf", "ps", "sleep", "yes"];

/// A run of the program: what it was given and what it printed.
struct Printed {
    line: Vec<String>,
    secrets: Vec<Secret>,
    stdout: String,
    stderr: String,
}

impl Printed {
    /// Whether it is what the command is for, or what the test typed on a terminal.
    fn is_meant(&self, secret: &Secret) -> bool {
        let says = |word: &str| self.line.iter().any(|arg| arg == word);
        let is_typed = |arg: &String| {
            (arg.starts_with("type:") || arg.starts_with("see:")) && arg.contains(&secret.value)
        };
        let is_inductivas = [INDUCTIVA_KEY, PROXY_OF_MACHINES].contains(&secret.name.as_str());
        (says("credentials") && !is_inductivas)
            || (says("--show-secrets") && is_inductivas)
            || self.line.iter().any(is_typed)
    }

    fn search(&self, secrets: &[Secret], leaks: &mut Vec<Leak>) {
        let command = self.line.join(" ");
        for (stream, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let place = format!("{stream} of `{command}`");
            let is_meant = |secret: &Secret| stream == "stdout" && self.is_meant(secret);
            let searched = secrets.iter().filter(|secret| !is_meant(secret));
            searched.for_each(|secret| found(secret, text, &place, leaks));
        }
    }
}

/// The programs that run, by their process ids: what `spawn` knows of them and
/// `ended` does not.
static RUNNING: LazyLock<Mutex<HashMap<u32, (String, Printed)>>> = LazyLock::new(Mutex::default);
/// Those that have ended, by their accounts.
static ENDED: LazyLock<Mutex<HashMap<String, Vec<Printed>>>> = LazyLock::new(Mutex::default);

/// Remembers what a command was given.
pub fn started(command: &Command, child: &Child) {
    let words = |text: &OsStr| text.to_string_lossy().into_owned();
    let mut line = vec![words(command.get_program())];
    line.extend(command.get_args().map(words));
    // Other programs print what they like.
    if !line.iter().any(|word| is_ours(word)) {
        return;
    }
    let environment: HashMap<String, String> = command
        .get_envs()
        .filter_map(|(name, value)| Some((words(name), words(value?))))
        .collect();
    let mut accounts = environment.values().flat_map(|value| value.split('/'));
    let is_account = |part: &&str| part.len() == 12 && part.starts_with("2000000");
    let account = accounts
        .find(is_account)
        .expect("a command is an account's");
    let variable = |name: &&str| Secret::new(name, environment.get(*name)?);
    let password = |name: &str| {
        let address = environment.get(name)?;
        let (user, _) = address.split_once("://")?.1.rsplit_once('@')?;
        Secret::new(name, user.split_once(':')?.1)
    };
    let passwords = PROXIES.into_iter().filter_map(password);
    let option = |pair: &[String]| {
        let name = OPTIONS.iter().find(|name| pair[0] == **name)?;
        Secret::new(
            if *name == "--api-key" {
                INDUCTIVA_KEY
            } else {
                name
            },
            &pair[1],
        )
    };
    let token = || {
        let path = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")?;
        Secret::new("web identity token", &fs::read_to_string(path).ok()?)
    };
    let secrets = VARIABLES.iter().filter_map(variable);
    let secrets = secrets
        .chain(line.windows(2).filter_map(option))
        .chain(token())
        .chain(passwords);
    let printed = Printed {
        secrets: secrets.collect(),
        line,
        stdout: String::new(),
        stderr: String::new(),
    };
    let mut running = RUNNING.lock().expect("no panic");
    running.insert(child.id(), (account.to_owned(), printed));
}

fn is_ours(program: &str) -> bool {
    Path::new(program).file_name() == Some(OsStr::new("inductiva-aws"))
}

/// Keeps what a program has printed for the end of the test.
pub fn printed(id: u32, stdout: &str, stderr: &str) {
    let Some((account, mut printed)) = RUNNING.lock().expect("no panic").remove(&id) else {
        return;
    };
    stdout.clone_into(&mut printed.stdout);
    stderr.clone_into(&mut printed.stderr);
    let mut ended = ENDED.lock().expect("no panic");
    ended.entry(account).or_default().push(printed);
}

/// What is watched for one account.
pub struct Watch {
    /// The recorders of the program's children, and what they have written down.
    children: TempDir,
    /// The files that the test itself has put below the home folder.
    placed: Mutex<BTreeMap<PathBuf, String>>,
    is_over: AtomicBool,
}

impl Watch {
    pub fn new() -> Self {
        // By the name it is found on the search path: browser.py.
        let children = tempfile::Builder::new().prefix("children-").tempdir();
        let children = children.expect("a temporary folder");
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let [first, others @ ..] = PROGRAMS.map(|name| children.path().join(name));
            fs::write(&first, RECORDER).expect("a file is written");
            fs::set_permissions(&first, fs::Permissions::from_mode(0o755)).expect("a mode");
            for other in others {
                fs::hard_link(&first, other).expect("a link is made");
            }
        }
        Self {
            children,
            placed: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// The test looks itself.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Where programs look for others: the recorders come first.
    pub fn search_path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.children.path().display())
    }

    /// A file of the test's own. What is in it is no leak.
    pub fn place(&self, path: &Path, contents: &[u8]) {
        let contents = String::from_utf8_lossy(contents).into_owned();
        let mut placed = self.placed.lock().expect("no panic");
        placed.insert(path.to_owned(), contents);
    }

    /// The secrets in files of the test's own.
    fn secrets_in_files(&self) -> Vec<Secret> {
        static KEYS: LazyLock<Regex> = LazyLock::new(|| {
            let pattern = r#"(?:aws_secret_access_key|aws_session_token|"SecretAccessKey"|"SessionToken")\s*[=:]\s*"?([^\s"]+)"#;
            Regex::new(pattern).expect("a pattern")
        });
        static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"web_identity_token_file\s*=\s*(\S+)").expect("a pattern")
        });
        let placed = self.placed.lock().expect("no panic");
        let mut secrets = Vec::new();
        for (path, contents) in &*placed {
            if path.ends_with(".inductiva/api_key") {
                secrets.extend(Secret::new(INDUCTIVA_KEY, contents));
            }
            let keys = KEYS.captures_iter(contents);
            secrets.extend(keys.filter_map(|key| Secret::new("key of a profile", &key[1])));
            for token in TOKENS.captures_iter(contents) {
                let token = fs::read_to_string(&token[1]).unwrap_or_default();
                secrets.extend(Secret::new("web identity token", &token));
            }
        }
        secrets
    }

    /// Looks everywhere, for the secrets that the sandbox knows and for those that
    /// the test has given. What was printed is looked through once.
    pub fn leaks(&self, account: &str, home: &Path, known: &[(String, String)]) -> Vec<Leak> {
        let ended = ENDED.lock().expect("no panic").remove(account);
        let ended = ended.unwrap_or_default();
        let mut secrets: Vec<Secret> = known
            .iter()
            .filter_map(|(name, value)| Secret::new(name, value))
            .chain(self.secrets_in_files())
            .chain(ended.iter().flat_map(|printed| printed.secrets.clone()))
            .collect();
        secrets.sort_by(|a, b| a.value.cmp(&b.value));
        secrets.dedup_by(|a, b| a.value == b.value);
        let mut leaks = Vec::new();
        for printed in &ended {
            printed.search(&secrets, &mut leaks);
        }
        self.in_files(home, home, &secrets, &mut leaks);
        self.in_children(&secrets, &mut leaks);
        leaks
    }

    fn in_files(&self, folder: &Path, home: &Path, secrets: &[Secret], leaks: &mut Vec<Leak>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                self.in_files(&path, home, secrets, leaks);
            }
            // A pipe would never end.
            if !kind.is_file() {
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            let placed = self.placed.lock().expect("no panic");
            // It may have been moved.
            if placed.values().any(|contents| *contents == text) {
                continue;
            }
            let placed = placed.get(&path).map_or("", String::as_str);
            let relative = path.strip_prefix(home).unwrap_or(&path);
            for secret in secrets.iter().filter(|secret| !secret.is_in(placed)) {
                let is_kept = if secret.name == PRIVATE_KEY {
                    relative.extension() == Some(OsStr::new("pem"))
                } else {
                    KEPT_IN.iter().any(|kept| relative.starts_with(kept))
                };
                if is_kept && is_its_owners(&path) {
                    continue;
                }
                let place = format!("the file ~/{}", relative.display());
                found(secret, &text, &place, leaks);
            }
        }
    }

    fn in_children(&self, secrets: &[Secret], leaks: &mut Vec<Leak>) {
        let placed = self.placed.lock().expect("no panic");
        for entry in fs::read_dir(self.children.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let Some(what) = path.extension().and_then(OsStr::to_str) else {
                continue;
            };
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let place = format!("the {what} of a child");
            for secret in secrets {
                // The command that the profile has: the test's own.
                let is_placed = || placed.values().any(|contents| secret.is_in(contents));
                let is_meant = match what {
                    "argv" => is_placed(),
                    _ => KEPT_BY_CHILDREN.contains(&secret.name.as_str()),
                };
                if !is_meant {
                    found(secret, &text, &place, leaks);
                }
            }
        }
    }

    /// What the program's children have written down.
    pub fn children(&self) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(self.children.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            if path.extension().is_some() {
                all += &String::from_utf8_lossy(&fs::read(path).unwrap_or_default());
            }
        }
        all
    }
}

fn is_its_owners(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = fs::metadata(path).expect("a file");
        metadata.permissions().mode() & 0o777 == 0o600
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}
