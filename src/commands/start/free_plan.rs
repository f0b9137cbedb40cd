//! Accounts that were made since July 2025 begin on the free plan, which launches only
//! some types.

use crate::{
    aws::{Aws, run_instances::NOT_IN_FREE_PLAN},
    error::{Failure, Kind},
    values::VmType,
};

/// Adds which types the free plan has, if a launch may have been refused for another
/// type.
pub async fn explained(failure: Failure, aws: &Aws) -> Failure {
    let refused = |code: &str| code == NOT_IN_FREE_PLAN;
    if failure.kind != Kind::Failed || !failure.tried.iter().any(|tried| refused(&tried.code)) {
        return failure;
    }
    match aws.free_tier_types().await {
        // The account is none of those with such a plan, so the reason is another.
        Ok(types) if !may_be_on_it(&types) => failure,
        types => failure.hint(hint(&types.unwrap_or_default())),
    }
}

/// Whether an account to which EC2 shows these types as eligible may be on the free plan.
/// Accounts of before July 2025 have two of them at most.
pub fn may_be_on_it(types: &[VmType]) -> bool {
    let before = ["t2.micro", "t3.micro"];
    types
        .iter()
        .any(|vm_type| !before.contains(&vm_type.as_str()))
}

/// What to do if the account is on the free plan, which has these types.
pub fn hint(types: &[VmType]) -> String {
    let Some(first) = types.first() else {
        return "an account on AWS's free plan launches the types of that plan alone: try --vm-type t3.micro, or upgrade the account to the paid plan".into();
    };
    let names: Vec<&str> = types.iter().map(VmType::as_str).collect();
    format!(
        "an account on AWS's free plan launches only {}: the same line with --vm-type {first}, or upgrade the account to the paid plan",
        names.join(", ")
    )
}
