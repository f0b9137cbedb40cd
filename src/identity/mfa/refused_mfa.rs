//! What STS means when it does not take an MFA code.
//!
//! It has one error code for all of its refusals: `AccessDenied` stands for a wrong code,
//! for a device that the user does not have, and for a policy that says no. A person is
//! asked for another code only where that would help, so here, and nowhere else, AWS's
//! fixed phrases decide. Should AWS change them, its refusal is shown like any other and
//! nobody is asked again.

use aws_smithy_types::error::ErrorMetadata;

/// How both phrases about MFA begin.
const MFA_FAILED: &str = "MultiFactorAuthentication failed";
/// What follows where the code is to blame, and not the device.
const WRONG_CODE: &str = " with invalid MFA one time pass code";

/// What of an MFA device and its code STS does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedMfa {
    /// The code is wrong, or was used before.
    Code,
    /// The device is not the user's, or there is none of this serial number.
    Device,
}

impl RefusedMfa {
    /// None where the refusal is about something else.
    pub fn of(refusal: &ErrorMetadata) -> Option<Self> {
        if refusal.code() != Some("AccessDenied") {
            return None;
        }
        let rest = refusal.message()?.strip_prefix(MFA_FAILED)?;
        Some(if rest.starts_with(WRONG_CODE) {
            Self::Code
        } else {
            Self::Device
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_code_a_wrong_device_and_a_policys_refusal_are_told_apart() {
        // As AWS's users quote them (aws/aws-cli issue 6325, 99designs/aws-vault issue
        // 676, step-security/wait-for-secrets issue 216).
        let wrong_code = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
        let wrong_device = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.";
        let policy = "User: arn:aws:iam::123456789012:user/ana is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/r";
        for (code, said, is) in [
            ("AccessDenied", wrong_code, Some(RefusedMfa::Code)),
            ("AccessDenied", wrong_device, Some(RefusedMfa::Device)),
            ("AccessDenied", policy, None),
            // The phrase without its code decides nothing.
            ("ValidationError", wrong_code, None),
        ] {
            let refusal = ErrorMetadata::builder().code(code).message(said).build();
            assert_eq!(RefusedMfa::of(&refusal), is, "{code}: {said}");
        }
        assert_eq!(RefusedMfa::of(&ErrorMetadata::builder().build()), None);
    }
}
