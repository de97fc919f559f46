//! What is so in a room, and who is in it.

use serde_json::{Value, json};

use crate::world::{World, on_each_engine};

#[tokio::test]
async fn whole_state_is_told_to_members() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        world
            .put_as(&alice, &format!("v3/rooms/{room}/state/m.room.topic"), json!({ "topic": "tea" }))
            .await
            .ok();
        let path = format!("v3/rooms/{room}/state");
        let state = world.get_as(&alice, &path).await.ok();
        let mut kinds: Vec<&str> =
            state.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        for kind in ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.topic"] {
            assert!(kinds.contains(&kind), "{kinds:?}");
        }
        let before = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), before, "each once: {kinds:?}");
        assert_eq!(world.get_as(&bob, &path).await.error(), (403, "M_FORBIDDEN"));
    })
    .await;
}

#[tokio::test]
async fn members_and_joined_members_and_joined_rooms_are_told() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        assert_eq!(world.get_as(&alice, "v3/joined_rooms").await.ok(), json!({ "joined_rooms": [] }));
        let room = world.room(&alice).await;
        let invite = json!({ "user_id": "@bob:parvis.test" });
        world.post_as(&alice, &format!("v3/rooms/{room}/invite"), invite).await.ok();
        let members = async |query: &str| {
            let answer = world.get_as(&alice, &format!("v3/rooms/{room}/members{query}")).await.ok();
            let key = |event: &Value| event["state_key"].as_str().unwrap().to_owned();
            let mut members: Vec<String> = answer["chunk"].as_array().unwrap().iter().map(key).collect();
            members.sort();
            members
        };
        assert_eq!(members("").await, ["@alice:parvis.test", "@bob:parvis.test"]);
        assert_eq!(members("?membership=join").await, ["@alice:parvis.test"]);
        assert_eq!(members("?not_membership=join").await, ["@bob:parvis.test"]);
        let joined = format!("v3/rooms/{room}/joined_members");
        assert_eq!(world.get_as(&bob, &joined).await.error(), (403, "M_FORBIDDEN"));
        world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
        let told = world.get_as(&bob, &joined).await.ok();
        let told: Vec<&String> = told["joined"].as_object().unwrap().keys().collect();
        assert_eq!(told, ["@alice:parvis.test", "@bob:parvis.test"]);
        assert_eq!(world.get_as(&bob, "v3/joined_rooms").await.ok(), json!({ "joined_rooms": [room] }));
    })
    .await;
}

#[tokio::test]
async fn whoever_is_in_a_room_is_told_of_all_who_are_whatever_its_history_shows() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let visibility =
            json!({ "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } });
        let room = json!({ "preset": "public_chat", "initial_state": [visibility] });
        let room = world.post_as(&alice, "v3/createRoom", room).await.ok()["room_id"].clone();
        let room = room.as_str().unwrap().to_owned();
        let mut newest = alice;
        for name in ["bob", "carol"] {
            newest = world.register(name).await;
            world.post_as(&newest, &format!("v3/join/{room}"), json!({})).await.ok();
        }
        let since = world.get_as(&newest, "v3/sync?timeout=0").await.ok()["next_batch"].clone();
        for query in [String::new(), format!("?at={}", since.as_str().unwrap())] {
            let answer = world.get_as(&newest, &format!("v3/rooms/{room}/members{query}")).await.ok();
            let key = |event: &Value| event["state_key"].as_str().unwrap().to_owned();
            let members: Vec<String> = answer["chunk"].as_array().unwrap().iter().map(key).collect();
            assert_eq!(members, ["@alice:parvis.test", "@bob:parvis.test", "@carol:parvis.test"], "{query}");
        }
    })
    .await;
}
