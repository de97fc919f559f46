//! Worlds whose seeds are fixed: some in general, and those in which something went wrong once.

use parvis_simulation::{Planted, Settings, run};

/// One homeserver, whose machine fails now and then.
fn alone(seed: u64) -> Settings {
    Settings { seed, acts: 0, servers: 1, fair: false, planted: None }
}

#[test]
fn what_was_acknowledged_survives_crashes_at_any_commit() {
    let mut crashes = 0;
    for seed in 1..=12 {
        let report = run(alone(seed));
        assert!(report.faults.is_empty(), "seed {seed}: {:#?}", report.faults);
        crashes += report.tally.network.crashes;
    }
    assert!(crashes > 0, "nothing crashed, so nothing was shown");
}

#[test]
fn same_seed_gives_the_same_story_again() {
    for seed in [3, 4] {
        let (one, other) = (run(alone(seed)), run(alone(seed)));
        assert!(one.trace.len() > 10);
        assert_eq!(story(&one.trace), story(&other.trace), "seed {seed}");
    }
}

/// What was done, without when, and so without the ids of events: on a busy machine the databases' threads shift
/// the world's time a little, and an event's time is part of its id.
fn story(trace: &[String]) -> Vec<String> {
    let without_ids = |part: &&str| !part.starts_with("%24");
    let done = trace.iter().map(|line| line.trim_start().split_once(' ').map_or("", |(_, done)| done));
    done.map(|done| done.split('/').filter(without_ids).collect()).collect()
}

#[test]
fn homeserver_that_forgets_what_it_committed_is_found() {
    // Not every world crashes just after something was acknowledged.
    let is_found = |seed| {
        let report = run(Settings { planted: Some(Planted::Forgetful(0)), ..alone(seed) });
        !report.faults.is_empty()
    };
    assert!((1..=10).any(is_found));
}

#[test]
fn homeserver_that_takes_nothing_in_is_found() {
    let settings = Settings { servers: 2, fair: true, planted: Some(Planted::Deaf(0)), ..alone(2) };
    let report = run(settings);
    assert!(report.faults.iter().any(|fault| fault.contains(" on 0 and ")), "{:#?}", report.faults);
}
