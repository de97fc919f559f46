//! Which events a client wants by what they relate to, and by what relates to them
//! (<https://spec.matrix.org/v1.19/client-server-api/#filtering>, `related_by_*`;
//! <https://github.com/matrix-org/matrix-spec-proposals/pull/3874>, `rel_types`).

use std::{collections::HashSet, sync::Arc};

use parvis_events::Pdu;
use parvis_storage::{EventSn, StorageError, StoredEvent};
use ruma::{EventId, OwnedUserId};
use serde::Deserialize;

use crate::view::View;

/// What a filter says about relations.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RelationFilter {
    /// Events of these relations are wanted and no others.
    #[serde(alias = "org.matrix.msc3874.rel_types")]
    rel_types: Option<HashSet<String>>,
    /// Events of these relations are not wanted.
    #[serde(alias = "org.matrix.msc3874.not_rel_types")]
    not_rel_types: Option<HashSet<String>>,
    /// Events that others relate to in one of these ways.
    related_by_rel_types: Option<HashSet<String>>,
    /// Events that something of one of these users relates to.
    related_by_senders: Option<HashSet<OwnedUserId>>,
}

impl RelationFilter {
    /// Whether an event passes by what it relates to.
    pub fn wants(&self, pdu: &Pdu) -> bool {
        if self.rel_types.is_none() && self.not_rel_types.is_none() {
            return true;
        }
        let relates_to = pdu.relates_to();
        let kind = relates_to.as_ref().and_then(|relation| relation.rel_type.as_deref());
        let is_in = |kinds: &HashSet<String>| kind.is_some_and(|kind| kinds.contains(kind));
        self.rel_types.as_ref().is_none_or(is_in) && !self.not_rel_types.as_ref().is_some_and(is_in)
    }

    fn asks_who_relates(&self) -> bool {
        self.related_by_rel_types.is_some() || self.related_by_senders.is_some()
    }
}

impl View {
    /// Keeps those of the events that a filter on relations lets pass. Costs two queries where it asks what relates to
    /// them, and none else.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn retain_related(
        &self,
        filter: &RelationFilter,
        events: &mut Vec<Arc<StoredEvent>>,
    ) -> Result<(), StorageError> {
        events.retain(|event| filter.wants(&event.pdu));
        if !filter.asks_who_relates() || events.is_empty() {
            return Ok(());
        }
        let ids: Vec<&EventId> = events.iter().map(|event| event.pdu.event_id()).collect();
        let mut relations = self.store().relations(&ids).await?;
        let kinds = filter.related_by_rel_types.as_ref();
        relations.retain(|relation| kinds.is_none_or(|kinds| kinds.contains(&relation.relation_type)));
        let children: Vec<EventSn> = relations.iter().map(|relation| relation.event).collect();
        let children = self.store().events(&children).await?;
        let senders = filter.related_by_senders.as_ref();
        let counts: HashSet<EventSn> = children
            .iter()
            .filter(|child| child.is_shown())
            .filter(|child| senders.is_none_or(|senders| senders.contains(child.pdu.owned_sender())))
            .map(|child| child.sn)
            .collect();
        let related = relations.into_iter().filter(|relation| counts.contains(&relation.event));
        let related: HashSet<_> = related.map(|relation| relation.target).collect();
        events.retain(|event| related.contains(event.pdu.event_id()));
        Ok(())
    }
}
