//! `logout`.

use serde_json::json;
use snapbox::str;

use super::{CORP, account, assert_signed_in, login, private_json, run};
use crate::sandbox::list;

#[test]
fn logout_ends_that_session_and_no_other() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile new");
    // A browser might open its page later than this ends.
    login(&account, "--profile old --no-browser");
    let token = private_json(&account, CORP);
    let others = account.file(".aws/cli/cache/other.json", r#"{"ProviderType": "sso"}"#);
    run(&account, "logout --profile new").assert(
        0,
        str![[r#"
signed out of corp

"#]],
        str![],
    );
    assert!(!account.home.path().join(CORP).exists());
    let alive = |kind: &str| {
        let tokens = list(&account.get("sso")["tokens"]);
        tokens
            .iter()
            .filter(|t| t["kind"] == kind && t["alive"] == true)
            .count()
    };
    assert_eq!((alive("access"), alive("refresh")), (1, 0), "{token}");
    assert!(others.exists());
    assert_signed_in(&account, "old");
    account.forget_requests();
    run(&account, "logout --profile new").assert(
        0,
        str![[r#"
was not signed in to corp

"#]],
        str![],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
}

#[test]
fn logout_forgets_the_token_even_when_aws_does_not_hear_of_it() {
    let account = account();
    login(&account, "--profile new");
    account.fault(json!({"service": "sso", "operation": "Logout", "code": "InternalServerException", "message": "down", "status": 500, "count": null}));
    let run = run(&account, "logout --profile new");
    run.assert(
        0,
        str![[r#"
signed out of corp

"#]],
        str![[r#"
warning: IAM Identity Center: cannot end the session: down (InternalServerException, request [UUID])

"#]],
    );
    assert!(!account.home.path().join(CORP).exists());
}
