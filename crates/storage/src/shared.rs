//! What all clones of a store, and its writer, share: the stream of changes, and what is kept in memory.
//!
//! Memory is brought up to date with each commit ([`Shared::apply`]), never by the operations themselves.
//! Nothing here asks the database: the tables' own modules read, and leave here what they have read.

mod absent_types;
mod account_data;
mod aggregations;
mod device_states;
mod heads;
mod holes;
mod members;
mod number_block;
mod pending;
mod receipts;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parvis_cache::Cache;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use tokio::sync::Notify;

pub(crate) use number_block::BLOCK;

use self::{
    absent_types::AbsentTypes, account_data::AccountDataCache, aggregations::AggregationCache,
    device_states::DeviceStates, heads::HeadCache, holes::HoleCache, members::MemberCache,
    number_block::NumberBlock, pending::Pending, receipts::ReceiptCache,
};
use crate::{
    changes::{Announced, Stream},
    model::StoredEvent,
    numbers::{EventSn, Position, RoomSn, Slot, TypeSn, UserSn},
    state_tree::{Node, NodeHash},
    write_set::{PendingChange, WriteSet},
};

/// How many names of each kind are kept in memory.
const NAMES: u64 = 100_000;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) stream: Stream,
    pub(crate) numbers: NumberBlock,
    pub(crate) room_sns: Cache<OwnedRoomId, RoomSn>,
    pub(crate) room_ids: Cache<RoomSn, OwnedRoomId>,
    pub(crate) user_sns: Cache<OwnedUserId, UserSn>,
    pub(crate) user_ids: Cache<UserSn, OwnedUserId>,
    pub(crate) types: Cache<Box<str>, TypeSn>,
    pub(crate) absent_types: AbsentTypes,
    pub(crate) slots: Cache<(RoomSn, TypeSn, Box<str>), Slot>,
    pub(crate) event_sns: Cache<OwnedEventId, EventSn>,
    pub(crate) members: MemberCache,
    pub(crate) aggregations: AggregationCache,
    pub(crate) account_data: AccountDataCache,
    pub(crate) receipts: ReceiptCache,
    pub(crate) device_states: DeviceStates,
    pub(crate) heads: HeadCache,
    pub(crate) holes: HoleCache,
    pub(crate) pending: Pending,
    /// Told when something is left for the search to look at anew.
    pub(crate) search_pending: Notify,
    events: Cache<EventSn, Arc<StoredEvent>>,
    rewrites: AtomicU64,
    nodes: Cache<NodeHash, Arc<Node>>,
}

impl Shared {
    /// Empty memory of at most so many bytes, about, and a stream whose head stands at `head`.
    pub(crate) fn new(head: Position, cache_bytes: u64) -> Self {
        Self {
            stream: Stream::new(head),
            numbers: NumberBlock::default(),
            room_sns: Cache::new(NAMES),
            room_ids: Cache::new(NAMES),
            user_sns: Cache::new(NAMES),
            user_ids: Cache::new(NAMES),
            types: Cache::new(NAMES),
            absent_types: AbsentTypes::new(),
            slots: Cache::new(NAMES),
            event_sns: Cache::new(NAMES),
            members: MemberCache::new(cache_bytes / 8),
            aggregations: AggregationCache::new(cache_bytes / 16),
            account_data: AccountDataCache::new(cache_bytes / 16),
            receipts: ReceiptCache::new(cache_bytes / 8),
            device_states: DeviceStates::new(),
            heads: HeadCache::new(),
            holes: HoleCache::new(NAMES),
            pending: Pending::default(),
            search_pending: Notify::new(),
            events: Cache::weighed(cache_bytes / 2, |_, event: &Arc<StoredEvent>| event.weight()),
            rewrites: AtomicU64::new(0),
            nodes: Cache::weighed(cache_bytes / 4, |_, node: &Arc<Node>| {
                u32::try_from(node.weight()).unwrap_or(u32::MAX)
            }),
        }
    }

    pub(crate) fn remember_room(&self, room: RoomSn, room_id: &OwnedRoomId) {
        self.room_sns.insert(room_id.clone(), room);
        self.room_ids.insert(room, room_id.clone());
    }

    pub(crate) fn remember_user(&self, user: UserSn, user_id: &OwnedUserId) {
        self.user_sns.insert(user_id.clone(), user);
        self.user_ids.insert(user, user_id.clone());
    }

    /// An event, if memory has it or it waits to be written.
    pub(crate) fn event(&self, sn: EventSn) -> Option<Arc<StoredEvent>> {
        self.events.get(&sn).or_else(|| self.pending.event(sn))
    }

    /// A state node, if memory has it or it waits to be written.
    pub(crate) fn node(&self, hash: &NodeHash) -> Option<Arc<Node>> {
        self.nodes.get(hash).or_else(|| self.pending.node(hash))
    }

    pub(crate) fn cache_node(&self, hash: NodeHash, node: &Arc<Node>) {
        self.nodes.insert(hash, Arc::clone(node));
    }

    /// How many commits have changed stored events so far; see [`cache_event`](Self::cache_event).
    pub(crate) fn rewrites(&self) -> u64 {
        self.rewrites.load(Ordering::Acquire)
    }

    /// Keeps an event that was read, unless some event was rewritten since before the reading.
    pub(crate) fn cache_event(&self, event: &Arc<StoredEvent>, rewrites: u64) {
        self.events.insert(event.sn, Arc::clone(event));
        if self.rewrites() != rewrites {
            self.events.remove(&event.sn);
        }
    }

    /// Brings memory up to date with a group that was committed, and announces it. Sets that were refused are
    /// forgotten.
    pub(crate) fn apply<'a>(&self, sets: impl Iterator<Item = (&'a WriteSet, bool)>, firsts: &[Position]) {
        let mut announced: Vec<Announced> = Vec::new();
        for ((set, written), first) in sets.zip(firsts) {
            if written {
                self.apply_set(set, *first);
                announced.extend(set.announced(*first));
            }
            self.pending.remove(set);
        }
        self.stream.publish(announced);
    }

    fn apply_set(&self, set: &WriteSet, first: Position) {
        for (hash, node) in &set.nodes {
            self.cache_node(*hash, node);
        }
        for (change, position) in set.changes.iter().zip(first.0 + 1..) {
            if let PendingChange::Event(event) = change {
                let stored = event.stored_at(Position(position));
                self.aggregations.apply(&stored);
                self.event_sns.insert(stored.pdu.event_id().to_owned(), stored.sn);
                self.events.insert(stored.sn, stored);
            }
        }
        for (room, kind, state_key, slot) in &set.slots {
            self.slots.insert((*room, *kind, state_key.clone()), *slot);
        }
        if let Some(room) = &set.room {
            if room.expected.is_none() {
                self.remember_room(room.room, &room.head.room_id);
                self.members.begin_room(room.room, &set.members);
            }
            let is_event = |change: &PendingChange| matches!(change, PendingChange::Event(_));
            let has_events = set.changes.iter().any(is_event);
            let newest =
                has_events.then(|| Position(first.0 + i64::try_from(set.changes.len()).unwrap_or(0)));
            self.heads.apply(&room.head, newest);
        }
        self.account_data.apply(&set.account_data);
        self.members.apply(&set.members, first, &self.user_ids);
        self.receipts.apply(&set.receipts, first);
        self.device_states.apply(&set.touched_devices);
        self.holes.apply(&set.holes);
        if set.search_is_pending {
            self.search_pending.notify_one();
        }
        if !set.rewritten.is_empty() {
            self.rewrites.fetch_add(1, Ordering::AcqRel);
            set.rewritten.iter().for_each(|event| self.events.remove(event));
            self.aggregations.forget_all();
        }
    }
}
