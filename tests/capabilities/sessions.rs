//! How long one stays logged in.

use std::time::Duration;

use parvis_testkit::{Engine, Server, User};
use serde_json::{Value, json};

use crate::on_each_engine;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Logs in with a client that refreshes its tokens; gives the answer.
async fn log_in(server: &Server, user: &User) -> Value {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user.id },
        "password": parvis_testkit::PASSWORD,
        "refresh_token": true,
    });
    server.stranger().post("v3/login", body).await.ok()
}

#[tokio::test]
async fn token_that_can_be_refreshed_ends_after_a_while_and_the_session_goes_on() {
    on_each_engine(async |engine: Engine| {
        let (server, clock) = Server::with_test_clock(&engine, "").await;
        let alice = server.user("alice").await;
        let session = log_in(&server, &alice).await;
        assert_eq!(session["expires_in_ms"], 3_600_000);
        let whoami =
            async |token: &Value| server.stranger().with_token(token.as_str()).get("v3/account/whoami").await;
        clock.advance(HOUR - Duration::from_secs(1));
        assert_eq!(whoami(&session["access_token"]).await.ok()["device_id"], session["device_id"]);
        clock.advance(Duration::from_secs(1));
        let ended = whoami(&session["access_token"]).await;
        ended.refused(401, "M_UNKNOWN_TOKEN");
        assert_eq!(ended.json()["soft_logout"], true);

        // The answer to a refresh may be lost: until the new pair is used, the old one serves again.
        let refresh = json!({ "refresh_token": session["refresh_token"] });
        server.stranger().post("v3/refresh", refresh.clone()).await.ok();
        let renewed = server.stranger().post("v3/refresh", refresh.clone()).await.ok();
        assert_eq!(whoami(&renewed["access_token"]).await.ok()["device_id"], session["device_id"]);
        server.stranger().post("v3/refresh", refresh).await.refused(401, "M_UNKNOWN_TOKEN");
        // Alice's first session is another, and has no end.
        assert_eq!(alice.get("v3/account/whoami").await.ok()["device_id"], alice.device_id);
    })
    .await;
}

#[tokio::test]
async fn one_who_logs_out_is_out_on_that_device_alone() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let alice = server.user("alice").await;
        let elsewhere = alice.log_in_again().await;
        assert_ne!(alice.device_id, elsewhere.device_id);
        elsewhere.post("v3/logout", json!({})).await.ok();
        elsewhere.get("v3/account/whoami").await.refused(401, "M_UNKNOWN_TOKEN");
        let devices = alice.get("v3/devices").await.ok();
        let ids: Vec<_> =
            devices["devices"].as_array().unwrap().iter().map(|one| &one["device_id"]).collect();
        assert_eq!(ids, [&alice.device_id]);
        alice.log_in_again().await;
        alice.post("v3/logout/all", json!({})).await.ok();
        alice.get("v3/account/whoami").await.refused(401, "M_UNKNOWN_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn one_who_is_logged_out_elsewhere_syncs_no_more() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let alice = server.user("alice").await;
        let elsewhere = alice.log_in_again().await;
        let mut follower = elsewhere.follow();
        follower.now().await;
        alice.post("v3/logout/all", json!({})).await.ok();
        let since = follower.since.clone().unwrap();
        elsewhere.get(&format!("v3/sync?timeout=0&since={since}")).await.refused(401, "M_UNKNOWN_TOKEN");
    })
    .await;
}
