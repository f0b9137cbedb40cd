//! The page that a sign-in ends on, in a real browser. A machine without Chromium still
//! passes the tests, and is told what was not tried; in CI there has to be one.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    sandbox::{Account, Run, finish, text},
    sso,
};

/// A Chromium without a window, and the folder that it writes to: not the account's
/// home, as it writes down where it has been.
struct Chromium {
    folder: tempfile::TempDir,
    /// For `BROWSER`.
    opener: PathBuf,
}

impl Chromium {
    fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .flat_map(|folder| {
                ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
            })
            .find(|program| program.is_file());
        let Some(program) = found else {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            assert!(
                std::env::var_os("CI").is_none(),
                "there is no Chromium on PATH"
            );
            // Past the test harness, which shows what passing tests print to nobody.
            let _ = writeln!(
                std::io::stderr(),
                "{test}: not tried in a real browser: there is no Chromium on PATH"
            );
            return None;
        };
        Some(Self::of(&program))
    }

    /// It prints what the page has come to, once it has loaded, and ends.
    fn of(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let opener = folder.path().join("opener");
        let script = format!(
            "#!/bin/sh\n\
             # Its sandbox is not for root, and a container has no room for its shared memory.\n\
             HOME={at} {} --headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu --incognito --no-first-run --no-proxy-server --disable-background-networking --disable-component-update --disable-sync --user-data-dir={at}/profile --dump-dom \"$1\" >{at}/page.part 2>{at}/said\n\
             mv {at}/page.part {at}/page\n",
            program.display()
        );
        fs::write(&opener, script).expect("a file");
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).expect("set");
        Self { folder, opener }
    }

    /// Signs in, and waits until the browser has shown the page that it ends on.
    fn signs_in(&self, account: &Account, login: &mut Command) -> (Run, String) {
        let page = self.folder.path().join("page");
        let _ = fs::remove_file(&page);
        let run = finish(login.env("BROWSER", &self.opener))
            .ignoring_the_rest("what the terminal says is looked at in console.rs and sso/");
        account.until("the browser has shown a page", |_| page.exists());
        (run, fs::read_to_string(page).expect("a page"))
    }
}

/// What a person reads on it.
#[track_caller]
fn assert_page(page: &str, words: &str) {
    assert!(page.contains("<title>inductiva-aws</title>"), "{page}");
    assert!(page.contains(&format!("<p>{words}</p>")), "{page}");
}

const SIGNED_IN: &str = "Signed in: go back to the terminal. You can close this page.";
const NOT_SIGNED_IN: &str = "Not signed in: the terminal says why. You can close this page.";

#[test]
fn a_browser_shows_the_end_of_a_console_sign_in_after_the_code_was_exchanged() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let account = Account::new();
    for (refuse, code, words) in [
        (json!("AUTHCODE_EXPIRED"), 4, NOT_SIGNED_IN),
        (Value::Null, 0, SIGNED_IN),
    ] {
        account.put("signin", json!({"refuse": refuse}));
        let mut login = sso::command(&account, "login --console");
        let (run, page) = chromium.signs_in(&account, &mut login);
        assert_eq!(run.code, code, "{}", run.stderr);
        assert_page(&page, words);
    }
    assert_eq!(
        account.json("whoami --profile default")["account"],
        text(&json!(account.number))
    );
}

#[test]
fn a_browser_shows_the_end_of_an_identity_center_sign_in_after_the_code_was_exchanged() {
    let Some(chromium) = Chromium::find() else {
        return;
    };
    let account = sso::account();
    for (refused, code, words) in [(true, 1, NOT_SIGNED_IN), (false, 0, SIGNED_IN)] {
        if refused {
            account.fault(json!({"service": "*", "operation": "CreateToken", "code": "InvalidGrantException", "message": "no", "status": 400}));
        }
        let mut login = sso::command(&account, "login --profile new");
        let (run, page) = chromium.signs_in(&account, &mut login);
        assert_eq!(run.code, code, "{}", run.stderr);
        assert_page(&page, words);
        assert!(!page.contains("code="), "{page}");
    }
    sso::assert_signed_in(&account, "new");
}
