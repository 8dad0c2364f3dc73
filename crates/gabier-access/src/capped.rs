//! A map that never grows past its cap: what was not used for longest goes first, in halves.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations of entries. What is used is young; when the young half is full, the old half is forgotten and the
/// young one grows old. So the last `cap / 2` keys are always there, and a flood of keys costs no search.
pub(crate) struct Capped<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq + Clone, V> Capped<K, V> {
    /// An empty one for at most `cap` keys.
    pub(crate) fn new(cap: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (cap / 2).max(1) }
    }

    /// The value of a key, wherever it is.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Writes a value; its key is young now.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets what is not worth keeping, and gives its memory back.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        for half in [&mut self.young, &mut self.old] {
            half.retain(|_, value| keep(value));
            half.shrink_to_fit();
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_stays_below_the_cap_and_keeps_the_newest() {
        let mut capped = Capped::new(100);
        for key in 0..10_000 {
            capped.insert(key, key);
            assert!(capped.len() <= 100);
        }
        assert!((9_950..10_000).all(|key| capped.get(&key) == Some(&key)));
        assert_eq!(capped.get(&0), None);
    }

    #[test]
    fn a_key_in_use_outlives_a_flood_of_others() {
        let mut capped = Capped::new(100);
        for key in 0..10_000 {
            capped.insert(key, key);
            capped.insert(-1, 0);
        }
        assert_eq!(capped.get(&-1), Some(&0));
    }

    #[test]
    fn a_sweep_drops_what_is_not_worth_keeping() {
        let mut capped = Capped::new(10);
        (0..10).for_each(|key| capped.insert(key, key));
        capped.retain(|value| value % 2 == 0);
        assert_eq!(capped.len(), 5);
    }
}
