//! Lists of rooms, names of rooms and users, and rooms of rooms.

use serde_json::{Value, json};

use crate::world::{Asked, World, encode};

const NOT_FOUND: (u16, &str) = (404, "M_NOT_FOUND");

fn ids(rooms: &Value) -> Vec<&str> {
    rooms.as_array().unwrap().iter().map(|room| room["room_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn listed_rooms_that_others_may_join_are_told_of() {
    let world = World::new().await;
    let alice = world.person("@alice:parvis.test").await;
    let name = |name: &str| ("m.room.name", "", json!({ "name": name }));
    let tea = world.room(&alice, &[name("Tea")]).await;
    let coffee = world.room(&alice, &[name("Coffee")]).await;
    let unlisted = world.room(&alice, &[]).await;
    for room in [&tea, &coffee] {
        world.api.rooms.publish(&alice, room, true).await.unwrap();
    }
    let inside = parvis_rooms::CreateRoom {
        creation_content: json!({ "m.federate": false }).as_object().unwrap().clone(),
        ..Default::default()
    };
    let inside = world.api.rooms.create(&alice, inside).await.unwrap();
    world.api.rooms.publish(&alice, &inside, true).await.unwrap();

    const PATH: &str = "/_matrix/federation/v1/publicRooms";
    let all = world.get(PATH).await.ok();
    assert_eq!(all["total_room_count_estimate"], 2);
    assert!(
        !ids(&all["chunk"]).contains(&unlisted.as_str()) && !ids(&all["chunk"]).contains(&inside.as_str())
    );
    let first = world.get(&format!("{PATH}?limit=1")).await.ok();
    let next = first["next_batch"].as_str().unwrap();
    let second = world.get(&format!("{PATH}?limit=1&since={next}")).await.ok();
    assert_eq!([ids(&first["chunk"]), ids(&second["chunk"])].concat(), ids(&all["chunk"]));
    assert_eq!(world.get(&format!("{PATH}?third_party_instance_id=irc")).await.ok()["chunk"], json!([]));

    let found = world.post(PATH, json!({ "filter": { "generic_search_term": "tea" } })).await.ok();
    assert_eq!(ids(&found["chunk"]), [tea.as_str()]);
    assert_eq!(found["chunk"][0]["name"], "Tea");
    let spaces = world.post(PATH, json!({ "filter": { "room_types": ["m.space"] } })).await.ok();
    assert_eq!(ids(&spaces["chunk"]), [""; 0]);
}

#[tokio::test]
async fn alias_tells_the_room_and_who_is_in_it() {
    let world = World::new().await;
    let (alice, bob) = (world.person("@alice:parvis.test").await, world.person("@bob:remote.test").await);
    let room_id = world.room(&alice, &[]).await;
    let alias = ruma::OwnedRoomAliasId::try_from("#ñ/ü%41:parvis.test").unwrap();
    world.api.rooms.add_alias(&alice, &alias, &room_id).await.unwrap();
    world.join(&bob, &room_id).await;
    let path = format!("/_matrix/federation/v1/query/directory?room_alias={}", encode(&alias));
    let body = world.get(&path).await.ok();
    assert_eq!(body, json!({ "room_id": room_id, "servers": ["parvis.test", "remote.test"] }));
    let none = "/_matrix/federation/v1/query/directory?room_alias=%23none%3Aparvis.test";
    assert_eq!(world.get(none).await.error(), NOT_FOUND);
    let foreign = "/_matrix/federation/v1/query/directory?room_alias=%23none%3Aremote.test";
    assert_eq!(world.get(foreign).await.error(), (400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn profile_of_a_local_user_is_told() {
    let world = World::new().await;
    world.account("alice").await;
    let alice = world.person("@alice:parvis.test").await;
    let accounts = &world.api.accounts;
    accounts.set_profile_field(alice.user, &alice.user_id, "displayname", json!("Alice")).await.unwrap();
    accounts.set_profile_field(alice.user, &alice.user_id, "m.tz", json!("Europe/Berlin")).await.unwrap();
    let path = "/_matrix/federation/v1/query/profile?user_id=%40alice%3Aparvis.test";
    let whole = world.get(path).await.ok();
    assert_eq!(whole, json!({ "displayname": "Alice", "m.tz": "Europe/Berlin" }));
    let one = world.get(&format!("{path}&field=displayname")).await.ok();
    assert_eq!(one, json!({ "displayname": "Alice" }));
    let none = world.get("/_matrix/federation/v1/query/profile?user_id=%40nobody%3Aparvis.test").await;
    assert_eq!(none.error(), NOT_FOUND);
    let foreign = world.get("/_matrix/federation/v1/query/profile?user_id=%40bob%3Aremote.test").await;
    assert_eq!(foreign.error(), (400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn unknown_question_is_not_understood() {
    let answer = World::new().await.get("/_matrix/federation/v1/query/weather?place=here").await;
    assert_eq!(answer.error(), (404, "M_UNRECOGNIZED"));
}

#[tokio::test]
async fn space_shows_its_rooms_and_names_those_that_are_closed() {
    let world = World::new().await;
    let alice = world.person("@alice:parvis.test").await;
    let open = world.room(&alice, &[("m.room.name", "", json!({ "name": "Open" }))]).await;
    let invite_only = ("m.room.join_rules", "", json!({ "join_rule": "invite" }));
    let closed = world.room(&alice, std::slice::from_ref(&invite_only)).await;
    let members_of_space = |space: &str| {
        let allow = json!([{ "type": "m.room_membership", "room_id": space }]);
        ("m.room.join_rules", "", json!({ "join_rule": "restricted", "allow": allow }))
    };
    let space = parvis_rooms::CreateRoom {
        creation_content: json!({ "type": "m.space" }).as_object().unwrap().clone(),
        ..Default::default()
    };
    let space = world.api.rooms.create(&alice, space).await.unwrap();
    let restricted = world.room(&alice, &[members_of_space(space.as_str())]).await;
    for (room, suggested) in [
        (open.as_str(), true),
        (closed.as_str(), false),
        (restricted.as_str(), false),
        ("!x:elsewhere.test", false),
    ] {
        let content = crate::world::raw(&json!({ "via": ["parvis.test"], "suggested": suggested }));
        world.api.rooms.set_state(&alice, &space, "m.space.child", room, &content).await.unwrap();
    }
    let path = format!("/_matrix/federation/v1/hierarchy/{}", encode(&space));
    // A space that only invites is not there for others.
    assert_eq!(world.get(&path).await.error(), NOT_FOUND);
    world.set(&alice, &space, "m.room.join_rules", json!({ "join_rule": "public" })).await;
    let body = world.get(&path).await.ok();
    assert_eq!(body["room"]["room_type"], "m.space");
    assert_eq!(body["room"]["children_state"].as_array().unwrap().len(), 4);
    assert!(body["room"]["children_state"][0]["origin_server_ts"].is_u64());
    assert_eq!(ids(&body["children"]), [open.as_str()]);
    assert_eq!(body["inaccessible_children"], json!([closed, restricted]));

    let bob = world.person("@bob:remote.test").await;
    world.join(&bob, &space).await;
    let body = world.get(&path).await.ok();
    assert_eq!(ids(&body["children"]), [open.as_str(), restricted.as_str()]);
    assert_eq!(body["children"][1]["allowed_room_ids"], json!([space]));
    assert_eq!(body["inaccessible_children"], json!([closed]));

    let suggested = world.get(&format!("{path}?suggested_only=true")).await.ok();
    assert_eq!(ids(&suggested["children"]), [open.as_str()]);
    assert_eq!(suggested["inaccessible_children"], json!([]));
    let missing = world.get("/_matrix/federation/v1/hierarchy/%21none%3Aparvis.test").await;
    assert_eq!(missing.error(), NOT_FOUND);
    let stranger = Asked { origin: "other.test", ..Asked::get(&path) };
    assert_eq!(ids(&world.send(stranger.request()).await.ok()["children"]), [open.as_str()]);
}
