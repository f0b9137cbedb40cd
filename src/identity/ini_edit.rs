//! Changes to ~/.aws/config and ~/.aws/credentials: what is not to be changed stays as it
//! is, byte by byte.

use super::ini::header;

/// The text with these values in a section. Its other values and its comments stay. A
/// section that does not exist is added at the end, under the first of the headers.
///
/// Where a section or a property occurs twice, the later one counts and is changed.
pub fn set(text: &str, headers: &[&str], values: &[(&str, &str)]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let last = lines.iter().rev().find(|line| line.ends_with('\n'));
    let line_end = if last.is_some_and(|line| line.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push_str(line_end);
    }
    for (name, value) in values {
        let place = place(&lines, headers, name);
        let line = |indent: &str| format!("{indent}{name} = {value}{line_end}");
        match place {
            EditPlace::Property { from, to } => {
                let there = &lines[from];
                let indent = &there[..there.len() - there.trim_start().len()];
                let line = line(indent);
                lines.splice(from..to, [line]);
            }
            EditPlace::EndOfSection { at, indent } => lines.insert(at, line(&indent)),
            EditPlace::Nowhere => {
                let header = headers.first().copied().unwrap_or_default();
                if !lines.is_empty() {
                    lines.push(line_end.to_owned());
                }
                lines.push(format!("[{header}]{line_end}"));
                lines.push(line(""));
            }
        }
    }
    lines.concat()
}

/// Where a value belongs, by line numbers from 0.
enum EditPlace {
    /// It replaces these lines.
    Property {
        from: usize,
        to: usize,
    },
    /// It goes before this line, indented like the properties above it.
    EndOfSection {
        at: usize,
        indent: String,
    },
    Nowhere,
}

fn place(lines: &[String], headers: &[&str], name: &str) -> EditPlace {
    let mut place = EditPlace::Nowhere;
    let mut is_found = false;
    // Whether the lines are the section's, and whether a more indented line continues a
    // property: as in ini.rs.
    let mut is_ours = false;
    let mut has_property = false;
    let mut is_named = false;
    let mut indent = 0;
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        let to_the_right = line.chars().take_while(|c| c.is_whitespace()).count();
        if has_property && to_the_right > indent {
            match &mut place {
                EditPlace::Property { to, .. } if is_named => *to = at + 1,
                EditPlace::EndOfSection { at: end, .. } if is_ours => *end = at + 1,
                _ => {}
            }
            continue;
        }
        indent = to_the_right;
        is_named = false;
        if let Some(header) = header(text) {
            has_property = false;
            is_ours = headers.contains(&header);
            if is_ours && !is_found {
                place = EditPlace::EndOfSection {
                    at: at + 1,
                    indent: String::new(),
                };
            }
            continue;
        }
        has_property = true;
        if !is_ours {
            continue;
        }
        let property = text.split_once(['=', ':']).map(|(name, _)| name.trim_end());
        if property.is_some_and(|property| property.eq_ignore_ascii_case(name)) {
            is_found = true;
            is_named = true;
            place = EditPlace::Property {
                from: at,
                to: at + 1,
            };
        } else if !is_found {
            let indent = line[..line.len() - line.trim_start().len()].to_owned();
            place = EditPlace::EndOfSection { at: at + 1, indent };
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::set;

    #[test]
    fn values_are_set_and_all_else_stays() {
        let set = |text: &str| {
            set(
                text,
                &["profile w", "profile \"w\""],
                &[("a", "1"), ("b", "2")],
            )
        };
        for (before, after) in [
            ("", "[profile w]\na = 1\nb = 2\n"),
            ("[x]\na = 0", "[x]\na = 0\n\n[profile w]\na = 1\nb = 2\n"),
            (
                "# top\n[profile w] # mine\n# c\nb=0\n; d\n\n[x]\na = 0\n",
                "# top\n[profile w] # mine\n# c\nb = 2\na = 1\n; d\n\n[x]\na = 0\n",
            ),
            (
                "[profile \"w\"]\r\n  A : 0\r\n    more\r\n  s3 =\r\n    a = 0\r\n",
                "[profile \"w\"]\r\n  a = 1\r\n  s3 =\r\n    a = 0\r\n  b = 2\r\n",
            ),
            (
                "[profile w]\na = 0\n[profile w]\na = 0\n",
                "[profile w]\na = 0\n[profile w]\na = 1\nb = 2\n",
            ),
            ("[profile w]\n", "[profile w]\na = 1\nb = 2\n"),
        ] {
            assert_eq!(set(before), after, "{before:?}");
            assert_eq!(set(after), after, "{before:?}");
        }
    }
}
