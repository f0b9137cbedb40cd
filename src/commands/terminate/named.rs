//! `terminate NAME… ID…`: groups and machines, side by side, after one question.

use futures_util::future::join_all;

use super::{by_id, by_name, groups::Side, terminating::Terminating};
use crate::{
    error::{Failure, Kind, Result},
    model::machine::Machine,
    values::GroupName,
};

/// Ends what is named. If nobody knows one of the names, the others are still ended.
///
/// # Errors
/// What [`by_name`] and [`by_id`] tell. Of several failures it makes one, which is
/// [`Kind::MachinesMayBeRunning`] if one of them is.
pub async fn run<'a>(
    terminating: &Terminating<'a>,
    names: &'a [GroupName],
    ids: &[String],
) -> Result<()> {
    if let ([name], []) = (names, ids) {
        return by_name::run(terminating, name).await;
    }
    let single = by_id::look(terminating, ids).await?;
    if !names.is_empty() && !terminating.confirmed.get() {
        ask(terminating, names, &single.machines).await?;
    }
    let by_name = async {
        // Nothing showed, so nobody was asked yet. Two questions must not be asked at a
        // time.
        if !terminating.confirmed.get() {
            let mut ended = Vec::new();
            for name in names {
                ended.push(by_name::run(terminating, name).await);
            }
            return ended;
        }
        join_all(names.iter().map(|name| by_name::run(terminating, name))).await
    };
    let by_id = async {
        match ids {
            [] => Ok(()),
            _ => by_id::run(terminating, single).await,
        }
    };
    let mut ended;
    if terminating.confirmed.get() {
        let of_ids;
        (ended, of_ids) = tokio::join!(by_name, by_id);
        ended.push(of_ids);
    } else {
        ended = by_name.await;
        ended.push(by_id.await);
    }
    let failures: Vec<Failure> = ended.into_iter().filter_map(Result::err).collect();
    one_of(failures).map_or(Ok(()), Err)
}

/// Asks one question about everything that shows, and about groups without machines.
async fn ask(terminating: &Terminating<'_>, names: &[GroupName], single: &[Machine]) -> Result<()> {
    let aws = terminating.aws;
    let machines = aws.our_machines().await;
    let machines = machines.map_err(|failure| {
        let line = terminating.lines.list();
        terminating.nobody_knows(failure, &line)
    })?;
    let is_of = |m: &Machine, name: &GroupName| m.group() == Some(name.as_str());
    let mut going: Vec<Machine> = machines
        .into_iter()
        .filter(|m| !m.state.is_gone() && names.iter().any(|name| is_of(m, name)))
        .collect();
    for m in single.iter().filter(|m| !m.state.is_gone()) {
        if !going.iter().any(|known| known.instance_id == m.instance_id) {
            going.push(m.clone());
        }
    }
    let without = names
        .iter()
        .filter(|name| !going.iter().any(|m| is_of(m, name)));
    let sides = join_all(without.map(|name| terminating.groups.side(name))).await;
    let left_over: Vec<_> = sides
        .into_iter()
        .filter_map(|side| match side {
            Side::Active(group) => Some(group),
            Side::Ended | Side::Absent | Side::NotAsked(_) => None,
        })
        .collect();
    // Whatever of them shows later is ended, too: that was asked for.
    if going.is_empty() && left_over.is_empty() {
        return Ok(());
    }
    terminating.confirm(&going, &left_over).await
}

/// One failure for everything that kept groups and machines from ending.
fn one_of(mut failures: Vec<Failure>) -> Option<Failure> {
    // Machines that may be running matter most, then what the user can mend.
    failures.sort_by_key(|failure| match failure.kind {
        Kind::MachinesMayBeRunning => 0,
        Kind::Interrupted => 1,
        Kind::NotSignedIn | Kind::NotPermitted => 2,
        Kind::Failed | Kind::Unreachable | Kind::Usage | Kind::Capacity | Kind::TimedOut => 3,
        Kind::NotFound => 4,
    });
    let mut failures = failures.into_iter();
    let mut all = failures.next()?;
    for failure in failures {
        if !all.message.contains(&failure.message) {
            all.message = format!("{}; {}", all.message, failure.message);
        }
        all.hint = match (all.hint, failure.hint) {
            (Some(hint), Some(other)) if hint != other => Some(format!("{hint}; {other}")),
            (hint, other) => hint.or(other),
        };
        all.machines.extend(failure.machines);
        all.policy = all.policy.or(failure.policy);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_that_may_be_running_outweigh_names_that_nobody_knows() {
        let unknown = Failure::new(Kind::NotFound, "no group a").hint("look");
        let unclear = Failure::new(Kind::MachinesMayBeRunning, "b runs")
            .hint("end it")
            .machines(["i-1".into()]);
        assert!(one_of(Vec::new()).is_none());
        let both = one_of(vec![unknown.clone(), unclear, unknown.clone()]).expect("a failure");
        assert_eq!(both.kind, Kind::MachinesMayBeRunning);
        assert_eq!(both.message, "b runs; no group a");
        assert_eq!(both.hint.as_deref(), Some("end it; look; look"));
        assert_eq!(both.machines, ["i-1"]);
        assert_eq!(one_of(vec![unknown]).map(|f| f.kind), Some(Kind::NotFound));
    }
}
