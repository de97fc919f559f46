//! What is said about events by their children, summed up: the newest edits, the references, and how threads
//! stand. The same for every reader; who may see which child is decided elsewhere.
//!
//! Sums are made in the database, so that a thread costs a row per participant and not per reply, and kept
//! in memory until a child is added or redacted. A message that a local device has just sent cannot have
//! children yet, which is known without asking.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use ruma::{EventId, OwnedEventId};

use crate::{
    EventSn, Position, UserSn,
    error::StorageError,
    statement::statements,
    store::{Shared, Store},
    value::Row,
};

statements! {
    CHILDREN_OF(list after 2) =
        "SELECT target_id, relation_type, event_sn, event_id, sender_sn FROM (
             SELECT r.target_id AS target_id, r.relation_type AS relation_type, r.event_sn AS event_sn,
                 e.event_id AS event_id, e.sender_sn AS sender_sn, e.origin_server_ts AS ts,
                 r.position AS position,
                 ROW_NUMBER() OVER (
                     PARTITION BY r.target_id, r.relation_type ORDER BY e.origin_server_ts DESC, r.position DESC
                 ) AS place
             FROM relations r
             JOIN events e ON e.event_sn = r.event_sn
             JOIN events t ON t.event_id = r.target_id AND t.room_sn = r.room_sn
             WHERE r.position <= $1 AND (r.relation_type = 'm.reference' OR (r.relation_type = 'm.replace'
                 AND e.sender_sn = t.sender_sn AND e.type_sn = t.type_sn AND e.slot IS NULL))
                 AND r.target_id IN ({list})
         ) ranked WHERE place <= $2 ORDER BY target_id, relation_type, ts, position";
    THREADS_BY_SENDER(list after 1) =
        "SELECT r.target_id, e.sender_sn, COUNT(*), MAX(r.position)
         FROM relations r
         JOIN events e ON e.event_sn = r.event_sn
         JOIN events t ON t.event_id = r.target_id AND t.room_sn = r.room_sn
         WHERE r.relation_type = 'm.thread' AND r.position <= $1 AND r.target_id IN ({list})
         GROUP BY r.target_id, e.sender_sn";
    EVENTS_AT(list after 0) = "SELECT position, event_sn FROM events WHERE position IN ({list})";
}

/// How many children of one kind are looked at, the newest: edits to choose from, references to name.
const CHILDREN: i64 = 256;

/// What is known of an event's children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregation {
    /// Replacements by the same sender and of the same type, oldest first by their senders' clocks. Whether
    /// their content is a replacement is not checked.
    pub edits: Vec<EventSn>,
    /// Events that refer to this one, oldest first, with their senders.
    pub references: Vec<(OwnedEventId, UserSn)>,
    /// The replies in the thread that begins here, by sender.
    pub thread: Vec<ThreadPart>,
}

/// One user's part in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadPart {
    /// Who.
    pub sender: UserSn,
    /// How many replies.
    pub count: u64,
    /// Where their newest reply is in the stream.
    pub latest: Position,
    /// Their newest reply.
    pub latest_event: EventSn,
}

impl Aggregation {
    /// Whether there are no such children.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.references.is_empty() && self.thread.is_empty()
    }

    pub(crate) fn weight(&self) -> u32 {
        let bytes = 120 + self.edits.len() * 8 + self.references.len() * 80 + self.thread.len() * 32;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

impl Store {
    /// The aggregations of events, in the order asked for, of children up to a position; without one, of all.
    pub async fn aggregations(
        &self,
        targets: &[&EventId],
        until: Option<Position>,
    ) -> Result<Vec<Arc<Aggregation>>, StorageError> {
        let kept = |target: &&EventId| match until {
            None => self.shared.aggregations.get(*target),
            Some(_) => None,
        };
        let mut found: Vec<Option<Arc<Aggregation>>> = targets.iter().map(kept).collect();
        let unknown: Vec<&EventId> = targets
            .iter()
            .zip(&found)
            .filter(|(_, known)| known.is_none())
            .map(|(target, _)| *target)
            .collect();
        if !unknown.is_empty() {
            let generation = self.shared.relation_generation.load(Ordering::Acquire);
            let mut read = self.read_aggregations(&unknown, until.unwrap_or(Position(i64::MAX))).await?;
            for (target, place) in targets.iter().zip(&mut found).filter(|(_, place)| place.is_none()) {
                let aggregation = Arc::new(read.remove(*target).unwrap_or_default());
                if until.is_none() {
                    self.shared.keep_aggregation((*target).to_owned(), &aggregation, generation);
                }
                *place = Some(aggregation);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn read_aggregations(
        &self,
        targets: &[&EventId],
        until: Position,
    ) -> Result<HashMap<OwnedEventId, Aggregation>, StorageError> {
        let list = || targets.iter().map(|target| target.as_str());
        let children =
            self.engine.fetch_list(&CHILDREN_OF, vec![until.into(), CHILDREN.into()], list()).await?;
        let mut read: HashMap<OwnedEventId, Aggregation> = HashMap::new();
        for row in children {
            let aggregation = read.entry(event_id(&row, 0)?).or_default();
            if row.text(1)? == "m.replace" {
                aggregation.edits.push(EventSn(row.int(2)?));
            } else {
                aggregation.references.push((event_id(&row, 3)?, UserSn(row.int(4)?)));
            }
        }
        let threads = self.engine.fetch_list(&THREADS_BY_SENDER, vec![until.into()], list()).await?;
        let latest = threads.iter().map(|row| row.int(3)).collect::<Result<Vec<_>, _>>()?;
        let rows = self.engine.fetch_list(&EVENTS_AT, Vec::new(), latest).await?;
        let at = rows.iter().map(|row| Ok((row.int(0)?, EventSn(row.int(1)?))));
        let at = at.collect::<Result<HashMap<i64, EventSn>, StorageError>>()?;
        for row in threads {
            let Some(latest_event) = at.get(&row.int(3)?) else { continue };
            read.entry(event_id(&row, 0)?).or_default().thread.push(ThreadPart {
                sender: UserSn(row.int(1)?),
                count: u64::try_from(row.int(2)?).unwrap_or_default(),
                latest: Position(row.int(3)?),
                latest_event: *latest_event,
            });
        }
        Ok(read)
    }
}

impl Shared {
    /// Keeps what was read of an event's children, unless children came or went since before the reading.
    fn keep_aggregation(&self, target: OwnedEventId, aggregation: &Arc<Aggregation>, generation: u64) {
        self.aggregations.insert(target.clone(), Arc::clone(aggregation));
        if self.relation_generation.load(Ordering::Acquire) != generation {
            self.aggregations.invalidate(&target);
        }
    }

    /// Notes that an event was committed: what it says about another, and that nothing is said about it yet.
    pub(crate) fn apply_relation(&self, event: &crate::events::StoredEvent) {
        if event.transaction.is_some() {
            self.aggregations.insert(event.pdu.event_id().to_owned(), Arc::clone(&self.no_children));
        }
        if let Some(target) = event.pdu.relates_to().and_then(|relation| relation.event_id)
            && let Ok(target) = <&EventId>::try_from(target.as_ref())
        {
            self.relation_generation.fetch_add(1, Ordering::AcqRel);
            self.aggregations.invalidate(target);
        }
    }

    /// Notes that events were redacted, which are children no longer.
    pub(crate) fn forget_aggregations(&self) {
        self.relation_generation.fetch_add(1, Ordering::AcqRel);
        self.aggregations.invalidate_all();
    }
}

fn event_id(row: &Row, column: usize) -> Result<OwnedEventId, StorageError> {
    OwnedEventId::try_from(row.text(column)?).map_err(|_| StorageError::Corrupt("an event id".to_owned()))
}
