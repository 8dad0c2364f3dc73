//! How one text differs from another, line by line.

use similar::{ChangeTag, TextDiff};

/// The most lines compared; longer texts are compared by their number of lines alone.
const MOST_LINES: usize = 600;
/// The most lines shown.
const MOST_SHOWN: usize = 60;

/// The lines of `other` that `base` lacks (`+`) and the reverse (`-`), in their order.
pub(crate) fn diff(base: &str, other: &str) -> String {
    let (base, other): (Vec<&str>, Vec<&str>) = (base.lines().collect(), other.lines().collect());
    let same_begin = base.iter().zip(&other).take_while(|(left, right)| left == right).count();
    let (base, other) = (&base[same_begin..], &other[same_begin..]);
    let same_end =
        base.iter().rev().zip(other.iter().rev()).take_while(|(left, right)| left == right).count();
    let (base, other) = (&base[..base.len() - same_end], &other[..other.len() - same_end]);
    if base.len() > MOST_LINES || other.len() > MOST_LINES {
        return format!("@ line {}: {} lines here, {} there", same_begin + 1, base.len(), other.len());
    }
    let mut lines = compare(base, other);
    if lines.len() > MOST_SHOWN {
        let more = lines.len() - MOST_SHOWN;
        lines.truncate(MOST_SHOWN);
        lines.push(format!("… {more} more"));
    }
    lines.join("\n")
}

/// The lines that only one of both has, in their order.
fn compare(base: &[&str], other: &[&str]) -> Vec<String> {
    let diff = TextDiff::from_slices(base, other);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    changes.map(|change| format!("{}{}", change.tag(), change.value())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), "-b\n+x\n+d");
        assert_eq!(diff("", "one"), "+one");
        assert_eq!(diff("same", "same\n"), "");
    }

    #[test]
    fn huge_differences_are_counted_not_listed() {
        let many = |word: &str, count: usize| {
            (0..count).map(|n| format!("{word}{n}")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(diff(&many("a", 700), &many("b", 2)), "@ line 1: 700 lines here, 2 there");
        assert!(diff(&many("a", 50), &many("b", 50)).ends_with("… 40 more"));
    }
}
