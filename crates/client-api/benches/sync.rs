//! Writing the answer to a sync: fifty rooms with ten messages each.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on must end")]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput};
use parvis_client_api::sync_text;
use parvis_events::{EventDraft, Membership, RoomVersion, ServerKey};
use parvis_storage::{EventFlags, EventSn, Place, Position, RoomSn, StateRoot, StoredEvent, UserSn};
use parvis_sync::{
    DeviceLists, DeviceState, Filter, JoinedRoom, ShownEvent, SyncAnswer, Timeline, UnreadCounts,
};
use ruma::{EventId, OwnedRoomId, OwnedUserId};
use serde_json::{json, value::RawValue};

const VERSION: RoomVersion = RoomVersion::V12;
const ROOMS: usize = 50;
const MESSAGES: usize = 10;

fn room_id(number: usize) -> OwnedRoomId {
    OwnedRoomId::try_from(format!("!{number:043}")).unwrap()
}

fn message(key: &ServerKey, room: usize, number: usize) -> ShownEvent {
    let content =
        json!({ "msgtype": "m.text", "body": format!("Message number {number}, as people write them.") });
    let draft = EventDraft {
        room_id: Some(room_id(room)),
        sender: OwnedUserId::try_from("@alice:parvis.test").unwrap(),
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: RawValue::from_string(content.to_string()).unwrap(),
        redacts: None,
        prev_events: vec![EventId::parse(format!("${number:043}")).unwrap()],
        auth_events: Vec::new(),
        depth: 1,
        origin_server_ts: 1_700_000_000_000,
    };
    let event = StoredEvent {
        sn: EventSn(1),
        room: RoomSn(1),
        sender: UserSn(1),
        position: Position::START,
        place: Place::NOWHERE,
        flags: EventFlags::ACCEPTED,
        slot: None,
        state_root: StateRoot::EMPTY,
        room_root: StateRoot::EMPTY,
        prev: Vec::new(),
        auth: Vec::new(),
        redacted_by: None,
        transaction: None,
        pdu: draft.sign(VERSION, key).unwrap(),
    };
    ShownEvent {
        event: Arc::new(event),
        age: 1_234,
        own_transaction: false,
        membership: Some(Membership::Join),
        replaced: None,
        redaction: None,
        relations: None,
    }
}

fn room(key: &ServerKey, number: usize) -> JoinedRoom {
    let events = (0..MESSAGES).map(|message_number| message(key, number, message_number)).collect();
    JoinedRoom {
        room_id: room_id(number),
        timeline: Timeline { events, limited: false, start: Position::START },
        state: Vec::new(),
        summary: None,
        unread: UnreadCounts { notifications: 3, highlights: 1 },
        unread_threads: None,
        typing: None,
        receipts: Vec::new(),
        account_data: Vec::new(),
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let key = ServerKey::generate([7; 32], "1").unwrap();
    let device =
        DeviceState { one_time_keys: Default::default(), unused_fallback: Vec::new(), waiting: None };
    let answer = SyncAnswer {
        next: Position::START.into(),
        joined: (0..ROOMS).map(|number| room(&key, number)).collect(),
        invited: Vec::new(),
        knocked: Vec::new(),
        left: Vec::new(),
        account_data: Vec::new(),
        presence: Vec::new(),
        to_device: Vec::new(),
        device_lists: DeviceLists::default(),
        device: Arc::new(device),
        device_changed: false,
        device_is_gone: false,
    };
    let filter = Filter::default();
    let bytes = sync_text(&answer, &filter).len();
    let mut group = criterion.benchmark_group("sync");
    group.throughput(Throughput::Bytes(u64::try_from(bytes).unwrap()));
    group.bench_function("write the answer of 50 rooms with 10 messages each", |bencher| {
        bencher.iter(|| sync_text(black_box(&answer), &filter));
    });
    group.finish();
    criterion.final_summary();
}
