//! What can happen to a call of a start.

use serde_json::{Value, json};

use crate::group::{Call, Group, Verdict};

/// What can happen to a call.
#[derive(Clone)]
pub enum Happening {
    /// A fault of the sandbox's.
    Fault(&'static str, Value),
    /// SIGKILL while the call is held: `hold` before its effect, `hold_answer`
    /// after. Then the call is dropped, goes on, or goes on when the next start
    /// is over.
    Killed(&'static str, Late),
    /// Signals while the call is held, and then whether its answer is lost.
    Signalled(&'static str, &'static [&'static str], bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Late {
    Never,
    Soon,
    AfterTheNextStart,
}

impl Happening {
    pub fn name(&self) -> String {
        let at = |held: &str| if held == "hold" { "before" } else { "after" };
        match self {
            Self::Fault(name, _) => (*name).to_owned(),
            Self::Killed(held, late) => {
                let late = match late {
                    Late::Never => "",
                    Late::Soon => " and it arrives later",
                    Late::AfterTheNextStart => " and it arrives after the next start",
                };
                format!("SIGKILL {} its effect{late}", at(held))
            }
            Self::Signalled(held, signals, lost) => format!(
                "{} {} its effect{}",
                signals.join(" ").replace('-', "SIG"),
                at(held),
                if *lost { ", answer lost" } else { "" }
            ),
        }
    }

    /// Lets it happen to the call of a start.
    pub fn happen(&self, group: &Group, call: &Call) -> Verdict {
        let account = &group.account;
        match self {
            Self::Fault(_, fault) => {
                account.fault(call.fault(fault));
                group.run()?;
                group.all_struck()
            }
            Self::Killed(held, late) => {
                account.fault(call.fault(&json!({"kind": held})));
                let mut child = group.start();
                group.until_held(&mut child)?;
                Group::kill(child);
                if *late == Late::AfterTheNextStart {
                    group.run()?;
                }
                group.release(*late == Late::Never);
                Ok(())
            }
            Self::Signalled(held, signals, lost) => {
                account.fault(call.fault(&json!({"kind": held})));
                let mut child = group.start();
                group.until_held(&mut child)?;
                let run = group.interrupt(child, signals, *lost);
                group.judge(&run, &[])
            }
        }
    }
}

/// A call that fails once and for all, for the user to mend.
pub fn refused() -> Value {
    json!({"kind": "error", "status": 400, "code": "InvalidParameterValue", "message": "refused by the test", "detail": "refused by the test"})
}

/// What can happen to any call and takes little time.
pub fn happenings() -> Vec<Happening> {
    use Happening::{Fault, Killed, Signalled};
    let throttled =
        json!({"status": 503, "code": "RequestLimitExceeded", "count": null, "for_seconds": 1});
    vec![
        Fault("lost_answer", json!({"kind": "lost_answer"})),
        Fault("reset", json!({"kind": "reset"})),
        Fault("500", json!({"status": 500})),
        Fault("503", json!({"status": 503, "code": "Unavailable"})),
        Fault(
            "504 after its effect",
            json!({"kind": "error_answer", "status": 504, "code": "GatewayTimeout"}),
        ),
        Fault("refused", refused()),
        Fault("throttled for a second", throttled),
        Killed("hold", Late::Never),
        Killed("hold", Late::Soon),
        Killed("hold", Late::AfterTheNextStart),
        Killed("hold_answer", Late::Never),
        Signalled("hold", &["-INT"], false),
        Signalled("hold", &["-INT", "-TERM"], false),
        Signalled("hold_answer", &["-INT"], false),
        Signalled("hold_answer", &["-TERM"], true),
        Signalled("hold_answer", &["-INT", "-INT"], true),
    ]
}

/// What can happen to any call and is waited out.
pub fn long_happenings() -> Vec<Happening> {
    use Happening::Fault;
    let throttled =
        json!({"status": 503, "code": "RequestLimitExceeded", "count": null, "for_seconds": 20});
    vec![
        Fault("throttled for 20 seconds", throttled),
        Fault("stall", json!({"kind": "stall", "seconds": 25})),
    ]
}

/// What can happen to a launch of several calls, which takes a while each time.
pub fn large_happenings() -> Vec<Happening> {
    use Happening::{Fault, Killed, Signalled};
    vec![
        Fault("lost_answer", json!({"kind": "lost_answer"})),
        Fault("refused", refused()),
        Killed("hold_answer", Late::Never),
        Signalled("hold_answer", &["-INT"], false),
    ]
}
