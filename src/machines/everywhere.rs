//! This program's machines in all regions.

use crate::{
    aws::Aws,
    error::{Failure, Kind, Result},
    model::machine::Machine,
    terminal::output::Output,
};

/// What a look at regions has shown, and where it was not possible.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The machines, terminated ones too.
    pub machines: Vec<Machine>,
    pub regions: Vec<String>,
    /// The regions where this identity may not look, and why. Many accounts deny all but
    /// a few, and not every session is good in each. A start needs the same permission
    /// there.
    pub denied: Vec<(String, Failure)>,
    /// The other regions that did not answer, and why.
    pub missing: Vec<(String, Failure)>,
    /// Whether every region that the account has enabled has answered.
    pub everywhere: bool,
}

/// What stands for the names of regions that cannot be listed.
const OTHER_REGIONS: &str = "the other regions";

impl Survey {
    /// The machines in the region of `aws`.
    pub async fn here(aws: &Aws) -> Result<Self> {
        Ok(Self {
            machines: aws.our_machines().await?,
            regions: vec![aws.region.clone()],
            ..Self::default()
        })
    }

    /// The machines in all regions, which are asked side by side. Regions that are not
    /// permitted are left out, with one line for all of them.
    ///
    /// # Errors
    /// The regions cannot be listed, or none of them is permitted.
    pub async fn everywhere(aws: &Aws, out: Output) -> Result<Self> {
        let (regions, not_listed) = regions(aws).await?;
        let mut found = Self::of(aws, regions).await;
        found.everywhere &= not_listed.is_none();
        if let Some(failure) = not_listed {
            out.warn(&format!(
                "{}; asked the regions that this program knows",
                failure.message
            ));
        }
        if let Some((regions, failure)) = found.denied_regions() {
            out.warn(&format!("left out: {regions} ({})", failure.message));
        }
        match found.denied.first() {
            Some((_, failure)) if found.regions.is_empty() && found.missing.is_empty() => {
                Err(failure.clone())
            }
            _ => Ok(found),
        }
    }

    /// The machines of all regions that can be asked. If the others cannot be listed, it
    /// is at least the region of `aws`.
    pub async fn as_far_as_possible(aws: &Aws) -> Self {
        match regions(aws).await {
            Ok((mut regions, not_listed)) => {
                if !regions.contains(&aws.region) {
                    regions.push(aws.region.clone());
                }
                let mut found = Self::of(aws, regions).await;
                found.everywhere &= not_listed.is_none();
                found
            }
            Err(failure) => {
                let mut found = Self::of(aws, vec![aws.region.clone()]).await;
                found.everywhere = false;
                found.leave_out(OTHER_REGIONS.to_owned(), failure);
                found
            }
        }
    }

    async fn of(aws: &Aws, regions: Vec<String>) -> Self {
        let mut asked = tokio::task::JoinSet::new();
        for region in regions {
            let aws = aws.in_region(&region);
            asked.spawn(async move { (region, aws.our_machines().await) });
        }
        let mut found = Self {
            everywhere: true,
            ..Self::default()
        };
        for (region, machines) in asked.join_all().await {
            match machines {
                Ok(machines) => {
                    found.machines.extend(machines);
                    found.regions.push(region);
                }
                Err(failure) => {
                    found.everywhere = false;
                    found.leave_out(region, failure);
                }
            }
        }
        found.regions.sort();
        found.denied.sort_by(|a, b| a.0.cmp(&b.0));
        found.missing.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn leave_out(&mut self, region: String, failure: Failure) {
        if matches!(failure.kind, Kind::NotPermitted | Kind::NotSignedIn) {
            self.denied.push((region, failure));
        } else {
            self.missing.push((region, failure));
        }
    }

    /// The regions that are not in [`Survey::regions`], and why. Regions that could not
    /// be listed have no name here.
    pub fn left_out(&self) -> impl Iterator<Item = (Option<&str>, &Failure)> {
        let all = self.denied.iter().chain(&self.missing);
        all.map(|(region, failure)| {
            let name = (region != OTHER_REGIONS).then_some(region.as_str());
            (name, failure)
        })
    }

    /// Counts a region as one that did not answer, whatever the reason was. This is for
    /// regions that have to be known for certain.
    pub fn require(&mut self, region: &str) {
        let is_it = |(name, _): &mut (String, Failure)| name == region;
        self.missing.extend(self.denied.extract_if(.., is_it));
    }

    /// The names of the regions that did not answer, and the first one's failure.
    pub fn hole(&self) -> Option<(String, &Failure)> {
        let (_, failure) = self.missing.first()?;
        Some((names(&self.missing), failure))
    }

    /// The failure of a look at all regions of which some did not answer.
    pub fn not_whole(&self, consequence: &str) -> Option<Failure> {
        let (regions, failure) = self.hole()?;
        let failure = Failure {
            message: format!(
                "{consequence}, {regions} did not answer: {}",
                failure.message
            ),
            ..failure.clone()
        };
        Some(failure.hint("try again in a minute"))
    }

    /// The failure of this region, if it did not answer.
    pub fn hole_in(&self, region: &str) -> Option<&Failure> {
        let mut missing = self.missing.iter();
        missing.find_map(|(name, failure)| (name == region).then_some(failure))
    }

    /// The names of the regions that are not permitted, and the first one's failure.
    pub fn denied_regions(&self) -> Option<(String, &Failure)> {
        let (_, failure) = self.denied.first()?;
        Some((names(&self.denied), failure))
    }

    /// The names of all regions that are left out; none if there are none.
    pub fn left_out_regions(&self) -> Option<String> {
        let all: Vec<(String, Failure)> =
            self.denied.iter().chain(&self.missing).cloned().collect();
        (!all.is_empty()).then(|| names(&all))
    }
}

/// The regions to ask: those that the account has enabled. If it may not list them, those
/// of the partition that this program knows, and why.
async fn regions(aws: &Aws) -> Result<(Vec<String>, Option<Failure>)> {
    match aws.regions().await {
        Ok(regions) => Ok((regions, None)),
        Err(failure) if failure.kind == Kind::NotPermitted => {
            let mut known = known_regions(&aws.region);
            if !known.contains(&aws.region) {
                known.push(aws.region.clone());
            }
            Ok((known, Some(failure)))
        }
        Err(failure) => Err(failure),
    }
}

/// The regions of AWS's partitions, as of November 2026 ("AWS Regions", AWS global
/// infrastructure guide).
const PARTITIONS: &[&[&str]] = &[
    &["us-gov-east-1", "us-gov-west-1"],
    &["cn-north-1", "cn-northwest-1"],
    &["eusc-de-east-1"],
    &[
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ],
];

/// The regions of all partitions.
pub fn all_known_regions() -> impl Iterator<Item = &'static str> {
    PARTITIONS
        .iter()
        .flat_map(|regions| regions.iter().copied())
}

/// The regions of the partition that `region` is in; none where that is not known.
fn known_regions(region: &str) -> Vec<String> {
    let partition = PARTITIONS.iter().find(|regions| regions.contains(&region));
    partition.map_or_else(Vec::new, |regions| {
        regions.iter().map(|&name| name.to_owned()).collect()
    })
}

fn names(regions: &[(String, Failure)]) -> String {
    let names: Vec<&str> = regions.iter().map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}
