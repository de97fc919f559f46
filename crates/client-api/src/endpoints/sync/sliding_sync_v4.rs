//! `POST /_matrix/client/v4/sync` (<https://github.com/matrix-org/matrix-spec-proposals/pull/4186>): sliding sync in
//! the form that was accepted, over the same connections' engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::response::Response;
use parvis_sync::{KeyWanted, ListWanted, RoomWanted, SlidingRequest, StatePattern, StateWanted};
use parvis_wire::{Call, MatrixError, parse_json};
use ruma::{OwnedRoomId, presence::PresenceState};
use serde::Deserialize;

use super::{
    sliding_request::{Envelope, Extensions, Filters, MOST_STATE, Parsed, bounded, ranges, size},
    sliding_sync::slide,
    waiting::Waiting,
};
use crate::{
    ApiError, ClientApi, Session,
    reply::{SlidingForm, sliding},
};

/// The body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    conn_id: Option<String>,
    pos: Option<String>,
    timeout: Option<u64>,
    set_presence: Option<PresenceState>,
    lists: BTreeMap<String, List>,
    room_subscriptions: BTreeMap<OwnedRoomId, Room>,
    extensions: Extensions,
}

#[derive(Debug, Deserialize)]
struct List {
    range: Option<(u64, u64)>,
    #[serde(flatten)]
    room: Room,
    filters: Option<Filters>,
}

#[derive(Debug, Deserialize)]
struct Room {
    timeline_limit: u64,
    required_state: State,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    include: Vec<Element>,
    exclude: Vec<Element>,
    lazy_members: bool,
}

#[derive(Debug, Deserialize)]
struct Element {
    #[serde(rename = "type")]
    kind: Option<String>,
    state_key: Option<String>,
}

/// What is new on a connection. Where nothing is, waits for it as long as the client asks to.
pub(super) async fn handle(api: ClientApi, call: Call<Vec<String>, Session>) -> Result<Response, ApiError> {
    let body: Body = parse_json(&call.body)?;
    let most_timeline_events = api.bounds.most_timeline_events;
    let request = body.request(api.bounds.longest_sync_wait, most_timeline_events)?;
    let waiting = Waiting::of(&call)?;
    drop(call);
    let answer = slide(&api, &waiting, &request).await?;
    Ok(sliding(&answer, SlidingForm::Accepted, None))
}

impl Body {
    fn request(self, longest: Duration, most_timeline_events: usize) -> Result<SlidingRequest, MatrixError> {
        let set_presence = self.set_presence.unwrap_or(PresenceState::Online);
        let known = [PresenceState::Online, PresenceState::Offline, PresenceState::Unavailable];
        if !known.contains(&set_presence) {
            return Err(MatrixError::invalid_param("`set_presence` is none of the known states"));
        }
        let mut lists = BTreeMap::new();
        for (name, list) in self.lists {
            lists.insert(name, list.wanted(most_timeline_events)?);
        }
        let mut subscriptions = BTreeMap::new();
        for (room_id, room) in self.room_subscriptions {
            subscriptions.insert(room_id, Arc::new(room.wanted(most_timeline_events)?));
        }
        Parsed { connection: self.conn_id, lists, subscriptions, extensions: self.extensions }.request(
            Envelope {
                pos: self.pos,
                timeout: Duration::from_millis(self.timeout.unwrap_or_default()).min(longest),
                set_presence,
                most_timeline_events,
            },
        )
    }
}

impl List {
    fn wanted(self, most_timeline_events: usize) -> Result<ListWanted, MatrixError> {
        Ok(ListWanted {
            ranges: ranges(&[self.range.unwrap_or((0, u64::MAX))])?,
            filter: self.filters.unwrap_or_default().wanted(),
            room: Arc::new(self.room.wanted(most_timeline_events)?),
        })
    }
}

impl Room {
    fn wanted(self, most_timeline_events: usize) -> Result<RoomWanted, MatrixError> {
        let State { include, exclude, lazy_members } = self.required_state;
        bounded("include", include.len(), MOST_STATE)?;
        bounded("exclude", exclude.len(), MOST_STATE)?;
        let patterns = |elements: Vec<Element>| -> BTreeSet<StatePattern> {
            elements.into_iter().map(Element::pattern).collect()
        };
        Ok(RoomWanted {
            timeline_limit: size(self.timeline_limit).min(most_timeline_events),
            state: Arc::new(StateWanted {
                patterns: patterns(include),
                excluded: patterns(exclude),
                lazy_members,
            }),
        })
    }
}

impl Element {
    fn pattern(self) -> StatePattern {
        StatePattern { kind: self.kind, key: self.state_key.map_or(KeyWanted::Any, KeyWanted::Is) }
    }
}
