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

#[tokio::test]
async fn server_speaks_to_a_user_in_one_room() {
    on_each_engine(async |engine: Engine| {
        let network = Network::with(&engine, &["a.test"], SETTINGS).await;
        let admin = network.administrator("admin", "a.test").await;
        let alice = network.user("alice", "a.test").await;
        admin.put("/_parvis/admin/v1/policy/encryption.private", json!({ "value": "required" })).await.ok();
        let path = "/_parvis/admin/v1/server_notices";
        let body = json!({ "user_id": alice.id, "content": { "msgtype": "m.text", "body": "maintenance" } });
        alice.post(path, body.clone()).await.refused(403, "M_FORBIDDEN");
        let first = admin.post(path, body.clone()).await.ok()["event_id"].clone();
        let invited = alice.get("v3/sync").await.ok()["rooms"]["invite"].clone();
        let room = invited.as_object().unwrap().keys().next().unwrap().clone();
        alice
            .post(&format!("v3/rooms/{room}/leave"), json!({}))
            .await
            .refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
        alice.join(&room).await;
        let answer = alice.get("v3/sync").await.ok();
        let joined = &answer["rooms"]["join"][&room];
        let events = joined["timeline"]["events"].as_array().unwrap();
        assert!(
            events.iter().any(|event| event["event_id"] == first && event["sender"] == "@_server:a.test")
        );
        assert!(events.iter().all(|event| event["type"] != "m.room.encryption"), "the server has no keys");
        assert!(
            joined["account_data"]["events"]
                .as_array()
                .unwrap()
                .iter()
                .any(|data| { data["content"]["tags"].get("m.server_notice").is_some() })
        );
        let reply = alice.try_send_event(&room, "m.room.message", "1", &json!({ "body": "hi" })).await;
        reply.unwrap().refused(403, "M_FORBIDDEN");
        alice.leave(&room).await;
        let once = format!("{path}/t1");
        let second = admin.put(&once, body.clone()).await.ok();
        assert_eq!(admin.put(&once, body.clone()).await.ok(), second);
        let invited = alice.get("v3/sync").await.ok()["rooms"]["invite"].clone();
        assert_eq!(invited.as_object().unwrap().keys().collect::<Vec<_>>(), [&room], "there is one room");
        admin.post("/_synapse/admin/v1/send_server_notice", body).await.ok();
        for (user, status, errcode) in
            [("@nobody:a.test", 404, "M_NOT_FOUND"), ("@far:b.test", 400, "M_INVALID_PARAM")]
        {
            admin.post(path, json!({ "user_id": user, "content": {} })).await.refused(status, errcode);
        }
        let auth = json!({ "type": "m.login.dummy" });
        let taken = json!({ "username": "_server", "password": "correct horse", "auth": auth });
        network.stranger("a.test").post("v3/register", taken).await.refused(400, "M_USER_IN_USE");
    })
    .await;
}
