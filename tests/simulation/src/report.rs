//! What a run found.

use std::fmt;

use parvis_testkit::simulated::Counts;

/// What was done in worlds, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
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
    pub merges: u64,
    pub forks: u64,
    pub lies: u64,
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
        self.merges += other.merges;
        self.forks += other.forks;
        self.lies += other.lies;
        self.network.add(&other.network);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worlds, servers, acknowledged, refused, unanswered, retried, .. } = self;
        let Self { soft_failed, rejected, merges, forks, lies, network, .. } = self;
        writeln!(
            formatter,
            "{worlds} worlds of {servers} homeservers: {acknowledged} events acknowledged, {refused} requests \
             refused, {unanswered} not answered ({retried} of them sent again)"
        )?;
        writeln!(
            formatter,
            "{merges} events that let branches meet, {forks} of them branches whose states differ; {soft_failed} \
             soft-failed, {rejected} rejected; {lies} lies"
        )?;
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
