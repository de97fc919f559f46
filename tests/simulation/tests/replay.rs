//! Exact replay, in a process of its own: worlds that are played beside one another share what a new database begins
//! with, and whoever needs it first makes it. With three homeservers, two turns of a database still change places now and
//! then.

use std::hash::{DefaultHasher, Hash, Hasher};

use parvis_simulation::{Settings, run};

#[test]
fn same_seed_gives_exactly_the_same_run_again() {
    for seed in [3, 4, 41] {
        let settings =
            Settings { seed, acts: 0, servers: 2, fair: false, turns: true, honest: true, planted: None };
        let (one, other) = (run(settings), run(settings));
        assert!(one.trace.len() > 1_000, "seed {seed}: so little says nothing");
        let same = one.trace.iter().zip(&other.trace).take_while(|(one, other)| one == other).count();
        let next = (one.trace.get(same), other.trace.get(same));
        assert_eq!(hash(&one.trace), hash(&other.trace), "seed {seed}: other after {same} lines: {next:?}");
    }
}

/// A number that tells runs apart: every turn of a database, every message and every time is in it.
fn hash(trace: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    trace.hash(&mut hasher);
    hasher.finish()
}
