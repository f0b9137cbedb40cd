//! `configure`: what is asked, and what is stored.

use std::{fs, os::unix::fs::PermissionsExt as _};

use snapbox::str;

use crate::{
    sandbox::{Account, Run},
    terminal::on_a_terminal,
};

const ID: &str = "AKIAI44QH8DHBEXAMPLE";
const SECRET: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
/// Nothing is signed in but by the files.
const BARE: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_REGION", ""),
    ("INDUCTIVA_API_KEY", ""),
    ("NO_COLOR", "1"),
];

fn configure(account: &Account, flags: &str, steps: &[&str]) -> Run {
    on_a_terminal(account, &format!("configure{flags}"), steps, BARE)
}

/// The same with a profile that is set, whatever its name.
fn on_a_terminal_as(account: &Account, profile: &str, steps: &[&str]) -> Run {
    let environment = [BARE, &[("AWS_PROFILE", profile)]].concat();
    on_a_terminal(account, "configure", steps, &environment)
}

fn read(account: &Account, path: &str) -> String {
    fs::read_to_string(account.home.path().join(path)).unwrap_or_default()
}

fn mode(account: &Account, path: &str) -> u32 {
    let about = fs::metadata(account.home.path().join(path)).expect("a file");
    about.permissions().mode() & 0o777
}

#[test]
fn configure_stores_what_it_is_told_for_its_owner_alone() {
    let account = Account::new();
    let secret = format!("type:{SECRET}\\n");
    let id = format!("type:{ID}\\n");
    let run = configure(
        &account,
        "",
        &[
            "see:AWS access key id [none]: ",
            &id,
            "see:AWS secret access key [none]: ",
            &secret,
            "see:region of the machines [none]: ",
            "type:eu-west-2\\n",
            "see:Inductiva API key [none]: ",
            "type:the-inductiva-key\\n",
            "see:try it: inductiva-aws whoami",
        ],
    );
    run.assert(
        0,
        str![[r#"
AWS access key id [none]: AKIAI44QH8DHBEXAMPLE
AWS secret access key [none]: 
region of the machines [none]: eu-west-2
Inductiva API key [none]: 
try it: inductiva-aws whoami
stored the access keys in [HOME]/.aws/credentials
stored the region in [HOME]/.aws/config
stored the Inductiva API key in [HOME]/.inductiva/api_key

"#]],
        str![],
    );
    assert_eq!(
        read(&account, ".aws/credentials"),
        format!("[default]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n")
    );
    assert_eq!(
        read(&account, ".aws/config"),
        "[default]\nregion = eu-west-2\n"
    );
    assert_eq!(read(&account, ".inductiva/api_key"), "the-inductiva-key");
    for path in [".aws/credentials", ".aws/config", ".inductiva/api_key"] {
        assert_eq!(mode(&account, path), 0o600, "{path}");
    }
    // It is what every other command takes.
    let run = on_a_terminal(&account, "whoami -q", &[], BARE);
    let who = format!("arn:aws:iam::{}:user/sandbox", account.number);
    assert_eq!((run.code, run.stdout.trim()), (0, who.as_str()));
    assert_eq!(account.requests()[0]["access_key_id"], ID);
}

#[test]
fn configure_shows_what_is_there_by_its_end_and_keeps_it() {
    let account = Account::new();
    let credentials = format!(
        "# mine\n[x]\naws_access_key_id = A1\n\n[w] ; c\naws_secret_access_key: {SECRET}\naws_access_key_id = {ID}\n[y]\n"
    );
    // What was readable for all is not any more, once keys are written to it.
    account.file(
        ".aws/credentials",
        format!("[w]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n[x]\na = b"),
    );
    account.file(
        ".aws/config",
        "[profile \"w\"]\r\n# c\r\noutput = json\r\n[plugins]\r\na = b\r\n",
    );
    fs::set_permissions(
        account.home.path().join(".aws/config"),
        fs::Permissions::from_mode(0o640),
    )
    .expect("set");
    let run = configure(
        &account,
        " --profile w",
        &[
            "see:AWS access key id [****************MPLE]: ",
            "type:\\n",
            "see:AWS secret access key [****************EKEY]: ",
            "type:new/Secret+1\\n",
            "see:region of the machines [none]: ",
            "type:eu-west-3\\n",
            "see:Inductiva API key [none]: ",
            "type:\\n",
            "see:--profile w",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(
        !run.stdout.contains(SECRET) && !run.stdout.contains("new/Secret"),
        "{}",
        run.stdout
    );
    assert_eq!(
        read(&account, ".aws/credentials"),
        format!(
            "[w]\naws_access_key_id = {ID}\naws_secret_access_key = new/Secret+1\n[x]\na = b\n"
        )
    );
    assert_eq!(
        read(&account, ".aws/config"),
        "[profile \"w\"]\r\n# c\r\noutput = json\r\nregion = eu-west-3\r\n[plugins]\r\na = b\r\n"
    );
    assert_eq!(mode(&account, ".aws/credentials"), 0o600);
    assert_eq!(mode(&account, ".aws/config"), 0o640);
    assert!(!account.home.path().join(".inductiva").exists());
    // A link stays a link, and what is kept is not written at all.
    let home = account.home.path();
    fs::rename(home.join(".aws/credentials"), home.join("elsewhere")).expect("renamed");
    fs::write(home.join("elsewhere"), &credentials).expect("written");
    std::os::unix::fs::symlink("../elsewhere", home.join(".aws/credentials")).expect("a link");
    let run = configure(
        &account,
        " --profile w --region eu-west-1",
        &[
            "see:id [",
            "type:\\n",
            "see:key [",
            "type:other\\n",
            "see:API key",
            "type:\\n",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(
        read(&account, "elsewhere"),
        credentials.replace(&format!(": {SECRET}"), " = other")
    );
    assert!(home.join(".aws/credentials").is_symlink());
}

#[test]
fn no_answer_and_an_interruption_leave_everything_as_it_was() {
    let account = Account::new();
    let id = format!("type:{ID}\\n");
    for (last, code) in [("type:\\x04", 1), ("type:\\x03", 130)] {
        for steps in [
            vec!["see:AWS access key id", last],
            vec!["see:AWS access key id", &id, "see:secret access key", last],
            vec![
                "see:AWS access key id",
                &id,
                "see:secret access key",
                "type:x\\n",
                "see:region",
                last,
            ],
        ] {
            let run = configure(&account, "", &steps);
            assert_eq!(run.code, code, "{}", run.stdout);
        }
    }
    let run = configure(
        &account,
        " sso",
        &["see:name of the SSO session", "type:\\x04"],
    );
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(!account.home.path().join(".aws").exists());
}

#[test]
fn three_wrong_answers_end_with_what_is_wrong_with_them() {
    let account = Account::new();
    let wrong = ["see:AWS access key id", "type:AKIA x\\n"];
    let run = configure(&account, "", &[wrong, wrong, wrong].concat());
    assert_eq!(run.code, 2, "{}", run.stdout);
    let last = "error: no AWS access key id after 3 answers: an access key id is one word";
    assert!(run.stdout.contains(last), "{}", run.stdout);
    let run = configure(
        &account,
        " sso --sso-session s",
        &[
            "see:start URL",
            "type:a\\n",
            "see:start URL of",
            "type:b\\n",
            "see:start URL of",
            "type:c\\n",
        ],
    );
    assert_eq!(run.code, 2, "{}", run.stdout);
    let last = "after 3 answers: a start URL looks like";
    assert!(run.stdout.contains(last), "{}", run.stdout);
}

#[test]
fn options_may_stand_before_the_kind_of_profile() {
    let account = Account::new();
    for line in ["configure --profile w sso", "configure sso --profile w"] {
        account.run(line).fails(2, str![[r#"
error: --sso-session is missing
hint: without a terminal `inductiva-aws configure sso` needs --profile, --region, --sso-session, --sso-start-url, --sso-region, --sso-account-id and --sso-role-name

"#]]);
    }
}

#[test]
fn configure_writes_over_no_other_sign_in_and_asks_nobody_without_a_terminal() {
    let account = Account::new();
    account.file(
        ".aws/config",
        "[default]\nsso_session = s\nsso_account_id = 1\n",
    );
    configure(&account, "", &[]).assert(
        2,
        str![[r#"
error: profile default signs in with IAM Identity Center in [HOME]/.aws/config
hint: name another profile with --profile, or remove that one first

"#]],
        "",
    );
    // A name that no header could have would make a section of another profile.
    for name in ["a]\n[default", "it's", "a\"b"] {
        on_a_terminal_as(&account, name, &[]).assert(
            2,
            str![[r#"
error: "[..]" cannot be written as the name of a profile
hint: a name has no quotes, brackets or backslashes in it, and no blanks around it

"#]],
            "",
        );
    }
    account.run("configure").fails(
        2,
        str![[r#"
error: `inductiva-aws configure` asks, and there is no terminal to ask on
hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and INDUCTIVA_API_KEY instead

"#]],
    );
}
