//! A terminal on which the same thing is drawn again and again in place. It never goes
//! blank, and what stood there before can be scrolled back to.

use std::io::{self, IsTerminal as _, Write as _};

use unicode_width::UnicodeWidthStr as _;

use super::{
    mask,
    output::{Reader, written},
    printable::screened,
    progress::moves_its_cursor,
};
use crate::error::Result;

/// To the first column of the first row (ECMA-48, CUP).
const HOME: &str = "\x1b[H";
/// Nothing more in this row (EL).
const END_OF_LINE: &str = "\x1b[K";
/// Nothing more below (ED).
const END_OF_SCREEN: &str = "\x1b[J";

/// The terminal that stdout is.
pub struct Screen {
    terminal: console::Term,
    is_drawn: bool,
}

impl Screen {
    /// None if stdout is no terminal, or cannot be drawn on.
    pub fn of_stdout() -> Option<Self> {
        (io::stdout().is_terminal() && moves_its_cursor()).then(|| Self {
            terminal: console::Term::stdout(),
            is_drawn: false,
        })
    }

    /// Rows and columns, as they are now.
    fn size(&self) -> (usize, usize) {
        let (rows, columns) = self.terminal.size_checked().unwrap_or_default();
        // Some terminals do not tell their size.
        let or = |number: u16, usual: usize| match number {
            0 => usual,
            number => number.into(),
        };
        (or(rows, 24), or(columns, 80))
    }

    /// Its columns.
    pub fn width(&self) -> usize {
        self.size().1
    }

    /// Draws as much of the text as there is room for, at once, in place of what was
    /// drawn before.
    pub fn draw(&mut self, text: &str) -> Result<Reader> {
        let (rows, columns) = self.size();
        let text = mask::masked(&screened(text)).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        // The last row is left to the cursor.
        let room = rows.saturating_sub(1).max(1);
        let mut frame = String::new();
        if !self.is_drawn {
            frame.push_str(&"\n".repeat(rows));
            self.is_drawn = true;
        }
        frame.push_str(HOME);
        let shown = if lines.len() > room {
            room - 1
        } else {
            lines.len()
        };
        let mut draw = |line: &str| {
            frame.push_str(&cut(line, columns));
            frame.push_str(END_OF_LINE);
            frame.push('\n');
        };
        lines[..shown].iter().for_each(|line| draw(line));
        if shown < lines.len() {
            draw(&format!(
                "… and {} more lines than there is room for",
                lines.len() - shown
            ));
        }
        frame.push_str(END_OF_SCREEN);
        let mut stdout = io::stdout();
        // anstream would remove the cursor's movements together with the colours.
        if anstream::AutoStream::choice(&stdout) == anstream::ColorChoice::Never {
            frame = without_colours(&frame);
        }
        written(
            stdout
                .write_all(frame.as_bytes())
                .and_then(|()| stdout.flush()),
        )
    }
}

/// The parts of a text: sequences that set colours, and single characters.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let sequence = rest.strip_prefix("\x1b[").and_then(|after| {
            let end = after.find(|c: char| c.is_ascii_alphabetic())?;
            Some(end + 3)
        });
        let (part, after) = rest.split_at(sequence.unwrap_or(first.len_utf8()));
        rest = after;
        Some(part)
    })
}

/// A line that fits into this width, with all its colours.
fn cut(line: &str, columns: usize) -> String {
    let mut used = 0;
    parts(line)
        .filter(|part| {
            if part.starts_with('\x1b') {
                return true;
            }
            used += part.width();
            used <= columns
        })
        .collect()
}

fn without_colours(text: &str) -> String {
    let is_colour = |part: &&str| part.starts_with('\x1b') && part.ends_with('m');
    parts(text).filter(|part| !is_colour(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_edge_and_keeps_its_colours() {
        assert_eq!(cut("\x1b[1mabcdef\x1b[0m", 3), "\x1b[1mabc\x1b[0m");
        assert_eq!(cut("試験", 3), "試");
        assert_eq!(cut("ab", 2), "ab");
    }

    #[test]
    fn movements_stay_where_colours_go() {
        assert_eq!(
            without_colours("\x1b[H\x1b[1mHEAD\x1b[0m\x1b[K\n"),
            "\x1b[HHEAD\x1b[K\n"
        );
    }
}
