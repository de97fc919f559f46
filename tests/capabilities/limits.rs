//! What a server says to those who ask wrongly, or too much.

use http::Method;
use parvis_testkit::{Answer, Client, Engine, Server, User};
use serde_json::{Value, json};

use crate::on_each_engine;

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told_apart() {
    let server = Server::start(&Engine::Sqlite).await;
    let alice = server.user("alice").await;
    for path in
        ["/", "/nothing", "/_matrix", "/_matrix/client", "v3/nothing", "v3/rooms", "/_matrix/client/v99/sync"]
    {
        for client in [&server.stranger(), &*alice] {
            let answer = client.get(path).await;
            answer.refused(404, "M_UNRECOGNIZED");
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer}");
        }
    }
    for (method, path) in [
        (Method::DELETE, "versions"),
        (Method::POST, "versions"),
        (Method::PUT, "v3/publicRooms"),
        (Method::GET, "v3/createRoom"),
        (Method::PATCH, "v3/account/whoami"),
        (Method::POST, "v1/media/config"),
    ] {
        let answer = alice.send_bytes(method, path, "").await;
        answer.refused(405, "M_UNRECOGNIZED");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer}");
    }
}

#[tokio::test]
async fn faults_of_a_body_are_told_apart() {
    let server = Server::start(&Engine::Sqlite).await;
    let alice = server.user("alice").await;
    let room = alice.create_room(json!({})).await;
    let ban = format!("v3/rooms/{room}/ban");
    let send = format!("v3/rooms/{room}/send/m.room.message/t");
    for (method, path, body, errcode) in [
        (Method::POST, ban.as_str(), &b"not json"[..], "M_NOT_JSON"),
        (Method::POST, &ban, b"{\"user_id\": ", "M_NOT_JSON"),
        (Method::POST, &ban, b"{\"user_id\": \"\xFF\"}", "M_NOT_JSON"),
        (Method::POST, &ban, b"[]", "M_BAD_JSON"),
        (Method::POST, &ban, b"3", "M_BAD_JSON"),
        (Method::POST, &ban, b"{\"user_id\": 3}", "M_BAD_JSON"),
        (Method::POST, &ban, b"{}", "M_MISSING_PARAM"),
        (Method::POST, &ban, b"", "M_MISSING_PARAM"),
        (Method::PUT, &send, b"{", "M_NOT_JSON"),
        (Method::PUT, &send, b"\"text\"", "M_BAD_JSON"),
        (Method::POST, "v3/createRoom", b"{\"invite\": \"@bob:parvis.test\"}", "M_BAD_JSON"),
    ] {
        alice.send_bytes(method, path, body).await.refused(400, errcode);
    }
}

/// A body for `createRoom` of exactly so many bytes.
fn body_of(bytes: usize) -> String {
    let empty = json!({ "padding": "" }).to_string().len();
    json!({ "padding": "x".repeat(bytes - empty) }).to_string()
}

#[tokio::test]
async fn body_at_the_limit_is_read_and_one_byte_more_is_not() {
    let limit = 256 << 10;
    let server = Server::with(&Engine::Sqlite, "limits.max_request_size = \"256 KiB\"").await;
    let alice = server.user("alice").await;
    alice.send_bytes(Method::POST, "v3/createRoom", body_of(limit)).await.ok();
    let refused = alice.send_bytes(Method::POST, "v3/createRoom", body_of(limit + 1)).await;
    refused.refused(413, "M_TOO_LARGE");
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    // The server goes on.
    alice.create_room(json!({})).await;
}

async fn send_text_of(alice: &User, room: &str, bytes: usize, transaction: &str) -> Answer {
    let content = json!({ "msgtype": "m.text", "body": "x".repeat(bytes) });
    alice.try_send_event(room, "m.room.message", transaction, &content).await.unwrap()
}

#[tokio::test]
async fn event_of_65536_bytes_is_sent_and_one_byte_more_is_refused() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let alice = server.user("alice").await;
        let room = alice.create_room(json!({})).await;
        // The text may be as long as the rest of the event leaves room for: between 1 and 3 KiB belong to that.
        let (mut fits, mut too_long) = (60_000, 65_536);
        send_text_of(&alice, &room, fits, "shortest").await.ok();
        while too_long - fits > 1 {
            let middle = usize::midpoint(fits, too_long);
            let answer = send_text_of(&alice, &room, middle, &format!("t{middle}")).await;
            if answer.status == 200 {
                fits = middle;
            } else {
                answer.refused(413, "M_TOO_LARGE");
                too_long = middle;
            }
        }
        assert!((62_500..=65_200).contains(&fits), "{fits}");
        // The other limits of the specification: a type, a state key and a room id have 255 bytes at most.
        let content = json!({});
        let kind = |length: usize| "k".repeat(length);
        alice.put_state(&room, &kind(255), "", content.clone()).await.ok();
        assert_refused_as_large(&alice.put_state(&room, &kind(256), "", content.clone()).await);
        alice.put_state(&room, "org.example", &kind(255), content.clone()).await.ok();
        assert_refused_as_large(&alice.put_state(&room, "org.example", &kind(256), content).await);
        // Nothing of what was refused is there.
        let history = alice.messages(&room, "dir=b&limit=100").await.to_string();
        assert!(!history.contains(&"x".repeat(too_long)) && !history.contains(&kind(256)));
    })
    .await;
}

#[track_caller]
fn assert_refused_as_large(answer: &Answer) {
    assert!(matches!(answer.status, 400 | 413), "{answer}");
}

#[tokio::test]
async fn too_many_messages_are_told_to_come_back_later() {
    let settings = "rate_limits.messages = { per_second = 1.0, burst = 5 }";
    let server = Server::with(&Engine::Sqlite, settings).await;
    let alice = server.user("alice").await;
    let room = alice.create_room(json!({})).await;
    let message = json!({ "msgtype": "m.text", "body": "spam" });
    let mut refused = None;
    for number in 0..50 {
        let sent =
            alice.try_send_event(&room, "m.room.message", &format!("t{number}"), &message).await.unwrap();
        if sent.status != 200 {
            refused = Some(sent);
            break;
        }
    }
    let refused = refused.unwrap();
    refused.refused(429, "M_LIMIT_EXCEEDED");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(refused.json()["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(refused.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn every_refusal_can_be_read_by_a_browser() {
    let server = Server::start(&Engine::Sqlite).await;
    let alice = server.user("alice").await;
    let asked: [(&Client, &str, Value); 4] = [
        (&server.stranger(), "v3/account/whoami", json!([401, "M_MISSING_TOKEN"])),
        (&alice, "v3/rooms/!nowhere/state/m.room.name", json!([403, "M_FORBIDDEN"])),
        (&alice, "v3/directory/room/%23nowhere:parvis.test", json!([404, "M_NOT_FOUND"])),
        (&alice, "v1/media/download/parvis.test/x", json!([404, "M_NOT_FOUND"])),
    ];
    for (client, path, expected) in asked {
        let answer = client.get(path).await;
        assert_eq!(json!([answer.status, answer.errcode()]), expected, "{answer}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer}");
        assert_eq!(answer.header("content-type"), "application/json", "{answer}");
        assert!(answer.json()["error"].is_string(), "{answer}");
    }
}
