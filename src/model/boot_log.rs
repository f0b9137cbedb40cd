//! What a machine says on its console while it boots. user-data.sh writes a line for each
//! phase, and one when it gives up.

use std::fmt;

use crate::terminal::printable::printable;

/// What a machine has said on its console.
#[derive(Clone, Debug)]
pub struct ConsoleOutput {
    /// The last 64 KB.
    pub text: String,
    /// Whether it is all that there is until now; otherwise EC2 has posted it late.
    pub live: bool,
}

/// How far a machine has come, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Phase(String),
    /// It gave up: `PHASE: reason`.
    Failed(String),
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(name) => write!(f, "phase {}", printable(name)),
            Self::Failed(why) => write!(f, "failed {}", printable(why)),
        }
    }
}

/// Says that this many machines have no live console; none if all have one.
pub fn late(machines: usize) -> Option<String> {
    let machines = match machines {
        0 => return None,
        1 => "1 machine is".to_owned(),
        n => format!("{n} machines are"),
    };
    Some(format!(
        "{machines} of a type without a live console (Xen): EC2 posts it some minutes late"
    ))
}

/// What each of our lines contains, wherever the system puts its time stamps.
const MARK: &str = "inductiva-aws: ";

// The words of user-data.sh that mean something here. Machines that older versions
// launched say them, too, so after a change the old words still have to be read.
const PHASE: &str = "phase ";
const FAILED: &str = "failed ";
/// What a machine says when it ends without a failure.
const ENDS: [&str; 2] = ["powering off", "the maximum lifetime of "];

/// Our part of a console line: `phase NAME`, `failed PHASE: reason`, or other news.
pub fn ours(line: &str) -> Option<&str> {
    line.find(MARK).map(|at| line[at + MARK.len()..].trim_end())
}

/// How far the machine has come, by the last of its lines.
pub fn stage(console: &str) -> Option<Stage> {
    console.lines().rev().filter_map(ours).find_map(|news| {
        if let Some(phase) = news.strip_prefix(PHASE) {
            Some(Stage::Phase(phase.to_owned()))
        } else {
            news.strip_prefix(FAILED)
                .map(|why| Stage::Failed(why.to_owned()))
        }
    })
}

/// Whether the console shows why the machine ends itself: a failure, or what user-data.sh
/// says when it powers off.
pub fn has_said_why(console: &str) -> bool {
    let last = console.lines().rev().find_map(ours).unwrap_or_default();
    matches!(stage(console), Some(Stage::Failed(_))) || ENDS.iter().any(|end| last.starts_with(end))
}

/// The last `number` lines that are not empty.
pub fn tail(console: &str, number: usize) -> Vec<&str> {
    let mut lines: Vec<&str> = console
        .lines()
        .rev()
        .filter(|l| !l.trim().is_empty())
        .take(number)
        .collect();
    lines.reverse();
    lines
}

/// The lines that are complete. What follows them is still being written.
pub fn whole_lines(console: &str) -> &str {
    &console[..console.rfind('\n').map_or(0, |at| at + 1)]
}

/// What `new` has beyond `old`; nothing if it is the older one. A console shows only its
/// last 64 KB, so one may lack what the other begins with, and its first line may be cut.
pub fn beyond<'a>(old: &str, new: &'a str) -> &'a str {
    let known = overlap(old, new);
    if overlap(new, old) > known {
        return "";
    }
    &new[known..]
}

/// How many bytes from the beginning of `later` are in `earlier` already.
fn overlap(earlier: &str, later: &str) -> usize {
    let uncut = later.find('\n').map_or(later.len(), |at| at + 1);
    // The longest end of `earlier` that consists of whole lines.
    let lines = earlier.match_indices('\n').map(|(at, _)| at + 1);
    let starts = std::iter::once(0).chain(lines);
    for start in starts.filter(|start| *start < earlier.len()) {
        let end = &earlier[start..];
        for cut in [0, uncut] {
            if later[cut..].starts_with(end) {
                return cut + end.len();
            }
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_sh_says_what_is_read_here() {
        let script = include_str!("../../user-data.sh");
        let [end, lifetime] = ENDS;
        for line in [
            format!("local line=\"{MARK}$"),
            format!("echo \"{MARK}$words\""),
            format!("say \"{PHASE}$phase\""),
            format!("say \"{FAILED}$phase: "),
            format!("ending end '{end}'"),
            format!("deadline lifetime \"$lifetime\" \"{lifetime}$(told \"$lifetime\") is over"),
        ] {
            assert!(script.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_last_line_of_ours_counts_whatever_is_around_it() {
        let console = "[    1.2] systemd[1]: hi\n\
            [   20.1] cloud-init[512]: inductiva-aws: phase container-engine\n\
            inductiva-aws: phase images\r\n\
            inductiva-aws: again in 5 s: docker\n\
            [   30.0] other\n";
        assert_eq!(stage(console), Some(Stage::Phase("images".into())));
        let failed = format!("{console}inductiva-aws: failed images: no such host\nPower down\n");
        assert_eq!(
            stage(&failed),
            Some(Stage::Failed("images: no such host".into()))
        );
        assert_eq!(stage("Linux version 6.8\n"), None);
    }

    #[test]
    fn tails_leave_out_empty_lines() {
        assert_eq!(tail("a\n\nb\n  \nc\n", 2), ["b", "c"]);
        assert_eq!(tail("", 2), [] as [&str; 0]);
    }

    #[test]
    fn news_are_what_is_beyond_the_old_even_when_its_top_has_scrolled_out() {
        assert_eq!(beyond("", "a\n"), "a\n");
        assert_eq!(beyond("a\nb\n", "a\nb\nc\n"), "c\n");
        assert_eq!(beyond("a\nb\nc\n", "c\nd\n"), "d\n");
        assert_eq!(beyond("a\nb\n", "a\nb\n"), "");
        assert_eq!(beyond("a\n", "x\ny\n"), "x\ny\n");
    }

    #[test]
    fn a_window_that_begins_within_a_line_repeats_nothing() {
        let lines: Vec<String> = (0..100).map(|n| format!("line {n}\n")).collect();
        let all = lines.concat();
        for window in 1..all.len() {
            let mut told = String::new();
            for cut in [40, 45, 70, 99] {
                let said = lines[..cut].concat();
                let new = whole_lines(&said[said.len().saturating_sub(window)..]);
                assert!(
                    beyond(&told, new).len() <= new.len(),
                    "{window} bytes, {cut} lines"
                );
                if window > 400 {
                    let expected = match cut {
                        40 => new.to_owned(),
                        45 => lines[40..45].concat(),
                        70 => lines[45..70].concat(),
                        _ => lines[70..99].concat(),
                    };
                    assert_eq!(beyond(&told, new), expected, "{window} bytes, {cut} lines");
                }
                new.clone_into(&mut told);
            }
        }
    }

    #[test]
    fn an_older_console_has_nothing_new() {
        assert_eq!(beyond("a\nb\nc\n", "a\nb\n"), "");
        assert_eq!(beyond("a\nb\nc\n", "x\nb\nc\n"), "");
        assert_eq!(beyond("a\n", ""), "");
        assert_eq!(beyond("cut\nd\ne\n\n", "\nb\ncut\nd\n"), "");
        assert_eq!(beyond("t\nd\ne\n", "ut\nb\nc\nd\n"), "");
    }

    #[test]
    fn a_machine_has_said_why_it_ends_when_nothing_comes_after_that() {
        for (console, has) in [
            ("inductiva-aws: failed images: no\n", true),
            (
                "inductiva-aws: the task runner is done\ninductiva-aws: powering off\n",
                true,
            ),
            (
                "inductiva-aws: the maximum lifetime of 60 s is over\n",
                true,
            ),
            (
                "inductiva-aws: powering off\ninductiva-aws: phase deadlines\n",
                false,
            ),
            (
                "inductiva-aws: phase images\ninductiva-aws: again in 5 s: x\n",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(has_said_why(console), has, "{console}");
        }
    }

    #[test]
    fn a_line_without_its_end_is_left_for_later() {
        assert_eq!(whole_lines("a\nb\nc"), "a\nb\n");
        assert_eq!(whole_lines("a"), "");
    }
}
