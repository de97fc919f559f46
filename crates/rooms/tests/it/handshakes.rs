//! Coming into rooms, leaving them and knocking at them across servers.

#![expect(clippy::unwrap_used, reason = "tests")]

use parvis_events::RoomVersion;
use parvis_policy::Preset;
use parvis_rooms::{Action, CreateRoom, InitialState, RoomError};
use parvis_storage::EventFlags;
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{
    across::{Across, Server, across},
    world::json as raw,
};

pub(crate) fn public(version: RoomVersion) -> CreateRoom {
    CreateRoom {
        preset: Some(Preset::PublicChat),
        room_version: Some(version.as_str().to_owned()),
        ..CreateRoom::default()
    }
}

fn with_rule(version: RoomVersion, rule: serde_json::Value) -> CreateRoom {
    let rule =
        InitialState { kind: "m.room.join_rules".into(), state_key: String::new(), content: raw(&rule) };
    CreateRoom {
        initial_state: vec![rule],
        room_version: Some(version.as_str().to_owned()),
        ..CreateRoom::default()
    }
}

pub(crate) async fn names(world: &Across) -> (&Server, &Server) {
    (world.server("a.test"), world.server("b.test"))
}

#[tokio::test]
async fn room_is_joined_by_way_of_a_resident_in_every_version() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    for version in RoomVersion::supported() {
        let room_id = a.rooms.create(&alice, public(version)).await.unwrap();
        assert!(matches!(b.join(&bob, &room_id, &[]).await, Err(RoomError::UnknownRoom)), "nobody to ask");
        b.join(&bob, &room_id, &["b.test", "nowhere.test", "a.test"]).await.unwrap();
        assert_eq!(a.state(&room_id).await, b.state(&room_id).await, "version {version:?}");
        assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("join"));
        assert_eq!(b.membership(&alice.user_id, &room_id).await, Some("join"));
        assert!(b.rooms.joined_rooms(bob.user).await.unwrap().contains(&room_id));
    }
}

#[tokio::test]
async fn join_is_handed_by_one_server_and_relayed_by_the_other() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V12)).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    let flags = async |server: &Server| {
        let room = server.rooms.find(&room_id).await.unwrap();
        let member = server.store.member(server.store.find_user(&bob.user_id).await.unwrap().unwrap(), room);
        let member = member.await.unwrap().unwrap();
        server.store.event(member.event).await.unwrap().flags
    };
    assert!(flags(a).await.contains(EventFlags::RELAYED));
    assert!(flags(b).await.contains(EventFlags::HANDED.with(EventFlags::SEAM)));
    assert!(flags(b).await.is_shown());
}

#[tokio::test]
async fn next_resident_is_asked_where_one_fails() {
    let world = across(&["a.test", "b.test", "c.test"]).await;
    let (a, b, c) = (world.server("a.test"), world.server("b.test"), world.server("c.test"));
    let (alice, bob, carol) = (a.person("alice").await, b.person("bob").await, c.person("carol").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    world.set_down("b.test", true);
    c.join(&carol, &room_id, &["b.test", "a.test"]).await.unwrap();
    assert_eq!(a.membership(&carol.user_id, &room_id).await, Some("join"));

    // A server that knows nothing of the room is no reason to give up either.
    let other = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    world.set_down("b.test", false);
    c.join(&carol, &other, &["b.test", "a.test"]).await.unwrap();
}

#[tokio::test]
async fn template_is_not_trusted() {
    for field in ["type", "room_id", "sender", "state_key", "content", "prev_events"] {
        let world = across(&["a.test", "b.test"]).await;
        let (a, b) = names(&world).await;
        let (alice, bob) = (a.person("alice").await, b.person("bob").await);
        let room_id = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
        world.tamper("a.test", move |path, body| {
            if path.contains("/make_join/") {
                body["event"][field] = match field {
                    "content" => json!({ "membership": "leave" }),
                    "prev_events" => json!([]),
                    _ => json!("@mallory:a.test"),
                };
            }
        });
        let refused = b.join(&bob, &room_id, &["a.test"]).await;
        assert!(matches!(refused, Err(RoomError::Unreachable(_))), "{field}: {refused:?}");
        assert!(!world.asked("a.test").iter().any(|asked| asked.contains("send_join")), "{field}");
        assert_eq!(b.membership(&bob.user_id, &room_id).await, None);
    }
}

#[tokio::test]
async fn version_that_is_missing_is_the_first() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    world.tamper("a.test", |_, body| {
        body.as_object_mut().map(|body| body.remove("room_version"));
    });
    let refused = b.join(&bob, &room_id, &["a.test"]).await;
    assert!(matches!(refused, Err(RoomError::IncompatibleVersion(version)) if version == "1"));
}

#[tokio::test]
async fn state_that_is_not_sound_is_left_out_and_the_rest_is_joined() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    let name = raw(&json!({ "name": "a name" }));
    a.rooms.set_state(&alice, &room_id, "m.room.name", "", &name).await.unwrap();
    world.tamper("a.test", |path, body| {
        if !path.contains("/send_join/") {
            return;
        }
        let state = body["state"].as_array_mut().unwrap();
        for event in state.iter_mut().filter(|event| event["type"] == "m.room.name") {
            event["signatures"] = json!({ "a.test": { "ed25519:k": "AAAA" } });
        }
        state.push(json!({ "type": "m.room.topic" }));
        state.push(json!("no event at all"));
    });
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    let state = b.state(&room_id).await;
    assert!(state.iter().any(|entry| entry.0 == "m.room.create"));
    assert!(!state.iter().any(|entry| entry.0 == "m.room.name" || entry.0 == "m.room.topic"), "{state:?}");
}

#[tokio::test]
async fn room_without_its_create_event_is_not_joined() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    for version in [RoomVersion::V11, RoomVersion::V12] {
        let room_id = a.rooms.create(&alice, public(version)).await.unwrap();
        world.tamper("a.test", |_, body| {
            for list in ["state", "auth_chain"] {
                if let Some(events) = body.get_mut(list).and_then(|list| list.as_array_mut()) {
                    events.retain(|event| event["type"] != "m.room.create");
                }
            }
        });
        let refused = b.join(&bob, &room_id, &["a.test"]).await;
        assert!(matches!(refused, Err(RoomError::Unreachable(_))), "{refused:?}");
        assert_eq!(b.membership(&bob.user_id, &room_id).await, None);
    }
}

#[tokio::test]
async fn invitation_is_signed_by_both_servers_and_accepted() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    for version in RoomVersion::supported() {
        let wanted = CreateRoom {
            invite: vec![bob.user_id.clone()],
            name: Some("a room".to_owned()),
            room_version: Some(version.as_str().to_owned()),
            ..CreateRoom::default()
        };
        let room_id = a.rooms.create(&alice, wanted).await.unwrap();
        assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("invite"));
        assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("invite"));
        let room = b.rooms.find(&room_id).await.unwrap();
        let view = b.store.outside_view(bob.user, room).await.unwrap().unwrap();
        assert!(view.state.iter().any(|event| event.contains("\"m.room.create\"")));
        assert!(view.state.iter().any(|event| event.contains("\"a room\"")));
        assert!(!view.state.iter().any(|event| event.contains("signatures")), "only what clients may see");
        let member = a.store.member(
            a.store.find_user(&bob.user_id).await.unwrap().unwrap(),
            a.rooms.find(&room_id).await.unwrap(),
        );
        let invite = a.store.event(member.await.unwrap().unwrap().event).await.unwrap();
        assert!(invite.pdu.json().contains("\"b.test\":{\"ed25519:k\""), "{}", invite.pdu.json());
        // Nobody has to be named: the inviter's server is asked.
        b.join(&bob, &room_id, &[]).await.unwrap();
        assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
        assert_eq!(b.store.outside_view(bob.user, room).await.unwrap(), None);
    }
}

#[tokio::test]
async fn room_that_is_known_only_from_an_invitation_answers_nothing_but_errors() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let wanted = CreateRoom { invite: vec![bob.user_id.clone()], ..CreateRoom::default() };
    let room_id = a.rooms.create(&alice, wanted).await.unwrap();
    let room = b.rooms.find(&room_id).await.unwrap();
    let content = raw(&json!({ "name": "x" }));
    assert!(b.rooms.state(&bob, &room_id).await.is_err());
    assert!(b.rooms.members(&bob, &room_id, None).await.is_err());
    assert!(b.rooms.state_event(&bob, &room_id, "m.room.name", "").await.is_err());
    assert!(b.rooms.set_state(&bob, &room_id, "m.room.name", "", &content).await.is_err());
    assert!(b.rooms.act_on_member(&bob, room, &alice.user_id, Action::Kick, None).await.is_err());
    assert!(b.rooms.publish(&bob, &room_id, true).await.is_err());
    assert!(b.rooms.summary(Some(&bob), &room_id, &[]).await.is_err());
    assert!(b.rooms.aliases(&bob, &room_id).await.is_err());
    assert!(b.rooms.forget(&bob, room).await.is_err());
    assert_eq!(b.rooms.joined_rooms(bob.user).await.unwrap(), Vec::<OwnedRoomId>::new());
}

#[tokio::test]
async fn invitation_is_rejected_there_or_if_nobody_answers_here() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, CreateRoom::default()).await.unwrap();
    let room = a.rooms.find(&room_id).await.unwrap();
    for _ in 0..2 {
        a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await.unwrap();
        assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("invite"));
        b.leave(&bob, &room_id).await.unwrap();
        assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("leave"));
        assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("leave"));
    }
    a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await.unwrap();
    world.set_down("a.test", true);
    b.leave(&bob, &room_id).await.unwrap();
    assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("leave"));
    assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("invite"), "it has not heard of it");
    let room = b.rooms.find(&room_id).await.unwrap();
    assert_eq!(b.store.outside_view(bob.user, room).await.unwrap(), None);
    b.rooms.forget(&bob, room).await.unwrap();
}

#[tokio::test]
async fn invitation_is_taken_back_only_by_who_gave_it() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, anna, bob) = (a.person("alice").await, a.person("anna").await, b.person("bob").await);
    let wanted = CreateRoom {
        invite: vec![anna.user_id.clone()],
        preset: Some(Preset::TrustedPrivateChat),
        ..CreateRoom::default()
    };
    let room_id = a.rooms.create(&alice, wanted).await.unwrap();
    let room = a.rooms.find(&room_id).await.unwrap();
    a.join(&anna, &room_id, &[]).await.unwrap();
    for (inviter, kicker, heard) in [(&anna, &alice, false), (&alice, &alice, true)] {
        a.rooms.act_on_member(inviter, room, &bob.user_id, Action::Invite, None).await.unwrap();
        a.rooms.act_on_member(kicker, room, &bob.user_id, Action::Kick, None).await.unwrap();
        let user = a.store.find_user(&bob.user_id).await.unwrap().unwrap();
        let member = a.store.member(user, room).await.unwrap().unwrap();
        let kick = a.store.event(member.event).await.unwrap();
        assert_eq!(b.rooms.hear_outside(&kick.pdu).await.unwrap(), heard);
        let expected = if heard { "leave" } else { "invite" };
        assert_eq!(b.membership(&bob.user_id, &room_id).await, Some(expected));
    }
}

#[tokio::test]
async fn who_takes_no_invitations_or_does_not_exist_is_not_invited() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, CreateRoom::default()).await.unwrap();
    let room = a.rooms.find(&room_id).await.unwrap();
    let mut set = parvis_storage::WriteSet::new();
    let permission = raw(&json!({ "default_action": "block" }));
    set.put_account_data(bob.user, None, "m.invite_permission_config", &permission);
    b.store.commit(set).await.unwrap();
    let refused = a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await;
    assert!(
        matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_INVITE_BLOCKED"),
        "{refused:?}"
    );
    assert_eq!(a.membership(&bob.user_id, &room_id).await, None);
    let nobody = ruma::user_id!("@nobody:b.test");
    let refused = a.rooms.act_on_member(&alice, room, nobody, Action::Invite, None).await;
    assert!(
        matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_NOT_FOUND"),
        "{refused:?}"
    );
    world.set_down("b.test", true);
    let refused = a.rooms.act_on_member(&alice, room, nobody, Action::Invite, None).await;
    assert!(matches!(refused, Err(RoomError::Unreachable(_))));
}

#[tokio::test]
async fn knock_is_made_repeated_taken_back_and_answered() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    for version in [RoomVersion::V7, RoomVersion::V12] {
        let room_id =
            a.rooms.create(&alice, with_rule(version, json!({ "join_rule": "knock" }))).await.unwrap();
        let room = a.rooms.find(&room_id).await.unwrap();
        assert!(b.join(&bob, &room_id, &["a.test"]).await.is_err());
        for _ in 0..2 {
            b.knock(&bob, &room_id, &["a.test"]).await.unwrap();
            assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("knock"));
            assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("knock"));
        }
        let there = b.rooms.find(&room_id).await.unwrap();
        let view = b.store.outside_view(bob.user, there).await.unwrap().unwrap();
        assert!(view.state.iter().any(|event| event.contains("\"m.room.create\"")));
        assert!(view.state.iter().any(|event| event.contains("\"m.room.join_rules\"")));
        b.leave(&bob, &room_id).await.unwrap();
        assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("leave"));
        assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("leave"));
        b.knock(&bob, &room_id, &["a.test"]).await.unwrap();
        a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await.unwrap();
        assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("invite"));
        let refused = b.knock(&bob, &room_id, &["a.test"]).await;
        assert!(matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_FORBIDDEN"));
        b.join(&bob, &room_id, &[]).await.unwrap();
        assert!(matches!(b.knock(&bob, &room_id, &[]).await, Err(RoomError::Forbidden(_))));
    }
}

#[tokio::test]
async fn banned_user_neither_joins_nor_knocks_and_comes_back_after_an_unban() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V12)).await.unwrap();
    let room = a.rooms.find(&room_id).await.unwrap();
    a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Ban, None).await.unwrap();
    let forbidden = |outcome: Result<(), RoomError>| {
        assert!(
            matches!(&outcome, Err(RoomError::Refused { errcode, .. }) if errcode == "M_FORBIDDEN"),
            "{outcome:?}"
        );
    };
    forbidden(b.join(&bob, &room_id, &["a.test"]).await);
    forbidden(b.knock(&bob, &room_id, &["a.test"]).await);
    a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Unban, None).await.unwrap();
    a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await.unwrap();
    b.join(&bob, &room_id, &[]).await.unwrap();
}

/// A room for the members of another, on the same server.
async fn restricted(server: &Server, owner: &parvis_rooms::Actor, rule: &str) -> (OwnedRoomId, OwnedRoomId) {
    let club = server.rooms.create(owner, public(RoomVersion::V10)).await.unwrap();
    let rule =
        json!({ "join_rule": rule, "allow": [{ "type": "m.room_membership", "room_id": club }, "junk"] });
    let room_id = server.rooms.create(owner, with_rule(RoomVersion::V10, rule)).await.unwrap();
    (club, room_id)
}

#[tokio::test]
async fn restricted_room_lets_the_members_of_another_in_by_a_residents_right() {
    for rule in ["restricted", "knock_restricted"] {
        let world = across(&["a.test", "b.test"]).await;
        let (a, b) = names(&world).await;
        let (alice, bob) = (a.person("alice").await, b.person("bob").await);
        let (club, room_id) = restricted(a, &alice, rule).await;
        let refused = b.join(&bob, &room_id, &["a.test"]).await;
        assert!(
            matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_FORBIDDEN"),
            "{refused:?}"
        );
        b.join(&bob, &club, &["a.test"]).await.unwrap();
        b.join(&bob, &room_id, &["a.test"]).await.unwrap();
        let member = b.content(&room_id, "m.room.member", bob.user_id.as_str()).await.unwrap();
        assert_eq!(member["join_authorised_via_users_server"], "@alice:a.test");
        assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
    }
}

#[tokio::test]
async fn resident_without_the_right_or_the_knowledge_sends_the_newcomer_on() {
    let world = across(&["a.test", "b.test", "c.test"]).await;
    let (a, b, c) = (world.server("a.test"), world.server("b.test"), world.server("c.test"));
    let (alice, bob, carol) = (a.person("alice").await, b.person("bob").await, c.person("carol").await);
    let (club, room_id) = restricted(a, &alice, "restricted").await;
    let levels = raw(&json!({ "invite": 100, "users": { "@alice:a.test": 100 } }));
    a.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels).await.unwrap();
    b.join(&bob, &club, &["a.test"]).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    c.join(&carol, &club, &["a.test"]).await.unwrap();
    // b.test has not heard of carol in the club, since nothing delivers it here.
    let refused = c.join(&carol, &room_id, &["b.test"]).await;
    assert!(refused.is_err());
    c.join(&carol, &room_id, &["b.test", "a.test"]).await.unwrap();
    let member = c.content(&room_id, "m.room.member", carol.user_id.as_str()).await.unwrap();
    assert_eq!(member["join_authorised_via_users_server"], "@alice:a.test");
}

#[tokio::test]
async fn local_user_joins_by_way_of_others_where_nobody_here_has_the_right() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob, ben) = (a.person("alice").await, b.person("bob").await, b.person("ben").await);
    let (club, room_id) = restricted(a, &alice, "restricted").await;
    let levels = raw(&json!({ "invite": 50, "users": { "@alice:a.test": 100 } }));
    a.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels).await.unwrap();
    b.join(&bob, &club, &["a.test"]).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    assert!(matches!(b.join(&ben, &room_id, &[]).await, Err(RoomError::Forbidden(_))), "not in the club");
    b.join(&ben, &club, &[]).await.unwrap();
    // What happened in the club here has not been delivered there: there too ben must be in it.
    let refused = b.join(&ben, &room_id, &[]).await;
    assert!(matches!(&refused, Err(RoomError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn members_are_omitted_for_who_wants_it_so() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, anna, bob) = (a.person("alice").await, a.person("anna").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    a.join(&anna, &room_id, &[]).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    let room = a.rooms.find(&room_id).await.unwrap();
    let user = a.store.find_user(&bob.user_id).await.unwrap().unwrap();
    let join = a.store.event(a.store.member(user, room).await.unwrap().unwrap().event).await.unwrap();
    let event = serde_json::value::RawValue::from_string(join.pdu.json().to_owned()).unwrap();
    // A join that comes again is answered again.
    let origin = ruma::server_name!("b.test");
    let answer = a.rooms.send_join(origin, &room_id, join.pdu.event_id(), &event, true).await.unwrap();
    let keys: Vec<&str> = answer.state.iter().map(parvis_events::Pdu::kind).collect();
    assert_eq!(keys.iter().filter(|kind| **kind == "m.room.member").count(), 2, "the heroes: {keys:?}");
    assert!(answer.auth_chain.is_empty(), "all of it is in the state");
    assert!(answer.members_omitted);
    assert_eq!(answer.servers_in_room, ["a.test"]);
    let whole = a.rooms.send_join(origin, &room_id, join.pdu.event_id(), &event, false).await.unwrap();
    assert!(!whole.members_omitted);
    assert!(!whole.auth_chain.is_empty());
}

#[tokio::test]
async fn remembered_servers_are_asked_only_where_the_named_ones_do_not_answer() {
    let world = across(&["a.test", "b.test", "c.test"]).await;
    let (a, b, c) = (world.server("a.test"), world.server("b.test"), world.server("c.test"));
    let (alice, bob, carol) = (a.person("alice").await, b.person("bob").await, c.person("carol").await);
    let allowed = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    let rule = json!({
        "join_rule": "restricted",
        "allow": [{ "type": "m.room_membership", "room_id": allowed }],
    });
    let room_id = a.rooms.create(&alice, with_rule(RoomVersion::V11, rule)).await.unwrap();
    b.join(&bob, &allowed, &["a.test"]).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    b.leave(&bob, &allowed).await.unwrap();
    c.join(&carol, &allowed, &["a.test"]).await.unwrap();
    c.join(&carol, &room_id, &["a.test"]).await.unwrap();
    c.leave(&carol, &room_id).await.unwrap();
    // The other servers have not heard of that, and would let in who is in. b.test does not know who is allowed.
    for server in [a, b] {
        let room = server.rooms.find(&room_id).await.unwrap();
        let member =
            c.store.member(carol.user, c.rooms.find(&room_id).await.unwrap()).await.unwrap().unwrap();
        let leave = c.store.event(member.event).await.unwrap();
        let raw = raw(&serde_json::from_str(leave.pdu.json()).unwrap());
        server.rooms.receive(ruma::server_name!("c.test"), vec![raw]).await.unwrap();
        for _ in 0..200 {
            if server.membership(&carol.user_id, &room_id).await == Some("leave") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(server.membership(&carol.user_id, &room_id).await, Some("leave"), "{}", room.0);
    }
    let asked = world.asked("a.test").len();
    let refused = c.join(&carol, &room_id, &["b.test"]).await;
    assert!(
        matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_UNABLE_TO_AUTHORISE_JOIN"),
        "{refused:?}"
    );
    assert_eq!(world.asked("a.test").len(), asked, "who came by way of b.test is not let in by another");
    world.set_down("b.test", true);
    c.join(&carol, &room_id, &["b.test"]).await.unwrap();
}

#[tokio::test]
async fn servers_that_know_only_the_first_endpoints_let_users_in_and_out() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    world.forget_second_versions("a.test");
    let room_id = a.rooms.create(&alice, public(RoomVersion::V10)).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
    let asked = world.asked("a.test");
    assert!(asked.iter().any(|asked| asked.contains("/v2/send_join/")), "{asked:?}");
    assert!(asked.iter().any(|asked| asked.contains("/v1/send_join/")), "{asked:?}");

    let closed = CreateRoom { invite: vec![bob.user_id.clone()], ..public(RoomVersion::V10) };
    let closed = a.rooms.create(&alice, closed).await.unwrap();
    b.leave(&bob, &closed).await.unwrap();
    assert_eq!(a.membership(&bob.user_id, &closed).await, Some("leave"));
    assert!(world.asked("a.test").iter().any(|asked| asked.contains("/v1/send_leave/")));
}

#[tokio::test]
async fn server_that_knows_only_the_first_invitations_cannot_have_a_room_of_this_version() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    world.forget_second_versions("b.test");
    let room_id = a.rooms.create(&alice, public(RoomVersion::V10)).await.unwrap();
    let room = a.rooms.find(&room_id).await.unwrap();
    let refused = a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Invite, None).await;
    assert!(
        matches!(&refused, Err(RoomError::IncompatibleVersion(version)) if version == "10"),
        "{refused:?}"
    );
    assert_eq!(a.membership(&bob.user_id, &room_id).await, None);
}

#[tokio::test]
async fn by_whose_right_somebody_joins_is_not_for_clients_to_say() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let room_id = a.rooms.create(&alice, public(RoomVersion::V11)).await.unwrap();
    let more = json!({ "join_authorised_via_users_server": "unused", "org.test": 1 });
    let more = more.as_object().unwrap();
    let via = [ruma::server_name!("a.test").to_owned()];
    b.rooms.join(&bob, &room_id, &via, None, more).await.unwrap();
    let content = b.content(&room_id, "m.room.member", bob.user_id.as_str()).await.unwrap();
    assert_eq!((content.get("join_authorised_via_users_server"), &content["org.test"]), (None, &json!(1)));
    let name = json!({
        "membership": "join", "displayname": "Bobby", "join_authorised_via_users_server": "unused",
    });
    b.rooms.set_state(&bob, &room_id, "m.room.member", bob.user_id.as_str(), &raw(&name)).await.unwrap();
    let content = b.content(&room_id, "m.room.member", bob.user_id.as_str()).await.unwrap();
    assert_eq!(content, json!({ "membership": "join", "displayname": "Bobby" }));
}

#[tokio::test]
async fn room_that_everybody_here_has_left_is_not_in_the_directory() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let wanted = CreateRoom { listed: true, ..public(RoomVersion::V12) };
    let room_id = a.rooms.create(&alice, wanted).await.unwrap();
    b.join(&bob, &room_id, &["a.test"]).await.unwrap();
    let listed = async || {
        let page = a.rooms.public_rooms(&parvis_rooms::PublicRoomsQuery::default()).await.unwrap();
        page.rooms.into_iter().map(|room| room.room_id).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, std::slice::from_ref(&room_id));
    a.leave(&alice, &room_id).await.unwrap();
    assert_eq!(listed().await, Vec::<OwnedRoomId>::new());
}

#[tokio::test]
async fn rooms_of_versions_three_to_five_are_entered_only_where_that_is_set() {
    let world = across(&["a.test", "old.test"]).await;
    let (a, old) = (world.server("a.test"), world.server("old.test"));
    let (alice, bob) = (a.person("alice").await, old.person("bob").await);
    for version in ["3", "4", "5"] {
        let wanted = CreateRoom {
            preset: Some(Preset::PublicChat),
            room_version: Some(version.to_owned()),
            ..CreateRoom::default()
        };
        let room_id = a.rooms.create(&alice, wanted.clone()).await.unwrap();
        old.join(&bob, &room_id, &["a.test"]).await.unwrap();
        assert_eq!(a.state(&room_id).await, old.state(&room_id).await, "version {version}");
        let name = raw(&json!({ "name": "of old" }));
        a.rooms.set_state(&alice, &room_id, "m.room.name", "", &name).await.unwrap();

        let room_id = old.rooms.create(&bob, wanted).await.unwrap();
        let refused = a.join(&alice, &room_id, &["old.test"]).await;
        assert!(
            matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_INCOMPATIBLE_ROOM_VERSION"),
            "{refused:?}"
        );
        let room = old.rooms.find(&room_id).await.unwrap();
        let refused = old.rooms.act_on_member(&bob, room, &alice.user_id, Action::Invite, None).await;
        assert!(
            matches!(&refused, Err(RoomError::Refused { errcode, .. }) if errcode == "M_INCOMPATIBLE_ROOM_VERSION"),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn rooms_of_versions_one_and_two_are_never_entered() {
    let world = across(&["old.test", "ancient.test"]).await;
    let old = world.server("old.test");
    let bob = old.person("bob").await;
    for version in ["1", "2"] {
        world.play("ancient.test", move |path| {
            path.contains("/make_join/").then(|| json!({ "room_version": version, "event": {} }))
        });
        let refused = old.join(&bob, ruma::room_id!("!room:ancient.test"), &["ancient.test"]).await;
        assert!(
            matches!(&refused, Err(RoomError::IncompatibleVersion(named)) if named == version),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn invitation_without_the_rooms_sound_create_event_is_refused_where_the_version_asks_for_it() {
    let world = across(&["a.test", "b.test"]).await;
    let (a, b) = names(&world).await;
    let (alice, bob) = (a.person("alice").await, b.person("bob").await);
    let wanted = CreateRoom { invite: vec![bob.user_id.clone()], ..CreateRoom::default() };
    let room_id = a.rooms.create(&alice, wanted).await.unwrap();
    let state: Vec<serde_json::Value> = {
        let room = a.rooms.find(&room_id).await.unwrap();
        let head = a.store.room_head(room).await.unwrap().unwrap();
        let events = a.store.state_events(head.state_root).await.unwrap();
        events.iter().map(|event| serde_json::from_str(event.pdu.json()).unwrap()).collect()
    };
    let is = |event: &serde_json::Value, kind: &str| event["type"] == kind;
    let invite = state.iter().find(|event| event["content"]["membership"] == "invite").unwrap();
    let create = state.iter().find(|event| is(event, "m.room.create")).unwrap();
    let rules = state.iter().find(|event| is(event, "m.room.join_rules")).unwrap();
    let mut forged = create.clone();
    forged["content"]["m.federate"] = json!(false);
    let stripped =
        json!({ "type": "m.room.create", "state_key": "", "sender": alice.user_id, "content": {} });
    let member = b.store.member(bob.user, b.rooms.find(&room_id).await.unwrap()).await.unwrap().unwrap();
    let event_id = b.store.event(member.event).await.unwrap().pdu.owned_event_id().clone();
    let receive = async |shown: &[&serde_json::Value]| {
        let invitation = parvis_rooms::Invitation {
            room_id: room_id.clone(),
            event_id: event_id.clone(),
            room_version: "12".to_owned(),
            event: raw(invite),
            state: shown.iter().map(|event| raw(event)).collect(),
        };
        b.rooms.receive_invite(ruma::server_name!("a.test"), invitation).await
    };
    for shown in [vec![], vec![rules], vec![&forged], vec![&stripped], vec![create, &stripped]] {
        let refused = receive(&shown).await;
        assert!(matches!(refused, Err(RoomError::MissingParam(_))), "{shown:?}: {refused:?}");
    }
    receive(&[create, rules]).await.unwrap();
}
