//! This program's machines in all regions.

use crate::{
    aws::Aws,
    error::{Failure, Kind, Result},
    model::machine::Machine,
    terminal::output::Output,
};

/// What was found, and where nobody could look.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The machines, terminated ones too.
    pub machines: Vec<Machine>,
    /// The regions that answered.
    pub regions: Vec<String>,
    /// The regions that did not, and why.
    pub missing: Vec<(String, Failure)>,
    /// Whether every region that the account has enabled answered.
    pub everywhere: bool,
}

impl Found {
    /// The machines of the one region of `aws`.
    pub async fn here(aws: &Aws) -> Result<Self> {
        Ok(Self {
            machines: aws.our_machines().await?,
            regions: vec![aws.region.clone()],
            ..Self::default()
        })
    }

    /// The machines of all regions, asked side by side. A region that a policy
    /// denies is left out with a warning: many accounts deny all but a few.
    ///
    /// # Errors
    /// The regions cannot be listed, or a policy denies every one of them.
    pub async fn everywhere(aws: &Aws, out: Output) -> Result<Self> {
        let mut asked = tokio::task::JoinSet::new();
        for region in aws.regions().await? {
            let aws = aws.in_region(&region);
            asked.spawn(async move { (region, aws.our_machines().await) });
        }
        let mut found = Self {
            everywhere: true,
            ..Self::default()
        };
        let mut denied = None;
        for (region, machines) in asked.join_all().await {
            match machines {
                Ok(machines) => {
                    found.machines.extend(machines);
                    found.regions.push(region);
                }
                Err(failure) => {
                    found.everywhere = false;
                    if failure.kind == Kind::NotPermitted {
                        out.warn(&format!("{region} was left out: {}", failure.message));
                        denied = Some(failure);
                    } else {
                        found.missing.push((region, failure));
                    }
                }
            }
        }
        if let Some(failure) = denied
            && found.regions.is_empty()
            && found.missing.is_empty()
        {
            return Err(failure);
        }
        found.regions.sort();
        found.missing.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// The names of the regions that did not answer, and the first one's failure.
    pub fn hole(&self) -> Option<(String, &Failure)> {
        let names: Vec<&str> = self.missing.iter().map(|(name, _)| name.as_str()).collect();
        let (_, failure) = self.missing.first()?;
        Some((names.join(", "), failure))
    }
}
