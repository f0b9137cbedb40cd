//! Command lines for messages, to be pasted into any shell. That shell need have nothing
//! of this one's environment but the credentials.

use std::{
    fmt::Write as _,
    sync::{PoisonError, RwLock},
};

use super::quoting;
use crate::values::{GroupName, is_machine_id};

/// Which AWS this run uses: what was typed, set or found in a profile.
static OF_THIS_RUN: RwLock<AwsOptions> = RwLock::new(AwsOptions {
    variables: Vec::new(),
    region: None,
    profile: None,
    endpoint_url: None,
});

/// The options and variables that say which AWS a command is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsOptions {
    /// Variables that have no option: the addresses of single services.
    pub variables: Vec<(String, String)>,
    pub region: Option<String>,
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
}

impl AwsOptions {
    /// The options of this run that are known by now.
    pub fn of_this_run() -> Self {
        let options = OF_THIS_RUN.read();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets where AWS is, by these variables. `--endpoint-url` would replace the address
    /// of a single service.
    pub fn set_endpoints(&mut self, variables: Vec<(String, String)>) {
        match variables.as_slice() {
            [(name, url)] if name == "AWS_ENDPOINT_URL" => self.endpoint_url = Some(url.clone()),
            _ => self.variables = variables,
        }
    }

    pub fn in_region(&self, region: &str) -> Self {
        Self {
            region: Some(region.to_owned()),
            ..self.clone()
        }
    }

    /// This program with these arguments.
    pub fn command(&self, arguments: &str) -> String {
        self.line("inductiva-aws", arguments)
    }

    /// The AWS CLI with these arguments.
    pub fn aws(&self, arguments: &str) -> String {
        self.line("aws", arguments)
    }

    fn line(&self, program: &str, arguments: &str) -> String {
        let mut line = String::new();
        for (name, value) in &self.variables {
            let _ = write!(line, "{name}={} ", quoting::word(value));
        }
        let _ = write!(line, "{program} {arguments}");
        for (option, value) in [
            ("--region", &self.region),
            ("--profile", &self.profile),
            ("--endpoint-url", &self.endpoint_url),
        ] {
            if let Some(value) = value {
                let _ = write!(line, " {option} {}", quoting::word(value));
            }
        }
        line
    }
}

/// Remembers what every command for the same account and region needs. It is called again
/// when more of that is known.
pub fn remember(options: AwsOptions) {
    *OF_THIS_RUN.write().unwrap_or_else(PoisonError::into_inner) = options;
}

/// This program with these arguments, for the account and region of this run.
pub fn command(arguments: &str) -> String {
    AwsOptions::of_this_run().command(arguments)
}

/// This program with these arguments, for a sign-in. They name its profile, from which
/// region and account follow; only the address of AWS does not.
pub fn sign_in_command(arguments: &str) -> String {
    let of_this_run = AwsOptions::of_this_run();
    AwsOptions {
        region: None,
        profile: None,
        ..of_this_run
    }
    .command(arguments)
}

/// A group as an argument of commands that take names and ids.
pub fn named(group: &GroupName) -> String {
    let name = quoting::word(group.as_str());
    // What looks like an id is taken for one.
    if is_machine_id(group.as_str()) {
        format!("--machine-group-name {name}")
    } else {
        name
    }
}

/// The command that ends a group, for messages.
pub fn terminate_command(group: &GroupName) -> String {
    command(&format!(
        "terminate --machine-group-name {}",
        quoting::word(group.as_str())
    ))
}

/// `inductiva-aws terminate NAME… deletes them`, with the names of the groups. A name that
/// this program does not take is left out.
pub fn deletes(groups: &[&str]) -> String {
    let names: Vec<GroupName> = groups.iter().filter_map(|name| name.parse().ok()).collect();
    // An option takes one name.
    let (ids, words): (Vec<&GroupName>, Vec<&GroupName>) =
        names.iter().partition(|name| is_machine_id(name.as_str()));
    let words: Vec<String> = words.into_iter().map(named).collect();
    let mut lines: Vec<String> = ids.into_iter().map(terminate_command).collect();
    if !words.is_empty() {
        lines.insert(0, command(&format!("terminate {}", words.join(" "))));
    }
    let what = if groups.len() == 1 { "it" } else { "them" };
    format!("{} deletes {what}", lines.join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_aws_it_is_for_and_is_quoted() {
        let options = AwsOptions {
            variables: vec![("AWS_ENDPOINT_URL_EC2".into(), "https://ec2/$x".into())],
            region: Some("eu-west-2".into()),
            profile: Some("the lab".into()),
            endpoint_url: Some("http://127.0.0.1:1/a&b".into()),
        };
        assert_eq!(
            options.in_region("us-east-1").command("list"),
            "AWS_ENDPOINT_URL_EC2='https://ec2/$x' inductiva-aws list --region us-east-1 --profile 'the lab' --endpoint-url 'http://127.0.0.1:1/a&b'"
        );
        assert_eq!(AwsOptions::default().aws("ec2 x"), "aws ec2 x");
    }
}
