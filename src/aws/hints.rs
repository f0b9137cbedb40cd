//! What to do about AWS's error codes.

use super::codes::{Sort, sort_of};
use crate::{error::Kind, terminal::command_line::command};

/// None for a code about which there is nothing to say.
pub fn of_code(kind: Kind, code: &str, said: &str, region: &str) -> Option<String> {
    let hint = match (kind, code) {
        (Kind::NotSignedIn, "SignatureDoesNotMatch") => {
            return Some(format!(
                "check the secret access key; `{}` shows which credentials are used",
                command("whoami")
            ));
        }
        (Kind::NotSignedIn, "OptInRequired") => {
            return Some(format!(
                "the account is not set up for this yet, or {region} has to be enabled first"
            ));
        }
        (Kind::NotSignedIn, _) => {
            return Some(format!(
                "sign in again: the credentials are wrong, no longer valid, or not enabled for this region; `{}` shows which are used",
                command("whoami")
            ));
        }
        (_, "AuthFailure.ServiceLinkedRoleCreationNotPermitted") => {
            "an account's first spot machine makes a role: ask for the permission iam:CreateServiceLinkedRole, or have an administrator run it once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com; --spot-fallback launches on demand instead"
        }
        (_, "Blocked") => {
            "AWS has blocked the account: ask AWS Support, https://console.aws.amazon.com/support"
        }
        (_, "TagPolicyViolation") => {
            "give the tag a value that your organisation's tag policy takes: --tag KEY=VALUE"
        }
        (_, "SpotMaxPriceTooLow") => {
            "raise --max-price, or leave it out: the limit is the on-demand price then"
        }
        (Kind::Capacity, "PendingVerification") => {
            "AWS is checking the new account for this region; that takes up to 4 hours"
        }
        (Kind::Capacity, _)
            if matches!(sort_of(code), Sort::Quota | Sort::SpotQuota | Sort::Account) =>
        {
            "ask for a higher EC2 quota in the Service Quotas console, choose a smaller --vm-type, or fewer --num-machines"
        }
        (Kind::Capacity, _) => {
            "try another --availability-zone, --vm-type or --region, or try again later"
        }
        _ => return of_named_thing(code, said, region),
    };
    Some(hint.to_owned())
}

/// What to do if EC2 does not know something that was named.
fn of_named_thing(code: &str, said: &str, region: &str) -> Option<String> {
    let family = code.split('.').next().unwrap_or(code);
    if code == "InvalidAMIID.Unavailable" {
        return Some(format!(
            "the image is no longer there, or not yet: name another of {region} with --image-id, or leave it out for the newest Ubuntu 24.04"
        ));
    }
    let flag = match family {
        "InvalidAMIID" => "--image-id: an image belongs to one region",
        "InvalidInstanceType" => "--vm-type: not every region has every type",
        "InvalidSubnetID" => "--subnet-id: a subnet belongs to one region",
        "InvalidGroup" | "InvalidGroupId" => {
            "--security-group-id: a security group belongs to one VPC"
        }
        "InvalidKeyPair" => {
            "--key-name: a key pair belongs to one region; --create-key-pair makes one"
        }
        // EC2 has this code for a wrong value of any parameter, and only its message
        // names the parameter. It decides about this hint and nothing else: without it
        // the message stands by itself.
        "InvalidParameterValue" if said.contains("iamInstanceProfile") => {
            "--instance-profile: it is the profile's name, not the role's"
        }
        _ => return None,
    };
    Some(format!("check {flag} (this is {region})"))
}
