//! Tables that fit a terminal. Long cells are shortened, and columns without room are
//! left out. What goes to a pipe has no width, and is never cut.

use std::collections::BTreeSet;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::printable;

/// Between two columns.
const GAP: usize = 2;
/// The least width that cells are shortened to.
const LEAST: usize = 12;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub header: &'a str,
    /// Whether its cells may be shortened in the middle.
    pub shortens: bool,
}

/// A column whose cells are shown whole.
pub const fn whole(header: &str) -> Column<'_> {
    Column {
        header,
        shortens: false,
    }
}

/// A column whose cells are shortened where there is no room.
pub const fn shortening(header: &str) -> Column<'_> {
    Column {
        header,
        shortens: true,
    }
}

/// The lines of a table, the headers first, in a width of at most `width`. Cells are
/// shortened as far as they stay different; then columns are left out from the right.
pub fn lines(columns: &[Column<'_>], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let printed = |row: &Vec<String>| row.iter().map(|cell| printable::cell(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(printed).collect();
    let mut shown = columns.len();
    let widths = loop {
        let natural = natural_widths(&columns[..shown], &rows);
        let Some(room) = width else { break natural };
        match narrowed(&columns[..shown], &rows, natural, room) {
            Some(widths) => break widths,
            None if shown > 1 => shown -= 1,
            None => break vec![room],
        }
    };
    let cuts: Vec<Cut> = widths
        .iter()
        .enumerate()
        .map(|(at, width)| Cut::of(*width, rows.iter().map(|row| row[at].as_str())))
        .collect();
    let headers: Vec<String> = columns.iter().map(|c| c.header.to_owned()).collect();
    let all = std::iter::once(&headers).chain(&rows);
    all.map(|row| line(row, &cuts)).collect()
}

fn line(row: &[String], cuts: &[Cut]) -> String {
    let cell = |(cell, cut): (&String, &Cut)| {
        let cell = cut.shortened(cell);
        let padding = cut.width - cell.width();
        format!("{cell}{:padding$}", "")
    };
    let cells: Vec<String> = row.iter().zip(cuts).map(cell).collect();
    cells.join(&" ".repeat(GAP)).trim_end().to_owned()
}

/// How the cells of a column are shortened: to which width, and how much of it shows the
/// beginning of a cell. The rest shows its end.
#[derive(Clone, Copy, Debug)]
struct Cut {
    width: usize,
    head: usize,
}

impl Cut {
    fn in_the_middle(width: usize) -> Self {
        Self {
            width,
            head: width.saturating_sub(1).div_ceil(2),
        }
    }

    /// The cut nearest to the middle in which different cells stay different; if there is
    /// none, the middle.
    fn of<'a>(width: usize, cells: impl Iterator<Item = &'a str>) -> Self {
        let cells: BTreeSet<&str> = cells.collect();
        let middle = Self::in_the_middle(width);
        if cells.iter().all(|cell| cell.width() <= width) {
            return middle;
        }
        middle
            .nearby()
            .find(|cut| cut.tells(&cells))
            .unwrap_or(middle)
    }

    /// This cut, and those with a longer or shorter beginning, the nearest first.
    fn nearby(self) -> impl Iterator<Item = Self> {
        let Self { width, head } = self;
        let heads = (0..=head).flat_map(move |by| [head + by, head - by]);
        heads
            .filter(move |head| (1..width.saturating_sub(1)).contains(head))
            .map(move |head| Self { width, head })
    }

    /// Whether different cells stay different.
    fn tells(self, cells: &BTreeSet<&str>) -> bool {
        let shown: BTreeSet<String> = cells.iter().map(|cell| self.shortened(cell)).collect();
        shown.len() == cells.len()
    }

    fn shortened(self, text: &str) -> String {
        if text.width() <= self.width {
            return text.to_owned();
        }
        let room = self.width.saturating_sub(1);
        let head = head(text.chars(), self.head.min(room));
        let tail = self::head(text.chars().rev(), room.saturating_sub(self.head));
        let tail: String = tail.chars().rev().collect();
        let all = format!("{head}…{tail}");
        if all.width() <= self.width {
            all
        } else {
            String::new()
        }
    }
}

fn natural_widths(columns: &[Column<'_>], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |(at, column): (usize, &Column<'_>)| {
        let cells = rows.iter().map(|row| row[at].width());
        cells.chain([column.header.width()]).max().unwrap_or(0)
    };
    columns.iter().enumerate().map(width).collect()
}

/// The widths in which the columns fit; none if they do not.
fn narrowed(
    columns: &[Column<'_>],
    rows: &[Vec<String>],
    mut widths: Vec<usize>,
    room: usize,
) -> Option<Vec<usize>> {
    let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let mut excess = total.saturating_sub(room);
    let mut shortening: Vec<usize> = (0..columns.len())
        .filter(|at| columns[*at].shortens)
        .collect();
    // The widest has the most to give.
    shortening.sort_by_key(|at| std::cmp::Reverse(widths[*at]));
    for at in shortening {
        if excess == 0 {
            break;
        }
        let least = least_width(columns[at].header, rows.iter().map(|row| row[at].as_str()));
        let given = excess.min(widths[at].saturating_sub(least));
        widths[at] -= given;
        excess -= given;
    }
    (excess == 0).then_some(widths)
}

/// The least width in which different cells stay different.
fn least_width<'a>(header: &str, cells: impl Iterator<Item = &'a str>) -> usize {
    let cells: BTreeSet<&str> = cells.collect();
    let natural = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
    let is_enough = |width: &usize| {
        let mut cuts = Cut::in_the_middle(*width).nearby();
        cuts.any(|cut| cut.tells(&cells))
    };
    let least = LEAST.max(header.width());
    let enough = (least..natural).find(is_enough).unwrap_or(natural);
    enough.max(least)
}

/// The text with `…` in its middle if it is wider than `width`.
pub fn shortened(text: &str, width: usize) -> String {
    Cut::in_the_middle(width).shortened(text)
}

/// As many characters as fit.
fn head(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

/// Prose in lines of at most this width, broken between words. A longer word has a line
/// of its own.
pub fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column<'_>; 3] = [shortening("NAME"), whole("STATE"), whole("AGE")];

    fn row(name: &str) -> Vec<String> {
        vec![name.into(), "running".into(), "12m".into()]
    }

    #[test]
    fn nothing_is_cut_where_there_is_no_width() {
        let long = "x".repeat(300);
        let lines = lines(&COLUMNS, &[row(&long)], None);
        assert_eq!(lines[1], format!("{long}  running  12m"));
    }

    #[test]
    fn long_cells_are_shortened_in_the_middle_before_columns_leave() {
        let rows = [row("a-name-that-is-much-too-long"), row("short")];
        let of = |width| lines(&COLUMNS, &rows, Some(width));
        assert_eq!(
            of(30),
            [
                "NAME              STATE    AGE",
                "a-name-t…oo-long  running  12m",
                "short             running  12m",
            ]
        );
        assert_eq!(of(21)[0], "NAME          STATE");
        assert_eq!(of(12)[0], "NAME");
        for width in 1..60 {
            for line in of(width) {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn names_alike_stay_different() {
        let names = [
            "sweep-of-parameters-a-2026-11-27",
            "sweep-of-parameters-b-2026-11-27",
            "sweep-of-parameters-a-2026-11-28",
        ];
        let rows = names.map(row);
        for width in 10..60 {
            let lines = lines(&COLUMNS, &rows, Some(width));
            // In less room than they need their column is all there is, and is cut.
            if lines[0].contains("STATE") {
                let shown: BTreeSet<&String> = lines.iter().collect();
                assert_eq!(shown.len(), 4, "{width}: {lines:?}");
            }
        }
    }

    #[test]
    fn names_that_differ_in_the_middle_are_cut_elsewhere() {
        let cells = ["0123456789abcdefghij", "0123456789Xbcdefghij"];
        assert_eq!(least_width("", cells.into_iter()), 12);
        let cut = Cut::of(12, cells.into_iter());
        let shown = cells.map(|cell| cut.shortened(cell));
        assert_eq!(shown, ["0…abcdefghij", "0…Xbcdefghij"]);
    }

    #[test]
    fn wide_letters_count_twice() {
        assert_eq!(shortened("試験試験試験", 7), "試…験");
        assert_eq!(shortened("試験", 4), "試験");
        assert_eq!(shortened("試験", 1), "…");
        assert_eq!(shortened("ab", 0), "");
    }

    #[test]
    fn prose_is_broken_between_words() {
        assert_eq!(wrapped("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(
            wrapped("incomprehensible it is", Some(5)),
            ["incomprehensible", "it is"]
        );
        assert_eq!(wrapped("one two", None), ["one two"]);
    }
}
