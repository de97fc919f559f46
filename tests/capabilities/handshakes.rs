//! Coming into rooms of other organisations: invitations, joins, knocks and departures across servers.

use parvis_testkit::{Engine, Network, User};
use serde_json::{Value, json};

use crate::on_each_engine;

async fn network(engine: &Engine, names: &[&str]) -> (Network, User, User) {
    let network = Network::start(engine, names).await;
    let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
    (network, alice, bob)
}

async fn act(user: &User, room: &str, action: &str, target: &User) {
    user.post(&format!("v3/rooms/{room}/{action}"), json!({ "user_id": target.id })).await.ok();
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
            let mut fields: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
            fields.sort_unstable();
            // When a room was made is told with its beginning.
            fields.retain(|field| event["type"] != "m.room.create" || *field != "origin_server_ts");
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
async fn invitation_is_rejected_or_taken_back_across_servers() {
    on_each_engine(async |engine: Engine| {
        let (network, alice, bob) = network(&engine, &["a.test", "b.test"]).await;
        let room = alice.create_room(json!({ "preset": "private_chat" })).await;
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        alice.invite(&room, &bob).await;
        bob_sees.until("the invitation", |sync| stripped(sync, "invite", &room)).await;
        bob.leave(&room).await;
        assert_eq!(membership(&alice, &room, &bob).await, "leave");
        let left = bob_sees.until("the leaving", |sync| sync["rooms"]["leave"].get(&room).cloned()).await;
        assert!(left["timeline"]["events"].to_string().contains("\"leave\""), "{left:#}");

        // Invited again, and the inviter thinks better of it.
        alice.invite(&room, &bob).await;
        bob_sees.until("the second invitation", |sync| stripped(sync, "invite", &room)).await;
        act(&alice, &room, "kick", &bob).await;
        bob_sees.until("the end of it", |sync| sync["rooms"]["leave"].get(&room).cloned()).await;
        assert!(bob.follow().now().await["rooms"]["invite"].get(&room).is_none());

        // Invited a third time, and nobody can be told that it is not wanted.
        alice.invite(&room, &bob).await;
        bob_sees.until("the third invitation", |sync| stripped(sync, "invite", &room)).await;
        network.cut("a.test", "b.test");
        bob.leave(&room).await;
        bob_sees.until("the leaving", |sync| sync["rooms"]["leave"].get(&room).cloned()).await;
        bob.post(&format!("v3/rooms/{room}/forget"), json!({})).await.ok();
    })
    .await;
}

#[tokio::test]
async fn who_left_unheard_comes_back_after_the_departure_has_been_heard_of() {
    on_each_engine(async |engine: Engine| {
        let (network, alice, bob) = network(&engine, &["a.test", "b.test"]).await;
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        let join = format!("v3/join/{room}?via=a.test");
        bob.post(&join, json!({})).await.ok();
        network.cut("a.test", "b.test");
        bob.leave(&room).await;
        assert_eq!(membership(&alice, &room, &bob).await, "join");
        network.mend("a.test", "b.test");
        // The template that there is at first stands on the membership which has ended.
        bob.post(&join, json!({})).await.ok();
        let page = alice.get(&format!("v3/rooms/{room}/messages?dir=b&limit=3")).await.ok();
        let events = page["chunk"].as_array().unwrap().iter();
        let history: Vec<_> = events.map(|event| event["content"]["membership"].clone()).collect();
        assert_eq!(history, ["join", "leave", "join"], "{page:#}");
        assert_eq!(page["chunk"][0]["unsigned"]["prev_content"]["membership"], "leave", "{page:#}");
        assert_eq!(membership(&alice, &room, &bob).await, "join");
        assert_eq!(membership(&bob, &room, &bob).await, "join");
    })
    .await;
}

#[tokio::test]
async fn knock_across_servers_is_seen_by_both_and_answered() {
    on_each_engine(async |engine: Engine| {
        let (_network, alice, bob) = network(&engine, &["a.test", "b.test"]).await;
        let rule =
            json!({ "type": "m.room.join_rules", "state_key": "", "content": { "join_rule": "knock" } });
        let room = alice.create_room(json!({ "name": "Club", "initial_state": [rule] })).await;
        let knock = format!("v3/knock/{room}?via=a.test");
        let mut bob_sees = bob.follow();
        bob_sees.now().await;
        bob.post(&format!("v3/join/{room}?via=a.test"), json!({})).await.refused(403, "M_FORBIDDEN");
        bob.post(&knock, json!({ "reason": "let me in" })).await.ok();
        let state = bob_sees.until("the knock", |sync| stripped(sync, "knock", &room)).await;
        assert!(state.iter().any(|event| event["content"]["name"] == "Club"), "{state:?}");
        assert!(state.iter().any(|event| event["type"] == "m.room.create"), "{state:?}");
        let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
        assert_eq!((&member["membership"], &member["reason"]), (&json!("knock"), &json!("let me in")));
        bob.leave(&room).await;
        assert_eq!(membership(&alice, &room, &bob).await, "leave");
        bob.post(&knock, json!({})).await.ok();
        alice.invite(&room, &bob).await;
        bob_sees.until("the invitation", |sync| stripped(sync, "invite", &room)).await;
        bob.post(&knock, json!({})).await.refused(403, "M_FORBIDDEN");
        bob.join(&room).await;
        bob.post(&knock, json!({})).await.refused(403, "M_FORBIDDEN");
        act(&alice, &room, "ban", &bob).await;
        bob_sees.until("the ban", |sync| sync["rooms"]["leave"].get(&room).cloned()).await;
        bob.post(&knock, json!({})).await.refused(403, "M_FORBIDDEN");
    })
    .await;
}

#[tokio::test]
async fn restricted_room_is_entered_by_way_of_whoever_may_let_somebody_in() {
    on_each_engine(async |engine: Engine| {
        let (network, alice, bob) = network(&engine, &["a.test", "b.test", "c.test"]).await;
        let club = alice.create_room(json!({ "preset": "public_chat" })).await;
        let rule = json!({
            "join_rule": "restricted",
            "allow": [{ "type": "m.room_membership", "room_id": club, "via": ["a.test"] }],
        });
        let rule = json!({ "type": "m.room.join_rules", "state_key": "", "content": rule });
        let levels = json!({ "invite": 100, "users": { alice.id.as_str(): 100 } });
        let room = alice
            .create_room(json!({
                "room_version": "11", "initial_state": [rule], "power_level_content_override": levels,
            }))
            .await;
        let by = |server: &str, room: &str| format!("v3/join/{room}?via={server}");
        bob.post(&by("a.test", &room), json!({})).await.refused(403, "M_FORBIDDEN");
        bob.post(&by("a.test", &club), json!({})).await.ok();
        bob.post(&by("a.test", &room), json!({})).await.ok();
        let member = alice.state(&room, "m.room.member", &bob.id).await.ok();
        assert_eq!(member["join_authorised_via_users_server"], json!(alice.id));

        // Nobody at b.test has the right; somebody at a.test has.
        let carol = network.user("carol", "c.test").await;
        carol.post(&by("a.test", &club), json!({})).await.ok();
        carol.post(&by("b.test", &room), json!({})).await.refused(403, "M_FORBIDDEN");
        carol.post(&format!("{}&via=a.test", by("b.test", &room)), json!({})).await.ok();
        // Nor for a user of b.test itself, whose server is in the room.
        let ben = network.user("ben", "b.test").await;
        ben.post(&by("b.test", &room), json!({})).await.refused(403, "M_FORBIDDEN");
        ben.post(&by("b.test", &club), json!({})).await.ok();
        let mut joined = false;
        for _ in 0..50 {
            // Until a.test has heard that ben is in the club.
            joined = ben.post(&by("b.test", &room), json!({})).await.status == 200;
            if joined {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(joined);
        let member = ben.state(&room, "m.room.member", &ben.id).await.ok();
        assert_eq!(member["join_authorised_via_users_server"], json!(alice.id));
    })
    .await;
}

#[tokio::test]
async fn people_of_two_servers_talk_after_one_has_joined_and_again_after_coming_back() {
    on_each_engine(async |engine: Engine| {
        let (_network, alice, bob) = network(&engine, &["a.test", "b.test"]).await;
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        bob.post(&format!("v3/join/{room}?via=a.test"), json!({})).await.ok();
        let (mut alice_sees, mut bob_sees) = (alice.follow(), bob.follow());
        let said = alice.say(&room, "from a").await;
        bob_sees.until_event(&room, &said).await;
        let said = bob.say(&room, "from b").await;
        alice_sees.until_event(&room, &said).await;
        bob.leave(&room).await;
        alice_sees
            .until("the leaving", |sync| {
                sync["rooms"]["join"].get(&room)?.to_string().contains("\"leave\"").then_some(())
            })
            .await;
        alice.say(&room, "while bob is away").await;
        alice.put_state(&room, "m.room.name", "", json!({ "name": "Renamed" })).await.ok();
        bob.post(&format!("v3/join/{room}?via=a.test"), json!({})).await.ok();
        assert_eq!(bob.state(&room, "m.room.name", "").await.ok()["name"], "Renamed");
        let joined = bob_sees
            .until("the room again", |sync| {
                let joined = sync["rooms"]["join"].get(&room)?;
                joined.to_string().contains("Renamed").then(|| joined.clone())
            })
            .await;
        assert_eq!(joined["timeline"]["limited"], true);
        let said = alice.say(&room, "welcome back").await;
        bob_sees.until_event(&room, &said).await;
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
