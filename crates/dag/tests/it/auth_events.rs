//! The rules about the events that an event cites (rule 2; rules 2 and 3 since version 12), and which those
//! are.

use parvis_dag::{Known, auth_types, check_auth_events};
use parvis_events::{Pdu, RoomVersion};
use ruma::{OwnedEventId, UserId};
use serde_json::{Value, json, value::to_raw_value};

use crate::world::{ALICE, BOB, CARA, Room, id, reason, versions};

/// A message of Alice's that cites these events.
fn message_citing(room: &Room, cited: Vec<OwnedEventId>) -> Pdu {
    let mut draft = room.draft(ALICE, "m.room.message", None, json!({}));
    draft.auth_events = cited;
    room.sign(draft)
}

fn id_of(room: &Room, kind: &str, state_key: &str) -> OwnedEventId {
    room.get(kind, state_key).unwrap().event_id().to_owned()
}

/// What a message of Alice's cites.
fn usual(room: &Room) -> Vec<OwnedEventId> {
    room.draft(ALICE, "m.room.message", None, json!({})).auth_events
}

#[test]
fn usual_events_are_accepted() {
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        let usual = usual(&room);
        assert_eq!(usual.len(), if version.room_id_is_create_hash() { 2 } else { 3 });
        room.judge_by_citations(&message_citing(&room, usual)).unwrap();
    }
}

#[test]
fn two_events_of_one_key_are_refused() {
    for version in RoomVersion::supported() {
        let mut room = Room::public(version);
        let mut cited = usual(&room);
        room.put(ALICE, "m.room.member", ALICE, json!({ "membership": "join", "displayname": "A" }));
        cited.push(id_of(&room, "m.room.member", ALICE));
        let verdict = room.judge_by_citations(&message_citing(&room, cited.clone()));
        assert!(reason(verdict).ends_with("is the second of its kind"));
        cited.pop();
        cited.push(cited[0].clone());
        assert!(room.judge_by_citations(&message_citing(&room, cited)).is_err());
    }
}

#[test]
fn event_that_has_no_say_is_refused() {
    for version in RoomVersion::supported() {
        let room = Room::public(version).with_member(BOB, "join");
        let message = room.sign(room.draft(ALICE, "m.room.message", None, json!({})));
        for (kind, key) in [("m.room.join_rules", ""), ("m.room.member", BOB)] {
            let mut cited = usual(&room);
            cited.push(id_of(&room, kind, key));
            let verdict = room.judge_by_citations(&message_citing(&room, cited));
            assert!(reason(verdict).ends_with("has no say here"), "{version} {kind}");
        }
        let mut with_message = room.clone();
        with_message.admit(message.clone());
        let mut cited = usual(&room);
        cited.push(message.event_id().to_owned());
        assert!(with_message.judge_by_citations(&message_citing(&room, cited)).is_err());
    }
}

#[test]
fn rejected_event_is_refused() {
    for version in RoomVersion::supported() {
        let mut room = Room::public(version);
        let member = room.get("m.room.member", ALICE).unwrap().clone();
        room.known.insert(member.event_id().to_owned(), Known::rejected(member));
        let verdict = room.judge_by_citations(&message_citing(&room, usual(&room)));
        assert!(reason(verdict).ends_with("was rejected"));
    }
}

#[test]
fn unknown_event_is_refused() {
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        let mut cited = usual(&room);
        cited.push(id("$unknown"));
        assert!(reason(room.judge_by_citations(&message_citing(&room, cited))).ends_with("is not known"));
    }
}

#[test]
fn create_event_is_cited_before_version_12_and_never_since() {
    for version in RoomVersion::supported() {
        let room = Room::public(version);
        let create = id_of(&room, "m.room.create", "");
        let without: Vec<_> = usual(&room).into_iter().filter(|id| *id != create).collect();
        let mut with = without.clone();
        with.push(create);
        let by_hash = version.room_id_is_create_hash();
        assert_eq!(room.judge_by_citations(&message_citing(&room, without)).is_ok(), by_hash, "{version}");
        assert_eq!(room.judge_by_citations(&message_citing(&room, with)).is_ok(), !by_hash, "{version}");
    }
}

#[test]
fn event_of_another_room_is_refused() {
    for version in RoomVersion::supported() {
        let mut room = Room::public(version);
        let mut other = Room::empty(version);
        other.room_id = Some(ruma::owned_room_id!("!other:a.example"));
        let elsewhere =
            other.sign(other.draft(ALICE, "m.room.member", Some(ALICE), json!({ "membership": "join" })));
        let own_member = id_of(&room, "m.room.member", ALICE);
        let mut cited: Vec<_> = usual(&room).into_iter().filter(|id| *id != own_member).collect();
        cited.push(elsewhere.event_id().to_owned());
        room.known.insert(elsewhere.event_id().to_owned(), Known::accepted(elsewhere));
        assert!(
            reason(room.judge_by_citations(&message_citing(&room, cited))).ends_with("is of another room")
        );
    }
}

#[test]
fn room_of_version_12_begins_with_an_accepted_create_event() {
    for version in versions(RoomVersion::room_id_is_create_hash) {
        let room = Room::public(version);
        let message = message_citing(&room, usual(&room));
        let create = room.get("m.room.create", "").unwrap().clone();

        let mut forgetful = room.clone();
        forgetful.known.remove(create.event_id());
        let expected = "the room id is not that of an accepted create event";
        assert_eq!(reason(forgetful.judge_by_citations(&message)), expected);

        let mut rejecting = room.clone();
        rejecting.known.insert(create.event_id().to_owned(), Known::rejected(create));
        assert_eq!(reason(rejecting.judge_by_citations(&message)), expected);

        // A room id made of an event that is no create event. The other implementation does not look.
        let mut strange = room.clone();
        let member = room.get("m.room.member", ALICE).unwrap();
        strange.room_id = Some(format!("!{}", &member.event_id().as_str()[1..]).try_into().unwrap());
        let message = message_citing(&strange, Vec::new());
        let verdict = check_auth_events(&message, |id| strange.known.get(id).cloned());
        assert_eq!(reason(verdict), expected);
    }
}

fn types(
    version: RoomVersion,
    kind: &str,
    state_key: Option<&str>,
    content: Value,
) -> Option<Vec<(String, String)>> {
    let sender = <&UserId>::try_from(ALICE).unwrap();
    let raw = to_raw_value(&content).unwrap();
    let ours = auth_types(version, sender, kind, state_key, &raw);
    let rules = &version.rules().authorization;
    let theirs = ruma::state_res::auth_types_for_event(&kind.into(), sender, state_key, &raw, rules);
    let mut ours = ours.ok();
    let theirs = theirs.ok().map(|keys| {
        let mut keys: Vec<_> = keys.into_iter().map(|(kind, key)| (kind.to_string(), key)).collect();
        keys.sort();
        keys
    });
    if let Some(keys) = &mut ours {
        keys.sort();
    }
    assert_eq!(ours, theirs, "{version} {kind} {content}");
    ours
}

#[test]
fn selection_follows_type_and_membership() {
    for version in RoomVersion::supported() {
        let has = |keys: &[(String, String)], kind: &str, key: &str| {
            keys.contains(&(kind.to_owned(), key.to_owned()))
        };
        assert_eq!(types(version, "m.room.create", Some(""), json!({})).unwrap(), []);
        let message = types(version, "m.room.message", None, json!({ "membership": "join" })).unwrap();
        assert!(has(&message, "m.room.power_levels", "") && has(&message, "m.room.member", ALICE));
        assert_eq!(has(&message, "m.room.create", ""), !version.room_id_is_create_hash());
        assert!(!has(&message, "m.room.join_rules", ""));

        for membership in ["join", "invite", "knock", "leave", "ban"] {
            let keys =
                types(version, "m.room.member", Some(BOB), json!({ "membership": membership })).unwrap();
            assert!(has(&keys, "m.room.member", BOB) && has(&keys, "m.room.member", ALICE));
            assert_eq!(has(&keys, "m.room.join_rules", ""), !matches!(membership, "leave" | "ban"));
        }
        let vouched = json!({ "membership": "join", "join_authorised_via_users_server": CARA });
        let keys = types(version, "m.room.member", Some(ALICE), vouched).unwrap();
        assert_eq!(has(&keys, "m.room.member", CARA), version.restricted(), "{version}");
        let left = json!({ "membership": "leave", "join_authorised_via_users_server": CARA });
        assert!(!has(&types(version, "m.room.member", Some(ALICE), left).unwrap(), "m.room.member", CARA));
        let third = json!({ "membership": "invite", "third_party_invite": { "signed": { "token": "t" } } });
        assert!(has(
            &types(version, "m.room.member", Some(BOB), third).unwrap(),
            "m.room.third_party_invite",
            "t"
        ));
    }
}

#[test]
fn membership_event_that_no_state_could_allow_has_no_selection() {
    for version in RoomVersion::supported() {
        assert_eq!(types(version, "m.room.member", None, json!({ "membership": "join" })), None);
        assert_eq!(types(version, "m.room.member", Some(BOB), json!({})), None);
        assert_eq!(types(version, "m.room.member", Some(BOB), json!({ "membership": 1 })), None);
        let tokenless = json!({ "membership": "invite", "third_party_invite": { "signed": {} } });
        assert_eq!(types(version, "m.room.member", Some(BOB), tokenless), None);
    }
}
