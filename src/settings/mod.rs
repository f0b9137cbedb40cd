//! From what was typed to what it means here: with this computer's environment, its
//! terminal, and the files that the command line names.

pub mod home;
pub mod image;
pub mod request;

use std::{
    env,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    bounds,
    cli::{ApiArgs, Color, Global},
    error::{Failure, Result},
    http::Http,
    identity::{
        addresses,
        older_files::OlderFile,
        process,
        profiles::AwsFiles,
        settings::{Desktop, Environment, MfaSettings},
    },
    model::request::Runner,
    terminal::{command_line, mask, output::Output},
    values::Proxy,
};
pub use crate::{identity::settings::AwsSettings, inductiva::ApiSettings};

/// The variables that are secrets.
const SECRET_VARIABLES: [&str; 6] = [
    "INDUCTIVA_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_MFA_TOKEN_CODE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// Sets the streams up by the global options.
pub fn output(global: &Global) -> Output {
    match global.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    Output {
        format: global.output,
        quiet: global.quiet,
        verbose: global.verbose,
        interactive: !global.no_input && io::stdin().is_terminal() && io::stderr().is_terminal(),
    }
}

/// Which AWS to talk to, by the command line and the environment.
pub fn aws(global: &Global) -> AwsSettings {
    know_secrets(global);
    // The order of botocore.
    let profile_in_environment =
        variable("AWS_DEFAULT_PROFILE").or_else(|| variable("AWS_PROFILE"));
    let typed = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let within = variable(process::WITHIN).unwrap_or_default();
    let settings = AwsSettings {
        region: typed(&global.region)
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION")),
        typed_region: typed(&global.region),
        needs_region: true,
        profile: typed(&global.profile).or_else(|| profile_in_environment.clone()),
        profile_is_typed: typed(&global.profile).is_some(),
        profile_in_environment,
        within_profiles: within.lines().map(str::to_owned).collect(),
        endpoint_url: global.endpoint_url.clone(),
        endpoint_variables: addresses::variables()
            .filter_map(|name| env::var(&name).ok().map(|value| (name, value)))
            .collect(),
        mfa: MfaSettings {
            serial: typed(&global.mfa_serial),
            code: global.mfa_code.clone(),
            serial_variable: variable("AWS_MFA_SERIAL_NUMBER"),
            code_variable: variable("AWS_MFA_TOKEN_CODE"),
        },
        http: Http::default(),
        older_files: older_files(),
        login_cache: login_cache(),
        files: aws_files(),
        ca_bundle: variable("AWS_CA_BUNDLE").map(PathBuf::from),
        desktop: desktop(),
        environment: Environment {
            access_key_id: variable("AWS_ACCESS_KEY_ID"),
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY"),
            session_token: variable("AWS_SECURITY_TOKEN").or_else(|| variable("AWS_SESSION_TOKEN")),
            expiration: variable("AWS_CREDENTIAL_EXPIRATION"),
            web_identity_token_file: variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
            role_arn: variable("AWS_ROLE_ARN"),
            role_session_name: variable("AWS_ROLE_SESSION_NAME"),
        },
        no_input: global.no_input,
        only_at_hand: false,
        answered_within: None,
    };
    command_line::remember(settings.options_for_lines());
    settings
}

/// Has the secrets masked that were typed or set, whether or not they are used.
fn know_secrets(global: &Global) {
    mask::know(global.mfa_code.as_deref().unwrap_or_default());
    mask::know_password_of(global.endpoint_url.as_deref().unwrap_or_default());
    for name in SECRET_VARIABLES {
        mask::know(&variable(name).unwrap_or_default());
    }
    let token_file = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    if let Some(token) = token_file.and_then(|path| bounds::read_text(Path::new(&path)).ok()) {
        mask::know(&token);
    }
    let proxies = ["http_proxy", "https_proxy", "all_proxy"];
    let proxies = proxies
        .iter()
        .flat_map(|name| [(*name).to_owned(), name.to_uppercase()]);
    for name in proxies.chain(addresses::variables()) {
        mask::know_password_of(&variable(&name).unwrap_or_default());
    }
}

fn desktop() -> Desktop {
    let any = |names: &[&str]| names.iter().any(|name| variable(name).is_some());
    let has_display = cfg!(any(windows, target_os = "macos"))
        || any(&["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]);
    Desktop {
        over_ssh: any(&["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"]),
        // systemd and Podman set `container`; Docker makes the file.
        in_container: any(&["container", "KUBERNETES_SERVICE_HOST"])
            || ["/.dockerenv", "/run/.containerenv"]
                .iter()
                .any(|path| Path::new(path).exists()),
        has_display,
        names_browser: any(&["BROWSER"]),
    }
}

/// The path that a variable names.
fn named_path(name: &str) -> Option<PathBuf> {
    let path = variable(name)?;
    Some(match path.strip_prefix("~/") {
        Some(below) => env::home_dir().unwrap_or_default().join(below),
        None => PathBuf::from(path),
    })
}

/// The folder that keeps console sign-ins.
fn login_cache() -> PathBuf {
    let home = env::home_dir().unwrap_or_default();
    named_path("AWS_LOGIN_CACHE_DIRECTORY").unwrap_or_else(|| home.join(".aws/login/cache"))
}

/// The files of programs before the AWS CLI, in its order.
fn older_files() -> Vec<OlderFile> {
    let of_boto = match named_path("BOTO_CONFIG") {
        Some(path) => vec![path],
        None => vec![
            PathBuf::from("/etc/boto.cfg"),
            env::home_dir().unwrap_or_default().join(".boto"),
        ],
    };
    let of_tools = named_path("AWS_CREDENTIAL_FILE").map(OlderFile::Ec2Tools);
    of_tools
        .into_iter()
        .chain(of_boto.into_iter().map(OlderFile::Boto2))
        .collect()
}

/// The files that the AWS CLI and the SDKs share.
fn aws_files() -> AwsFiles {
    let folder = env::home_dir().unwrap_or_default().join(".aws");
    let named =
        |name: &str, default: &str| named_path(name).unwrap_or_else(|| folder.join(default));
    AwsFiles {
        config: named("AWS_CONFIG_FILE", "config"),
        credentials: named("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        folder,
    }
}

/// How to reach the Inductiva API. The key is that of `--api-key`, of
/// `INDUCTIVA_API_KEY`, or of the file that `inductiva auth login` writes.
pub fn api(args: &ApiArgs) -> Result<ApiSettings> {
    let url = api_url(args)?;
    let given = args
        .api_key
        .as_deref()
        .map(str::trim)
        .filter(|key| !key.is_empty());
    let key = match given {
        Some(key) => Some(key.to_owned()),
        None => stored_api_key()?,
    };
    if let Some(key) = &key {
        mask::know(key);
        // It becomes an HTTP header's value; the key itself is not shown.
        if !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(
                Failure::usage("the Inductiva API key has characters that no key has")
                    .hint("copy it again from your account at https://inductiva.ai/"),
            );
        }
    }
    Ok(ApiSettings { url, key })
}

/// The API's address in the form in which it was understood, which the machines get, too.
fn api_url(args: &ApiArgs) -> Result<String> {
    let given = &args.api_url;
    if given.is_empty() {
        return Ok(Runner::API_URL.to_owned());
    }
    let example = format!("it looks like {}", Runner::API_URL);
    let refused = |why: &str| {
        Failure::usage(format!(
            "the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: {} {why}",
            addresses::shown(given)
        ))
    };
    mask::know_password_of(given);
    let url = addresses::parsed(given).map_err(|why| refused(why).hint(&example))?;
    let more = [
        (url.query().is_some(), "has a query"),
        (url.fragment().is_some(), "has a fragment"),
        (
            !url.username().is_empty() || url.password().is_some(),
            "has a user or a password in it",
        ),
    ];
    if let Some((_, why)) = more.iter().find(|(has, _)| *has) {
        return Err(refused(why).hint(&example));
    }
    if url.scheme() == "http" && !addresses::is_loopback(&url) && !args.insecure {
        return Err(refused("is not encrypted: the API key would go over the network in clear, from here and from every machine")
            .hint("use https://, or add --insecure if everybody on that network may have the key"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The machines' proxy, from `--proxy` or `INDUCTIVA_AWS_PROXY`.
fn proxy(given: Option<&str>) -> Result<Option<Proxy>> {
    let Some(given) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    mask::know_password_of(given);
    let proxy = addresses::parsed(given).and_then(Proxy::new);
    proxy.map(Some).map_err(|why| {
        Failure::usage(format!(
            "the machines' proxy (--proxy, INDUCTIVA_AWS_PROXY) cannot be used: {} {why}",
            addresses::shown(given)
        ))
        .hint("it looks like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT")
    })
}

/// The file in which `inductiva auth login` keeps its key.
pub fn api_key_file() -> Option<PathBuf> {
    let folder = if cfg!(windows) {
        "AppData/inductiva"
    } else {
        ".inductiva"
    };
    Some(env::home_dir()?.join(folder).join("api_key"))
}

/// The key in it.
///
/// # Errors
/// Usage: it cannot be read.
pub fn stored_api_key() -> Result<Option<String>> {
    let Some(path) = api_key_file() else {
        return Ok(None);
    };
    match bounds::read_text(&path) {
        Ok(key) => Ok(Some(key.trim().to_owned()).filter(|key| !key.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_read(&path, &error)),
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

/// An environment variable; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder for files that are made for the user.
pub fn current_dir() -> Result<PathBuf> {
    Ok(env::current_dir().context("the current folder cannot be used")?)
}
