//! How bad the network and the machines are, and what came of it.

use std::{fmt, time::Duration};

/// How bad the network and the machines are. Rates are per mille.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The shortest time that a message is on its way.
    pub shortest_delay: Duration,
    /// How much longer most are.
    pub usual_delay: Duration,
    /// How many take much longer.
    pub slow: u64,
    /// How much longer at most.
    pub longest_delay: Duration,
    /// How many requests are lost.
    pub lost_requests: u64,
    /// How many answers are lost.
    pub lost_answers: u64,
    /// How many requests arrive twice.
    pub duplicated: u64,
    /// How many commits see a crash just before or just after them.
    pub crashes: u64,
    /// How many crashes there are at most.
    pub most_crashes: u64,
    /// The longest time that a crashed server is away.
    pub longest_absence: Duration,
}

impl Weather {
    /// Everything works, and takes a little time.
    pub const FAIR: Self = Self {
        shortest_delay: Duration::from_millis(2),
        usual_delay: Duration::from_millis(20),
        slow: 0,
        longest_delay: Duration::ZERO,
        lost_requests: 0,
        lost_answers: 0,
        duplicated: 0,
        crashes: 0,
        most_crashes: 0,
        longest_absence: Duration::ZERO,
    };

    /// Messages are lost, late and doubled, and machines fail.
    pub const STORM: Self = Self {
        slow: 60,
        longest_delay: Duration::from_secs(8),
        lost_requests: 40,
        lost_answers: 40,
        duplicated: 40,
        crashes: 8,
        most_crashes: 3,
        longest_absence: Duration::from_secs(40),
        ..Self::FAIR
    };
}

/// What happened in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub requests: u64,
    pub lost_requests: u64,
    pub lost_answers: u64,
    pub duplicated: u64,
    pub partitions: u64,
    pub crashes: u64,
    pub reads: u64,
    pub writes: u64,
    pub steps: u64,
}

impl Counts {
    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.lost_requests += other.lost_requests;
        self.lost_answers += other.lost_answers;
        self.duplicated += other.duplicated;
        self.partitions += other.partitions;
        self.crashes += other.crashes;
        self.reads += other.reads;
        self.writes += other.writes;
        self.steps += other.steps;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            lost_requests,
            lost_answers,
            duplicated,
            partitions,
            crashes,
            reads,
            writes,
            steps,
        } = self;
        write!(
            formatter,
            "{partitions} partitions, {crashes} crashes, {requests} requests between servers ({lost_requests} \
             lost, {lost_answers} answers lost, {duplicated} doubled), {reads} reads, {writes} transactions, \
             {steps} steps"
        )
    }
}
