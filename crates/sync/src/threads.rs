//! To which thread an event belongs (<https://spec.matrix.org/v1.19/client-server-api/#threading>).

use std::sync::Arc;

use parvis_storage::{StorageError, Store, StoredEvent};
use ruma::{EventId, OwnedEventId};

/// Over how many relations a thread is looked for: a reaction to an edit of a reply is in the reply's thread.
const HOPS: usize = 3;

/// The root of the thread to which an event belongs; `None` for the main timeline, to which the root itself
/// belongs.
pub(crate) async fn thread_of(
    store: &Store,
    event: &Arc<StoredEvent>,
) -> Result<Option<OwnedEventId>, StorageError> {
    let mut event = Arc::clone(event);
    for _ in 0..=HOPS {
        let Some(relation) = event.pdu.relates_to() else { return Ok(None) };
        let (Some(kind), Some(target)) = (relation.rel_type, relation.event_id) else { return Ok(None) };
        let Ok(target) = EventId::parse(target.as_ref()) else { return Ok(None) };
        if kind == "m.thread" {
            return Ok(Some(target));
        }
        match store.event_by_id(&target).await? {
            Some(target) if target.room == event.room => event = target,
            _ => return Ok(None),
        }
    }
    Ok(None)
}
