//! How many tags a machine may have.

use std::collections::BTreeSet;

use super::group_settings::GroupSettings;
use crate::{
    error::{Failure, Result},
    model::request::Request,
};

/// The most tags that a machine has (EC2 user guide, tag restrictions).
const MOST_TAGS: usize = 50;
/// The tags that each machine has beside its settings, its budget and the user's tags.
pub const OWN_TAGS: usize = 6;

/// Refuses tags that EC2 would refuse.
///
/// # Errors
/// Usage: a key twice, or too many tags.
pub fn refuse_tags(request: &Request) -> Result<()> {
    let mut keys = BTreeSet::new();
    if let Some(twice) = request.tags.iter().find(|tag| !keys.insert(&tag.key)) {
        return Err(Failure::usage(format!(
            "the tag {} is given twice (--tag)",
            twice.key
        )));
    }
    let own = OWN_TAGS + usize::from(request.max_cost.is_some());
    let most = MOST_TAGS - own - GroupSettings::of(request).to_tags().len();
    if request.tags.len() > most {
        return Err(Failure::usage(format!(
            "{} tags are too many: EC2 takes {MOST_TAGS}, and with these options there is room for {most} beside the machine's own (--tag)",
            request.tags.len()
        )));
    }
    Ok(())
}
