//! What every way of ending machines has in common.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{ending::Ending, groups::Groups, lines::Lines, look::Look, report::TerminateReport};
use crate::{
    aws::Aws,
    cli::TerminateArgs,
    commands::{list::ListReport, report::RegionsReport},
    error::{Failure, Kind, Result},
    inductiva::Group,
    machines::price_book::PriceBook,
    model::machine::{self, Machine},
    terminal::{interrupt::Interrupt, output::Output},
};

/// What every way of ending machines works with.
pub struct Terminating<'a> {
    pub args: &'a TerminateArgs,
    pub aws: &'a Aws,
    pub groups: &'a Groups<'a>,
    pub lines: Lines,
    /// When the command began: looks count from then on.
    pub began: Instant,
    pub interrupt: &'a Interrupt,
    pub out: Output,
}

impl Terminating<'_> {
    /// Shows what goes, and asks.
    pub async fn confirm(&self, going: &[Machine], left_over: &[Group]) -> Result<()> {
        let mut what = Vec::new();
        if !going.is_empty() {
            let now = self.aws.clock.now();
            let list = ListReport::of(going, &BTreeMap::new(), &PriceBook::default(), now);
            self.out.say_lines(list.to_string().trim_end());
            what.push(machine::count(going.len()));
        }
        if !left_over.is_empty() {
            for group in left_over {
                self.out
                    .say(&format!("machine group {}, without machines", group.name));
            }
            what.push(match left_over.len() {
                1 => "1 machine group".into(),
                n => format!("{n} machine groups"),
            });
        }
        let question = format!(
            "{} will be terminated. Are you sure you want to proceed",
            what.join(" and ")
        );
        if self.out.confirm(&question).await? {
            Ok(())
        } else {
            Err(Failure::failed("not confirmed: nothing was terminated"))
        }
    }

    /// EC2 could not be asked: machines may be running, whatever the reason. `line`
    /// tries again.
    pub fn nobody_knows(&self, failure: Failure, line: &str) -> Failure {
        if !failure.kind.may_pass() {
            return failure;
        }
        Failure {
            kind: Kind::MachinesMayBeRunning,
            message: format!(
                "machines may be running in {}, which could not be asked: {}",
                self.aws.region, failure.message
            ),
            ..failure
        }
        .hint(format!("try again: {line}"))
    }

    /// Names the regions that are not permitted. A start needs the same permission
    /// there, so that it speaks for no machines.
    pub fn say_denied(&self, look: &Look<'_>) {
        if let Some(regions) = look.found.denied_regions() {
            self.out.say(&format!(
                "not looked at, because that is not permitted: {regions}"
            ));
        }
    }

    pub fn report(
        &self,
        ending: &Ending<'_>,
        deleted_machine_groups: &[String],
        removed_security_groups: Vec<String>,
        regions: RegionsReport,
    ) -> Result<()> {
        let report = TerminateReport {
            terminated: ending.ended(),
            deleted_machine_groups: deleted_machine_groups.to_vec(),
            removed_security_groups,
            regions,
        };
        self.out.result(&report, &report.terminated)
    }
}
