//! Pages of lists: so many entries in the order of their keys, after the last one of the page before.

use std::collections::BTreeMap;

/// How many entries are looked at before others get their turn: a long list must not hold up the worker's requests.
const ENTRIES_PER_TURN: usize = 1_024;

/// Which entries of a list.
#[derive(Clone, Debug)]
pub struct Page<K> {
    /// After this key, in the order of keys; `None`: from the start.
    pub after: Option<K>,
    /// At most so many; 1 or more.
    pub limit: usize,
}

impl<K: Ord> Page<K> {
    /// The page of these entries, which come in any order; and whether there are more.
    pub(crate) async fn of<T>(
        &self,
        entries: impl Iterator<Item = T>,
        key: impl Fn(&T) -> K,
    ) -> (Vec<T>, bool) {
        let mut kept = BTreeMap::new();
        for (number, entry) in entries.enumerate() {
            if number % ENTRIES_PER_TURN == ENTRIES_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
            let key = key(&entry);
            // Nearly all entries of a long list come after the page: one look at its last key is all that they cost.
            let is_beyond =
                kept.len() > self.limit && kept.last_key_value().is_some_and(|(last, _)| key > *last);
            if !is_beyond && self.after.as_ref().is_none_or(|after| key > *after) {
                kept.insert(key, entry);
                if kept.len() > self.limit + 1 {
                    kept.pop_last();
                }
            }
        }
        let more = kept.len() > self.limit;
        (kept.into_values().take(self.limit).collect(), more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_are_the_whole_list_in_order() {
        let numbers: Vec<u32> = (0..10_000).map(|number| number * 7_919 % 10_007).collect();
        for limit in [1, 999, 9_999, 10_000, 10_001] {
            let (mut all, mut page) = (Vec::new(), Page { after: None, limit });
            loop {
                let (found, more) = page.of(numbers.iter().copied(), |number| *number).await;
                all.extend_from_slice(&found);
                page.after = found.last().copied();
                if !more || limit == 1 {
                    break;
                }
            }
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            sorted.truncate(if limit == 1 { 1 } else { sorted.len() });
            assert_eq!(all, sorted, "{limit}");
        }
    }
}
