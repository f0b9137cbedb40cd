//! Command lines for messages, to be pasted into a shell: with the region and the
//! profile that they need.

use crate::{settings::AwsSettings, values::GroupName};

/// What the lines of this run have in common.
pub struct Lines {
    /// ` --profile NAME`, or nothing.
    profile: String,
}

impl Lines {
    pub fn of(settings: &AwsSettings) -> Self {
        let profile = settings.profile_for_lines();
        Self {
            profile: profile.map_or(String::new(), |name| format!(" --profile {}", quoted(name))),
        }
    }

    pub fn ids(&self, ids: &[String], region: &str) -> String {
        format!(
            "inductiva-aws terminate --instance-id {} --region {region}{}",
            ids.join(","),
            self.profile
        )
    }

    /// Ends a group's machines in a region, and the group.
    pub fn group(&self, name: &GroupName, region: &str) -> String {
        format!(
            "inductiva-aws terminate --machine-group-name {} --region {region}{}",
            quoted(name.as_str()),
            self.profile
        )
    }

    pub fn everything(&self) -> String {
        format!(
            "inductiva-aws terminate --all --all-regions{}",
            self.profile
        )
    }

    pub fn list(&self) -> String {
        format!("inductiva-aws list --all-regions{}", self.profile)
    }

    /// Takes the termination protection off machines of one region, one after the
    /// other, as EC2 has it.
    pub fn unprotect(&self, ids: &[String], region: &str) -> String {
        let of = |id: &str| {
            format!(
                "aws ec2 modify-instance-attribute --instance-id {id} --no-disable-api-termination --region {region}{}",
                self.profile
            )
        };
        match ids {
            [id] => of(id),
            ids => format!("for id in {}; do {}; done", ids.join(" "), of("$id")),
        }
    }
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or(text.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_region_and_the_profile_and_are_quoted() {
        let lines = Lines {
            profile: " --profile 'the lab'".into(),
        };
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
