//! Which documents answer a query best: BM25 (Robertson and Zaragoza 2009) with k1 = 1.2 and b = 0.75.

use std::collections::HashMap;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The indexes of the documents that share a word with the query, best first.
#[expect(clippy::cast_precision_loss, reason = "counts of words are small")]
pub(crate) fn rank(query: &str, documents: &[String]) -> Vec<usize> {
    let documents: Vec<Vec<String>> = documents.iter().map(|text| words(text)).collect();
    let average = documents.iter().map(Vec::len).sum::<usize>() as f64 / documents.len().max(1) as f64;
    let mut scores: HashMap<usize, f64> = HashMap::new();
    for term in words(query) {
        let counts: Vec<usize> =
            documents.iter().map(|words| words.iter().filter(|word| matches(word, &term)).count()).collect();
        let holders = counts.iter().filter(|count| **count > 0).count() as f64;
        let rarity = ((documents.len() as f64 - holders + 0.5) / (holders + 0.5) + 1.0).ln();
        for (index, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let count = count as f64;
            let length = documents[index].len() as f64;
            let weight = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / average));
            *scores.entry(index).or_default() += rarity * weight;
        }
    }
    let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    ranked.into_iter().map(|(index, _)| index).collect()
}

/// A word counts when it begins with the term or the term begins with it: plurals and stems meet.
fn matches(word: &str, term: &str) -> bool {
    word == term || (term.len() >= 3 && word.starts_with(term)) || (word.len() >= 4 && term.starts_with(word))
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_word_decides_and_strangers_are_left_out() {
        let documents: Vec<String> =
            ["ping a host réseau", "scan ports of a host", "disk usage"].map(str::to_owned).into();
        assert_eq!(rank("host port", &documents), [1, 0]);
        assert_eq!(rank("Réseau", &documents), [0]);
        assert_eq!(rank("nothing here fits zzz", &documents), Vec::<usize>::new());
    }
}
