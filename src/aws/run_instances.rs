//! `RunInstances`: launching machines.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use aws_sdk_ec2::{
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::SdkError,
    operation::run_instances::{
        RunInstancesError, RunInstancesOutput, builders::RunInstancesFluentBuilder,
    },
    types::{
        self, BlockDeviceMapping, CpuOptionsRequest, CreditSpecificationRequest, EbsBlockDevice,
        HttpTokensState, IamInstanceProfileSpecification, InstanceMarketOptionsRequest,
        InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, MarketType, Placement,
        ResourceType, ShutdownBehavior, SpotInstanceType, SpotMarketOptions,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::Engine as _;

use super::{
    Aws, clock,
    errors::{self, Sort, code},
    send_before::SendBefore,
    tag_specification,
};
use crate::{
    error::{Failure, Kind, Result, Tried},
    model::{
        machine::{self, Machine},
        place::{Candidate, Place},
        request::Request,
    },
    plan::launch_plan::LaunchPlan,
    terminal::panics,
    values::Market,
};

/// A launch without an answer is asked for again, with its token, after this time. EC2
/// takes seconds for a hundred machines.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// The code for a type that is not in the account's free plan, and for other impossible
/// combinations (seen in RhinoSecurityLabs/cloudgoat issue 375; not documented).
pub const NOT_IN_FREE_PLAN: &str = "InvalidParameterCombination";

#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    pub request: &'a Request,
    pub plan: &'a LaunchPlan,
    /// The type, place and market.
    pub candidate: &'a Candidate,
    /// The security group. It is none only when EC2 is asked about a group that is still
    /// to be made.
    pub security_group_id: Option<&'a str>,
    /// The tags of machines, disks and network interfaces.
    pub tags: &'a [(String, String)],
    /// As it is sent, before base64.
    pub user_data: &'a [u8],
    /// The fewest machines that EC2 is to launch; else it launches none.
    pub least: u32,
    pub number: u32,
}

/// Why a launch did not go through.
#[derive(Clone, Debug)]
pub enum LaunchError {
    /// The token was spent on a launch of other bytes.
    TokenMismatch,
    /// The token was spent on machines that are terminated.
    TokenSpent,
    /// The request was not sent, as it was too late.
    TooLate,
    /// There was no answer, or one that does not tell: machines may be running.
    Unknown(Failure),
    /// EC2 throttled the call, or was not reached: nothing was launched.
    NotNow(Failure),
    /// EC2 does not know something, or not yet: nothing was launched.
    NotFound(Missing, Failure),
    /// There is no capacity or quota: nothing was launched.
    NoCapacity(Box<NoCapacity>),
    /// EC2 refused: nothing was launched.
    Refused(Failure),
}

/// Something that a launch names, and that may be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    SecurityGroup,
    KeyPair,
}

/// What is known of the missing capacity.
#[derive(Clone, Debug)]
pub struct NoCapacity {
    /// Where there may be more.
    pub remedy: Remedy,
    /// What was asked for, and EC2's answer.
    pub tried: Tried,
    /// The answer as a failure.
    pub failure: Failure,
}

/// Where there may be capacity instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// In another place.
    Place,
    /// With another type, in any place.
    Type,
    /// Nowhere.
    None,
}

impl Launch<'_> {
    /// The threads per core, if they were chosen. EC2 takes them together with the number
    /// of cores, which is the type's own.
    fn cpu_options(&self) -> Option<CpuOptionsRequest> {
        let threads = self.request.threads_per_core?;
        let cores = self.plan.cores.get(&self.candidate.vm_type)?;
        let number = |n: u32| i32::try_from(n).ok();
        let options = CpuOptionsRequest::builder()
            .set_core_count(number(*cores))
            .set_threads_per_core(number(threads));
        Some(options.build())
    }

    /// Why these cannot be exactly the machines of the launch. EC2 launches from
    /// [`Self::least`] to [`Self::number`] machines, and answers with all of them, ended
    /// ones too. After a wrong answer other machines may be running than it tells.
    fn miscounted(&self, machines: &[Machine]) -> Option<Failure> {
        let ids: BTreeSet<&str> = machines.iter().map(|m| m.instance_id.trim()).collect();
        let right = (self.least as usize..=self.number as usize).contains(&ids.len());
        let whole = ids.len() == machines.len() && !ids.contains("");
        (!right || !whole).then(|| {
            Failure::failed(format!(
                "EC2's answer does not name the {} that were asked for",
                machine::count(self.number as usize)
            ))
        })
    }

    /// Whether a refusal with this code may mean that accounts on the free plan do not
    /// launch this type.
    fn may_not_be_in_free_plan(&self, code: Option<&str>) -> bool {
        let facts = self.plan.facts_of(&self.candidate.vm_type);
        code == Some(NOT_IN_FREE_PLAN)
            && facts.is_some_and(|facts| facts.is_free_tier_eligible == Some(false))
    }

    /// What was asked for, and EC2's answer.
    fn tried(&self, code: String, reason: String) -> Tried {
        let (availability_zone, subnet_id) = match &self.candidate.place {
            Place::Any => (None, None),
            Place::Zone(zone) => (Some(zone.clone()), None),
            Place::Subnet(id) => (None, Some(id.clone())),
        };
        Tried {
            vm_type: self.candidate.vm_type.to_string(),
            availability_zone,
            subnet_id,
            market: self.candidate.market,
            machines: self.number,
            code,
            reason,
        }
    }
}

impl Aws {
    /// `RunInstances`: launches from `launch.least` to `launch.number` machines, or none.
    /// The request does not go out at `before` or later, by this computer's clock: a new
    /// sign-in or a closed lid may take long.
    pub async fn run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
        before: SystemTime,
    ) -> Result<Vec<Machine>, LaunchError> {
        let deadline = SendBefore::new(before, &self.time);
        panics::launching();
        let mut answer = self
            .try_run_instances(launch, client_token, &deadline)
            .await;
        if answer.as_ref().is_err_and(clock::has_expired) {
            answer = self
                .try_run_instances(launch, client_token, &deadline)
                .await;
        }
        let what = format!("cannot launch {}", launch.candidate.vm_type);
        let error = match answer {
            Ok(answer) => {
                let instances = answer.instances.unwrap_or_default().into_iter();
                let machines: Vec<Machine> = instances.map(|i| self.machine(i)).collect();
                return match launch.miscounted(&machines) {
                    None => Ok(machines),
                    Some(why) => Err(LaunchError::Unknown(why.while_doing(&what))),
                };
            }
            Err(_) if deadline.is_over() => return Err(LaunchError::TooLate),
            Err(error) => error,
        };
        let mut failure = self.failure(&error, &what).await;
        // EC2 has answered the same account in the same region, so the account is set up.
        if code(&error) == Some("OptInRequired") && launch.plan.image.is_of_marketplace {
            failure.kind = Kind::NotPermitted;
            failure = failure.hint("subscribe to the image's product in AWS Marketplace and accept its terms, once for the account, or name another image with --image-id");
        }
        let is_short = errors::sort_of_error(&error) == Sort::Place
            && code(&error) != Some("SpotMaxPriceTooLow");
        if let (Place::Subnet(_), true) = (&launch.candidate.place, is_short) {
            failure = failure.hint("name another subnet with --subnet-id (one with more free addresses, or in another zone), fewer --num-machines, another --vm-type, or try again later");
        }
        let no_capacity = |remedy, failure| {
            let code = code(&error).unwrap_or_default().to_owned();
            LaunchError::NoCapacity(Box::new(NoCapacity {
                remedy,
                tried: launch.tried(code, errors::said(&error)),
                failure,
            }))
        };
        Err(match errors::sort_of_error(&error) {
            Sort::Mismatch => LaunchError::TokenMismatch,
            Sort::Spent => LaunchError::TokenSpent,
            Sort::NotNow => LaunchError::NotNow(failure),
            Sort::NotFound => {
                let is_key_pair = code(&error).is_some_and(|c| c.starts_with("InvalidKeyPair"));
                let missing = if is_key_pair {
                    Missing::KeyPair
                } else {
                    Missing::SecurityGroup
                };
                LaunchError::NotFound(missing, failure)
            }
            Sort::Unknown => LaunchError::Unknown(failure),
            Sort::Place => no_capacity(Remedy::Place, failure),
            Sort::Quota | Sort::SpotQuota | Sort::SpotRole => no_capacity(Remedy::Type, failure),
            Sort::Account => no_capacity(Remedy::None, failure),
            // Many refusals have this code, and their words may change.
            Sort::Fatal if launch.may_not_be_in_free_plan(code(&error)) => {
                no_capacity(Remedy::Type, failure)
            }
            Sort::NotSignedIn | Sort::NotPermitted | Sort::NotAllowed | Sort::Fatal => {
                LaunchError::Refused(failure)
            }
        })
    }

    async fn try_run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
        deadline: &SendBefore,
    ) -> Result<RunInstancesOutput, SdkError<RunInstancesError, HttpResponse>> {
        self.run_instances_call(launch)
            .client_token(client_token)
            .customize()
            .interceptor(deadline.clone())
            // The launcher makes further tries itself, as it knows which failures are
            // worth it.
            .config_override(
                aws_sdk_ec2::config::Builder::new()
                    .retry_config(RetryConfig::disabled())
                    .timeout_config(
                        TimeoutConfig::builder()
                            .operation_attempt_timeout(ANSWERED_WITHIN)
                            .build(),
                    ),
            )
            .send()
            .await
    }

    /// Whether EC2 would permit the launch.
    pub async fn dry_run_instances(&self, launch: Launch<'_>) -> Result<()> {
        let answer = self.run_instances_call(launch).dry_run(true).send().await;
        self.dry_run_verdict(
            answer,
            &format!("cannot launch {}", launch.candidate.vm_type),
        )
        .await
    }

    fn run_instances_call(&self, launch: Launch<'_>) -> RunInstancesFluentBuilder {
        let Launch {
            request,
            plan,
            candidate,
            ..
        } = launch;
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let (zone, subnet_id) = match &candidate.place {
            Place::Any => (None, None),
            Place::Zone(zone) => (Some(zone), None),
            Place::Subnet(id) => (None, Some(id.clone())),
        };
        // EC2 takes a rate only for disks made from a snapshot, such as the root disk.
        let rate = request.initialization_rate_mibps.map(number);
        let disk = |device: &str, size_gib: u32, rate: Option<i32>| {
            let ebs = EbsBlockDevice::builder()
                .volume_size(number(size_gib))
                .volume_type(types::VolumeType::from(request.volume.kind.as_str()))
                .set_iops(request.volume.iops.map(number))
                .set_throughput(request.volume.throughput_mibps.map(number))
                .set_volume_initialization_rate(rate)
                .encrypted(true)
                .delete_on_termination(true)
                .build();
            BlockDeviceMapping::builder()
                .device_name(device)
                .ebs(ebs)
                .build()
        };
        // The image's own setting may let them outlive the machine, and cost.
        let others = plan.image.other_disks.iter();
        let disks = std::iter::once(disk(&plan.image.root_device, plan.volume_gib, rate))
            .chain(others.map(|other| disk(&other.device, other.size_gib, None)));
        let is_burstable = plan
            .facts_of(&candidate.vm_type)
            .is_some_and(|facts| facts.is_burstable);
        let credits = (request.standard_credits && is_burstable).then(|| {
            CreditSpecificationRequest::builder()
                .cpu_credits("standard")
                .build()
        });
        let mut call = self
            .ec2
            .run_instances()
            .image_id(&plan.image.id)
            .instance_type(types::InstanceType::from(candidate.vm_type.as_str()))
            .min_count(number(launch.least))
            .max_count(number(launch.number))
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .metadata_options(
                // The account's own default may turn this off.
                InstanceMetadataOptionsRequest::builder()
                    .http_endpoint(InstanceMetadataEndpointState::Enabled)
                    .http_tokens(HttpTokensState::Required)
                    .http_put_response_hop_limit(1)
                    .build(),
            )
            .set_block_device_mappings(Some(disks.collect()))
            .set_credit_specification(credits)
            .user_data(base64::engine::general_purpose::STANDARD.encode(launch.user_data))
            .set_security_group_ids(launch.security_group_id.map(|id| vec![id.to_owned()]))
            .set_subnet_id(subnet_id)
            .set_cpu_options(launch.cpu_options())
            .set_key_name(request.key_name.clone())
            .set_iam_instance_profile(request.instance_profile.as_ref().map(|name| {
                IamInstanceProfileSpecification::builder()
                    .name(name)
                    .build()
            }))
            .set_placement(zone.map(|zone| Placement::builder().availability_zone(zone).build()));
        for resource in [
            ResourceType::Instance,
            ResourceType::Volume,
            ResourceType::NetworkInterface,
        ] {
            call = call.tag_specifications(tag_specification(resource, launch.tags));
        }
        if candidate.market == Market::Spot {
            let spot = SpotMarketOptions::builder()
                .spot_instance_type(SpotInstanceType::OneTime)
                .set_max_price(request.max_price.clone())
                .build();
            call = call
                .instance_market_options(
                    InstanceMarketOptionsRequest::builder()
                        .market_type(MarketType::Spot)
                        .spot_options(spot)
                        .build(),
                )
                .tag_specifications(tag_specification(
                    ResourceType::SpotInstancesRequest,
                    launch.tags,
                ));
        }
        call
    }
}
