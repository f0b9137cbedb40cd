//! The line at the end of `terminate`: what the machines that it has ended, and those of
//! their groups that had ended before, ran and came to. Nothing waits for it but the line
//! itself, and nothing fails with it.

use std::{collections::BTreeMap, time::Duration};

use super::terminating::Terminating;
use crate::{
    machines::{ledger::Settled, price_book::PriceBook},
    plan::spent::{Amount, Spent},
    terminal::time::span,
};

/// How long the line waits for prices that are not in the cache: what has not come by
/// then is not known.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);
/// Says it; nothing where nothing has ended.
pub async fn say(terminating: &Terminating<'_>) {
    let Terminating { aws, out, .. } = *terminating;
    let sources = terminating.ended.borrow().sources(terminating.groups);
    if sources.is_empty() || out.quiet {
        return;
    }
    let now = aws.clock.now();
    let mut prices = PriceBook::default();
    let settling = aws
        .time
        .within(KNOWN_WITHIN, prices.settle(aws, &sources, now));
    let settled = tokio::select! {
        biased;
        // All has ended: whoever does not want to wait has missed a line.
        () = terminating.interrupt.until(1) => return,
        settled = settling => settled,
    };
    let settled = settled
        .unwrap_or_else(|_| prices.settle_as_known(&BTreeMap::new(), &sources, &aws.region, now));
    out.say(&line(&settled));
}

fn line(settled: &[Settled]) -> String {
    if let [one] = settled {
        return one.line(span);
    }
    let all = Spent {
        machines: settled.iter().map(|group| group.spent.machines).sum(),
        ran: settled.iter().map(|group| group.spent.ran).sum(),
        amount: Amount::sum(settled.iter().map(|group| &group.spent.amount)),
    };
    format!("all of them: {}", all.in_words(span))
}
