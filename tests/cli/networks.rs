//! Proxies, companies' own certificates, endpoints and partitions, and what is
//! said where AWS is out of reach.

mod clock;
mod out_of_reach;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, finish};

/// What tests/cli/network.py offers.
struct Network {
    account: Account,
    ports: Value,
    _process: Child,
}

impl Network {
    fn new() -> Self {
        let account = Account::new();
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let url = account.aws_url();
        let sandbox = url.trim_start_matches("http://").split('/').next();
        let mut process = Command::new(root.join("target/sandbox/venv/bin/python"))
            .arg(root.join("tests/cli/network.py"))
            .arg(account.home.path())
            .args([sandbox.expect("an address"), &account.number])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the network starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("stdout is a pipe"))
            .read_line(&mut line)
            .expect("the network says its ports");
        Self {
            account,
            ports: serde_json::from_str(&line).expect("JSON"),
            _process: process,
        }
    }

    fn url(&self, scheme: &str, port: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.ports[port])
    }

    fn ca(&self) -> String {
        self.account
            .home
            .path()
            .join("ca.pem")
            .display()
            .to_string()
    }

    /// The program where only this network leads to the sandbox.
    fn command(&self, line: &str) -> Command {
        let mut command = self.account.command(line.split_whitespace());
        command
            .env_remove("AWS_ENDPOINT_URL")
            .env("AWS_MAX_ATTEMPTS", "1");
        command
    }

    /// The same behind the proxy, with the CA trusted.
    fn behind_proxy(&self, line: &str) -> Command {
        let mut command = self.command(line);
        command
            .env("HTTPS_PROXY", self.url("http", "proxy"))
            .env("AWS_CA_BUNDLE", self.ca());
        command
    }

    /// What the proxy was asked for, once each; forgets it.
    fn proxied(&self) -> BTreeSet<String> {
        let path = self.account.home.path().join("proxied");
        let lines = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        lines.lines().map(str::to_owned).collect()
    }
}

/// What `whoami -q` prints with the environment's keys.
const USER: &str = "arn:aws:iam::[ACCOUNT]:user/sandbox\n";

#[test]
fn calls_go_through_the_proxy_to_the_endpoints_of_the_partition() {
    let network = Network::new();
    network.account.file(
        ".aws/config",
        "[profile fips]\nuse_fips_endpoint = true\nregion = us-east-1\n",
    );
    network.account.file(
        ".aws/credentials",
        "[fips]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = s\n",
    );
    // The sandbox's EC2 has regions of the usual partition alone.
    network.account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "code": "UnauthorizedOperation", "message": "no", "status": 403, "count": null}));
    for (flags, environment, sts, ec2) in [
        (
            "",
            None,
            "sts.eu-west-2.amazonaws.com",
            "ec2.eu-west-2.amazonaws.com",
        ),
        (
            "--region cn-north-1",
            None,
            "sts.cn-north-1.amazonaws.com.cn",
            "ec2.cn-north-1.amazonaws.com.cn",
        ),
        (
            "--region us-gov-west-1",
            None,
            "sts.us-gov-west-1.amazonaws.com",
            "ec2.us-gov-west-1.amazonaws.com",
        ),
        (
            "--region us-east-1",
            Some(("AWS_USE_FIPS_ENDPOINT", "true")),
            "sts-fips.us-east-1.amazonaws.com",
            "ec2-fips.us-east-1.amazonaws.com",
        ),
        (
            "--profile fips",
            Some(("AWS_REGION", "us-east-1")),
            "sts-fips.us-east-1.amazonaws.com",
            "ec2-fips.us-east-1.amazonaws.com",
        ),
    ] {
        let mut whoami = network.behind_proxy(&format!("whoami -q {flags}"));
        finish(whoami.envs(environment)).assert(0, USER, "");
        assert_eq!(network.proxied(), [format!("{sts}:443")].into());
        let mut list = network.behind_proxy(&format!("list -q {flags}"));
        finish(list.envs(environment)).fails(4, str![[r#"
error: cannot list machines: no (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
        assert!(network.proxied().contains(&format!("{ec2}:443")), "{ec2}");
    }
}

/// It has no FIPS endpoint.
#[test]
fn the_price_list_is_asked_at_its_usual_endpoint_with_fips_too() {
    let network = Network::new();
    let mut run = network.behind_proxy("check --region us-east-1");
    // What it finds is the sandbox's matter.
    let _ = finish(run.env("AWS_USE_FIPS_ENDPOINT", "true"))
        .ignoring_the_rest("what check finds behind this proxy is the sandbox's matter");
    let asked = network.proxied();
    assert!(
        asked.contains("ec2-fips.us-east-1.amazonaws.com:443"),
        "{asked:?}"
    );
    assert!(
        asked.contains("api.pricing.us-east-1.amazonaws.com:443"),
        "{asked:?}"
    );
}

#[test]
fn identity_center_is_reached_in_its_own_partition() {
    let network = Network::new();
    let number = &network.account.number;
    network
        .account
        .put("sso", json!({"pending_polls": 0, "interval": 1}));
    network.account.file(
        ".aws/config",
        format!("[profile sso]\nsso_session = corp\nsso_account_id = {number}\nsso_role_name = Launcher\nregion = cn-north-1\n[sso-session corp]\nsso_start_url = https://start.home.awsapps.cn/directory/d\nsso_region = cn-north-1\n"),
    );
    finish(&mut network.behind_proxy("login --profile sso --no-browser")).assert(
        0,
        "signed in to corp until [TIME]\n",
        str![[r#"
to sign in, open this page in a browser on any device:

  http://oidc.cn-north-1.amazonaws.com.cn/[ACCOUNT]/device?user_code=[..]

and see that it shows the code [..] (or open http://oidc.cn-north-1.amazonaws.com.cn/[ACCOUNT]/device and type it)

"#]]);
    assert_eq!(
        network.proxied(),
        ["oidc.cn-north-1.amazonaws.com.cn:443".to_owned()].into()
    );
    let mut whoami = network.behind_proxy("whoami -q --profile sso");
    finish(whoami.env_remove("AWS_REGION")).assert(
        0,
        "arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user\n",
        "",
    );
    assert!(
        network
            .proxied()
            .contains("portal.sso.cn-north-1.amazonaws.com.cn:443")
    );
}

#[test]
fn roles_are_assumed_at_fips_endpoints_too() {
    let network = Network::new();
    let number = &network.account.number;
    network
        .account
        .put("identity", json!({"roles": [{"name": "machines"}]}));
    network.account.file(
        ".aws/config",
        format!("[profile role]\nrole_arn = arn:aws:iam::{number}:role/machines\ncredential_source = Environment\n"),
    );
    let mut command = network.behind_proxy("whoami -q --profile role --region us-east-1");
    finish(command.env("AWS_USE_FIPS_ENDPOINT", "true")).assert(
        0,
        "arn:aws:sts::[ACCOUNT]:assumed-role/machines/inductiva-aws-[..]\n",
        "",
    );
    assert_eq!(
        network.proxied(),
        ["sts-fips.us-east-1.amazonaws.com:443".to_owned()].into()
    );
}

#[test]
fn a_companys_certificates_are_trusted_when_they_are_named() {
    let network = Network::new();
    let endpoint = network.url("https", "tls");
    let whoami = || {
        let mut command = network.command("whoami -q --output json");
        command.env("AWS_ENDPOINT_URL", &endpoint);
        command
    };
    finish(&mut whoami()).fails(1, str![[r#"
{"error":{"hint":"where a proxy or a firewall intercepts TLS, name the file with its certificates in AWS_CA_BUNDLE, or as ca_bundle in the profile","kind":"unreachable","machines":[],"message":"cannot tell who is signed in: cannot reach AWS in eu-west-2: the certificate's issuer is not trusted: io error: client error (Connect): TLS handshake failed: invalid peer certificate: UnknownIssuer"}}

"#]]);
    finish(whoami().env("AWS_CA_BUNDLE", network.ca())).succeeds("");
    // In the profile that is named, and in the default one.
    let keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = s\n";
    network
        .account
        .file(".aws/credentials", format!("[work]\n{keys}"));
    let bundle = format!("ca_bundle = {}\n", network.ca());
    network
        .account
        .file(".aws/config", format!("[profile work]\n{bundle}"));
    finish(whoami().args(["--profile", "work"])).succeeds("");
    network
        .account
        .file(".aws/config", format!("[default]\n{bundle}"));
    finish(&mut whoami()).succeeds("");
    // The variable goes before the profile; a file that is none is told.
    let nothing = network.account.file("text", "nothing");
    for (path, said) in [
        (
            "/no/such/bundle.pem",
            str![[r#"
{"error":{"hint":"it has to be a file with certificates between lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----","kind":"usage","machines":[],"message":"cannot use /no/such/bundle.pem (AWS_CA_BUNDLE): No such file or directory (os error [..])"}}

"#]],
        ),
        (
            &nothing.display().to_string(),
            str![[r#"
{"error":{"hint":"it has to be a file with certificates between lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----","kind":"usage","machines":[],"message":"cannot use [HOME]/text (AWS_CA_BUNDLE): there is no certificate in it"}}

"#]],
        ),
    ] {
        finish(whoami().env("AWS_CA_BUNDLE", path)).fails(2, said);
    }
}

#[test]
fn no_proxy_and_proxies_for_plain_http_are_honoured() {
    let network = Network::new();
    let mut past = network.behind_proxy("whoami -q");
    past.env("AWS_ENDPOINT_URL", network.url("https", "tls"))
        .env("NO_PROXY", "127.0.0.1");
    finish(&mut past).assert(0, USER, "");
    assert_eq!(network.proxied(), [].into());
    let mut plain = network.command("whoami -q");
    plain
        .env("AWS_ENDPOINT_URL", "http://sts.example.com/x")
        .env("HTTP_PROXY", network.url("http", "proxy"));
    finish(&mut plain).assert(0, USER, "");
    assert_eq!(
        network.proxied(),
        ["http://sts.example.com/x/".to_owned()].into()
    );
}

#[test]
fn endpoints_of_single_services_are_honoured() {
    let network = Network::new();
    let account = &network.account;
    let url = account.aws_url();
    // Of two services each has its own; what is not named would be AWS's.
    let mut list = network.command("list");
    finish(list.env("AWS_ENDPOINT_URL_EC2", &url)).assert(0, "", str![[r#"
no machines in eu-west-2; AWS_ENDPOINT_URL_EC2=http://[SERVER]/[ACCOUNT] inductiva-aws list --all-regions --region eu-west-2 looks everywhere

"#]]);
    let mut whoami = network.command("whoami -q");
    whoami
        .env("AWS_ENDPOINT_URL_STS", &url)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    finish(&mut whoami).assert(0, USER, "");
    // As botocore writes them in a profile.
    let number = &account.number;
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    account.file(
        ".aws/config",
        format!("[profile sso]\nsso_session = corp\nsso_account_id = {number}\nsso_role_name = Launcher\nservices = local\nendpoint_url = http://127.0.0.1:9\n\
            [sso-session corp]\nsso_start_url = https://d-sandbox.awsapps.com/start\nsso_region = eu-west-2\n\
            [services local]\nsso_oidc =\n  endpoint_url = {url}\nsso =\n  endpoint_url = {url}\nsts =\n  endpoint_url = {url}\n"),
    );
    finish(&mut network.command("login --profile sso --no-browser")).assert(
        0,
        "signed in to corp until [TIME]\n",
        str![[r#"
to sign in, open this page in a browser on any device:

  http://[SERVER]/[ACCOUNT]/device?user_code=[..]

and see that it shows the code [..] (or open http://[SERVER]/[ACCOUNT]/device and type it)

"#]],
    );
    finish(&mut network.command("whoami -q --profile sso")).assert(
        0,
        "arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user\n",
        "",
    );
    // The environment goes before the profile.
    let mut login = network.command("login --profile sso --no-browser");
    let run = finish(login.env("AWS_ENDPOINT_URL_SSO_OIDC", "http://127.0.0.1:9"));
    run.fails(1, str![[r#"
error: cannot sign in with IAM Identity Center: cannot reach AWS in eu-west-2: io error: client error (Connect): tcp connect error: Connection refused (os error [..])
hint: check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url

"#]]);
}

#[test]
fn a_proxys_password_is_not_shown() {
    let network = Network::new();
    let proxy = network
        .url("http", "refusing")
        .replace("//", "//me:MARKED@");
    let run = finish(network.command("whoami -vv").env("HTTPS_PROXY", proxy));
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(!run.stderr.contains("MARKED"), "{}", run.stderr);
}
