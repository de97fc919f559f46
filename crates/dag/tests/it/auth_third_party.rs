//! Invitations by third parties: `m.room.third_party_invite`, and the membership event that answers one
//! (rule 4.3.1 and its like).

use parvis_dag::AuthError;
use parvis_events::{RoomVersion, ServerKey, canonical};
use ruma::server_name;
use serde_json::{Value, json};

use crate::world::{ALICE, BOB, CARA, Room, reason};

/// The key of an identity server.
fn identity_key() -> ServerKey {
    ServerKey::generate([8; 32], "0").unwrap()
}

/// The part that the identity server signs.
fn signed(mxid: &str, token: &str, key: &ServerKey) -> Value {
    let unsigned = json!({ "mxid": mxid, "token": token }).to_string();
    let mut object = canonical::parse_object(unsigned.as_bytes()).unwrap();
    key.sign_json(&mut object, server_name!("id.example")).unwrap();
    serde_json::to_value(object).unwrap()
}

/// A room in which Alice, who may have left since, has invited whoever proves to have an address.
fn room(version: RoomVersion, original: Value) -> Room {
    let mut room = Room::new(version, "invite", json!({}));
    room.put(ALICE, "m.room.third_party_invite", "tok", original);
    room
}

fn usual(version: RoomVersion) -> Room {
    room(version, json!({ "public_key": identity_key().public_key_base64() }))
}

fn invite(room: &Room, sender: &str, third_party_invite: Value) -> Result<(), AuthError> {
    let content = json!({ "membership": "invite", "third_party_invite": third_party_invite });
    room.attempt(sender, "m.room.member", Some(CARA), content)
}

#[test]
fn signed_invitation_is_accepted_even_of_an_inviter_who_left() {
    for version in RoomVersion::supported() {
        let good = json!({ "display_name": "c...", "signed": signed(CARA, "tok", &identity_key()) });
        invite(&usual(version), ALICE, good.clone()).unwrap();
        invite(&usual(version).with_member(ALICE, "leave"), ALICE, good).unwrap();
    }
}

#[test]
fn key_may_stand_in_a_list() {
    for version in RoomVersion::supported() {
        let other = ServerKey::generate([9; 32], "0").unwrap().public_key_base64();
        let keys = json!({ "public_key": other, "public_keys": [{ "public_key": identity_key().public_key_base64() }] });
        let good = json!({ "signed": signed(CARA, "tok", &identity_key()) });
        invite(&room(version, keys), ALICE, good.clone()).unwrap();
        let without = json!({ "public_key": other, "public_keys": [] });
        assert!(
            reason(invite(&room(version, without), ALICE, good)).contains("not signed by one of its keys")
        );
    }
}

#[test]
fn invitation_must_fit_in_every_part() {
    for version in RoomVersion::supported() {
        let room = usual(version);
        let good = signed(CARA, "tok", &identity_key());
        let mut tampered = good.clone();
        tampered["sender"] = json!("x");
        for (third_party, expected) in [
            (json!({ "signed": signed(BOB, "tok", &identity_key()) }), "not for @cara:b.example"),
            (
                json!({ "signed": signed(CARA, "other", &identity_key()) }),
                "no third party's invitation with this token",
            ),
            (
                json!({ "signed": signed(CARA, "tok", &ServerKey::generate([9; 32], "0").unwrap()) }),
                "not signed",
            ),
            (json!({ "signed": { "mxid": CARA, "token": "tok" } }), "not signed"),
            (json!({ "signed": { "mxid": CARA, "token": "tok", "signatures": {} } }), "not signed"),
            (json!({ "signed": tampered }), "not signed"),
            (json!({ "signed": { "token": "tok" } }), "no `mxid`"),
            (json!({ "signed": { "mxid": CARA } }), "no `token`"),
            (json!({}), "no signed part"),
            (json!("x"), "no signed part"),
        ] {
            let refusal = reason(invite(&room, ALICE, third_party));
            assert!(refusal.contains(expected), "{version}: {refusal}");
        }
        let refusal = reason(invite(&room.clone().with_member(BOB, "join"), BOB, json!({ "signed": good })));
        assert_eq!(refusal, "the third party's invitation was not sent by @bob:a.example");
    }
}

#[test]
fn banned_user_is_not_invited_by_a_third_party_either() {
    for version in RoomVersion::supported() {
        let room = usual(version).with_member(CARA, "ban");
        let good = json!({ "signed": signed(CARA, "tok", &identity_key()) });
        assert_eq!(reason(invite(&room, ALICE, good)), "@cara:b.example is banned");
    }
}

#[test]
fn inviting_a_third_party_needs_the_invite_level_and_nothing_else() {
    for version in RoomVersion::supported() {
        let levels = json!({ "invite": 10, "state_default": 100, "users": { BOB: 10 } });
        let room = Room::new(version, "invite", levels).with_member(BOB, "join").with_member(CARA, "join");
        room.attempt(BOB, "m.room.third_party_invite", Some("@t"), json!({})).unwrap();
        let refusal = reason(room.attempt(CARA, "m.room.third_party_invite", Some("t"), json!({})));
        assert_eq!(refusal, "inviting needs the power level 10, @cara:b.example has 0");
        let room = room.with_member(BOB, "leave");
        assert!(room.attempt(BOB, "m.room.third_party_invite", Some("t"), json!({})).is_err());
    }
}
