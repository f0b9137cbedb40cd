//! What launching speaks to: EC2, Inductiva and the clock. It is a trait so that the
//! simulated histories (`launch/histories.rs`) run the launching itself.

use std::time::SystemTime;

use super::{
    key_pair::NewKeyPair,
    look_up::{Found, gather},
};
use crate::{
    aws::{
        Aws,
        run_instances::{Launch, LaunchError},
        terminate::Terminated,
    },
    error::Result,
    inductiva::{self, ApiError, Group},
    machines::everywhere,
    model::{machine::Machine, request::Request, vm_type::VmTypeFacts},
    terminal::output::Output,
    time::Time,
    values::VmType,
};

/// EC2 and Inductiva, as the launch of one group sees them.
pub trait World {
    fn time(&self) -> &Time;

    /// What EC2's clock showed when this computer's showed `local`.
    fn ec2_time(&self, local: SystemTime) -> SystemTime;

    /// What this computer's clock shows when EC2's shows `ec2`.
    fn local_time(&self, ec2: SystemTime) -> SystemTime;

    /// Looks up everything that a plan needs, at once.
    async fn look(&self) -> Result<Found>;

    /// The group's machines that EC2 shows, terminated ones too.
    async fn machines(&self) -> Result<Vec<Machine>>;

    /// `RunInstances`. The request does not go out at `before` or later, by this
    /// computer's clock.
    async fn run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
        before: SystemTime,
    ) -> Result<Vec<Machine>, LaunchError>;

    /// This program's machines in all regions that can be asked.
    async fn everywhere(&self) -> Result<everywhere::Survey>;

    /// `TerminateInstances`. No request goes out at `before` or later, by this computer's
    /// clock.
    async fn terminate(&self, ids: &[String], before: SystemTime) -> Terminated;

    /// Which zones offer the types; none where EC2 does not tell.
    async fn offerings(&self) -> Option<Vec<(String, String)>>;

    /// Makes our security group, or finds the one that exists by now.
    async fn make_security_group(&self, name: &str, vpc_id: &str) -> Result<String>;

    /// Whether the key pair can be used or made.
    async fn look_at_key_pair(&self, key_pair: &NewKeyPair) -> Result<()>;

    /// Makes a key pair and the file of its private key; false where both exist already.
    async fn make_key_pair(&self, key_pair: &NewKeyPair, out: Output) -> Result<bool>;

    /// Deletes a key pair that this run made, and its file.
    async fn unmake_key_pair(&self, key_pair: &NewKeyPair, out: Output);

    /// The group on Inductiva's side.
    async fn group(&self) -> Result<Option<Group>, ApiError>;

    /// The active groups of that name on Inductiva's side.
    async fn active_groups(&self) -> Result<Vec<Group>, ApiError>;

    /// Makes the group on Inductiva's side; its id.
    async fn make_group(&self, facts: &VmTypeFacts, disk_gib: u32) -> Result<String, ApiError>;

    /// Deletes a group on Inductiva's side.
    async fn delete_group(&self, id: &str) -> Result<(), ApiError>;
}

/// The real EC2 and Inductiva.
pub struct RealWorld<'a> {
    pub aws: &'a Aws,
    pub api: &'a inductiva::Client,
    /// The request whose group this is about.
    pub request: &'a Request,
    pub expected_account: Option<&'a str>,
}

impl World for RealWorld<'_> {
    fn time(&self) -> &Time {
        &self.aws.time
    }

    fn ec2_time(&self, local: SystemTime) -> SystemTime {
        self.aws.clock.at(local)
    }

    fn local_time(&self, ec2: SystemTime) -> SystemTime {
        self.aws.clock.local(ec2)
    }

    async fn look(&self) -> Result<Found> {
        Box::pin(gather(
            self.aws,
            self.api,
            self.request,
            self.expected_account,
        ))
        .await
    }

    async fn machines(&self) -> Result<Vec<Machine>> {
        self.aws.group_machines(&self.request.group).await
    }

    async fn everywhere(&self) -> Result<everywhere::Survey> {
        Ok(everywhere::Survey::as_far_as_possible(self.aws).await)
    }

    async fn run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
        before: SystemTime,
    ) -> Result<Vec<Machine>, LaunchError> {
        self.aws.run_instances(launch, client_token, before).await
    }

    async fn terminate(&self, ids: &[String], before: SystemTime) -> Terminated {
        self.aws.terminate_before(before, ids).await
    }

    async fn offerings(&self) -> Option<Vec<(String, String)>> {
        let names: Vec<&str> = self.request.vm_types().map(VmType::as_str).collect();
        self.aws.offerings(&names).await.ok()
    }

    async fn make_security_group(&self, name: &str, vpc_id: &str) -> Result<String> {
        let ssh_from = self.request.ssh_from.as_ref();
        self.aws.create_security_group(name, vpc_id, ssh_from).await
    }

    async fn look_at_key_pair(&self, key_pair: &NewKeyPair) -> Result<()> {
        key_pair.look(self.aws).await.map(|_| ())
    }

    async fn make_key_pair(&self, key_pair: &NewKeyPair, out: Output) -> Result<bool> {
        key_pair.make(self.aws, out).await
    }

    async fn unmake_key_pair(&self, key_pair: &NewKeyPair, out: Output) {
        key_pair.unmake(self.aws, out).await;
    }

    async fn group(&self) -> Result<Option<Group>, ApiError> {
        self.api.group_to_join(&self.request.group).await
    }

    async fn active_groups(&self) -> Result<Vec<Group>, ApiError> {
        let mut groups = self.api.groups().await?;
        groups.retain(|group| group.name == self.request.group.as_str() && group.is_active());
        Ok(groups)
    }

    async fn make_group(&self, facts: &VmTypeFacts, disk_gib: u32) -> Result<String, ApiError> {
        let Request { group, vm_type, .. } = self.request;
        self.api.create_group(group, vm_type, facts, disk_gib).await
    }

    async fn delete_group(&self, id: &str) -> Result<(), ApiError> {
        self.api.delete_group(id).await
    }
}
