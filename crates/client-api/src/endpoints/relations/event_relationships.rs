//! `POST /_matrix/client/unstable/event_relationships`: the tree of replies around an event, an old proposal
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::response::Response;
use parvis_rooms::{
    Actor, RelationshipQuery, ReplyCounts, RoomError, StoredEvent, TreeOfReplies, walk_replies,
};
use parvis_sync::{Reader, ShownEvent};
use parvis_wire::{Call, MatrixError, json_response};
use ruma::{
    EventId, OwnedEventId, OwnedRoomId,
    serde::{Base64, base64::Standard},
};
use serde_json::{Value, json};

use crate::{
    ApiError, ClientApi, Session,
    actor::{actor, reader},
};

/// How often other servers are asked for what is missing, for one request.
const MOST_QUESTIONS: usize = 10;

pub(super) const PATH: &str = "/_matrix/client/unstable/event_relationships";

/// The tree of replies around an event. What is missing of it is asked of other servers.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    api.limits.messages.check(&call.principal)?;
    let query: RelationshipQuery =
        serde_json::from_slice(&call.body).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let mut tree = Tree {
        api: &api,
        actor: actor(&call),
        reader: reader(&call.principal),
        room_id: query.room_id.clone(),
        told: HashMap::new(),
        asked: HashSet::new(),
    };
    let found = walk_replies(&mut tree, &query).await?;
    let mut events = Vec::with_capacity(found.events.len());
    for event in &found.events {
        if let Some(shown) = tree.show(event).await? {
            events.push(dressed(&shown, &api.rooms.reply_counts(event).await?));
        }
    }
    Ok(json_response(&json!({ "events": events, "limited": found.limited })))
}

/// An event with what is said of its replies.
fn dressed(event: &ShownEvent, counts: &ReplyCounts) -> Value {
    let mut out = Vec::with_capacity(1_024);
    event.write(&mut out, true);
    // What was just written is JSON.
    let mut event: Value = serde_json::from_slice(&out).unwrap_or_default();
    if let Some(hash) = counts.hash {
        event["unsigned"]["children"] = json!(counts.children);
        event["unsigned"]["children_hash"] = Base64::<Standard, _>::new(hash).encode().into();
    }
    event
}

/// The tree as a user sees it, completed by other servers.
struct Tree<'a> {
    api: &'a ClientApi,
    actor: Actor,
    reader: Reader,
    /// The room in which the walk is.
    room_id: Option<OwnedRoomId>,
    /// How many replies others say that events have.
    told: HashMap<OwnedEventId, u64>,
    /// The events of which others were asked.
    asked: HashSet<OwnedEventId>,
}

impl Tree<'_> {
    async fn show(&self, event: &Arc<StoredEvent>) -> Result<Option<ShownEvent>, RoomError> {
        let events = std::slice::from_ref(event);
        let shown = match event.is_shown() {
            true => self.api.view.show(self.reader, events).await?,
            false => self.api.view.show_strays(self.reader, events).await?,
        };
        Ok(shown.into_iter().next())
    }

    async fn seen(&self, event: Arc<StoredEvent>) -> Result<Option<Arc<StoredEvent>>, RoomError> {
        Ok(self.show(&event).await?.map(|shown| shown.event))
    }

    /// Asks others about an event, once; says whether they were asked. Who is not in the room has nobody asked.
    async fn ask(&mut self, event_id: &EventId) -> Result<bool, RoomError> {
        let Some(room_id) = self.room_id.clone() else { return Ok(false) };
        if self.asked.len() >= MOST_QUESTIONS || !self.asked.insert(event_id.to_owned()) {
            return Ok(false);
        }
        match self.api.rooms.fetch_tree(&self.actor, &room_id, event_id).await {
            Ok(told) => {
                self.told.extend(told.into_iter().map(|told| (told.event_id, told.replies)));
                Ok(true)
            }
            Err(RoomError::UnknownRoom | RoomError::Forbidden(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl TreeOfReplies for Tree<'_> {
    async fn event(&mut self, event_id: &EventId) -> Result<Option<Arc<StoredEvent>>, RoomError> {
        let mut event = self.api.rooms.event_of_tree(event_id).await?;
        if event.is_none() && self.ask(event_id).await? {
            event = self.api.rooms.event_of_tree(event_id).await?;
        }
        let Some(event) = event else { return Ok(None) };
        self.room_id.get_or_insert_with(|| event.pdu.room_id().to_owned());
        // Others have more replies to it: here are asked for while the walk is at it, so that its counts are right.
        if self.told.get(event_id).is_some_and(|told| *told > 0) {
            let here: u64 = self.api.rooms.reply_counts(&event).await?.children.values().sum();
            if self.told.get(event_id).is_some_and(|told| *told > here) {
                self.ask(event_id).await?;
            }
        }
        self.seen(event).await
    }

    async fn replies(&mut self, event: &Arc<StoredEvent>) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut seen = Vec::new();
        for reply in self.api.rooms.replies_to(event).await? {
            seen.extend(self.seen(reply).await?);
        }
        Ok(seen)
    }
}
