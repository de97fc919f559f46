//! What is kept in memory because it is asked for often, within a bound.
//!
//! The work is done by [`quick_cache`]. Added here: an entry weighs what it weighed when it was put in, whatever its value
//! becomes through its own locks; nothing weighs nothing; and no cache looks at a clock: what ages has its time in its
//! value (decision 23).

use std::{convert::Infallible, fmt, hash::Hash, sync::Arc};

use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter, sync::DefaultLifecycle};

/// What is counted in pieces is locked in so many parts.
const PARTS: usize = 4;
/// What is counted in bytes is locked in parts of at least so many: none of its entries can be larger than one part.
const PART_BYTES: u64 = 32 << 20;
/// In more parts than this nothing is locked.
const MOST_PARTS: u64 = 16;
/// What an entry weighs that is counted in bytes, about. It decides of how many entries that had to go the cache
/// remembers that they were there.
const USUAL_WEIGHT: u64 = 2_048;

/// What an entry of this key and value weighs.
type Weigh<K, V> = fn(&K, &V) -> u32;

/// A bounded number of entries, or a bounded weight of them. What is asked for seldom gives way. Cheap to clone: all clones
/// are the same cache.
pub struct Cache<K, V> {
    entries: Arc<Entries<K, V>>,
    weigh: Weigh<K, V>,
}

type Entries<K, V> = quick_cache::sync::Cache<K, Weighed<V>, AsPutIn>;

/// A value with the weight that it had when it was put in.
#[derive(Clone)]
struct Weighed<V> {
    value: V,
    weight: u32,
}

#[derive(Clone, Copy)]
struct AsPutIn;

impl<K, V> Weighter<K, Weighed<V>> for AsPutIn {
    fn weight(&self, _: &K, weighed: &Weighed<V>) -> u64 {
        // What weighs nothing would never give way.
        u64::from(weighed.weight.max(1))
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of at most so many entries, about.
    pub fn new(most: u64) -> Self {
        Self::made(most, most, PARTS, |_, _| 1)
    }

    /// A cache whose entries weigh together at most so much. An entry is weighed when it is put in; one that becomes
    /// heavier is put in again.
    pub fn weighed(most: u64, weigh: Weigh<K, V>) -> Self {
        let parts = usize::try_from((most / PART_BYTES).clamp(1, MOST_PARTS)).unwrap_or(1);
        Self::made(most, most / USUAL_WEIGHT, parts, weigh)
    }

    fn made(most: u64, usual_count: u64, parts: usize, weigh: Weigh<K, V>) -> Self {
        let mut options = OptionsBuilder::new();
        options.weight_capacity(most).shards(parts);
        options.estimated_items_capacity(usize::try_from(usual_count).unwrap_or(usize::MAX));
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        let options = options.build().unwrap_or_else(|_| unreachable!("both capacities are given"));
        Self { entries: Arc::new(Entries::with_options(options, AsPutIn, hasher, lifecycle)), weigh }
    }

    /// What is kept under this key.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.get(key).map(|weighed| weighed.value)
    }

    /// Whether something is kept under this key.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.contains_key(key)
    }

    /// What is kept under this key, or what is made now and kept. Who asks for the same meanwhile waits, so `make` must be
    /// quick.
    pub fn get_with(&self, key: K, make: impl FnOnce() -> V) -> V
    where
        K: Clone,
    {
        if let Some(known) = self.get(&key) {
            return known;
        }
        let make = || {
            let value = make();
            Ok::<_, Infallible>(Weighed { weight: (self.weigh)(&key, &value), value })
        };
        match self.entries.get_or_insert_with(&key, make) {
            Ok(weighed) => weighed.value,
            Err(never) => match never {},
        }
    }

    /// Keeps a value under this key, in place of what was kept there.
    pub fn insert(&self, key: K, value: V) {
        let weight = (self.weigh)(&key, &value);
        self.entries.insert(key, Weighed { value, weight });
    }

    /// Forgets what is kept under this key.
    pub fn remove<Q>(&self, key: &Q)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.entries.remove(key);
    }

    /// Forgets what `keep` does not hold for. Goes over all entries.
    pub fn retain(&self, keep: impl Fn(&K, &V) -> bool) {
        self.entries.retain(|key, weighed| keep(key, &weighed.value));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// What they weigh together.
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { entries: Arc::clone(&self.entries), weigh: self.weigh }
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cache")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn entries_give_way_when_there_are_too_many() {
        let cache = Cache::new(100);
        for number in 0..1_000_u32 {
            cache.insert(number, number);
        }
        assert!((90..=110).contains(&cache.count()), "{}", cache.count());
        assert_eq!((0..1_000).filter(|number| cache.get(number) == Some(*number)).count(), cache.count());
    }

    #[test]
    fn entry_weighs_what_it_weighed_when_it_was_put_in() {
        let cache = Cache::weighed(1_000, |_, value: &Arc<AtomicU32>| value.load(Ordering::Relaxed));
        let value = cache.get_with("a", || Arc::new(AtomicU32::new(10)));
        value.store(700, Ordering::Relaxed);
        assert_eq!(cache.weight(), 10);
        cache.insert("a", Arc::clone(&value));
        assert_eq!(cache.weight(), 700);
        value.store(0, Ordering::Relaxed);
        cache.remove("a");
        assert_eq!((cache.weight(), cache.count()), (0, 0));
    }

    #[test]
    fn weight_stays_within_its_bound_though_single_entries_differ() {
        let cache = Cache::weighed(10_000, |_, value: &u32| *value);
        for number in 0..5_000_u32 {
            cache.insert(number, number % 97);
            assert!(cache.weight() <= 10_000);
        }
        cache.insert(0, 20_000);
        assert_eq!(cache.get(&0), None, "it is larger than all that is kept");
        assert!(cache.count() > 100);
    }

    #[test]
    fn value_is_made_once_and_kept_until_it_is_forgotten() {
        let cache = Cache::new(10);
        let made = AtomicU32::new(0);
        let get = |key: &str| cache.get_with(key.to_owned(), || made.fetch_add(1, Ordering::Relaxed));
        assert_eq!((get("a"), get("b"), get("a")), (0, 1, 0));
        cache.retain(|key, _| key != "a");
        assert_eq!((cache.get("a"), get("a"), cache.contains_key("b")), (None, 2, true));
        cache.clone().clear();
        assert_eq!(cache.count(), 0);
    }
}
