//! The ordered checks: which of them rejects, and which only soft-fails.

use parvis_dag::{Known, Verdict, judge};
use parvis_events::{Pdu, RoomVersion};
use serde_json::json;

use crate::world::{ALICE, BOB, Room};

/// Judges an event that was made in one room's state, in which it stands, against another, current state.
fn judged(pdu: &Pdu, before: &Room, now: &Room) -> Verdict {
    let look = |room: &Room, kind: &str, key: &str| room.get(kind, key).cloned();
    judge(
        pdu,
        |id| now.known.get(id).or_else(|| before.known.get(id)).cloned(),
        |kind, key| look(before, kind, key),
        |kind, key| look(now, kind, key),
    )
}

fn with_bob(version: RoomVersion) -> Room {
    Room::public(version).with_member(BOB, "join")
}

#[test]
fn allowed_event_is_accepted() {
    for version in RoomVersion::supported() {
        let room = with_bob(version);
        let message = room.sign(room.draft(BOB, "m.room.message", None, json!({})));
        let verdict = judged(&message, &room, &room);
        assert!(verdict.is_accepted() && verdict.reason().is_none());
    }
}

#[test]
fn event_from_before_a_ban_soft_fails_after_it() {
    for version in RoomVersion::supported() {
        let room = with_bob(version);
        let message = room.sign(room.draft(BOB, "m.room.message", None, json!({})));
        let mut now = room.clone();
        now.send(ALICE, "m.room.member", Some(BOB), json!({ "membership": "ban" }));
        let verdict = judged(&message, &room, &now);
        assert!(matches!(&verdict, Verdict::SoftFail(reason) if reason.reason().contains("not in the room")));
        assert!(!verdict.is_accepted());
    }
}

#[test]
fn event_that_its_own_auth_events_forbid_is_rejected() {
    for version in RoomVersion::supported() {
        // Bob joins by citing an event in which he was not yet welcome.
        let room = Room::new(version, "invite", json!({}));
        let join = room.sign(room.draft(BOB, "m.room.member", Some(BOB), json!({ "membership": "join" })));
        let mut kind_now = room.clone();
        kind_now.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": "public" }));
        let verdict = judged(&join, &kind_now, &kind_now);
        assert!(
            matches!(&verdict, Verdict::Reject(reason) if reason.reason().contains("not invited")),
            "{verdict:?}"
        );
    }
}

#[test]
fn event_that_the_state_before_it_forbids_is_rejected() {
    for version in RoomVersion::supported() {
        // Bob, banned, still cites his old membership.
        let room = with_bob(version);
        let message = room.sign(room.draft(BOB, "m.room.message", None, json!({})));
        let mut banned = room.clone();
        banned.send(ALICE, "m.room.member", Some(BOB), json!({ "membership": "ban" }));
        assert!(matches!(judged(&message, &banned, &room), Verdict::Reject(_)));
        assert!(matches!(judged(&message, &banned, &banned), Verdict::Reject(_)), "rejection comes first");
    }
}

#[test]
fn event_that_cites_a_rejected_event_is_rejected() {
    for version in RoomVersion::supported() {
        let mut room = with_bob(version);
        let message = room.sign(room.draft(BOB, "m.room.message", None, json!({})));
        let member = room.get("m.room.member", BOB).unwrap().clone();
        room.known.insert(member.event_id().to_owned(), Known::rejected(member));
        assert!(matches!(judged(&message, &room, &room), Verdict::Reject(_)));
    }
}

#[test]
fn create_event_is_judged_without_any_state() {
    for version in RoomVersion::supported() {
        let room = Room::created(version, json!({}));
        let create = room.get("m.room.create", "").unwrap();
        assert_eq!(judge(create, |_| None, |_, _| None, |_, _| None), Verdict::Accept);
    }
}

#[test]
fn field_beyond_255_bytes_is_rejected_where_it_is_not_malformed() {
    let version = RoomVersion::V10;
    let room = with_bob(version);
    let event = room.sign(room.draft(ALICE, "org.example", Some("key"), json!({})));
    let json = event.json().replace("\"key\"", &format!("\"{}\"", "🌍".repeat(70)));
    let long =
        Pdu::from_stored(event.event_id().to_owned(), event.room_id().to_owned(), version, json).unwrap();
    assert!(
        matches!(judged(&long, &room, &room), Verdict::Reject(reason) if reason.reason().contains("255"))
    );
    assert_eq!(judged(&event, &room, &room), Verdict::Accept);
}
