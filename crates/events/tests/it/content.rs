//! Looks into content, which may hold anything.

use parvis_events::{Membership, Pdu, RelatesTo, RoomVersion};
use serde_json::{Value, json};

use crate::world::{draft, key, state_draft};

fn message(content: &Value) -> Pdu {
    draft("m.room.message", content).sign(RoomVersion::DEFAULT, &key()).unwrap()
}

fn member(content: &Value) -> Pdu {
    state_draft("m.room.member", "@alice:example.org", content).sign(RoomVersion::DEFAULT, &key()).unwrap()
}

#[test]
fn relations_are_read() {
    let thread = message(&json!({ "m.relates_to": { "rel_type": "m.thread", "event_id": "$root",
        "is_falling_back": true, "m.in_reply_to": { "event_id": "$last" } } }));
    assert_eq!(
        thread.relates_to().unwrap(),
        RelatesTo {
            rel_type: Some("m.thread".into()),
            event_id: Some("$root".into()),
            key: None,
            is_falling_back: true,
            in_reply_to: Some("$last".into()),
        }
    );
    let reaction = message(
        &json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$e", "key": "\"👍\\\u{1}" } }),
    );
    assert_eq!(reaction.relates_to().unwrap().key.unwrap(), "\"👍\\\u{1}");
    let reply = message(&json!({ "m.relates_to": { "m.in_reply_to": { "event_id": "$e" } } }));
    assert_eq!(reply.relates_to().unwrap().in_reply_to.unwrap(), "$e");
    assert_eq!(reply.relates_to().unwrap().rel_type, None);
}

#[test]
fn message_without_relation_has_none() {
    assert_eq!(message(&json!({ "body": "m.relates_to" })).relates_to(), None);
    assert_eq!(message(&json!({ "body": { "m.relates_to": { "rel_type": "x" } } })).relates_to(), None);
    for odd in [json!(null), json!("x"), json!([])] {
        let message = message(&json!({ "m.relates_to": odd }));
        assert!(message.relates_to().is_none_or(|relation| relation == RelatesTo::default()));
    }
}

#[test]
fn field_of_the_wrong_type_hides_no_other_field() {
    let odd = message(&json!({ "m.relates_to": { "rel_type": 5, "event_id": "$e", "key": null,
        "is_falling_back": "true", "m.in_reply_to": "$x" } }));
    assert_eq!(odd.relates_to().unwrap(), RelatesTo { event_id: Some("$e".into()), ..RelatesTo::default() });
    let odd = member(&json!({ "membership": "join", "displayname": 1, "avatar_url": null, "is_direct": 1 }));
    let content = odd.member_content().unwrap();
    assert_eq!(content.membership, Some(Membership::Join));
    assert_eq!((content.displayname, content.avatar_url, content.is_direct), (None, None, false));
}

#[test]
fn membership_event_says_who_and_how() {
    let event = member(&json!({ "membership": "invite", "displayname": "Al\"ice", "avatar_url": "mxc://a/b",
        "reason": "r", "is_direct": true, "join_authorised_via_users_server": "@b:example.org" }));
    let content = event.member_content().unwrap();
    assert_eq!(content.membership, Some(Membership::Invite));
    assert_eq!(content.displayname.unwrap(), "Al\"ice");
    assert_eq!(content.avatar_url.unwrap(), "mxc://a/b");
    assert_eq!(content.reason.unwrap(), "r");
    assert_eq!(content.join_authorised_via_users_server.unwrap(), "@b:example.org");
    assert!(content.is_direct);
}

#[test]
fn every_membership_has_its_name() {
    for name in ["invite", "join", "knock", "leave", "ban"] {
        assert_eq!(member(&json!({ "membership": name })).membership().unwrap().as_str(), name);
    }
    for odd in [json!({}), json!({ "membership": "dance" }), json!({ "membership": ["join"] })] {
        assert_eq!(member(&odd).membership(), None);
    }
    assert_eq!(message(&json!({ "membership": "join" })).membership(), None, "no membership event");
    let stateless = draft("m.room.member", &json!({ "membership": "join" }));
    assert_eq!(stateless.sign(RoomVersion::DEFAULT, &key()).unwrap().membership(), None, "no state event");
}
