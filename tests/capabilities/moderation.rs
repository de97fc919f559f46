//! Administrators hear of what goes wrong, and users of other servers are kept at a distance.

use parvis_testkit::{Engine, Network};
use serde_json::{Value, json};

use crate::on_each_engine;

const SETTINGS: &str = "[storage.sqlite]\nsynchronous = \"normal\"";

#[tokio::test]
async fn reports_reach_an_administrator_who_closes_them() {
    on_each_engine(async |engine: Engine| {
        let network = Network::with(&engine, &["a.test"], SETTINGS).await;
        let admin = network.administrator("admin", "a.test").await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "a.test").await);
        let room = alice.room_with(&[&bob]).await;
        let event = alice.say(&room, "an insult").await;
        bob.post(&format!("v3/rooms/{room}/report/{event}"), json!({ "reason": "insult" })).await.ok();
        bob.post("v3/users/@alice:a.test/report", json!({ "reason": "again and again" })).await.ok();

        let path = "/_parvis/admin/v1/reports";
        network.stranger("a.test").get(path).await.refused(401, "M_MISSING_TOKEN");
        bob.get(path).await.refused(403, "M_FORBIDDEN");
        let listed = admin.get(path).await.ok();
        let reports = listed["reports"].as_array().unwrap();
        assert_eq!(reports.len(), 2);
        assert_eq!((&reports[0]["kind"], &reports[0]["user_id"]), (&json!("user"), &json!(alice.id)));
        let of_event = &reports[1];
        assert_eq!(
            (&of_event["kind"], &of_event["by"], &of_event["reason"], &of_event["event_id"]),
            (&json!("event"), &json!(bob.id), &json!("insult"), &json!(event))
        );
        assert_eq!(of_event.get("event"), None, "a list does not show what was said");

        let one = format!("{path}/{}", of_event["number"]);
        assert_eq!(admin.get(&one).await.ok()["event"]["content"]["body"], "an insult");
        bob.get(&one).await.refused(403, "M_FORBIDDEN");
        bob.put(&one, json!({ "closed": true })).await.refused(403, "M_FORBIDDEN");
        let closed = admin.put(&one, json!({ "closed": true, "note": "talked to her" })).await.ok();
        assert_eq!((&closed["closed_by"], &closed["note"]), (&json!(admin.id), &json!("talked to her")));
        let count = async |query: &str| {
            let listed: Value = admin.get(&format!("{path}?{query}")).await.ok();
            listed["reports"].as_array().unwrap().len()
        };
        let counts = (count("").await, count("status=closed").await, count("status=all").await);
        assert_eq!(counts, (1, 1, 2));
        let page = admin.get(&format!("{path}?status=all&limit=1")).await.ok();
        let before = page["next_before"].as_i64().unwrap();
        assert_eq!(count(&format!("status=all&before={before}")).await, 1);
        assert_eq!(admin.put(&one, json!({ "closed": false })).await.ok()["closed"], false);
        assert_eq!(count("").await, 2, "a report can be opened again");
        admin.get(&format!("{path}/1")).await.refused(404, "M_NOT_FOUND");
        admin.get(&format!("{path}/x")).await.refused(400, "M_INVALID_PARAM");
        admin.get(&format!("{path}?status=x")).await.refused(400, "M_INVALID_PARAM");
    })
    .await;
}

#[tokio::test]
async fn invitations_from_another_server_are_blocked_or_ignored() {
    on_each_engine(async |engine: Engine| {
        let network = Network::with(&engine, &["a.test", "b.test"], SETTINGS).await;
        let alice = network.user("alice", "a.test").await;
        let (bob, eve) = (network.user("bob", "b.test").await, network.user("eve", "b.test").await);
        let kind = "org.matrix.msc4155.invite_permission_config";
        let path = format!("v3/user/{}/account_data/{kind}", alice.id);
        let invited = async || {
            alice.get("v3/sync").await.ok()["rooms"]["invite"].as_object().map_or(0, |rooms| rooms.len())
        };
        let lists = json!({ "blocked_servers": ["b.*"], "ignored_users": [eve.id] });
        alice.put(&path, lists).await.ok();
        let room = bob.create_room(json!({ "preset": "private_chat" })).await;
        let answer = bob.post(&format!("v3/rooms/{room}/invite"), json!({ "user_id": alice.id })).await;
        assert_eq!(answer.status, 403, "{answer}");
        let room = eve.create_room(json!({ "preset": "private_chat" })).await;
        eve.invite(&room, &alice).await;
        assert_eq!(invited().await, 0);
        alice.put(&path, json!({ "allowed_users": [bob.id], "blocked_servers": ["b.test"] })).await.ok();
        let room = bob.create_room(json!({ "preset": "private_chat" })).await;
        bob.invite(&room, &alice).await;
        assert_eq!(invited().await, 1);
        alice.join(&room).await;
    })
    .await;
}
