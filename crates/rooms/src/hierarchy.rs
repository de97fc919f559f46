//! Spaces: the rooms below a room, and the summary that a room gives of itself.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy>

pub(crate) mod elsewhere;
mod walk;

use std::sync::Arc;

use parvis_events::{Membership, Pdu, stripped_state};
use parvis_storage::{RoomHead, RoomSn};
use ruma::{OwnedRoomId, OwnedServerName, RoomId};
use serde::Deserialize;
use serde_json::Value;

use self::walk::{Next, Walk};
use crate::{Actor, PublicRoom, RoomError, Rooms};

/// How a hierarchy is walked.
#[derive(Clone, Debug)]
pub struct HierarchyQuery {
    /// Only children that their space suggests.
    pub suggested_only: bool,
    /// How deep to go; no limit but the server's own if `None`.
    pub max_depth: Option<usize>,
    /// How many rooms on a page.
    pub limit: usize,
    /// Where the page begins: a token from the page before.
    pub from: Option<String>,
}

/// A room of a hierarchy.
#[derive(Clone, Debug)]
pub struct HierarchyRoom {
    /// What it shows of itself.
    pub summary: PublicRoom,
    /// What it says of its children, in the order in which they are shown.
    pub children: Vec<SpaceChild>,
}

/// What a space says of a room in it, by `m.space.child`.
#[derive(Clone, Debug)]
pub struct SpaceChild {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Servers that may know it.
    pub via: Vec<OwnedServerName>,
    /// Whether the space suggests to join it.
    pub suggested: bool,
    /// The event, stripped but for its time.
    pub event: Value,
    /// By what it is sorted among the others.
    place: (bool, Option<String>, i64),
}

#[derive(Deserialize)]
struct ChildContent {
    #[serde(default)]
    via: Vec<String>,
    order: Option<String>,
    #[serde(default)]
    suggested: bool,
}

impl SpaceChild {
    /// Reads a child event in its stripped form; nothing if it names no child.
    pub fn from_stripped(event: Value) -> Option<Self> {
        let room_id = OwnedRoomId::try_from(event.get("state_key")?.as_str()?).ok()?;
        let content = ChildContent::deserialize(event.get("content")?).ok()?;
        let via = content.via.iter().filter_map(|name| OwnedServerName::try_from(name.as_str()).ok());
        let via: Vec<_> = via.take(MOST_VIA).collect();
        if via.is_empty() {
            return None;
        }
        let order = content.order.filter(|order| is_order(order));
        let ts = event.get("origin_server_ts").and_then(Value::as_i64).unwrap_or(i64::MAX);
        Some(Self { room_id, via, suggested: content.suggested, event, place: (order.is_none(), order, ts) })
    }

    fn of(event: &Pdu) -> Option<Self> {
        let mut stripped: Value = serde_json::from_str(&stripped_state(event)).ok()?;
        stripped["origin_server_ts"] = event.origin_server_ts().into();
        Self::from_stripped(stripped)
    }

    /// Puts children into the order in which they are shown.
    pub(crate) fn sort(children: &mut [Self]) {
        children.sort_by(|a, b| (&a.place, &a.room_id).cmp(&(&b.place, &b.room_id)));
    }
}

impl HierarchyRoom {
    /// As it stands in a hierarchy.
    pub fn to_json(&self) -> Value {
        let mut body = self.summary.summary();
        body["children_state"] = self.children.iter().map(|child| child.event.clone()).collect();
        body
    }
}

/// A page of a hierarchy.
#[derive(Clone, Debug)]
pub struct HierarchyPage {
    /// The rooms, depth first.
    pub rooms: Vec<HierarchyRoom>,
    /// The token of the next page.
    pub next_batch: Option<String>,
}

/// How many rooms a walk visits at most, whatever the client asks for.
const MOST_ROOMS: usize = 2_000;
/// How many servers are remembered for a child.
const MOST_VIA: usize = 20;
/// How deep a walk goes at most.
const MOST_DEPTH: usize = 50;

impl Rooms {
    /// The rooms below a space, depth first, as far as the actor may know of them.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if the actor may not know of the space itself.
    pub async fn hierarchy(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        query: &HierarchyQuery,
    ) -> Result<HierarchyPage, RoomError> {
        let skip = read_token(query)?;
        let top = self.find_readable(room_id).await?;
        if self.accessible(actor, top).await?.is_none() {
            return Err(RoomError::forbidden("you may not see this room"));
        }
        let mut walk = Walk::new(self, actor, query, room_id);
        let (mut rooms, mut count, mut more) = (Vec::new(), 0, false);
        while count < MOST_ROOMS {
            match walk.next().await? {
                Next::Room(_) | Next::Enough if rooms.len() == query.limit => more = true,
                Next::Room(found) => {
                    if count >= skip {
                        rooms.push(*found);
                    }
                    count += 1;
                    continue;
                }
                // The next page goes on, with what this one has learnt.
                Next::Enough => more = true,
                Next::End => {}
            }
            break;
        }
        let next_batch = more.then(|| write_token(query, skip.max(count)));
        Ok(HierarchyPage { rooms, next_batch })
    }

    pub(crate) async fn visit(
        &self,
        room: RoomSn,
        head: &RoomHead,
        suggested_only: bool,
    ) -> Result<HierarchyRoom, RoomError> {
        let summary = self.describe(room, head.state_root).await?;
        let mut children = Vec::new();
        if summary.room_type.as_deref() == Some("m.space")
            && let Some(kind) = self.store.find_type("m.space.child").await?
        {
            let slots = self.store.slot_numbers_of_type(room, kind).await?;
            let events = self.store.state_slots(head.state_root, &slots).await?;
            let events = self.store.events(&events).await?;
            children = events.iter().filter_map(|event| SpaceChild::of(&event.pdu)).collect();
        }
        children.retain(|child| child.suggested || !suggested_only);
        SpaceChild::sort(&mut children);
        Ok(HierarchyRoom { summary, children })
    }

    /// What a room shows of itself to somebody, perhaps nobody that we know. Of a room that nobody here is in, the
    /// servers of `via` are asked, for the sake of users of this server alone.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if they may not know of it.
    pub async fn summary(
        &self,
        actor: Option<&Actor>,
        room_id: &RoomId,
        via: &[OwnedServerName],
    ) -> Result<(PublicRoom, Option<Membership>), RoomError> {
        let missing = RoomError::NotFound("there is no such room, or you may not see it");
        let known = self.store.room_sn(room_id).await?;
        let is_here = match known {
            Some(room) => self.is_server_in_room(room, self.server_name()).await?,
            None => false,
        };
        if let Some(actor) = actor.filter(|_| !is_here && !via.is_empty()) {
            let found = match self.remembered_elsewhere(room_id, false) {
                Some(found) => found,
                None => self.ask_elsewhere(room_id, via, false).await,
            };
            if let Some(found) = found
                && self.may_know_of(actor, &found.room.summary).await?
            {
                let membership = match known {
                    Some(room) => self.store.member(actor.user, room).await?.map(|member| member.membership),
                    None => None,
                };
                return Ok((found.room.summary.clone(), membership));
            }
        }
        let Some(room) = known else { return Err(missing) };
        let head = match actor {
            Some(actor) => self.accessible(actor, room).await?,
            None => self.accessible_to_all(room).await?,
        };
        let Some(head) = head else { return Err(missing) };
        let membership = match actor {
            Some(actor) => self.store.member(actor.user, room).await?.map(|member| member.membership),
            None => None,
        };
        Ok((self.describe(room, head.state_root).await?, membership))
    }

    /// The head of a room, if the actor may know of it: its members and those invited, and everybody who
    /// could enter or read it.
    pub(crate) async fn accessible(
        &self,
        actor: &Actor,
        room: RoomSn,
    ) -> Result<Option<Arc<RoomHead>>, RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let member = self.store.member(actor.user, room).await?;
        if matches!(member.map(|member| member.membership), Some(Membership::Join | Membership::Invite)) {
            return Ok(Some(head));
        }
        let shown = self.describe(room, head.state_root).await?;
        if shown.is_open() {
            return Ok(Some(head));
        }
        if !matches!(shown.join_rule.as_str(), "restricted" | "knock_restricted") {
            return Ok(None);
        }
        let memberships = self.store.rooms_of_user(actor.user).await?;
        for allowed in &shown.allowed_rooms {
            let allowed = self.store.room_sn(allowed).await?;
            let member = allowed.and_then(|allowed| memberships.get(allowed));
            if member.is_some_and(|member| member.membership == Membership::Join) {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    async fn accessible_to_all(&self, room: RoomSn) -> Result<Option<Arc<RoomHead>>, RoomError> {
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let shown = self.describe(room, head.state_root).await?;
        Ok(shown.is_open().then_some(head))
    }
}

/// Whether an `order` may be used: up to 50 visible ASCII characters.
fn is_order(order: &str) -> bool {
    order.len() <= 50 && order.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// A token holds how many rooms came before, and the questions that must stay the same.
fn write_token(query: &HierarchyQuery, before: usize) -> String {
    let depth = query.max_depth.map_or_else(|| "-".to_owned(), |depth| depth.to_string());
    format!("h{before}_{depth}_{}", u8::from(query.suggested_only))
}

fn read_token(query: &HierarchyQuery) -> Result<usize, RoomError> {
    let Some(token) = &query.from else { return Ok(0) };
    let bad = || RoomError::InvalidParam("`from` does not belong to this request".to_owned());
    let before = token
        .strip_prefix('h')
        .and_then(|rest| rest.split('_').next())
        .and_then(|before| before.parse().ok());
    let before = before.ok_or_else(bad)?;
    if write_token(query, before) == *token { Ok(before) } else { Err(bad()) }
}
