//! What an answer of EC2's or STS's must contain to count as one. The SDK takes whatever
//! is missing for nothing: a group of which no machine runs, an account without a number.

use aws_sdk_ec2::operation::{
    describe_images::DescribeImagesOutput,
    describe_instance_type_offerings::DescribeInstanceTypeOfferingsOutput,
    describe_instance_types::DescribeInstanceTypesOutput,
    describe_instances::DescribeInstancesOutput, describe_key_pairs::DescribeKeyPairsOutput,
    describe_regions::DescribeRegionsOutput, describe_route_tables::DescribeRouteTablesOutput,
    describe_security_groups::DescribeSecurityGroupsOutput,
    describe_subnets::DescribeSubnetsOutput, terminate_instances::TerminateInstancesOutput,
};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{AfterDeserializationInterceptorContextRef, InterceptorContext, Output},
            dyn_dispatch_hint,
        },
        retries::classifiers::{ClassifyRetry, RetryAction},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use super::errors::{BY_OTHERS, status_of};
use crate::error::Failure;

/// Rejects an answer without what it must have, so that the SDK asks again.
///
/// How many machines a launch must have, and which ids an end must have, is checked in
/// [`super::run_instances`] and [`super::terminate`].
#[derive(Debug)]
pub struct Answers;

#[dyn_dispatch_hint]
impl Intercept for Answers {
    fn name(&self) -> &'static str {
        "Answers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let failure = match context.output_or_error() {
            Ok(output) => missing(output)
                .map(|what| Failure::failed(format!("AWS's answer does not have {what}"))),
            // Its status says success, but the answer is not EC2's or STS's own.
            Err(_) if context.response().status().is_success() => {
                let told = status_of(context.response());
                Some(Failure::failed(format!("the answer is not AWS's: {told}")).hint(BY_OTHERS))
            }
            Err(_) => None,
        };
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

impl ClassifyRetry for Answers {
    fn name(&self) -> &'static str {
        "Answers"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.output_or_error() {
            // Another interceptor, `Pages`, fails for good before anything is sent.
            Some(Err(error)) if error.is_interceptor_error() && context.response().is_some() => {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }
}

/// What an answer lacks. An empty list is an answer; a missing one is not.
fn missing(output: &Output) -> Option<&'static str> {
    let without = |is_missing: bool, what| is_missing.then_some(what);
    if let Some(answer) = output.downcast_ref::<DescribeInstancesOutput>() {
        let Some(reservations) = &answer.reservations else {
            return Some("the list of machines");
        };
        let mut lists = reservations.iter().map(|r| r.instances.as_ref());
        let whole = lists.all(|instances| {
            instances.is_some_and(|all| all.iter().all(|i| is_named(i.instance_id.as_deref())))
        });
        without(!whole, "the ids of all machines")
    } else if let Some(answer) = output.downcast_ref::<TerminateInstancesOutput>() {
        without(
            answer.terminating_instances.is_none(),
            "the list of machines",
        )
    } else if let Some(answer) = output.downcast_ref::<GetCallerIdentityOutput>() {
        let is_account = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        without(
            !answer.account.as_deref().is_some_and(is_account),
            "the account",
        )
    } else if let Some(answer) = output.downcast_ref::<DescribeRegionsOutput>() {
        // Every account has some regions.
        without(
            answer.regions.as_ref().is_none_or(Vec::is_empty),
            "the list of regions",
        )
    } else if let Some(answer) = output.downcast_ref::<DescribeKeyPairsOutput>() {
        without(answer.key_pairs.is_none(), "the list of key pairs")
    } else if let Some(answer) = output.downcast_ref::<DescribeImagesOutput>() {
        without(answer.images.is_none(), "the list of images")
    } else if let Some(answer) = output.downcast_ref::<DescribeSubnetsOutput>() {
        without(answer.subnets.is_none(), "the list of subnets")
    } else if let Some(answer) = output.downcast_ref::<DescribeRouteTablesOutput>() {
        without(answer.route_tables.is_none(), "the list of route tables")
    } else if let Some(answer) = output.downcast_ref::<DescribeSecurityGroupsOutput>() {
        without(
            answer.security_groups.is_none(),
            "the list of security groups",
        )
    } else if let Some(answer) = output.downcast_ref::<DescribeInstanceTypesOutput>() {
        without(answer.instance_types.is_none(), "the list of types")
    } else if let Some(answer) = output.downcast_ref::<DescribeInstanceTypeOfferingsOutput>() {
        without(
            answer.instance_type_offerings.is_none(),
            "the list of zones and types",
        )
    } else {
        None
    }
}

fn is_named(id: Option<&str>) -> bool {
    id.is_some_and(|id| !id.trim().is_empty())
}
