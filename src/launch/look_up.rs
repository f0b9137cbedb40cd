//! The read-only half of `start`: everything that a plan needs, asked at once.

use std::time::{Duration, SystemTime};

use crate::{
    aws::{Aws, Identity},
    error::{Failure, Kind, Result},
    inductiva::{self, ApiError, Group},
    model::{
        active_group::{ActiveGroup, Record},
        image::Image,
        machine::Machine,
        network::{RouteTable, SecurityGroup, Subnet, security_group_name},
        request::Request,
        system::System,
        vm_type::VmTypeFacts,
    },
    plan::{facts::Facts, machine_price, parts::Parts, prices::Prices},
    time::Time,
    values::VmType,
};

/// How much later than all other answers prices may come, where nothing depends on them.
const PRICES_MAY_BE_LATER: Duration = Duration::from_millis(300);

/// The group on Inductiva's side, as far as it is known.
#[derive(Clone, Debug)]
pub enum GroupLookup {
    /// It exists, and machines can join it.
    Active(Group),
    /// It does not exist, or is terminated.
    Absent,
    /// Why the API did not answer.
    OutOfReach(String),
}

#[derive(Clone, Debug)]
pub struct Found {
    /// When it was asked for, by this computer's clock.
    pub asked_at: SystemTime,
    pub identity: Identity,
    pub facts: Facts,
    pub group: GroupLookup,
    /// The prices that came in time.
    pub prices: Prices,
}

/// The answers, each by itself: one may fail and the others not.
#[derive(Debug)]
pub struct Lookups {
    pub identity: Result<Identity>,
    pub group: Result<Option<Group>, ApiError>,
    pub machines: Result<Vec<Machine>>,
    pub vm_type: Result<VmTypeFacts>,
    /// The properties of the request's further types.
    pub other_types: Result<Vec<VmTypeFacts>>,
    /// The images that may be taken.
    pub images: Result<Vec<Image>>,
    /// The subnets that machines may be launched in.
    pub subnets: Result<Vec<Subnet>>,
    pub route_tables: Result<Vec<RouteTable>>,
    /// The VPCs of dedicated tenancy. They are asked for only where a subnet is named, as
    /// a default VPC is never one (EC2 user guide, "Dedicated Instances").
    pub dedicated_vpcs: Result<Vec<String>>,
    /// The security groups that have the name of ours.
    pub security_groups: Result<Vec<SecurityGroup>>,
}

/// Looks everything up that a start needs.
///
/// # Errors
/// The first of: not signed in, the wrong account, a refused API key, something that EC2
/// does not have.
pub async fn gather(
    aws: &Aws,
    api: &inductiva::Client,
    request: &Request,
    expected_account: Option<&str>,
) -> Result<Found> {
    let asked_at = aws.time.now();
    let looking = look(aws, api, request, None);
    let pricing = aws.prices(request, System::Linux);
    let together = with_prices(&aws.time, request.needs_prices(), looking, pricing);
    let (mut lookups, prices) = Box::pin(together).await;
    let identity = lookups.identity.clone()?;
    expect_account(aws, &identity, expected_account)?;
    let group = match std::mem::replace(&mut lookups.group, Ok(None)) {
        Ok(Some(group)) if group.is_active() => GroupLookup::Active(group),
        Ok(_) => GroupLookup::Absent,
        Err(ApiError::OutOfReach(why)) => GroupLookup::OutOfReach(why),
        Err(error) => return Err(error.into()),
    };
    let mut facts = lookups.facts(aws, asked_at)?;
    facts.group = match &group {
        GroupLookup::Active(group) => Ok(Some(active_group(group))),
        GroupLookup::Absent => Ok(None),
        GroupLookup::OutOfReach(why) => Err(why.clone()),
    };
    let prices = prices_of_its_system(aws, request, &facts, prices).await;
    Parts::of(request, &facts, &prices).tell(&mut facts);
    Ok(Found {
        asked_at,
        identity,
        facts,
        group,
        prices,
    })
}

/// Waits for everything, and for the prices. Where nothing depends on the prices they may
/// come a little later than the rest, and no more.
async fn with_prices<T>(
    time: &Time,
    needs_prices: bool,
    looking: impl Future<Output = T>,
    pricing: impl Future<Output = Prices>,
) -> (T, Prices) {
    tokio::pin!(looking, pricing);
    tokio::select! {
        lookups = &mut looking => {
            if needs_prices {
                return (lookups, pricing.await);
            }
            let late = time.within(PRICES_MAY_BE_LATER, pricing).await;
            let prices = late.unwrap_or_else(|_| {
                let millis = PRICES_MAY_BE_LATER.as_millis();
                Prices::unknown(&format!("prices were not told within {millis} ms"))
            });
            (lookups, prices)
        }
        prices = &mut pricing => (looking.await, prices),
    }
}

/// A group as budgets see it.
pub fn active_group(group: &Group) -> ActiveGroup {
    ActiveGroup {
        id: group.id.clone(),
        created_at: group.created_at,
        machines: group.machines.iter().map(Record::from).collect(),
    }
}

/// The prices for the image's operating system. That is nearly always Linux, so Linux
/// prices are asked for while the image is still looked up.
pub async fn prices_of_its_system(
    aws: &Aws,
    request: &Request,
    facts: &Facts,
    prices: Prices,
) -> Prices {
    match machine_price::system(request, facts) {
        Ok(system) if system != prices.system => aws.prices(request, system).await,
        _ => prices,
    }
}

/// Asks everything in one round trip, and does not wait for what has no answer within
/// `limit`.
pub async fn look(
    aws: &Aws,
    api: &inductiva::Client,
    request: &Request,
    limit: Option<Duration>,
) -> Lookups {
    let security_group_name = security_group_name(request.ssh_from.as_ref());
    let security_groups = async {
        if request.security_group_id.is_some() {
            return Ok(Vec::new());
        }
        let asking = aws.security_groups(&security_group_name);
        aws.within(limit, "EC2", asking).await
    };
    let group = async {
        let asking = api.group_to_join(&request.group);
        match limit {
            None => asking.await,
            Some(limit) => aws
                .time
                .within(limit, asking)
                .await
                .unwrap_or_else(|_| Err(ApiError::no_answer_within(limit))),
        }
    };
    let dedicated_vpcs = async {
        match request.subnet_id {
            Some(_) => aws.within(limit, "EC2", aws.dedicated_vpcs()).await,
            None => Ok(Vec::new()),
        }
    };
    let vm_types = async {
        if !request.types_are_default {
            return tokio::join!(
                aws.within(limit, "EC2", aws.vm_type(&request.vm_type)),
                aws.within(limit, "EC2", aws.vm_types(&request.other_types))
            );
        }
        // If the region lacks one of the types, machines of the others are launched.
        let wanted: Vec<VmType> = request.vm_types().cloned().collect();
        match aws.within(limit, "EC2", aws.vm_types_there(&wanted)).await {
            Ok(mut there) => {
                let others = there.split_off(1);
                let first = there.pop();
                let first = first.ok_or_else(|| Failure::failed("no type was found"));
                (first, Ok(others))
            }
            Err(failure) => (Err(failure.clone()), Err(failure)),
        }
    };
    let (
        identity,
        group,
        machines,
        (vm_type, other_types),
        images,
        subnets,
        route_tables,
        dedicated_vpcs,
        security_groups,
    ) = tokio::join!(
        aws.within(limit, "AWS STS", aws.identity()),
        group,
        aws.within(limit, "EC2", aws.group_machines(&request.group)),
        vm_types,
        aws.within(limit, "EC2", aws.images(request)),
        aws.within(limit, "EC2", aws.subnets(request)),
        aws.within(limit, "EC2", aws.route_tables()),
        dedicated_vpcs,
        security_groups,
    );
    Lookups {
        identity,
        group,
        machines,
        vm_type,
        other_types,
        images,
        subnets,
        route_tables,
        dedicated_vpcs,
        security_groups,
    }
}

impl Lookups {
    /// The properties of the types that EC2 knows.
    pub fn vm_types(&self) -> impl Iterator<Item = &VmTypeFacts> {
        let others = self.other_types.iter().flatten();
        self.vm_type.iter().chain(others)
    }

    /// The facts of a plan. Everything was asked at `asked_at`, by this computer's clock.
    ///
    /// # Errors
    /// The first lookup that EC2 had no answer for.
    pub fn facts(self, aws: &Aws, asked_at: SystemTime) -> Result<Facts> {
        Ok(Facts {
            account: self.identity?.account,
            region: aws.region.clone(),
            looked_at: aws.clock.at(asked_at),
            hours_offset: aws.time.hours_offset(),
            machines: self.machines?,
            vm_type: self.vm_type?,
            other_types: self.other_types?,
            images: self.images?,
            subnets: self.subnets?,
            // A launch does without the permission to see route tables.
            route_tables: self.route_tables.map_err(|failure| failure.message),
            dedicated_vpcs: self.dedicated_vpcs.map_err(|failure| failure.message),
            // Whoever knows the prices puts them in.
            most_usd_per_hour: Err("it was not looked up".into()),
            usd_once: Err("it was not looked up".into()),
            group: Err("it was not asked".into()),
            security_groups: self.security_groups?,
        })
    }
}

/// Refuses every account but the one that `--expect-account` names.
///
/// # Errors
/// The account is another one.
pub fn expect_account(
    aws: &Aws,
    identity: &Identity,
    expected_account: Option<&str>,
) -> Result<()> {
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::time::Simulated;

    /// A clock that jumps over each pause.
    #[derive(Debug, Default)]
    struct Jumping(Mutex<Duration>);

    impl Simulated for Jumping {
        fn now(&self) -> Duration {
            *self.0.lock().expect("a time")
        }

        fn pause(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
            *self.0.lock().expect("a time") += pause;
            Box::pin(std::future::ready(()))
        }
    }

    async fn turns(number: usize) {
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
    }

    /// By how much the prices delay a launch, and what is known of them then. They come
    /// after `prices` turns, and everything else after `rest` turns.
    fn late_by(needs_prices: bool, rest: usize, prices: usize) -> (Duration, Result<f64, String>) {
        let clock = Arc::new(Jumping::default());
        let time = Time::simulated(Arc::clone(&clock) as Arc<dyn Simulated>);
        let pricing = async {
            turns(prices).await;
            Prices {
                address: Ok(0.005),
                ..Prices::unknown("not asked")
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let together = with_prices(&time, needs_prices, turns(rest), pricing);
        let ((), prices) = runtime.expect("a runtime").block_on(together);
        (clock.now(), prices.address)
    }

    #[test]
    fn prices_that_are_late_delay_a_launch_by_so_much_and_no_more() {
        let limit = Duration::from_millis(300);
        let why = Err("prices were not told within 300 ms".to_owned());
        assert_eq!(late_by(false, 0, 9), (limit, why));
        // The prices come before everything else.
        assert_eq!(late_by(false, 9, 3), (Duration::ZERO, Ok(0.005)));
        // A limit or a budget waits for them.
        assert_eq!(late_by(true, 0, 9), (Duration::ZERO, Ok(0.005)));
    }
}
