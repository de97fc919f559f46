//! What people see of what lies on the servers of other organisations: files, spaces, history.

use http::Method;
use parvis_testkit::{Engine, Network};
use serde_json::{Value, json};

use crate::on_each_engine;

#[tokio::test]
async fn file_of_another_organisation_is_fetched_once_and_outlives_its_server() {
    on_each_engine(async |engine: Engine| {
        let mut network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number % 249) as u8).collect();
        let path = "/_matrix/media/v3/upload?filename=Bericht%20%C3%BC.bin";
        let uri = alice.send_bytes(Method::POST, path, bytes.clone()).await.ok()["content_uri"].clone();
        let uri = uri.as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
        let path = format!("v1/media/download/{uri}");
        // No stranger makes a server ask another.
        network
            .stranger("b.test")
            .get(&format!("/_matrix/media/v3/download/{uri}"))
            .await
            .refused(404, "M_NOT_FOUND");
        for _ in 0..2 {
            let file = bob.get(&path).await;
            assert_eq!((file.status, file.body.as_ref()), (200, bytes.as_slice()));
            assert!(file.header("content-disposition").contains("filename*=utf-8''Bericht%20%C3%BC.bin"));
        }
        let asked = network.asked().into_iter().filter(|asked| asked.what.contains("/media/")).count();
        assert_eq!(asked, 1);
        network.stop("a.test").await;
        assert_eq!(bob.get(&path).await.status, 200);
        bob.get("v1/media/download/a.test/other").await.refused(502, "M_UNKNOWN");
    })
    .await;
}

async fn space(user: &parvis_testkit::User, name: &str) -> String {
    let body = json!({ "name": name, "preset": "public_chat", "creation_content": { "type": "m.space" } });
    user.create_room(body).await
}

fn names(page: &Value) -> Vec<&str> {
    page["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn space_shows_rooms_that_only_other_organisations_are_in() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test", "c.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let carol = network.user("carol", "c.test").await;
        let public = |name: &str| json!({ "name": name, "preset": "public_chat" });
        let (top, below) = (space(&alice, "top").await, space(&bob, "below").await);
        let open = bob.create_room(public("open")).await;
        let closed = bob.create_room(json!({ "name": "closed", "preset": "private_chat" })).await;
        let far = carol.create_room(public("far")).await;
        for (user, parent, child, via) in [
            (&alice, &top, &below, "b.test"),
            (&bob, &below, &open, "b.test"),
            (&bob, &below, &closed, "b.test"),
            (&bob, &below, &far, "c.test"),
            (&bob, &below, &top, "a.test"),
        ] {
            let order = names_order(child, &[&open, &closed, &far, &below, &top]);
            user.put_state(parent, "m.space.child", child, json!({ "via": [via], "order": order }))
                .await
                .ok();
        }
        let path = format!("v1/rooms/{top}/hierarchy");
        let page = alice.get(&path).await.ok();
        assert_eq!(names(&page), ["top", "below", "open", "far"]);
        assert!(page["next_batch"].is_null());
        // Page by page, without asking again.
        let asked = network.asked().len();
        let (mut from, mut seen) = (String::new(), Vec::new());
        for _ in 0..4 {
            let page = alice.get(&format!("{path}?limit=1{from}")).await.ok();
            seen.extend(names(&page).into_iter().map(str::to_owned));
            from = page["next_batch"].as_str().map(|token| format!("&from={token}")).unwrap_or_default();
        }
        assert_eq!(seen, ["top", "below", "open", "far"]);
        assert_eq!(network.asked().len(), asked);
        let shallow = alice.get(&format!("{path}?max_depth=1")).await.ok();
        assert_eq!(names(&shallow), ["top", "below"]);
    })
    .await;
}

fn names_order(room: &str, order: &[&String]) -> String {
    let place = order.iter().position(|other| *other == room).unwrap_or(9);
    place.to_string()
}

#[tokio::test]
async fn summary_of_a_room_elsewhere_is_asked_for_by_those_who_are_logged_in() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let open = bob.create_room(json!({ "name": "open", "preset": "public_chat" })).await;
        let closed = bob.create_room(json!({ "name": "closed", "preset": "private_chat" })).await;
        let path = |room: &str| format!("v1/room_summary/{room}?via=b.test");
        let summary = alice.get(&path(&open)).await.ok();
        assert_eq!((&summary["name"], &summary["membership"]), (&json!("open"), &json!("leave")));
        alice.get(&path(&closed)).await.refused(404, "M_NOT_FOUND");
        network.stranger("a.test").get(&path(&open)).await.refused(404, "M_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn event_from_before_we_came_is_found_by_time() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        let first = alice.say(&room, "first").await;
        let at = alice.event(&room, &first).await.ok()["origin_server_ts"].as_i64().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        alice.say(&room, "second").await;
        bob.post(&format!("v3/join/{room}?via=a.test"), json!({})).await.ok();
        let path = format!("v1/rooms/{room}/timestamp_to_event?ts={at}&dir=");
        assert_eq!(bob.get(&format!("{path}f")).await.ok()["event_id"], first.as_str());
        assert_eq!(bob.get(&format!("{path}b")).await.ok()["event_id"], first.as_str());
        // It has come with what lies around it, and can be paged from.
        let context = bob.get(&format!("v3/rooms/{room}/context/{first}?limit=4")).await.ok();
        assert_eq!(context["event"]["event_id"], first.as_str());
        assert_eq!(context["events_after"][0]["content"]["body"], "second");
        let start = context["start"].as_str().unwrap();
        let page = bob.get(&format!("v3/rooms/{room}/messages?dir=b&limit=100&from={start}")).await.ok();
        assert_eq!(page["chunk"].as_array().unwrap().last().unwrap()["type"], "m.room.create");
    })
    .await;
}

#[tokio::test]
async fn restricted_room_of_a_space_is_shown_once_its_server_knows_who_may_enter() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let other = network.user("other", "a.test").await;
        let top = space(&alice, "top").await;
        let allow = json!([{ "type": "m.room_membership", "room_id": top, "via": ["a.test"] }]);
        let rule = json!({
            "type": "m.room.join_rules", "state_key": "",
            "content": { "join_rule": "restricted", "allow": allow },
        });
        let body = json!({ "name": "below", "preset": "private_chat", "initial_state": [rule] });
        let below = bob.create_room(body).await;
        alice.put_state(&top, "m.space.child", &below, json!({ "via": ["b.test"] })).await.ok();
        let path = format!("v1/rooms/{top}/hierarchy");
        assert_eq!(names(&alice.get(&path).await.ok()), ["top"], "b.test does not know who is in the space");
        bob.post(&format!("v3/join/{top}?via=a.test"), json!({})).await.ok();
        assert_eq!(names(&alice.get(&path).await.ok()), ["top", "below"]);
        assert_eq!(
            names(&other.get(&path).await.ok()),
            ["top"],
            "the space is open to all, what is below is not"
        );
    })
    .await;
}

#[tokio::test]
async fn tree_of_replies_from_before_the_first_of_a_server_came_is_fetched_from_those_who_have_it() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        let mut events: Vec<String> = Vec::new();
        for target in [None, Some(0), Some(1), Some(1)] {
            let mut content = json!({ "msgtype": "m.text", "body": "word" });
            if let Some(target) = target.map(|target: usize| events[target].clone()) {
                content["m.relationship"] = json!({ "rel_type": "m.reference", "event_id": target });
            }
            events.push(alice.send(&room, "m.room.message", content).await);
        }
        bob.post(&format!("v3/join/{room}?via=a.test"), json!({})).await.ok();
        let ask = async |more: Value| {
            let mut question = json!({ "room_id": room, "include_parent": true, "recent_first": false });
            question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            bob.post("unstable/event_relationships", question).await.ok()
        };
        let ids = |answer: &Value| -> Vec<String> {
            let events = answer["events"].as_array().unwrap().iter();
            events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
        };
        let last = ask(json!({ "event_id": events[3] })).await;
        assert_eq!(ids(&last), [events[3].clone(), events[1].clone()]);
        assert_eq!(last["events"][1]["unsigned"]["children"], json!({ "m.reference": 2 }), "b.test asked on");
        network.cut("a.test", "b.test");
        let middle = ask(json!({ "event_id": events[1] })).await;
        let expected = [1, 0, 2, 3].map(|index: usize| events[index].clone());
        assert_eq!(ids(&middle), expected, "what was fetched is kept");
        let stranger = network.user("carol", "b.test").await;
        let question = json!({ "room_id": room, "event_id": events[1] });
        stranger.post("unstable/event_relationships", question).await.refused(404, "M_NOT_FOUND");
    })
    .await;
}
