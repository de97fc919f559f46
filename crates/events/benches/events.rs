//! What one event costs: canonical JSON, signing, verifying, and the form that clients see.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on must end")]

use std::hint::black_box;

use criterion::Criterion;
use parvis_events::{
    EventDraft, PublicKeys, RawPdu, RoomVersion, ServerKey, Unsigned, canonical, write_client_event,
};
use ruma::{EventId, OwnedRoomId, OwnedUserId, server_name};
use serde_json::{json, value::RawValue};

const VERSION: RoomVersion = RoomVersion::V12;

fn draft() -> EventDraft {
    let body = "A message as people write it: not long, with “signs” outside of ASCII and a line\nbreak.";
    let content = json!({ "msgtype": "m.text", "body": body, "m.mentions": {} });
    let id = |letter: &str| EventId::parse(format!("${}", letter.repeat(43))).unwrap();
    EventDraft {
        room_id: Some(OwnedRoomId::try_from(format!("!{}", "r".repeat(43))).unwrap()),
        sender: OwnedUserId::try_from("@alice:parvis.test").unwrap(),
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: RawValue::from_string(content.to_string()).unwrap(),
        redacts: None,
        prev_events: vec![id("p")],
        auth_events: vec![id("a"), id("b")],
        depth: 1_000,
        origin_server_ts: 1_700_000_000_000,
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let key = ServerKey::generate([7; 32], "1").unwrap();
    let draft = draft();
    let event = draft.clone().sign(VERSION, &key).unwrap();
    let json = event.json().as_bytes().to_vec();
    criterion.bench_function("Ed25519 signature of 1 KiB", |bencher| {
        let bytes = vec![b'x'; 1_024];
        bencher.iter(|| key.sign_bytes(black_box(&bytes)));
    });
    criterion.bench_function("canonical JSON of an event", |bencher| {
        bencher.iter(|| canonical::to_text(&canonical::parse_object(black_box(&json)).unwrap()));
    });
    criterion.bench_function("hash and sign an event", |bencher| {
        bencher.iter(|| black_box(&draft).clone().sign(VERSION, &key).unwrap());
    });
    let mut keys = PublicKeys::new();
    keys.insert(server_name!("parvis.test"), key.key_id(), &key.public_key_base64());
    criterion.bench_function("read and verify an event", |bencher| {
        bencher.iter(|| {
            let raw = RawPdu::parse(black_box(&json), VERSION).unwrap();
            raw.check_format().unwrap().verify(&keys).unwrap().hash_matches()
        });
    });
    criterion.bench_function("write an event for a client", |bencher| {
        let unsigned = Unsigned { age: Some(1_234), membership: Some("join"), ..Unsigned::default() };
        let mut out = Vec::with_capacity(4_096);
        bencher.iter(|| {
            out.clear();
            write_client_event(&mut out, black_box(event.client_form()), Some(event.room_id()), &unsigned);
            out.len()
        });
    });
    criterion.final_summary();
}
