//! Nothing is launched for somebody who is not signed in, or may not, nor in a
//! region that is none.

use serde_json::json;
use snapbox::str;

use super::refused;
use crate::sandbox::Account;

#[test]
fn an_unknown_aws_profile() {
    let account = Account::new();
    account.file(
        ".aws/config",
        "[profile work]\nregion = eu-west-2\n[default]\nregion = eu-west-2\n",
    );
    refused(&account, "--profile wrok").assert(
        4,
        str![],
        str![[r#"
error: there is no AWS profile "wrok" in [HOME]/.aws/config and [HOME]/.aws/credentials
hint: there are: default, work

"#]],
    );
}

#[test]
fn a_region_that_is_none() {
    refused(&Account::new(), "--region london").assert(2, str![], str![[r#"
error: "london" is not an AWS region
hint: name one with --region, in AWS_REGION, or in the profile: eu-west-2 is London, us-east-1 is N. Virginia

"#]]);
}

#[test]
fn no_region_at_all() {
    let account = Account::new();
    let mut command = account.command(["start", "-q"]);
    command.env_remove("AWS_REGION");
    crate::sandbox::finish(&mut command).assert(2, str![], str![[r#"
error: no AWS region is set
hint: name one with --region, in AWS_REGION, or in the profile: eu-west-2 is London, us-east-1 is N. Virginia

"#]]);
}

#[test]
fn no_credentials_at_all() {
    let account = Account::new();
    let mut command = account.command(["start", "-q"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    crate::sandbox::finish(&mut command).assert(
        4,
        str![],
        str![[r#"
error: not signed in to AWS: no credentials were found
hint: `inductiva-aws login` signs in with the browser, `inductiva-aws configure` stores access keys, and `inductiva-aws configure sso` makes a profile for IAM Identity Center; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY

"#]],
    );
}

#[test]
fn credentials_that_aws_does_not_know() {
    let account = Account::new();
    let mut command = account.command(["start", "-q"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAINVALIDKEYEXAMPLE");
    crate::sandbox::finish(&mut command).assert(4, str![], str![[r#"
error: cannot tell who is signed in: The security token included in the request is invalid (InvalidClientTokenId, request [UUID])
hint: sign in again: the credentials are wrong, no longer valid, or not enabled for this region; `inductiva-aws whoami` shows which are used

"#]]);
}

#[test]
fn a_launch_that_is_not_permitted() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "UnauthorizedOperation", "status": 403,
        "message": format!("You are not authorized to perform this operation. User: arn:aws:iam::{}:user/sandbox is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:eu-west-2:{}:instance/* because no identity-based policy allows the ec2:RunInstances action. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm", account.number, account.number)}));
    refused(&account, "").assert(4, str![], str![[r#"
error: cannot launch t3.micro: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:RunInstances on arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*: no identity-based policy allows it (UnauthorizedOperation, request [UUID])
hint: hand the policy below to the account's administrator (all that is needed: `inductiva-aws man | man -l -`); if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")
{
  "Statement": [
    {
      "Action": "ec2:RunInstances",
      "Effect": "Allow",
      "Resource": "arn:aws:ec2:eu-west-2:[ACCOUNT]:instance/*"
    }
  ],
  "Version": "2012-10-17"
}

"#]]);
}

#[test]
fn a_server_that_speaks_no_tls_is_out_of_reach() {
    let account = Account::new();
    let https = account.aws_url().replace("http://", "https://");
    let run = refused(&account, &format!("--endpoint-url {https}"));
    run.fails(1, str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: what answers there does not speak TLS: io error: client error (Connect): TLS handshake failed: received corrupt message of type InvalidContentType
hint: check --endpoint-url, AWS_ENDPOINT_URL and HTTPS_PROXY: https:// or http://?

"#]]);
}
