//! What a run found.

use std::fmt;

use parvis_testkit::simulated::Counts;

use crate::{Lies, bounds::Peaks};

/// What was done in worlds, and what came of it.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Tally {
    pub worlds: u64,
    pub servers: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub retried: u64,
    pub soft_failed: u64,
    pub rejected: u64,
    pub given_up: u64,
    pub merges: u64,
    pub forks: u64,
    pub resolutions: u64,
    pub conflicts: u64,
    pub liars: u64,
    pub lies: Lies,
    pub(crate) peaks: Peaks,
    pub network: Counts,
}

impl Tally {
    /// Adds that of other worlds.
    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.servers += other.servers;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.retried += other.retried;
        self.soft_failed += other.soft_failed;
        self.rejected += other.rejected;
        self.given_up += other.given_up;
        self.merges += other.merges;
        self.forks += other.forks;
        self.resolutions += other.resolutions;
        self.conflicts += other.conflicts;
        self.liars += other.liars;
        self.lies.add(&other.lies);
        self.peaks.raise(&other.peaks);
        self.network.add(&other.network);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worlds, servers, acknowledged, refused, unanswered, retried, .. } = self;
        let Self { soft_failed, rejected, given_up, merges, forks, resolutions, conflicts, .. } = self;
        let Self { liars, lies, peaks, network, .. } = self;
        writeln!(
            formatter,
            "{worlds} worlds of {servers} homeservers: {acknowledged} events acknowledged, {refused} requests \
             refused, {unanswered} not answered ({retried} of them sent again)"
        )?;
        writeln!(
            formatter,
            "{forks} forks, {merges} merges, {resolutions} resolutions of states that differed, {conflicts} of \
             them with a conflict; judgements of all servers: {soft_failed} soft-failed, {rejected} rejected, \
             {given_up} given up"
        )?;
        writeln!(formatter, "{liars} servers that lie: {} lies and false answers ({lies})", lies.sum())?;
        writeln!(formatter, "at most: {peaks}")?;
        write!(formatter, "{network}")
    }
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was done.
    pub tally: Tally,
    /// What is not as it must be.
    pub faults: Vec<String>,
    /// What happened, line by line.
    pub trace: Vec<String>,
}
