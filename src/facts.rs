//! The read-only half of `start`: everything that a plan needs, asked at once.

use crate::{
    aws::{Aws, Identity},
    cost::Prices,
    error::{Failure, Kind, Result},
    inductiva::{self, ApiError, Group},
    plan::{Facts, Request, security_group_name},
};

/// The group on Inductiva's side, as far as it can be known.
#[derive(Clone, Debug)]
pub enum GroupLookup {
    /// There, and machines can join it.
    Active(Group),
    /// Not there, or terminated.
    Absent,
    /// The API did not answer, and why.
    OutOfReach(String),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Who is signed in.
    pub identity: Identity,
    /// What the plan is made of.
    pub facts: Facts,
    /// The group on Inductiva's side.
    pub group: GroupLookup,
    /// What it costs, as far as that can be told in time.
    pub prices: Prices,
}

/// Asks everything in one round trip.
///
/// # Errors
/// The first of: not signed in, the wrong account, a refused API key, what EC2
/// does not have.
pub async fn gather(
    aws: &Aws,
    api: &inductiva::Client,
    request: &Request,
    expected_account: Option<&str>,
) -> Result<Found> {
    let security_group_name = security_group_name(request.ssh_from.as_ref());
    let security_groups = async {
        match request.security_group_id {
            Some(_) => Ok(Vec::new()),
            None => aws.security_groups(&security_group_name).await,
        }
    };
    let (identity, group, machines, vm_type, other_types, images, subnets, security_groups, prices) = tokio::join!(
        aws.identity(),
        api.group(&request.group),
        aws.group_machines(&request.group),
        aws.vm_type(&request.vm_type),
        aws.vm_types(&request.other_types),
        aws.images(request),
        aws.subnets(request),
        security_groups,
        aws.prices(request),
    );
    let identity = identity?;
    if let Some(expected) = expected_account.filter(|expected| *expected != identity.account) {
        return Err(Failure::new(
            Kind::NotPermitted,
            format!(
                "signed in to account {}, not to {expected} (--expect-account)",
                identity.account
            ),
        )
        .hint(format!(
            "choose another --profile; these credentials came from: {}",
            aws.source
        )));
    }
    let group = match group {
        Ok(Some(group)) if group.is_active() => GroupLookup::Active(group),
        Ok(_) => GroupLookup::Absent,
        Err(ApiError::OutOfReach(why)) => GroupLookup::OutOfReach(why),
        Err(error) => return Err(error.into()),
    };
    let facts = Facts {
        account: identity.account.clone(),
        region: aws.region.clone(),
        now: aws.clock.now(),
        machines: machines?,
        vm_type: vm_type?,
        other_types: other_types?,
        images: images?,
        subnets: subnets?,
        security_groups: security_groups?,
    };
    Ok(Found {
        identity,
        facts,
        group,
        prices,
    })
}
