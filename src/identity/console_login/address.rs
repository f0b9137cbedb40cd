//! Where AWS Sign-In is, region by region.

use crate::identity::sso::endpoint::Variant;

/// The service's address in a region (AWS Sign-In's endpoint rules of 2023-01-01, those
/// of `CreateOAuth2Token`).
pub fn usual_address(region: &str, variant: Variant) -> String {
    let partitions = PARTITIONS.iter();
    let partition = partitions
        .clone()
        .find(|partition| region.starts_with(partition.regions));
    let Partition {
        plain,
        suffix,
        dual_stack,
        ..
    } = *partition.unwrap_or(&AWS);
    let is_gov = region.starts_with(GOV);
    match (
        variant.fips.unwrap_or_default(),
        variant.dual_stack.unwrap_or_default(),
    ) {
        (false, false) => format!("https://{region}.{plain}"),
        (true, false) if region == "us-gov-west-1" => {
            "https://signin-fips.amazonaws-us-gov.com".into()
        }
        (true, false) if is_gov => format!("https://{region}.signin-fips.amazonaws-us-gov.com"),
        (true, false) => format!("https://signin-fips.{region}.{suffix}"),
        (false, true) => format!("https://signin.{region}.{dual_stack}"),
        (true, true) => format!("https://signin-fips.{region}.{dual_stack}"),
    }
}

/// What the endpoint rules say of a partition of AWS.
struct Partition {
    /// What the names of its regions begin with.
    regions: &'static str,
    plain: &'static str,
    suffix: &'static str,
    dual_stack: &'static str,
}

const GOV: &str = "us-gov-";

const AWS: Partition = Partition {
    regions: "",
    plain: "signin.aws.amazon.com",
    suffix: "amazonaws.com",
    dual_stack: "api.aws",
};

/// All partitions but [`AWS`].
const PARTITIONS: &[Partition] = &[
    Partition {
        regions: "cn-",
        plain: "signin.amazonaws.cn",
        suffix: "amazonaws.com.cn",
        dual_stack: "api.amazonwebservices.com.cn",
    },
    Partition {
        regions: GOV,
        plain: "signin.amazonaws-us-gov.com",
        suffix: "amazonaws.com",
        dual_stack: "api.aws",
    },
    Partition {
        regions: "eusc-",
        plain: "signin.amazonaws-eusc.eu",
        suffix: "amazonaws.eu",
        dual_stack: "api.amazonwebservices.eu",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses are those that botocore 1.44 resolves.
    #[test]
    fn the_sign_in_service_is_where_its_endpoint_rules_say() {
        for (region, fips, dual_stack, wanted) in [
            (
                "eu-west-2",
                false,
                false,
                "https://eu-west-2.signin.aws.amazon.com",
            ),
            (
                "cn-north-1",
                false,
                false,
                "https://cn-north-1.signin.amazonaws.cn",
            ),
            (
                "us-gov-east-1",
                false,
                false,
                "https://us-gov-east-1.signin.amazonaws-us-gov.com",
            ),
            (
                "eusc-de-east-1",
                false,
                false,
                "https://eusc-de-east-1.signin.amazonaws-eusc.eu",
            ),
            (
                "us-east-1",
                true,
                false,
                "https://signin-fips.us-east-1.amazonaws.com",
            ),
            (
                "us-gov-west-1",
                true,
                false,
                "https://signin-fips.amazonaws-us-gov.com",
            ),
            (
                "us-gov-east-1",
                true,
                false,
                "https://us-gov-east-1.signin-fips.amazonaws-us-gov.com",
            ),
            (
                "cn-north-1",
                true,
                false,
                "https://signin-fips.cn-north-1.amazonaws.com.cn",
            ),
            ("eu-west-2", false, true, "https://signin.eu-west-2.api.aws"),
            (
                "eusc-de-east-1",
                false,
                true,
                "https://signin.eusc-de-east-1.api.amazonwebservices.eu",
            ),
            (
                "us-gov-west-1",
                true,
                true,
                "https://signin-fips.us-gov-west-1.api.aws",
            ),
        ] {
            let variant = Variant {
                fips: Some(fips),
                dual_stack: Some(dual_stack),
            };
            assert_eq!(usual_address(region, variant), wanted);
        }
    }
}
