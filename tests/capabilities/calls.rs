//! Calls: through the organisation's media server, and from app to app where that is wanted.

use parvis_testkit::{Engine, Gateway, Server};
use serde_json::json;

use crate::on_each_engine;

const MEDIA_SERVER: &str = r#"
    calls.livekit_service_url = "https://rtc.example.org/livekit/jwt"
    push.allowed_private_ranges = ["127.0.0.0/8"]
"#;

#[tokio::test]
async fn media_server_is_found_in_both_ways_by_those_who_belong_here() {
    on_each_engine(async |engine: Engine| {
        let server = Server::with(&engine, MEDIA_SERVER).await;
        let alice = server.user("alice").await;
        let focus = json!({
            "type": "livekit",
            "livekit_service_url": "https://rtc.example.org/livekit/jwt",
        });
        for path in ["unstable/org.matrix.msc4143/rtc/transports", "v1/rtc/transports"] {
            assert_eq!(alice.get(path).await.ok(), json!({ "rtc_transports": [focus] }), "{path}");
            server.stranger().get(path).await.refused(401, "M_MISSING_TOKEN");
        }
        let published = server.stranger().get("/.well-known/matrix/client").await.ok();
        assert_eq!(published["org.matrix.msc4143.rtc_foci"], json!([focus]));
        let features = server.stranger().get("versions").await.ok()["unstable_features"].clone();
        assert_eq!(
            (&features["org.matrix.msc4140"], &features["org.matrix.msc4143"]),
            (&json!(true), &json!(true))
        );
    })
    .await;
}

#[tokio::test]
async fn whoever_is_in_a_room_takes_part_in_its_calls_and_phones_ring() {
    on_each_engine(async |engine: Engine| {
        let server = Server::with(&engine, MEDIA_SERVER).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let gateway = Gateway::start().await;
        bob.post("v3/pushers/set", gateway.pusher("phone")).await.ok();
        let room = alice.room_with(&[&bob]).await;
        for kind in ["org.matrix.msc3401.call.member", "m.call.member"] {
            let key = format!("_{}_DEVICE_m.call", bob.id);
            let path = format!("v3/rooms/{room}/state/{kind}/{key}");
            bob.put(&path, json!({ "application": "m.call", "call_id": "" })).await.ok();
        }
        let ring = json!({ "m.mentions": { "user_ids": [bob.id] }, "notification_type": "ring", "lifetime": 30_000 });
        let path = format!("v3/rooms/{room}/send/org.matrix.msc4075.rtc.notification/1");
        let event = alice.put(&path, ring).await.ok()["event_id"].as_str().unwrap().to_owned();
        let told = gateway.until_event("phone", &event).await;
        assert_eq!(told["prio"], "high");
    })
    .await;
}

#[tokio::test]
async fn relays_are_told_with_a_name_and_a_password_for_each_person() {
    on_each_engine(async |engine: Engine| {
        let settings = r#"
            calls.turn_uris = ["turn:turn.example.org?transport=udp", "turns:turn.example.org"]
            calls.turn_secret = "shared"
            calls.turn_lifetime = "1h"
        "#;
        let server = Server::with(&engine, settings).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let of_alice = alice.get("v3/voip/turnServer").await.ok();
        let of_bob = bob.get("v3/voip/turnServer").await.ok();
        assert_eq!(
            of_alice["uris"],
            json!(["turn:turn.example.org?transport=udp", "turns:turn.example.org"])
        );
        assert_eq!(of_alice["ttl"], 3_600);
        assert!(of_alice["username"].as_str().unwrap().ends_with(&format!(":{}", alice.id)));
        assert_ne!(of_alice["password"], of_bob["password"]);
        server.stranger().get("v3/voip/turnServer").await.refused(401, "M_MISSING_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn apps_do_not_tell_their_addresses_where_calls_go_through_the_media_server() {
    on_each_engine(async |engine: Engine| {
        let settings = r#"
            calls.between_apps = false
            calls.turn_uris = ["turn:turn.example.org"]
            calls.turn_secret = "shared"
        "#;
        let server = Server::with(&engine, settings).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.room_with(&[&bob]).await;
        for kind in ["m.call.invite", "m.call.answer", "m.call.candidates", "m.call.negotiate"] {
            let send = format!("v3/rooms/{room}/send/{kind}/1");
            alice.put(&send, json!({ "call_id": "1", "version": "1" })).await.refused(403, "M_FORBIDDEN");
            let later = format!("{send}?org.matrix.msc4140.delay=1000");
            alice.put(&later, json!({ "call_id": "1", "version": "1" })).await.refused(403, "M_FORBIDDEN");
            let messages = json!({ "messages": { bob.id.clone(): { "*": { "call_id": "1" } } } });
            alice.put(&format!("v3/sendToDevice/{kind}/1"), messages).await.refused(403, "M_FORBIDDEN");
        }
        // To decline the call of a partner's app tells nothing.
        let decline = format!("v3/rooms/{room}/send/m.call.hangup/1");
        alice.put(&decline, json!({ "call_id": "1", "version": "1" })).await.ok();
        assert_eq!(alice.get("v3/voip/turnServer").await.ok(), json!({}), "nobody needs a relay");
    })
    .await;
}

#[tokio::test]
async fn media_server_asks_who_somebody_is_also_where_no_other_server_may() {
    on_each_engine(async |engine: Engine| {
        let server = Server::with(&engine, "federation.mode = \"off\"").await;
        let alice = server.user("alice").await;
        let path = format!("v3/user/{}/openid/request_token", alice.id);
        let token = alice.post(&path, json!({})).await.ok();
        let token = token["access_token"].as_str().unwrap();
        let path = format!("/_matrix/federation/v1/openid/userinfo?access_token={token}");
        assert_eq!(server.stranger().get(&path).await.ok(), json!({ "sub": alice.id }));
        let wrong = "/_matrix/federation/v1/openid/userinfo?access_token=wrong";
        server.stranger().get(wrong).await.refused(401, "M_UNKNOWN_TOKEN");
    })
    .await;
}
