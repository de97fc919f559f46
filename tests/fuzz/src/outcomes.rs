//! What became of what was sent, counted. A run in which something of this never came about has not tried what it
//! says it tries.

use std::{collections::BTreeMap, fmt};

/// What can become of what another server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// An event that entered the room as it was sent.
    Accepted,
    /// An event that entered the room after others that it follows were asked for.
    AcceptedWithAncestors,
    /// An event that was asked for, and entered.
    FetchedAndAccepted,
    /// An event that entered although what it follows could not be had: the state there was asked for.
    AcceptedOverAHole,
    /// An accepted event that follows others with different states.
    ForksMet,
    /// An event with a false hash, of which only what a redaction leaves was accepted.
    Pruned,
    /// A redaction that came before what it redacts.
    RedactedWhenItCame,
    /// An event that was allowed then and is not now.
    SoftFailed,
    /// An event that was never allowed.
    Rejected,
    /// An accepted event that follows one that did not enter.
    FollowsWhatDidNotEnter,
    /// An event that is kept only because it authorises others.
    Outlier,
    /// An event that was well-formed and signed, and could not enter the room at all.
    NotKept,
    /// An event that was answered with an error: false signatures, no such room.
    Refused,
    /// An event without the form of one, which is passed over.
    Unreadable,
    /// An event that was sent again.
    Repeated,
    /// A transaction that was refused as a whole.
    TransactionRefused,
    /// A member's join, leave or knock that was refused at the door.
    HandshakeRefused,
    /// A member's join that was let in.
    HandshakeTaken,
    /// Somebody was seen typing.
    TypingSeen,
    /// A read receipt was seen.
    ReceiptSeen,
    /// Somebody's presence was seen.
    PresenceSeen,
    /// A message to a device arrived.
    ToDeviceSeen,
    /// A change of devices or of keys was told.
    DevicesSeen,
}

impl Outcome {
    /// All of them.
    pub(crate) const ALL: [Self; 23] = [
        Self::Accepted,
        Self::AcceptedWithAncestors,
        Self::FetchedAndAccepted,
        Self::AcceptedOverAHole,
        Self::ForksMet,
        Self::Pruned,
        Self::RedactedWhenItCame,
        Self::SoftFailed,
        Self::Rejected,
        Self::FollowsWhatDidNotEnter,
        Self::Outlier,
        Self::NotKept,
        Self::Refused,
        Self::Unreadable,
        Self::Repeated,
        Self::TransactionRefused,
        Self::HandshakeRefused,
        Self::HandshakeTaken,
        Self::TypingSeen,
        Self::ReceiptSeen,
        Self::PresenceSeen,
        Self::ToDeviceSeen,
        Self::DevicesSeen,
    ];
}

/// How often each came about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    came: BTreeMap<Outcome, u64>,
    /// How often the homeserver asked for what.
    questions: BTreeMap<&'static str, u64>,
}

impl Outcomes {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        *self.came.entry(outcome).or_default() += 1;
    }

    pub(crate) fn add_questions(&mut self, asked: &BTreeMap<&'static str, u64>) {
        for (what, count) in asked {
            *self.questions.entry(what).or_default() += count;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (outcome, count) in &other.came {
            *self.came.entry(*outcome).or_default() += count;
        }
        self.add_questions(&other.questions);
    }

    /// What never came about.
    pub(crate) fn missing(&self) -> Vec<Outcome> {
        Outcome::ALL.into_iter().filter(|outcome| !self.came.contains_key(outcome)).collect()
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |outcome: &Outcome| self.came.get(outcome).copied().unwrap_or_default();
        Outcome::ALL
            .iter()
            .try_for_each(|outcome| write!(formatter, "\n  {:>8}  {outcome:?}", count(outcome)))
    }
}
