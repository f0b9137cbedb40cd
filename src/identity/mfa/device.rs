//! An MFA device: where its codes come from, and that each code is sent only once.

use std::{
    fmt, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{
    cache::{folder, sha256},
    code::Code,
};
use crate::{
    bounds,
    error::{Failure, Kind, Result},
    identity::{
        children::{Helper, Program, ProgramEnd},
        private_files,
    },
    terminal::{output::Output, panics, printable::visible},
    time::Time,
    values::spans,
};

/// How long a code is good. AWS takes it once (RFC 6238; IAM user guide, "MFA").
const CODE_LASTS: Duration = Duration::from_secs(30);
/// How many codes a person may type before a sign-in fails.
pub const TRIES: u32 = 3;
/// The hint where a code from the environment does not work.
const UNSET: &str = "unset AWS_MFA_TOKEN_CODE to be asked for the code, or set it to the device's newest: each works once, for about 30 s";

/// An MFA device, and how to get its codes.
#[derive(Clone, Debug)]
pub struct Device {
    serial: String,
    codes: Codes,
    /// The file that remembers the last code that was sent.
    spent: PathBuf,
    time: Time,
}

/// Where codes come from.
#[derive(Clone)]
pub enum Codes {
    /// `--mfa-code`.
    Typed(Code),
    /// `AWS_MFA_TOKEN_CODE`, whatever is in it.
    Variable(String),
    /// `mfa_process` of the profile: a command that prints a code.
    Process(String),
    /// A person is asked for them.
    Asked,
    /// Nobody may be asked (`--no-input`).
    Nowhere,
}

/// Without the codes.
impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codes")
    }
}

impl Device {
    /// The device of this serial number.
    ///
    /// # Errors
    /// Usage: an ARN that is no MFA device's, or a device that has no codes.
    pub fn new(
        serial: &str,
        codes: Codes,
        aws_folder: &std::path::Path,
        time: Time,
    ) -> Result<Self> {
        check_serial(serial)?;
        Ok(Self {
            serial: serial.to_owned(),
            codes,
            spent: folder(aws_folder).join(format!("{}.code.json", sha256(serial))),
            time,
        })
    }

    /// Its ARN or number.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Whether a person types its codes.
    pub fn asks(&self) -> bool {
        matches!(self.codes, Codes::Asked)
    }

    /// A refusal of a code, with a hint that fits where the code came from.
    pub fn refused(&self, why: Failure) -> Failure {
        match self.codes {
            Codes::Variable(_) => why.hint(UNSET),
            _ => why,
        }
    }

    /// A code. The inner error says why what somebody typed is not one.
    ///
    /// # Errors
    /// There is no way to get a code.
    pub async fn code(&self, out: Output) -> Result<Result<Code>> {
        let code = match &self.codes {
            Codes::Typed(code) => code.clone(),
            Codes::Variable(text) => text.parse().map_err(|()| {
                Failure::usage("AWS_MFA_TOKEN_CODE is not an MFA code, which has six digits")
                    .hint(UNSET)
            })?,
            Codes::Process(command) => {
                let code = run(command, &self.time, out).await?;
                let Some(left) = self.spent_for(&code) else {
                    return Ok(Ok(code));
                };
                let left = left + Duration::from_secs(1);
                out.say(&format!(
                    "waiting {} for the next MFA code of {}",
                    spans::in_words(left),
                    self.serial
                ));
                self.time.pause(left).await;
                run(command, &self.time, out).await?
            }
            Codes::Asked => match self.ask().await?.parse() {
                Ok(code) => code,
                Err(()) => return Ok(Err(Failure::usage("an MFA code has six digits"))),
            },
            Codes::Nowhere => return Err(self.nobody_to_ask()),
        };
        Ok(Ok(code))
    }

    /// Whether the code was sent already, while the device still shows it.
    pub fn is_spent(&self, code: &Code) -> bool {
        self.spent_for(code).is_some()
    }

    /// For how long the device still shows a code that was sent already.
    fn spent_for(&self, code: &Code) -> Option<Duration> {
        let last: Value = serde_json::from_slice(&bounds::read(&self.spent).ok()?).ok()?;
        let at = UNIX_EPOCH + Duration::from_secs(last["at"].as_u64()?);
        let left = CODE_LASTS.checked_sub(self.time.now().duration_since(at).ok()?)?;
        (last["sha256"] == self.hash(code)).then_some(left)
    }

    /// Remembers the code before it is sent: if the answer is lost, the code is spent all
    /// the same. If it cannot be remembered, it is sent anyway.
    ///
    /// # Errors
    /// Not signed in: it was sent already.
    pub fn spend(&self, code: &Code) -> Result<()> {
        if self.is_spent(code) {
            let again = Failure::new(
                Kind::NotSignedIn,
                format!(
                    "this MFA code of {} was used already, and AWS takes each once",
                    self.serial
                ),
            )
            .hint("wait for the device's next code: it changes every 30 s");
            return Err(self.refused(again));
        }
        let at = self.time.now().duration_since(UNIX_EPOCH);
        let at = at.map_or(0, |at| at.as_secs());
        let last = json!({"sha256": self.hash(code), "at": at});
        let _ = private_files::write(&self.spent, last.to_string().as_bytes());
        Ok(())
    }

    fn hash(&self, code: &Code) -> String {
        sha256(&format!("{}\n{}", self.serial, code.digits()))
    }

    /// Asks on the terminal itself, as stdin and stdout may belong to another program:
    /// those of a `credential_process` do.
    async fn ask(&self) -> Result<String> {
        let prompt = visible(&format!("Enter MFA code for {}: ", self.serial));
        // It runs on a thread of its own, so that Ctrl-C is heard meanwhile.
        let typed = tokio::task::spawn_blocking(move || -> io::Result<Option<String>> {
            let (shown, typed) = if cfg!(windows) {
                ("CONOUT$", "CONIN$")
            } else {
                ("/dev/tty", "/dev/tty")
            };
            let Ok(mut terminal) = fs::File::options().write(true).open(shown) else {
                return Ok(None);
            };
            let mut keyboard = BufReader::new(fs::File::open(typed)?);
            terminal.write_all(prompt.as_bytes())?;
            terminal.flush()?;
            let mut line = String::new();
            keyboard.read_line(&mut line)?;
            Ok(Some(line))
        });
        let typed = panics::joined(typed)
            .await
            .map_err(|error| Failure::failed(format!("cannot ask for the MFA code: {error}")))?;
        match typed {
            Some(line) if line.is_empty() => Err(self.nobody_to_ask()),
            Some(line) => Ok(line),
            None => Err(self.nobody_to_ask()),
        }
    }

    fn nobody_to_ask(&self) -> Failure {
        Failure::new(
            Kind::NotSignedIn,
            format!(
                "nobody can be asked for the MFA code of {} here",
                self.serial
            ),
        )
        .hint("give it with --mfa-code, or let the profile's mfa_process print it")
    }
}

/// The code that `mfa_process` prints. Its output is not shown, as it may be a code.
async fn run(command: &str, time: &Time, out: Output) -> Result<Code> {
    let helper = Helper {
        program: Program::Shell(command),
        name: "the profile's mfa_process".into(),
        variables: &[],
    };
    let hint = "run the command by itself: it has to print six digits and nothing else";
    let failed = |why: &str| {
        let message = format!("the profile's mfa_process {why}");
        Failure::new(Kind::NotSignedIn, message).hint(hint)
    };
    match helper.run(time, out).await {
        Ok(ProgramEnd::Printed(printed)) => String::from_utf8_lossy(&printed)
            .parse()
            .map_err(|()| failed("printed no MFA code")),
        Ok(ProgramEnd::Failed(status, _)) => Err(failed(&format!("failed ({status})"))),
        Ok(ProgramEnd::Stopped(why)) => Err(failed(&format!("was ended: {why}"))),
        Err(error) => Err(Failure::failed(format!(
            "cannot run the profile's mfa_process: {error}"
        ))),
    }
}

/// Refuses devices whose codes the API cannot check: only virtual ones and hardware
/// tokens have codes (IAM user guide, "MFA").
fn check_serial(serial: &str) -> Result<()> {
    let find = "the device's ARN is in the IAM console under \"Security credentials\"";
    let refused = |why: &str, hint: String| {
        Err(Failure::usage(format!("{serial} cannot be used for MFA: {why}")).hint(hint))
    };
    let is_arn = serial.starts_with("arn:");
    if !is_arn {
        // A hardware token has a number.
        let plain = serial.len() >= 9
            && serial
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_+=/,.@-".contains(c));
        return if plain {
            Ok(())
        } else {
            refused("it is neither an ARN nor a token's number", find.into())
        };
    }
    if let Some((account, user)) = serial.split_once(":user/") {
        let name = user.rsplit('/').next().unwrap_or(user);
        refused(
            "it is the user's ARN, not the device's",
            format!("is it {account}:mfa/{name}? {find}"),
        )
    } else if serial.contains(":u2f/") || serial.contains(":passkey/") {
        refused(
            "a security key or passkey (FIDO) has no codes, and AWS's API takes nothing else",
            "add a virtual MFA device (an authenticator app) beside it, and name that one".into(),
        )
    } else if serial.contains(":sms-mfa/") {
        refused(
            "AWS has ended MFA by text message",
            "set up a virtual MFA device (an authenticator app) instead".into(),
        )
    } else if serial.contains(":mfa/") {
        Ok(())
    } else {
        refused(
            "it is not the ARN of an MFA device",
            format!("one looks like arn:aws:iam::123456789012:mfa/NAME; {find}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_device_is_explained() {
        let refusal = |serial: &str| check_serial(serial).map_err(|failure| failure.message);
        assert_eq!(refusal("arn:aws:iam::123456789012:mfa/ana"), Ok(()));
        assert_eq!(refusal("arn:aws-cn:iam::123456789012:mfa/path/ana"), Ok(()));
        assert_eq!(refusal("GAHT12345678"), Ok(()));
        for (serial, why) in [
            ("arn:aws:iam::123456789012:user/ana", "the user's ARN"),
            ("arn:aws:iam::123456789012:u2f/user/ana/key", "FIDO"),
            ("arn:aws:iam::123456789012:sms-mfa/ana", "text message"),
            (
                "arn:aws:iam::123456789012:role/ana",
                "not the ARN of an MFA",
            ),
            ("phone", "neither"),
        ] {
            let told = refusal(serial).expect_err(serial);
            assert!(told.contains(why), "{told}");
        }
    }
}
