//! The form of ~/.aws/config and ~/.aws/credentials, read as the AWS CLI reads it:
//! botocore gives the files to Python's `RawConfigParser`. Where that refuses a whole
//! file because of one line, this reader ignores the line, with a warning.

use std::collections::BTreeMap;

/// Names and values. An empty value counts as unset, and is left out.
pub type Properties = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ini {
    /// In the order of the file, each name once.
    pub sections: Vec<Section>,
    pub odd: Vec<Odd>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What is between the brackets.
    pub name: String,
    /// The line that it begins in, from 1.
    pub line: usize,
    pub properties: Properties,
}

/// A line that the AWS CLI does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// Its number, from 1.
    pub line: usize,
    /// What follows "line N: ".
    pub why: String,
}

/// The section whose properties are the defaults of all others.
const DEFAULTS: &str = "DEFAULT";

/// Reads a file. Lines of any other form are left out, and named.
pub fn parse(text: &str) -> Ini {
    let mut reader = IniReader::default();
    for (line, text) in (1..).zip(lines(text.trim_start_matches('\u{feff}'))) {
        reader.line(line, text);
    }
    reader.finish()
}

/// The properties in a value that has lines of its own below it, such as those of a
/// service in a `services` section. None where the value has another form.
pub fn nested(value: &str) -> Option<Properties> {
    let lines = value.strip_prefix('\n')?.lines().map(str::trim);
    let pairs = lines
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once('='))
        .collect::<Option<Vec<_>>>()?;
    Some(
        pairs
            .into_iter()
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect(),
    )
}

/// Lines end with LF, CR LF or CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

#[derive(Default)]
struct IniReader {
    sections: Vec<Unfinished>,
    odd: Vec<Odd>,
    /// The index of the section that the next lines belong to.
    section: Option<usize>,
    /// The property that an indented line continues.
    property: Option<usize>,
    indent: usize,
}

struct Unfinished {
    name: String,
    line: usize,
    properties: Vec<Property>,
}

struct Property {
    name: String,
    line: usize,
    /// The lines of its value.
    lines: Vec<String>,
}

impl IniReader {
    fn line(&mut self, number: usize, text: &str) {
        let value = text.trim();
        if value.starts_with(['#', ';']) {
            return;
        }
        if value.is_empty() {
            if let Some(property) = self.property() {
                property.lines.push(String::new());
            }
            return;
        }
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        if indent > self.indent
            && let Some(property) = self.property()
        {
            property.lines.push(value.to_owned());
            return;
        }
        self.indent = indent;
        if let Some(name) = header(value) {
            self.begin(number, name);
        } else if self.section.is_none() {
            self.add_odd(number, "it is before the first [section], and is ignored");
        } else {
            self.assign(number, value);
        }
    }

    fn property(&mut self) -> Option<&mut Property> {
        let section = self.sections.get_mut(self.section?)?;
        section.properties.get_mut(self.property?)
    }

    fn begin(&mut self, line: usize, name: &str) {
        self.property = None;
        if let Some(at) = self.sections.iter().position(|there| there.name == name) {
            self.section = Some(at);
            if name != DEFAULTS {
                self.add_odd(
                    line,
                    &format!("there is another [{name}] above it: both count"),
                );
            }
            return;
        }
        self.section = Some(self.sections.len());
        self.sections.push(Unfinished {
            name: name.to_owned(),
            line,
            properties: Vec::new(),
        });
    }

    fn assign(&mut self, line: usize, text: &str) {
        let Some((name, value)) = text.split_once(['=', ':']) else {
            self.add_odd(
                line,
                "it is neither a [section] nor NAME = VALUE, and is ignored",
            );
            return;
        };
        let name = name.trim_end().to_lowercase();
        if name.is_empty() {
            self.add_odd(line, "it has no name before its value, and is ignored");
            return;
        }
        let Some(section) = self.section.and_then(|at| self.sections.get_mut(at)) else {
            return;
        };
        let lines = vec![value.trim().to_owned()];
        let there = section.properties.iter().position(|p| p.name == name);
        if let Some(at) = there {
            let why = format!(
                "{name} is in [{}] already: the later one counts",
                section.name
            );
            section.properties[at].lines = lines;
            self.property = Some(at);
            self.add_odd(line, &why);
        } else {
            self.property = Some(section.properties.len());
            section.properties.push(Property { name, line, lines });
        }
    }

    fn add_odd(&mut self, line: usize, why: &str) {
        self.odd.push(Odd {
            line,
            why: why.to_owned(),
        });
    }

    fn finish(mut self) -> Ini {
        let mut defaults = Properties::new();
        let mut sections = Vec::new();
        for section in std::mem::take(&mut self.sections) {
            let mut properties = Properties::new();
            for Property { name, line, lines } in section.properties {
                let value = lines.join("\n").trim_end().to_owned();
                if value.starts_with('\n') && nested(&value).is_none() {
                    self.add_odd(
                        line,
                        &format!("the lines below {name} are not NAME = VALUE, and are ignored"),
                    );
                } else if !value.is_empty() {
                    properties.insert(name, value);
                }
            }
            if section.name == DEFAULTS {
                defaults = properties;
            } else {
                sections.push(Section {
                    name: section.name,
                    line: section.line,
                    properties,
                });
            }
        }
        for section in &mut sections {
            for (name, value) in &defaults {
                let there = section.properties.entry(name.clone());
                there.or_insert_with(|| value.clone());
            }
        }
        self.odd.sort_by_key(|odd| odd.line);
        Ini {
            sections,
            odd: self.odd,
        }
    }
}

/// The name in a section's header: up to the last bracket, whatever follows it.
pub fn header(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?;
    let name = &name[..name.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let sections = parse(text).sections.into_iter();
        sections
            .map(|section| (section.name, section.properties.into_iter().collect()))
            .collect()
    }

    fn odd(text: &str) -> Vec<usize> {
        parse(text).odd.iter().map(|odd| odd.line).collect()
    }

    fn one(name: &str, properties: &[(&str, &str)]) -> Vec<(String, Vec<(String, String)>)> {
        let properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        vec![(name.to_owned(), properties.collect())]
    }

    // tests/cli/like_the_cli.rs holds that botocore reads the same.
    #[test]
    fn lines_are_read_as_pythons_parser_reads_them() {
        for (text, expected) in [
            ("[w] my work\na: 1", one("w", &[("a", "1")])),
            (
                "[w]\n  # x\n  a = 1\n  b = 2",
                one("w", &[("a", "1"), ("b", "2")]),
            ),
            ("[w]\na = 1\n  b = 2", one("w", &[("a", "1\nb = 2")])),
            ("\u{feff}[w]\r\nA = 1 # x\r\n", one("w", &[("a", "1 # x")])),
            ("[w]\na =\nb = x=y", one("w", &[("b", "x=y")])),
            (
                "[w]\ns3 =\n  a = 1\n\n  b = 2",
                one("w", &[("s3", "\na = 1\n\nb = 2")]),
            ),
            ("[a]b]\nc = d\n", one("a]b", &[("c", "d")])),
            (
                "[DEFAULT]\na = 1\nb = 2\n[w]\na = 3",
                one("w", &[("a", "3"), ("b", "2")]),
            ),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
            assert_eq!(odd(text), [0_usize; 0], "{text:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_itself_alone() {
        for (text, line, expected) in [
            ("a = 1\n[w]\na = 2", 1, one("w", &[("a", "2")])),
            ("[w]\noops\na = 2", 2, one("w", &[("a", "2")])),
            ("[w]\n= 1\na = 2", 2, one("w", &[("a", "2")])),
            ("[w]\na = 1\na = 2", 3, one("w", &[("a", "2")])),
            (
                "[w]\na = 1\n[w]\nb = 2",
                3,
                one("w", &[("a", "1"), ("b", "2")]),
            ),
            ("[w]\ns3 =\n  oops\na = 2", 2, one("w", &[("a", "2")])),
            ("[w\n[w]\na = 2", 1, one("w", &[("a", "2")])),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
            assert_eq!(odd(text), [line], "{text:?}");
        }
    }

    #[test]
    fn lines_below_a_value_are_its_own() {
        let value = nested("\nendpoint_url = http://x\n\na = b = c").expect("it is nested");
        assert_eq!(value["endpoint_url"], "http://x");
        assert_eq!(value["a"], "b = c");
        assert_eq!(nested("a = b"), None);
        assert_eq!(nested("\na"), None);
    }
}
