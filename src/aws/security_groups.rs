//! Security groups. Ours has no inbound rule but the SSH that was asked for.

use std::time::Duration;

use aws_sdk_ec2::{
    operation::create_security_group::builders::CreateSecurityGroupFluentBuilder,
    types::{self, IpPermission, ResourceType},
};

use super::{
    Aws,
    errors::{self, Sort, code, failure},
    filter, tag_specification,
};
use crate::{
    error::Result,
    model::{
        machine::{LAUNCHER, TAG_LAUNCHER},
        network::{Ingress, SECURITY_GROUP, SecurityGroup},
    },
    values::Cidr,
};

/// The pauses before looking again for a security group that exists but is not known in
/// all of EC2 yet ("Eventual consistency in the Amazon EC2 API", EC2 developer guide:
/// usually seconds).
const SHOWN_AFTER_SECONDS: [u64; 7] = [1, 1, 2, 4, 5, 8, 8];

impl Aws {
    /// The security groups called `name`, in any VPC.
    pub async fn security_groups(&self, name: &str) -> Result<Vec<SecurityGroup>> {
        self.security_groups_with(filter("group-name", [name]))
            .await
    }

    /// The security groups that this program made, in any VPC.
    pub async fn our_security_groups(&self) -> Result<Vec<SecurityGroup>> {
        let tagged = filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]);
        let mut groups = self.security_groups_with(tagged).await?;
        groups.retain(|group| is_our_name(&group.name));
        Ok(groups)
    }

    async fn security_groups_with(&self, wanted: types::Filter) -> Result<Vec<SecurityGroup>> {
        let answer = self
            .ec2
            .describe_security_groups()
            .filters(wanted)
            .send()
            .await
            .map_err(|error| failure(&error, "cannot look up the security group", &self.region))?;
        let group = |group: types::SecurityGroup| {
            Some(SecurityGroup {
                id: group.group_id?,
                name: group.group_name?,
                vpc_id: group.vpc_id?,
                ingress: group
                    .ip_permissions
                    .unwrap_or_default()
                    .into_iter()
                    .flat_map(ingress)
                    .collect(),
            })
        };
        Ok(answer
            .security_groups
            .unwrap_or_default()
            .into_iter()
            .filter_map(group)
            .collect())
    }

    /// Makes the security group `name` without any inbound rule but SSH from `ssh_from`,
    /// or takes the one that another run has made. Returns its id.
    pub async fn create_security_group(
        &self,
        name: &str,
        vpc_id: &str,
        ssh_from: Option<&Cidr>,
    ) -> Result<String> {
        let id = self.made_security_group(name, vpc_id).await?;
        if let Some(cidr) = ssh_from {
            self.open_ssh(&id, name, *cidr).await?;
        }
        Ok(id)
    }

    /// Makes the security group, or finds the one that another run has made; its id. That
    /// one may not show yet, and one that was deleted may still be in the way.
    async fn made_security_group(&self, name: &str, vpc_id: &str) -> Result<String> {
        let what = format!("cannot make the security group {name}");
        let mut pauses = SHOWN_AFTER_SECONDS.into_iter();
        loop {
            let error = match self.security_group_call(name, vpc_id).send().await {
                Ok(answer) => return Ok(answer.group_id.unwrap_or_default()),
                Err(error) if code(&error) == Some("InvalidGroup.Duplicate") => error,
                Err(error) => return Err(self.failure(&error, &what).await),
            };
            let mut groups = self.security_groups(name).await?.into_iter();
            if let Some(group) = groups.find(|group| group.vpc_id == vpc_id) {
                return Ok(group.id);
            }
            let Some(pause) = pauses.next() else {
                return Err(failure(&error, &what, &self.region).hint(
                    "EC2 says that it is there and does not show it: try again in a minute, or name another with --security-group-id",
                ));
            };
            self.time.pause(Duration::from_secs(pause)).await;
        }
    }

    /// Opens SSH in a security group that EC2 may not know everywhere yet.
    async fn open_ssh(&self, id: &str, name: &str, from: Cidr) -> Result<()> {
        let mut pauses = SHOWN_AFTER_SECONDS.into_iter();
        loop {
            let opening = self.ec2.authorize_security_group_ingress().group_id(id);
            let answer = opening.ip_permissions(ssh_permission(from)).send().await;
            let Err(error) = answer else {
                return Ok(());
            };
            if code(&error) == Some("InvalidPermission.Duplicate") {
                return Ok(());
            }
            match pauses.next() {
                Some(pause) if errors::sort_of_error(&error) == Sort::NotFound => {
                    self.time.pause(Duration::from_secs(pause)).await;
                }
                _ => {
                    let what = format!("cannot open SSH in the security group {name}");
                    return Err(self.failure(&error, &what).await);
                }
            }
        }
    }

    /// Deletes a security group; false if something still uses it. It is no error if the
    /// group is gone already.
    pub async fn delete_security_group(&self, id: &str) -> Result<bool> {
        let answer = self.ec2.delete_security_group().group_id(id).send().await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => match code(&error) {
                Some("DependencyViolation") => Ok(false),
                Some("InvalidGroup.NotFound") => Ok(true),
                _ => Err(failure(
                    &error,
                    &format!("cannot remove the security group {id}"),
                    &self.region,
                )),
            },
        }
    }

    /// Whether EC2 would permit making the security group.
    pub async fn dry_run_security_group(&self, name: &str, vpc_id: &str) -> Result<()> {
        let answer = self
            .security_group_call(name, vpc_id)
            .dry_run(true)
            .send()
            .await;
        self.dry_run_verdict(answer, &format!("cannot make the security group {name}"))
            .await
    }

    fn security_group_call(&self, name: &str, vpc_id: &str) -> CreateSecurityGroupFluentBuilder {
        let tags = [
            ("Name".to_owned(), name.to_owned()),
            (TAG_LAUNCHER.to_owned(), LAUNCHER.to_owned()),
        ];
        self.ec2
            .create_security_group()
            .group_name(name)
            .description("Inductiva task runner machines, made by inductiva-aws")
            .vpc_id(vpc_id)
            .tag_specifications(tag_specification(ResourceType::SecurityGroup, &tags))
    }
}

/// Whether this program gives security groups such names.
fn is_our_name(name: &str) -> bool {
    name.strip_prefix(SECURITY_GROUP)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(" ssh from "))
}

/// The rules of one permission, an entry for each source.
fn ingress(permission: IpPermission) -> Vec<Ingress> {
    let ssh = permission.ip_protocol.as_deref() == Some("tcp")
        && permission.from_port == Some(22)
        && permission.to_port == Some(22);
    let v4 = permission
        .ip_ranges
        .unwrap_or_default()
        .into_iter()
        .map(|range| range.cidr_ip);
    let v6 = permission
        .ipv6_ranges
        .unwrap_or_default()
        .into_iter()
        .map(|range| range.cidr_ipv6);
    let others = permission.user_id_group_pairs.unwrap_or_default().len()
        + permission.prefix_list_ids.unwrap_or_default().len();
    v4.chain(v6)
        .map(|cidr| match cidr {
            Some(cidr) if ssh => Ingress::Ssh(cidr),
            _ => Ingress::Other,
        })
        .chain(std::iter::repeat_n(Ingress::Other, others))
        .collect()
}

fn ssh_permission(cidr: Cidr) -> IpPermission {
    let rule = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22);
    if cidr.is_ipv6() {
        let range = types::Ipv6Range::builder()
            .cidr_ipv6(cidr.to_string())
            .description("SSH")
            .build();
        rule.ipv6_ranges(range).build()
    } else {
        let range = types::IpRange::builder()
            .cidr_ip(cidr.to_string())
            .description("SSH")
            .build();
        rule.ip_ranges(range).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_source_of_an_inbound_rule_is_seen() {
        let ssh: Cidr = "203.0.113.0/24".parse().expect("a block");
        assert_eq!(
            ingress(ssh_permission(ssh)),
            [Ingress::Ssh("203.0.113.0/24".into())]
        );
        let v6: Cidr = "2001:db8::/64".parse().expect("a block");
        assert_eq!(
            ingress(ssh_permission(v6)),
            [Ingress::Ssh("2001:db8::/64".into())]
        );
        let pair = types::UserIdGroupPair::builder().group_id("sg-1").build();
        let from_group = IpPermission::builder()
            .ip_protocol("-1")
            .user_id_group_pairs(pair)
            .build();
        assert_eq!(ingress(from_group), [Ingress::Other]);
        let list = types::PrefixListId::builder()
            .prefix_list_id("pl-1")
            .build();
        let from_list = IpPermission::builder()
            .ip_protocol("tcp")
            .prefix_list_ids(list)
            .build();
        assert_eq!(ingress(from_list), [Ingress::Other]);
    }
}
