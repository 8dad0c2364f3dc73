//! The nearest known words to an unknown one.

/// Up to `count` of the words, nearest first, that are close enough to be meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>, count: usize) -> Vec<String> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(2);
    let mut ranked: Vec<(usize, &str)> = known
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= limit || (word.len() >= 3 && candidate.to_lowercase().contains(&word))
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(count).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// The edit distance with swaps of neighbours (optimal string alignment), bounded to the first 64 characters.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(64).collect();
    let right: Vec<char> = right.chars().take(64).collect();
    let mut before = vec![0; right.len() + 1];
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (previous[j + 1] + 1).min(row[j] + 1).min(previous[j] + usize::from(a != b));
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_pen_finds_its_word() {
        let known = ["ping_host", "port_scan", "dns_lookup"];
        assert_eq!(nearest("pign_host", known.into_iter(), 3), ["ping_host"]);
        assert_eq!(nearest("scan", known.into_iter(), 3), ["port_scan"]);
        assert!(nearest("entirely_else", known.into_iter(), 3).is_empty());
    }
}
