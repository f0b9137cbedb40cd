//! Words that somebody may have meant.

/// How many letters were mistyped to get from one word to the other. A letter that is
/// missing, too many, wrong, or swapped with its neighbour counts as one (optimal string
/// alignment).
pub fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let width = other.len() + 1;
    // Each cell: the distance of the first `i` letters to the first `j`.
    let mut cells: Vec<usize> = (0..(one.len() + 1) * width)
        .map(|at| if at < width { at } else { at / width })
        .collect();
    for i in 1..=one.len() {
        for j in 1..width {
            let at = |i: usize, j: usize| i * width + j;
            let differs = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (cells[at(i - 1, j)] + 1)
                .min(cells[at(i, j - 1)] + 1)
                .min(cells[at(i - 1, j - 1)] + differs);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(cells[at(i - 2, j - 2)] + 1);
            }
            cells[at(i, j)] = least;
        }
    }
    cells.last().copied().unwrap_or_default()
}

/// The known word that `typed` was probably meant to be. At most a third of its letters
/// is mistyped, and no other word is as near.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|word| (distance(typed, word), word))
        .filter(|(distance, word)| *distance <= limit && *distance < word.chars().count())
        .collect();
    near.sort_unstable();
    near.dedup();
    match near[..] {
        [(best, word)] => (best > 0).then_some(word),
        [(best, word), (next, _), ..] if best < next => (best > 0).then_some(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_of_the_fingers_counts_one() {
        for (typed, meant, slips) in [
            ("start", "start", 0),
            ("strat", "start", 1),
            ("star", "start", 1),
            ("startt", "start", 1),
            ("mirco", "micro", 1),
            ("", "list", 4),
            ("create", "terminate", 5),
        ] {
            assert_eq!(distance(typed, meant), slips, "{typed}");
            assert_eq!(distance(meant, typed), slips, "{typed}");
        }
    }

    #[test]
    fn a_word_is_meant_only_if_no_other_is_as_near() {
        let known = ["start", "terminate", "list", "logs", "login"];
        assert_eq!(nearest("strat", known), Some("start"));
        assert_eq!(nearest("termniate", known), Some("terminate"));
        assert_eq!(nearest("create", known), None);
        assert_eq!(nearest("log", ["logs", "logo"]), None);
    }
}
