//! Command lines for messages that can be pasted into a shell. They have the region, the
//! profile and the address that they need.

use crate::{
    terminal::{command_line::AwsOptions, quoting},
    values::GroupName,
};

/// The options that all lines of this run share.
pub struct Lines(AwsOptions);

impl Lines {
    pub fn of_this_run() -> Self {
        Self(AwsOptions::of_this_run())
    }

    pub fn ids(&self, ids: &[String], region: &str) -> String {
        let options = self.0.in_region(region);
        options.command(&format!("terminate --instance-id {}", ids.join(",")))
    }

    /// The line that ends a group's machines in a region, and the group.
    pub fn group(&self, name: &GroupName, region: &str) -> String {
        let name = quoting::word(name.as_str());
        let options = self.0.in_region(region);
        options.command(&format!("terminate --machine-group-name {name}"))
    }

    pub fn everything(&self) -> String {
        self.0.command("terminate --all --all-regions")
    }

    pub fn list(&self) -> String {
        self.0.command("list --all-regions")
    }

    /// The line that takes the termination protection off machines of one region. EC2
    /// takes one id at a time.
    pub fn unprotect(&self, ids: &[String], region: &str) -> String {
        let options = self.0.in_region(region);
        let of = |id: &str| {
            options.aws(&format!(
                "ec2 modify-instance-attribute --instance-id {id} --no-disable-api-termination"
            ))
        };
        match ids {
            [id] => of(id),
            ids => format!("for id in {}; do {}; done", ids.join(" "), of("$id")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_region_and_the_profile_and_are_quoted() {
        let lines = Lines(AwsOptions {
            profile: Some("the lab".into()),
            ..AwsOptions::default()
        });
        let name: GroupName = "my run".parse().expect("a name");
        assert_eq!(
            lines.group(&name, "us-east-1"),
            "inductiva-aws terminate --machine-group-name 'my run' --region us-east-1 --profile 'the lab'"
        );
        assert_eq!(
            lines.unprotect(&["i-1".into(), "i-2".into()], "us-east-1"),
            "for id in i-1 i-2; do aws ec2 modify-instance-attribute --instance-id $id --no-disable-api-termination --region us-east-1 --profile 'the lab'; done"
        );
    }
}
