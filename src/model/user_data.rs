//! What a machine is given at its first boot: a preamble of `export` lines and a script,
//! as the bytes that `RunInstances` sends.
//!
//! There is no templating, so a script of the user's own keeps every `$`.

use std::{borrow::Cow, fmt, io::Write as _};

use flate2::{Compression, write::GzEncoder};

pub use crate::terminal::mask::HIDDEN;
use crate::terminal::quoting;

/// The script that installs and starts the task runner, and that can be read
/// and run on its own.
pub const STANDARD_SCRIPT: &[u8] = include_bytes!("../../user-data.sh");

/// The most user data that EC2 takes, before base64 (EC2 user guide, "Run commands when
/// you launch an EC2 instance with user data input").
pub const MAX_BYTES: usize = 16_384;

/// More than the standard script has with gzip.
const MAX_STANDARD_PACKED_BYTES: usize = 14_200;

/// One variable of the preamble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    /// Any text without NUL.
    pub value: String,
}

/// A boot script: the standard one or a file of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(Cow<'static, [u8]>);

impl Script {
    pub fn standard() -> Self {
        Self(Cow::Borrowed(STANDARD_SCRIPT))
    }

    /// A script of the user's own, as it was read.
    pub fn custom(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }

    /// The script without any preamble.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it can be given the variables: it has to be a `#!` script of a shell that
    /// knows `export NAME='value'`.
    pub fn takes_variables(&self) -> bool {
        self.shebang().is_some_and(|line| {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split_whitespace();
            let mut interpreter = words.next().map(file_name);
            if interpreter == Some("env") {
                interpreter = words.find(|word| !word.starts_with('-')).map(file_name);
            }
            matches!(
                interpreter,
                Some("sh" | "bash" | "dash" | "ksh" | "zsh" | "ash")
            )
        })
    }

    /// What follows `#!` on the first line.
    fn shebang(&self) -> Option<&[u8]> {
        let line = self.0.split(|byte| *byte == b'\n').next()?;
        line.strip_prefix(b"#!")
    }

    /// The flags in its first line, such as `#!/bin/bash -x`, with which the shell prints
    /// what it reads (`v`) or runs (`x`), and so the preamble.
    fn printing_flags(&self) -> String {
        let line = String::from_utf8_lossy(self.shebang().unwrap_or_default());
        let is_on = |flag: char, name: &str| {
            line.split_whitespace().skip(1).any(|word| {
                let letters = word.strip_prefix('-').filter(|l| !l.starts_with('-'));
                word.trim_start_matches("--") == name || letters.is_some_and(|l| l.contains(flag))
            })
        };
        let flags = [('v', "verbose"), ('x', "xtrace")];
        let on = flags.iter().filter(|(flag, name)| is_on(*flag, name));
        on.map(|(flag, _)| flag).collect()
    }

    /// The whole: the first line, the preamble, the rest. A script that cannot take
    /// variables stays as it is.
    pub fn with_preamble(&self, variables: &[Variable]) -> Vec<u8> {
        if !self.takes_variables() {
            return self.0.to_vec();
        }
        let first_line_end = self.0.iter().position(|byte| *byte == b'\n');
        let (first_line, rest) = match first_line_end {
            Some(end) => self.0.split_at(end + 1),
            None => (&self.0[..], &[][..]),
        };
        let mut whole = first_line.to_vec();
        if first_line_end.is_none() {
            whole.push(b'\n');
        }
        let preamble = preamble(variables);
        let flags = self.printing_flags();
        if flags.is_empty() {
            whole.extend_from_slice(preamble.as_bytes());
        } else {
            whole.extend(format!("set +{flags}\n{preamble}set -{flags}\n").bytes());
        }
        whole.extend_from_slice(rest);
        whole
    }

    /// Whether EC2 takes it with these variables.
    ///
    /// # Errors
    /// More than [`MAX_BYTES`].
    pub fn refuse_too_large(&self, variables: &[Variable]) -> Result<(), TooLarge> {
        // Packing takes longer than all else that comes before a launch's first call.
        let is_standard = *self.bytes() == *STANDARD_SCRIPT;
        if is_standard && MAX_STANDARD_PACKED_BYTES + preamble(variables).len() < MAX_BYTES {
            return Ok(());
        }
        self.packed(variables).map(drop)
    }

    /// The bytes that are sent, before base64. With our preamble they are gzip, which
    /// cloud-init unpacks on every image. Anything else goes byte for byte, as we cannot
    /// know who reads it.
    ///
    /// # Errors
    /// More than [`MAX_BYTES`].
    pub fn packed(&self, variables: &[Variable]) -> Result<Vec<u8>, TooLarge> {
        let whole = self.with_preamble(variables);
        let bytes = whole.len();
        let packed = self.takes_variables().then(|| gzip(&whole));
        let packed_bytes = packed.as_ref().map(Vec::len);
        let sent = packed.unwrap_or(whole);
        if sent.len() > MAX_BYTES {
            return Err(TooLarge {
                bytes,
                packed_bytes,
            });
        }
        Ok(sent)
    }
}

/// User data of more than [`MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    bytes: usize,
    /// None if it is not packed.
    packed_bytes: Option<usize>,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the user data is too large: {} bytes, ", self.bytes)?;
        if let Some(packed) = self.packed_bytes {
            write!(f, "{packed} with gzip, ")?;
        }
        write!(f, "and EC2 takes {MAX_BYTES}")
    }
}

/// The header has no time stamp and no name: a call that is made again with the same
/// client token has to have the same bytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing to memory does not fail")
}

/// The last component of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// One `export NAME='value'` line a variable, for any POSIX shell.
pub fn preamble(variables: &[Variable]) -> String {
    let lines: Vec<String> = variables
        .iter()
        .map(|v| format!("export {}={}\n", v.name, quoting::posix(&v.value)))
        .collect();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io::Read as _, process::Command};

    use md5::{Digest as _, Md5};
    use proptest::prelude::*;

    use super::*;

    fn variable(name: &'static str, value: &str) -> Variable {
        Variable {
            name,
            value: value.into(),
        }
    }

    #[test]
    fn what_is_too_large_packed_is_refused_without_packing_too() {
        let fits = |script: &Script, bytes: usize| {
            // Hexadecimal digits of hashes: gzip takes no more than half of them away.
            let value = (0..bytes / 32).map(|n| format!("{:x}", Md5::digest(n.to_be_bytes())));
            let variables = [variable("INDUCTIVA_API_KEY", &value.collect::<String>())];
            let fits = script.refuse_too_large(&variables).is_ok();
            assert_eq!(fits, script.packed(&variables).is_ok(), "{bytes}");
            fits
        };
        let own = Script::custom([b"#!/bin/sh\n", &[b'a'; 9_000][..]].concat());
        for script in [Script::standard(), own] {
            let sizes = (0..40_000).step_by(400);
            let fitting = sizes.clone().filter(|bytes| fits(&script, *bytes)).count();
            assert!(0 < fitting && fitting < sizes.len(), "{fitting}");
        }
        let standard = Script::standard().packed(&[]).expect("it fits");
        assert!(standard.len() < MAX_STANDARD_PACKED_BYTES);
    }

    /// The environment that a script sees. A real bash runs it from a file, as cloud-init
    /// does, and prints it with `env -0`.
    fn environment_of(user_data: &[u8]) -> HashMap<Vec<u8>, Vec<u8>> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("part-001");
        std::fs::write(&path, user_data).expect("the script is written");
        let run = Command::new("bash")
            .arg(&path)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output()
            .expect("bash runs");
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        run.stdout
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                let equals = entry.iter().position(|byte| *byte == b'=')?;
                Some((entry[..equals].to_vec(), entry[equals + 1..].to_vec()))
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_value_reaches_the_script(key in "[^\0]{0,60}", name in "\\PC{0,63}", url in "[ -~\n\r\t'\"$`\\\\]{0,60}") {
            let script = Script::custom(b"#!/bin/bash\nenv -0\n".to_vec());
            let user_data = script.with_preamble(&[
                variable("INDUCTIVA_API_KEY", &key),
                variable("MACHINE_GROUP_NAME", &name),
                variable("INDUCTIVA_API_URL", &url),
            ]);
            let seen = environment_of(&user_data);
            prop_assert_eq!(seen.get(&b"INDUCTIVA_API_KEY"[..]).map(Vec::as_slice), Some(key.as_bytes()));
            prop_assert_eq!(seen.get(&b"MACHINE_GROUP_NAME"[..]).map(Vec::as_slice), Some(name.as_bytes()));
            prop_assert_eq!(seen.get(&b"INDUCTIVA_API_URL"[..]).map(Vec::as_slice), Some(url.as_bytes()));
        }

        #[test]
        fn any_bytes_of_a_script_survive(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = b"#!/bin/sh -e\n".to_vec();
            bytes.extend(&body);
            let whole = Script::custom(bytes.clone()).with_preamble(&[variable("A", "it's")]);
            prop_assert_eq!(whole, [b"#!/bin/sh -e\nexport A='it'\\''s'\n", &body[..]].concat());
        }

        #[test]
        fn anything_but_a_shell_script_is_left_as_it_is(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assume!(!bytes.starts_with(b"#!"));
            prop_assert_eq!(Script::custom(bytes.clone()).with_preamble(&[variable("A", "b")]), bytes);
        }
    }

    #[test]
    fn shells_take_variables_and_others_do_not() {
        for (script, takes) in [
            ("#!/bin/bash\n", true),
            ("#!/bin/sh", true),
            ("#! /usr/bin/env bash\n", true),
            ("#!/usr/bin/env -S bash -eu\n", true),
            ("#!/bin/bash -e\r\n", true),
            ("#!/usr/bin/env python3\n", false),
            ("#!/usr/bin/fish\n", false),
            ("#cloud-config\npackages: [x]\n", false),
            ("echo hi\n", false),
            ("#!\n", false),
            ("", false),
        ] {
            let script = Script::custom(script.into());
            assert_eq!(script.takes_variables(), takes, "{script:?}");
        }
        assert!(Script::standard().takes_variables());
    }

    #[test]
    fn a_script_of_one_line_without_an_end_gets_its_preamble() {
        let whole = Script::custom(b"#!/bin/sh".to_vec()).with_preamble(&[variable("A", "b")]);
        assert_eq!(whole, b"#!/bin/sh\nexport A='b'\n");
    }

    #[test]
    fn a_script_that_prints_itself_does_not_print_its_variables() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (first_line, traced, read) in [
            ("#!/bin/bash -x", true, false),
            ("#!/bin/bash -eux", true, false),
            ("#!/bin/bash -o xtrace", true, false),
            ("#!/bin/bash -v", false, true),
            ("#!/bin/bash --verbose", false, true),
            ("#!/bin/bash -o verbose", false, true),
            ("#!/bin/bash -exv", true, true),
            ("#!/bin/sh -v", false, true),
            ("#!/bin/sh -x", true, false),
            ("#!/bin/bash --posix", false, false),
            ("#!/bin/bash -e", false, false),
        ] {
            let script =
                Script::custom(format!("{first_line}\n: \"$A\" >/dev/null\necho $0\n").into());
            let path = dir.path().join("script");
            std::fs::write(&path, script.with_preamble(&[variable("A", "hush")])).expect("written");
            let mut words = first_line.trim_start_matches("#!").split(' ');
            let run = Command::new(words.next().expect("a shell"))
                .args(words)
                .arg(&path)
                .output()
                .expect("the shell runs");
            let said = String::from_utf8_lossy(&run.stderr);
            let of_trace = format!("+ echo {}", path.display());
            assert_eq!(said.contains(&of_trace), traced, "{first_line}: {said}");
            assert_eq!(said.contains("echo $0"), read, "{first_line}: {said}");
            assert!(!said.contains("export"), "{first_line}: {said}");
            if !traced {
                assert!(!said.contains("hush"), "{first_line}: {said}");
            }
        }
    }

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed)
            .read_to_end(&mut unpacked)
            .expect("it is gzip");
        unpacked
    }

    #[test]
    fn what_has_our_preamble_is_packed_the_same_way_each_time() {
        let variables = [variable("A", "b")];
        for body in [&b"echo\n"[..], &[b'x'; MAX_BYTES]] {
            let script = Script::custom([b"#!/bin/sh\n", body].concat());
            let packed = script.packed(&variables).expect("it fits");
            assert_eq!(packed, script.packed(&variables).expect("again"));
            // RFC 1952: no flags, and so no name, and a time of 0.
            assert_eq!(packed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
            assert_eq!(unpacked(&packed), script.with_preamble(&variables));
        }
    }

    #[test]
    fn anything_else_is_sent_byte_for_byte_up_to_16_kib() {
        for start in [
            &b"#cloud-config\n"[..],
            b"#!/usr/bin/python3\n",
            b"\x1f\x8b\x08",
        ] {
            let mut bytes = start.to_vec();
            bytes.resize(MAX_BYTES, b'x');
            let script = Script::custom(bytes.clone());
            assert_eq!(script.packed(&[variable("A", "b")]), Ok(bytes.clone()));
            bytes.push(b'x');
            let error = Script::custom(bytes).packed(&[]).expect_err("too large");
            assert_eq!(
                error.to_string(),
                "the user data is too large: 16385 bytes, and EC2 takes 16384"
            );
        }
    }

    #[test]
    fn a_script_that_does_not_pack_is_refused_with_both_sizes() {
        let mut noise = vec![0; 40_000];
        getrandom::fill(&mut noise).expect("the system has randomness");
        noise[..10].copy_from_slice(b"#!/bin/sh\n");
        let error = Script::custom(noise).packed(&[]).expect_err("noise stays");
        assert_eq!(error.bytes, 40_000);
        assert!(error.packed_bytes > Some(MAX_BYTES), "{error}");
        assert!(error.to_string().contains(" with gzip, "), "{error}");
    }
}
