//! Trees of replies by `m.relationship`, an old proposal
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>): walked for clients and for other servers, and
//! completed by other servers where events are missing.
//!
//! What is fetched for such a tree is kept as outliers: nobody tells what the room was like when it was said. Knows
//! nothing of what a user may see; each walker brings eyes of their own. Trees that go on in another room are not
//! followed there.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    future::Future,
    sync::Arc,
};

use parvis_events::{RawPdu, RoomVersion};
pub use parvis_peers::event_relationships::{Request as RelationshipQuery, Way};
use parvis_peers::{Limits, event_relationships::Response};
use parvis_storage::{EventFlags, RoomSn, StoredEvent};
use ruma::{EventId, OwnedEventId, RoomId};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{Actor, RoomError, Rooms, admit::in_turn, handshake::bytes_of};

/// The most events that are given.
const MOST_EVENTS: usize = 100;
/// The most replies to one event that are looked at.
const MOST_CHILDREN: usize = 1_000;
/// The most events that a walk passes.
const MOST_PASSED: usize = 1_000;
/// How many other servers are asked for what is missing.
const MOST_SERVERS: usize = 3;
/// How many events are taken of what authorises an answer.
const MOST_AUTHORITIES: usize = 10_000;

/// A tree of replies, as one reader sees it.
pub trait TreeOfReplies {
    /// An event, if it can be had and may be seen.
    fn event(
        &mut self,
        event_id: &EventId,
    ) -> impl Future<Output = Result<Option<Arc<StoredEvent>>, RoomError>> + Send;

    /// The replies to an event, those that may be seen.
    fn replies(
        &mut self,
        event: &Arc<StoredEvent>,
    ) -> impl Future<Output = Result<Vec<Arc<StoredEvent>>, RoomError>> + Send;
}

/// What a walk has found.
#[derive(Clone, Debug)]
pub struct Replies {
    /// The events, the nearest first.
    pub events: Vec<Arc<StoredEvent>>,
    /// Whether there are more.
    pub limited: bool,
}

/// How many replies an event has, by their kind, and a hash over their ids, by which others see whether they have all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyCounts {
    /// The number of replies of each kind.
    pub children: BTreeMap<String, u64>,
    /// The SHA-256 of their ids, sorted and one after the other; nothing for none.
    pub hash: Option<[u8; 32]>,
}

/// What another server says of an event's replies.
#[derive(Clone, Debug)]
pub struct Told {
    /// The event.
    pub event_id: OwnedEventId,
    /// How many replies it has there.
    pub replies: u64,
}

impl Rooms {
    /// An event that can stand in a tree of replies: one of a timeline, or a message that was fetched for a tree.
    /// Whether somebody may see it is not looked at.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn event_of_tree(&self, event_id: &EventId) -> Result<Option<Arc<StoredEvent>>, RoomError> {
        let event = self.store.event_by_id(event_id).await?;
        Ok(event.filter(|event| event.is_shown() || is_stray(event)))
    }

    /// The replies to an event that are here. Whether somebody may see them is not looked at.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn replies_to(&self, event: &StoredEvent) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let children = self.store.children_of(event.room, event.pdu.event_id(), MOST_CHILDREN).await?;
        let children: Vec<_> = children.into_iter().map(|child| child.event).collect();
        let mut events = self.store.events(&children).await?;
        events.retain(|event| event.is_shown() || is_stray(event));
        Ok(events)
    }

    /// How many replies to an event are here.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn reply_counts(&self, event: &StoredEvent) -> Result<ReplyCounts, RoomError> {
        let children = self.store.children_of(event.room, event.pdu.event_id(), MOST_CHILDREN).await?;
        let mut counts = ReplyCounts::default();
        let sns: Vec<_> = children.iter().map(|child| child.event).collect();
        for child in children {
            *counts.children.entry(child.relation_type).or_default() += 1;
        }
        let mut ids: Vec<OwnedEventId> = Vec::with_capacity(sns.len());
        for event in self.store.events(&sns).await? {
            ids.push(event.pdu.owned_event_id().clone());
        }
        ids.sort_unstable();
        if !ids.is_empty() {
            let mut hasher = Sha256::new();
            ids.iter().for_each(|id| hasher.update(id.as_str()));
            counts.hash = Some(hasher.finalize().into());
        }
        Ok(counts)
    }

    /// Asks other servers of a room for an event that is missing in a tree of replies, or for replies that are, and
    /// keeps what comes. Gives what the one who answered says of the replies to each event. Only for who is in the
    /// room.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::Forbidden`], or if the database fails.
    pub async fn fetch_tree(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        event_id: &EventId,
    ) -> Result<Vec<Told>, RoomError> {
        let room = self.find(room_id).await?;
        self.must_be_joined(actor, room).await?;
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let servers = self.servers_in_room(room).await?;
        let others = servers.iter().filter(|server| **server != self.identity.server_name);
        for server in others.take(MOST_SERVERS) {
            let request = RelationshipQuery::around(event_id.to_owned(), room_id.to_owned());
            let Ok(answer) = self.others.federation.call(server, request, Limits::HISTORY).await else {
                continue;
            };
            let told = told_of(&answer.events, head.version);
            if told.iter().any(|told| told.event_id == event_id) {
                self.keep_tree(room, head.version, answer).await?;
                return Ok(told);
            }
        }
        Ok(Vec::new())
    }

    async fn keep_tree(&self, room: RoomSn, version: RoomVersion, answer: Response) -> Result<(), RoomError> {
        let Response { mut events, mut auth_chain, .. } = answer;
        events.truncate(MOST_EVENTS);
        auth_chain.truncate(MOST_AUTHORITIES);
        let events = self.verify_many(events.into_iter().map(bytes_of).collect(), version).await?;
        let authorities = self.verify_many(auth_chain.into_iter().map(bytes_of).collect(), version).await?;
        let pdus: Vec<_> = authorities.into_iter().chain(events).collect();
        in_turn!(self, room, |turn| {
            turn.add_outliers(pdus.clone()).await?;
            Ok(())
        })
    }
}

/// A message that is here only because somebody looked at the tree in which it stands.
fn is_stray(event: &StoredEvent) -> bool {
    event.flags.contains(EventFlags::OUTLIER)
        && !event.flags.contains(EventFlags::REJECTED)
        && !event.pdu.is_state()
}

/// What another server says of the replies to the events that it gives.
fn told_of(events: &[Box<RawValue>], version: RoomVersion) -> Vec<Told> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default)]
        unsigned: Unsigned,
    }
    #[derive(Default, Deserialize)]
    struct Unsigned {
        #[serde(default)]
        children: BTreeMap<String, u64>,
    }
    let told = |event: &RawValue| {
        let pdu = RawPdu::parse_raw(event, version).and_then(RawPdu::check_format).ok()?;
        let Event { unsigned } =
            serde_json::from_str(event.get()).unwrap_or(Event { unsigned: Unsigned::default() });
        let replies = unsigned.children.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        Some(Told { event_id: pdu.event_id().to_owned(), replies })
    };
    events.iter().take(MOST_EVENTS).filter_map(|event| told(event)).collect()
}

/// Walks a tree of replies around an event.
///
/// # Errors
/// [`RoomError::NotFound`] if the event cannot be had or seen.
pub async fn walk_replies(
    tree: &mut impl TreeOfReplies,
    query: &RelationshipQuery,
) -> Result<Replies, RoomError> {
    let anchor = tree.event(&query.event_id).await?;
    let anchor = anchor.ok_or(RoomError::NotFound("there is no such event, or you may not see it"))?;
    let limit = usize::try_from(query.limit).unwrap_or(MOST_EVENTS).clamp(1, MOST_EVENTS);
    let mut found = Found { events: Vec::new(), seen: HashSet::new(), limit, limited: false };
    found.add(&anchor);
    if query.include_parent
        && let Some(parent) = parent_of(tree, &anchor).await?
    {
        found.add(&parent);
    }
    if query.include_children {
        replies_of(tree, &anchor, query).await?.iter().for_each(|reply| found.add(reply));
    }
    let mut walk = Walk { left: VecDeque::new(), passed: HashSet::new(), query };
    walk.go_on(tree, &anchor, 0).await?;
    while let Some((event, depth)) = walk.next() {
        found.add(&event);
        if found.limited {
            break;
        }
        walk.go_on(tree, &event, depth).await?;
    }
    Ok(Replies { events: found.events, limited: found.limited })
}

/// The events of a walk, each once.
struct Found {
    events: Vec<Arc<StoredEvent>>,
    seen: HashSet<OwnedEventId>,
    limit: usize,
    limited: bool,
}

impl Found {
    fn add(&mut self, event: &Arc<StoredEvent>) {
        if self.seen.contains(event.pdu.event_id()) {
            return;
        }
        if self.events.len() >= self.limit {
            self.limited = true;
            return;
        }
        self.seen.insert(event.pdu.owned_event_id().clone());
        self.events.push(Arc::clone(event));
    }
}

/// Where a walk goes on.
struct Walk<'q> {
    left: VecDeque<(Arc<StoredEvent>, i64)>,
    /// Whose neighbours were looked at: replies can go round in a circle.
    passed: HashSet<OwnedEventId>,
    query: &'q RelationshipQuery,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<(Arc<StoredEvent>, i64)> {
        if self.query.depth_first { self.left.pop_back() } else { self.left.pop_front() }
    }

    /// Puts the neighbours of an event that stands so deep with those that are to be looked at.
    async fn go_on(
        &mut self,
        tree: &mut impl TreeOfReplies,
        event: &Arc<StoredEvent>,
        depth: i64,
    ) -> Result<(), RoomError> {
        let is_deep_enough = self.query.max_depth >= 0 && depth >= self.query.max_depth;
        let is_new = self.passed.insert(event.pdu.owned_event_id().clone());
        if is_deep_enough || !is_new || self.passed.len() > MOST_PASSED {
            return Ok(());
        }
        let mut next = match self.query.direction {
            Way::Up => parent_of(tree, event).await?.into_iter().collect(),
            Way::Down => replies_of(tree, event, self.query).await?,
        };
        if let Ok(breadth) = usize::try_from(self.query.max_breadth) {
            next.truncate(breadth);
        }
        if self.query.depth_first {
            next.reverse();
        }
        self.left.extend(next.into_iter().map(|event| (event, depth + 1)));
        Ok(())
    }
}

/// What an event replies to, within its room.
async fn parent_of(
    tree: &mut impl TreeOfReplies,
    event: &Arc<StoredEvent>,
) -> Result<Option<Arc<StoredEvent>>, RoomError> {
    let parent = event.pdu.relationship().and_then(|relation| EventId::parse(relation.event_id?).ok());
    let Some(parent) = parent else { return Ok(None) };
    let parent = tree.event(&parent).await?;
    Ok(parent.filter(|parent| parent.room == event.room))
}

/// The replies to an event in the order asked for.
async fn replies_of(
    tree: &mut impl TreeOfReplies,
    event: &Arc<StoredEvent>,
    query: &RelationshipQuery,
) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
    let mut replies = tree.replies(event).await?;
    replies.sort_by_key(|reply| (reply.pdu.origin_server_ts(), reply.sn));
    if query.recent_first {
        replies.reverse();
    }
    Ok(replies)
}
