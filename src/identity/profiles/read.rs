//! Reads the two files of profiles as the AWS CLI does: their sections, and what of them
//! cannot be read.

use std::{collections::BTreeMap, io::ErrorKind};

use super::{
    super::{
        ini::{self, Ini, Odd},
        words,
    },
    AwsFiles, Profiles,
};
use crate::{
    bounds,
    error::{Failure, Result},
};

/// The first words of the config file's headers that have a name after them.
const KINDS: [&str; 3] = ["profile", "sso-session", "services"];

impl Profiles {
    /// Reads both files. A file that does not exist has no profiles.
    ///
    /// # Errors
    /// A path that is not a file, or a file that is too large.
    pub fn load(files: &AwsFiles) -> Result<Self> {
        let mut odd = Vec::new();
        let config = read(&files.config, &mut odd)?;
        let credentials = read(&files.credentials, &mut odd)?;
        let mut profiles = Self {
            merged: BTreeMap::new(),
            in_config: BTreeMap::new(),
            in_credentials: BTreeMap::new(),
            sso_sessions: BTreeMap::new(),
            services: BTreeMap::new(),
            others: Vec::new(),
            odd,
            files: files.clone(),
        };
        let mut headers = Vec::new();
        for section in config.sections {
            if let Err(odd) = profiles.add(section) {
                headers.push(odd);
            }
        }
        let odd = [config.odd, headers].concat();
        tell(&mut profiles.odd, &files.config, odd);
        for section in credentials.sections {
            let merged = profiles.merged.entry(section.name.clone()).or_default();
            merged.extend(section.properties.clone());
            profiles
                .in_credentials
                .insert(section.name, section.properties);
        }
        tell(&mut profiles.odd, &files.credentials, credentials.odd);
        Ok(profiles)
    }

    /// Adds a section of the config file. As in botocore, a later section replaces an
    /// earlier one of the same name; `[profile default]` and `[default]` are the same
    /// name.
    fn add(&mut self, section: ini::Section) -> Result<(), Odd> {
        let ini::Section {
            name,
            line,
            properties,
        } = section;
        if name == "default" {
            self.merged.insert(name.clone(), properties.clone());
            self.in_config.insert(name, properties);
            return Ok(());
        }
        let Some(kind) = KINDS.into_iter().find(|kind| name.starts_with(kind)) else {
            self.others.push(name);
            return Ok(());
        };
        let odd = |why: String| Odd { line, why };
        let words = words::split(&name).map_err(|why| odd(format!("[{name}] {why}")))?;
        let [first, name] = <[String; 2]>::try_from(words).map_err(|words| {
            let first = words.first().map_or(kind, String::as_str);
            odd(format!(
                "it is not [{first} NAME]; a name with blanks needs quotes: [{first} \"MY NAME\"]"
            ))
        })?;
        match kind {
            "profile" => {
                self.merged.insert(name.clone(), properties.clone());
                self.in_config.insert(name, properties);
            }
            "sso-session" => drop(self.sso_sessions.insert(name, properties)),
            _ => drop(self.services.insert(name, properties)),
        }
        if first == kind {
            Ok(())
        } else {
            Err(odd(format!("[{first} …] is taken for [{kind} …]")))
        }
    }
}

/// Reads a file. Bytes that are no text are left out, and named.
fn read(path: &std::path::Path, odd: &mut Vec<String>) -> Result<Ini> {
    let bytes = match bounds::read(path) {
        Ok(bytes) => bytes,
        // The AWS CLI ignores these, too.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            return Ok(Ini::default());
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            odd.push(format!("cannot read {}: {error}", path.display()));
            return Ok(Ini::default());
        }
        Err(error) => {
            return Err(Failure::usage(format!(
                "cannot read {}: {error}",
                path.display()
            )));
        }
    };
    let (text, wrong) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (text, Some(line))
        }
    };
    let mut ini = ini::parse(&text);
    ini.odd.extend(wrong.map(|line| Odd {
        line,
        why: "it is not text in UTF-8".into(),
    }));
    Ok(ini)
}

/// Adds one warning for a file: its first odd line, and how many more there are.
fn tell(told: &mut Vec<String>, path: &std::path::Path, mut odd: Vec<Odd>) {
    odd.sort_by_key(|odd| odd.line);
    if let Some((first, rest)) = odd.split_first() {
        let more = match rest.len() {
            0 => String::new(),
            1 => " (and one more line)".to_owned(),
            lines => format!(" (and {lines} more lines)"),
        };
        told.push(format!(
            "{}, line {}: {}{more}",
            path.display(),
            first.line,
            first.why
        ));
    }
}
