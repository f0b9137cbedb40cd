//! The texts of the manual, with their small markup, made into roff.
//!
//! Blocks are separated by blank lines: a paragraph, a list (each line `- …`), a term
//! (`= …`, its meaning on the lines below), a heading (`## …`), or a listing between
//! lines of three backquotes. Backquotes within a line make it bold.

use clap_mangen::roff::{Inline, Roff, bold, roman};

pub const COST: &str = include_str!("cost.md");
pub const ENDING: &str = include_str!("ending.md");
pub const ENVIRONMENT: &str = include_str!("environment.md");
pub const FILES: &str = include_str!("files.md");
pub const GROUPS: &str = include_str!("groups.md");
pub const IMAGES: &str = include_str!("images.md");
pub const LIST: &str = include_str!("list.md");
pub const MACHINE: &str = include_str!("machine.md");
pub const MONEY: &str = include_str!("money.md");
pub const OUTPUT: &str = include_str!("output.md");
pub const PERMISSIONS: &str = include_str!("permissions.md");
pub const SECURITY: &str = include_str!("security.md");

pub fn add(roff: &mut Roff, text: &str) {
    let mut is_first = true;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(heading) = line.strip_prefix("## ") {
            roff.control("SS", [heading]);
            is_first = true;
            continue;
        }
        if line.starts_with("```") {
            listing(roff, lines.by_ref().take_while(|line| *line != "```"));
            is_first = false;
            continue;
        }
        if let Some(term) = line.strip_prefix("= ") {
            roff.control("TP", []);
            roff.text([bold(term)]);
        } else if let Some(item) = line.strip_prefix("- ") {
            roff.control("IP", [r"\(bu", "2"]);
            roff.text(inlines(item));
            is_first = false;
            continue;
        } else {
            // A heading brings its own distance.
            if !is_first {
                roff.control("PP", []);
            }
            roff.text(inlines(line));
        }
        is_first = false;
        while let Some(line) = lines.next_if(|line| !line.is_empty() && !line.starts_with("- ")) {
            roff.text(inlines(line));
        }
    }
}

/// Lines exactly as they are, slightly indented.
pub fn listing<'a>(roff: &mut Roff, lines: impl IntoIterator<Item = &'a str>) {
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

/// A line, with the text between backquotes in bold.
pub fn inlines(line: &str) -> Vec<Inline> {
    let parts = line.split('`').enumerate();
    parts
        .filter(|(_, part)| !part.is_empty())
        .map(|(place, part)| match place % 2 {
            1 => bold(part),
            _ => roman(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_its_form() {
        let text = "One `--option`.\n\nTwo.\n\n## A heading\nBelow.\n- item\n- another\n\n= TERM\nMeaning.\n\n```\n.a  line\n```\n";
        let mut roff = Roff::new();
        add(&mut roff, text);
        let expected = r"One \fB\-\-option\fR.
.PP
Two.
.SS A heading
Below.
";
        let told = roff.to_roff();
        assert!(told.replace('"', "").starts_with(expected), "{told}");
        assert!(
            told.contains(".IP \\(bu 2\nitem\n.IP \\(bu 2\nanother\n"),
            "{told}"
        );
        assert!(told.contains(".TP\n\\fBTERM\\fR\nMeaning.\n"), "{told}");
        assert!(told.contains(".nf\n\\&.a  line\n.fi\n"), "{told}");
    }
}
