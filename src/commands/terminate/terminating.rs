//! What every way of ending machines has in common.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use tokio::time::Instant;

use super::{
    ending::Ending, groups::Groups, lines::Lines, look::Look, question::Question,
    report::TerminateReport, spent::EndedMachines,
};
use crate::{
    aws::Aws,
    cli::TerminateArgs,
    commands::report::RegionsReport,
    error::{Failure, Kind, Result},
    inductiva::Group,
    machines::unseen,
    model::machine::Machine,
    terminal::{interrupt::Interrupt, output::Output},
    values::GroupName,
};

/// What every way of ending machines works with.
pub struct Terminating<'a> {
    pub args: &'a TerminateArgs,
    pub aws: &'a Aws,
    pub groups: &'a Groups<'a>,
    pub lines: Lines,
    /// When the command began. Its looks count from then on.
    pub began: Instant,
    pub interrupt: &'a Interrupt,
    /// Whether several groups were named, or machines beside a group.
    pub several: bool,
    /// Whether somebody has agreed, by `--yes` or in answer to a question.
    pub confirmed: Cell<bool>,
    pub reports: RefCell<Vec<TerminateReport>>,
    /// The ended machines and the others of their groups, as they are now.
    pub ended: RefCell<EndedMachines>,
    /// What has been said already, as several things are looked for at the same time.
    pub said: RefCell<BTreeSet<String>>,
    pub out: Output,
}

impl<'a> Terminating<'a> {
    /// Begins to end machines, those of `group` if they belong to one.
    pub fn ending(&self, group: Option<&'a GroupName>) -> Ending<'a> {
        let group = group.filter(|_| self.several);
        Ending::new(self.aws, self.interrupt, group, self.out)
    }

    /// Goes on if somebody has agreed, or else asks.
    ///
    /// # Errors
    /// The answer was no, nobody can be asked, or somebody interrupted. Nothing was sent.
    pub async fn confirm(&self, going: &[Machine], left_over: &[Group]) -> Result<()> {
        if self.confirmed.get() {
            return Ok(());
        }
        let asking = Question::about(self.aws, self.groups, going, left_over);
        let question = Box::pin(asking).await;
        question.show(self.out);
        self.ask(&question.to_string()).await?;
        self.confirmed.set(true);
        Ok(())
    }

    /// Asks a question, and fails unless the answer is yes.
    pub async fn ask(&self, question: &str) -> Result<()> {
        let interrupted = "interrupted at the question: nothing was sent, nothing was terminated";
        let answer = self.interrupt.or(self.out.confirm(question), interrupted);
        if answer.await? {
            Ok(())
        } else {
            Err(Failure::failed("not confirmed: nothing was terminated"))
        }
    }

    /// The failure when EC2 could not be asked: machines may be running, whatever the
    /// reason was. `line` tries again.
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

    /// Names, in one line, the other regions that were to be looked at and were not.
    pub fn say_left_out(&self, look: &Look<'_>) {
        let denied = look.found.denied_regions();
        let denied = denied.map(|(regions, _)| format!("that is not permitted: {regions}"));
        let missing = look.found.hole();
        let missing = missing.map(|(regions, failure)| {
            format!("there is no answer: {regions} ({})", failure.message)
        });
        let why: Vec<String> = denied.into_iter().chain(missing).collect();
        if !why.is_empty() {
            let why = why.join("; because ");
            self.out.say(&format!("not looked at, because {why}"));
        }
    }

    /// Adds what has ended to the report. `shown` are the machines of the groups that EC2
    /// shows.
    pub fn report(
        &self,
        ending: &Ending<'_>,
        shown: &[Machine],
        deleted_machine_groups: &[String],
        removed_security_groups: Vec<String>,
        regions: RegionsReport,
    ) {
        self.ended.borrow_mut().add(ending, shown);
        self.reports.borrow_mut().push(TerminateReport {
            terminated: ending.ended(),
            deleted_machine_groups: deleted_machine_groups.to_vec(),
            removed_security_groups,
            regions,
        });
    }

    /// Prints one report of everything that has ended, if anything has.
    pub fn reported(&self) -> Result<()> {
        let Some(mut report) = TerminateReport::merged(self.reports.take()) else {
            return Ok(());
        };
        self.ended.borrow().sort(&mut report.terminated);
        self.out.result(&report, &report.terminated)
    }
}

/// The failure if machines may be running in other regions that were left out. Whoever
/// lacks the permission to look there could not start machines there either, so it takes
/// a sign of machines: what Inductiva sees in `groups`, none if it cannot be asked.
pub fn unseen(look: &Look<'_>, groups: Option<&[Group]>, line: &str) -> Option<Failure> {
    let hint = if look.found.missing.is_empty() {
        "ask somebody who may look there to run inductiva-aws list --all-regions".to_owned()
    } else {
        format!("try again: {line}")
    };
    unseen::unseen(&look.found, groups, look.view()).map(|failure| failure.hint(hint))
}
