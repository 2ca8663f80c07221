//! "Did you mean": the known word nearest to an unknown one.
//!
//! Owns the distance and when it is small enough to be worth saying.

/// The nearest of `known`, when it is at most a third of the word away.
#[must_use]
pub(super) fn nearest<'known>(word: &str, known: &[&'known str]) -> Option<&'known str> {
    if word.len() > WORD_MAX_BYTES {
        return None;
    }
    let bound = (word.chars().count() / 3).max(1);
    known
        .iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// No key is nearly as long; a longer word is not worth quadratic time.
const WORD_MAX_BYTES: usize = 128;

/// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && from[row - 1] == *b && *a == to[column - 1] {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        for (from, to, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("listen", "listen", 0),
            ("listne", "listen", 1),
            ("enable", "enabled", 1),
            ("allow_privilaged", "allow_privileged", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
            assert_eq!(distance(to, from), edits, "{to} {from}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["listen", "log", "rules", "health"];
        assert_eq!(nearest("listne", &known), Some("listen"));
        assert_eq!(nearest("Health", &known), Some("health"));
        assert_eq!(nearest("rule", &known), Some("rules"));
        assert_eq!(nearest("upstream", &known), None);
        assert_eq!(nearest(&"l".repeat(100_000), &known), None);
    }
}
