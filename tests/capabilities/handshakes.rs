//! Coming into rooms of other organisations: invitations, joins, knocks and departures across servers.

use parvis_testkit::{Engine, Network, User};
use serde_json::{Value, json};

use crate::on_each_engine;

async fn network(engine: &Engine, names: &[&str]) -> (Network, User, User) {
    let network = Network::start(engine, names).await;
    let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
    (network, alice, bob)
}

/// The membership of somebody, as a member of the room sees it.
async fn membership(observer: &User, room: &str, user: &User) -> Value {
    observer.state(room, "m.room.member", &user.id).await.ok()["membership"].clone()
}

fn stripped(sync: &Value, section: &str, room: &str) -> Option<Vec<Value>> {
    let state = if section == "invite" { "invite_state" } else { "knock_state" };
    sync["rooms"][section].get(room)?[state]["events"].as_array().cloned()
}

#[tokio::test]
async fn invited_one_of_another_server_sees_the_invitation_and_after_joining_the_room() {
    on_each_engine(async |engine: Engine| {
        let (_network, alice, bob) = network(&engine, &["a.test", "b.test"]).await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        let wanted = json!({ "name": "Kitchen", "preset": "private_chat", "invite": [bob.id] });
        let room = alice.create_room(wanted).await;
        let state = bob_sees.until("the invitation", |sync| stripped(sync, "invite", &room)).await;
        for event in &state {
            let mut fields: Vec<&String> = event.as_object().unwrap().keys().collect();
            fields.sort();
            assert_eq!(fields, ["content", "sender", "state_key", "type"], "nothing else is for clients");
        }
        let of_type = |kind: &str| state.iter().find(|event| event["type"] == kind).unwrap();
        assert_eq!(of_type("m.room.name")["content"]["name"], "Kitchen");
        assert_eq!(of_type("m.room.create")["sender"], json!(alice.id));
        let own = state.iter().find(|event| event["state_key"] == bob.id).unwrap();
        assert_eq!(own["content"]["membership"], "invite");

        // The room is there, but what is in it is not.
        let message = json!({ "msgtype": "m.text", "body": "hello?" });
        bob.try_send_event(&room, "m.room.message", "t", &message).await.unwrap().refused(403, "M_FORBIDDEN");
        for path in ["state", "members", "joined_members", "messages?dir=b"] {
            bob.get(&format!("v3/rooms/{room}/{path}")).await.refused(403, "M_FORBIDDEN");
        }

        bob.join(&room).await;
        let joined = bob_sees.until("the room", |sync| sync["rooms"]["join"].get(&room).cloned()).await;
        let state: Vec<&Value> = joined["state"]["events"].as_array().unwrap().iter().collect();
        assert!(state.iter().any(|event| event["type"] == "m.room.create"), "{joined:#}");
        assert!(state.iter().any(|event| event["content"]["name"] == "Kitchen"), "{joined:#}");
        let timeline = joined["timeline"]["events"].as_array().unwrap();
        assert_eq!(timeline.last().unwrap()["content"]["membership"], "join");
        assert_eq!(timeline.last().unwrap()["unsigned"]["prev_content"]["membership"], "invite");
        assert_eq!(membership(&alice, &room, &bob).await, "join");
        assert_eq!(membership(&bob, &room, &alice).await, "join");
        // A client that begins now sees the same.
        let begun = bob.follow().now().await;
        assert!(begun["rooms"]["join"][&room].to_string().contains("Kitchen"), "{begun:#}");
        assert!(begun["rooms"]["invite"].get(&room).is_none());
    })
    .await;
}

#[tokio::test]
async fn room_is_joined_by_alias_and_by_the_servers_that_a_link_names() {
    on_each_engine(async |engine: Engine| {
        let (network, alice, bob) = network(&engine, &["a.test", "b.test", "c.test"]).await;
        let wanted = json!({ "preset": "public_chat", "room_alias_name": "küche/1%25" });
        let room = alice.create_room(wanted).await;
        let alias = "%23k%C3%BCche%2F1%2525%3Aa.test";
        let found = bob.get(&format!("v3/directory/room/{alias}")).await.ok();
        assert_eq!((&found["room_id"], &found["servers"]), (&json!(room), &json!(["a.test"])));
        bob.get("v3/directory/room/%23nothing%3Aa.test").await.refused(404, "M_NOT_FOUND");
        assert_eq!(bob.post(&format!("v3/join/{alias}"), json!({})).await.ok()["room_id"], json!(room));

        let carol = network.user("carol", "c.test").await;
        carol.post(&format!("v3/join/{room}"), json!({})).await.refused(404, "M_NOT_FOUND");
        carol.post(&format!("v3/join/{room}?via=nowhere.test&via=a.test"), json!({})).await.ok();
        assert_eq!(membership(&alice, &room, &carol).await, "join");
        // The older name of the parameter does as well.
        carol.leave(&room).await;
        carol.post(&format!("v3/join/{room}?server_name=a.test"), json!({})).await.ok();
    })
    .await;
}

#[tokio::test]
async fn directory_and_profiles_of_another_server_are_shown() {
    on_each_engine(async |engine: Engine| {
        let (network, alice, bob) = network(&engine, &["a.test", "b.test"]).await;
        let wanted = json!({ "preset": "public_chat", "visibility": "public", "name": "Kitchen" });
        let room = alice.create_room(wanted).await;
        let listed = bob.get("v3/publicRooms?server=a.test").await.ok();
        assert_eq!(listed["chunk"][0]["room_id"], json!(room));
        let search = json!({ "filter": { "generic_search_term": "garage" } });
        let listed = bob.post("v3/publicRooms?server=a.test", search).await.ok();
        assert_eq!(listed["chunk"], json!([]));

        let name = json!({ "displayname": "Alice" });
        alice.put(&format!("v3/profile/{}/displayname", alice.id), name).await.ok();
        assert_eq!(bob.get(&format!("v3/profile/{}", alice.id)).await.ok()["displayname"], "Alice");
        let field = bob.get(&format!("v3/profile/{}/displayname", alice.id)).await.ok();
        assert_eq!(field, json!({ "displayname": "Alice" }));
        bob.get("v3/profile/@nobody:a.test").await.refused(404, "M_NOT_FOUND");
        network.cut("a.test", "b.test");
        bob.get("v3/profile/@other:a.test").await.refused(502, "M_UNKNOWN");
        bob.get("v3/publicRooms?server=a.test").await.refused(502, "M_UNKNOWN");
    })
    .await;
}
