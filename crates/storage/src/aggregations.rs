//! What is said about events by their children, summed up: the newest edits, the references, and how threads
//! stand. The same for every reader; who may see which child is decided elsewhere.
//!
//! Sums are made in the database, so that a thread costs a row per participant and not per reply, and kept
//! in memory until a child is added or redacted. A message that a local device has just sent cannot have
//! children yet, which is known without asking.

use std::{collections::HashMap, sync::Arc};

use ruma::{EventId, OwnedEventId};

use crate::{
    EventSn, Place, Position, UserSn,
    error::StorageError,
    model::{Aggregation, ThreadPart},
    statement::statements,
    store::Store,
    value::Row,
};

statements! {
    CHILDREN_OF(list after 2) =
        "SELECT target_id, relation_type, event_sn, event_id, sender_sn FROM (
             SELECT r.target_id AS target_id, r.relation_type AS relation_type, r.event_sn AS event_sn,
                 e.event_id AS event_id, e.sender_sn AS sender_sn, e.origin_server_ts AS ts, r.place AS place,
                 ROW_NUMBER() OVER (
                     PARTITION BY r.target_id, r.relation_type ORDER BY e.origin_server_ts DESC, r.place DESC
                 ) AS rank
             FROM relations r
             JOIN events e ON e.event_sn = r.event_sn
             JOIN events t ON t.event_id = r.target_id AND t.room_sn = r.room_sn
             WHERE r.place <= $1 AND (r.relation_type = 'm.reference' OR (r.relation_type = 'm.replace'
                 AND e.sender_sn = t.sender_sn AND e.type_sn = t.type_sn AND e.slot IS NULL))
                 AND r.target_id IN ({list})
         ) ranked WHERE rank <= $2 ORDER BY target_id, relation_type, ts, place";
    THREADS_BY_SENDER(list after 1) =
        "SELECT target_id, sender_sn, replies, place, event_sn FROM (
             SELECT r.target_id AS target_id, e.sender_sn AS sender_sn, r.place AS place, r.event_sn AS event_sn,
                 COUNT(*) OVER (PARTITION BY r.target_id, e.sender_sn) AS replies,
                 ROW_NUMBER() OVER (
                     PARTITION BY r.target_id, e.sender_sn ORDER BY r.place DESC, r.event_sn
                 ) AS rank
             FROM relations r
             JOIN events e ON e.event_sn = r.event_sn
             JOIN events t ON t.event_id = r.target_id AND t.room_sn = r.room_sn
             WHERE r.relation_type = 'm.thread' AND r.place <= $1 AND r.target_id IN ({list})
         ) ranked WHERE rank = 1";
}

/// How many children of one kind are looked at, the newest: edits to choose from, references to name.
const CHILDREN: i64 = 256;

impl Store {
    /// The aggregations of events, in the order asked for, of children up to a position; without one, of all.
    pub async fn aggregations(
        &self,
        targets: &[&EventId],
        until: Option<Position>,
    ) -> Result<Vec<Arc<Aggregation>>, StorageError> {
        let kept = |target: &&EventId| match until {
            None => self.shared.aggregations.get(target),
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
            let generation = self.shared.aggregations.generation();
            let mut read = self.read_aggregations(&unknown, until.map_or(Place::END, Place::behind)).await?;
            for (target, place) in targets.iter().zip(&mut found).filter(|(_, place)| place.is_none()) {
                let aggregation = Arc::new(read.remove(*target).unwrap_or_default());
                if until.is_none() {
                    self.shared.aggregations.keep((*target).to_owned(), &aggregation, generation);
                }
                *place = Some(aggregation);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn read_aggregations(
        &self,
        targets: &[&EventId],
        until: Place,
    ) -> Result<HashMap<OwnedEventId, Aggregation>, StorageError> {
        let list = || targets.iter().map(|target| target.as_str());
        let children =
            self.engine.fetch_list(&CHILDREN_OF, vec![until.0.into(), CHILDREN.into()], list()).await?;
        let mut read: HashMap<OwnedEventId, Aggregation> = HashMap::new();
        for row in children {
            let aggregation = read.entry(event_id(&row, 0)?).or_default();
            if row.text(1)? == "m.replace" {
                aggregation.edits.push(EventSn(row.int(2)?));
            } else {
                aggregation.references.push((event_id(&row, 3)?, UserSn(row.int(4)?)));
            }
        }
        let threads = self.engine.fetch_list(&THREADS_BY_SENDER, vec![until.0.into()], list()).await?;
        for row in threads {
            read.entry(event_id(&row, 0)?).or_default().thread.push(ThreadPart {
                sender: UserSn(row.int(1)?),
                count: u64::try_from(row.int(2)?).unwrap_or_default(),
                latest: Place(row.int(3)?),
                latest_event: EventSn(row.int(4)?),
            });
        }
        Ok(read)
    }
}

fn event_id(row: &Row, column: usize) -> Result<OwnedEventId, StorageError> {
    OwnedEventId::try_from(row.text(column)?).map_err(|_| StorageError::Corrupt("an event id".to_owned()))
}
