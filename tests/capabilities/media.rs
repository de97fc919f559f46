//! Files that people send each other.

use http::Method;
use parvis_testkit::{Engine, Server};
use serde_json::json;

use crate::on_each_engine;

#[tokio::test]
async fn file_goes_from_one_to_the_other() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let room = alice.room_with(&[&bob]).await;
        let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number % 249) as u8).collect();
        let path = "/_matrix/media/v3/upload?filename=Bericht%20%C3%BC.bin";
        let uri = alice.send_bytes(Method::POST, path, bytes.clone()).await.ok()["content_uri"].clone();
        let content = json!({ "msgtype": "m.file", "body": "Bericht ü.bin", "url": uri });
        let event = alice.send(&room, "m.room.message", content).await;
        let seen = bob.event(&room, &event).await.ok();
        let uri = seen["content"]["url"].as_str().unwrap().strip_prefix("mxc://").unwrap();
        let file = bob.get(&format!("v1/media/download/{uri}")).await;
        assert_eq!((file.status, file.body.as_ref()), (200, bytes.as_slice()));
        assert!(file.header("content-disposition").contains("filename*=utf-8''Bericht%20%C3%BC.bin"));
        // Strangers get nothing, in the new way or the old.
        let stranger = server.stranger();
        stranger.get(&format!("v1/media/download/{uri}")).await.refused(401, "M_MISSING_TOKEN");
        stranger.get(&format!("/_matrix/media/v3/download/{uri}")).await.refused(404, "M_NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn file_at_the_limit_is_taken_and_one_byte_more_is_not() {
    on_each_engine(async |engine: Engine| {
        let server = Server::with(&engine, "media.max_upload_size = \"1 MiB\"").await;
        let alice = server.user("alice").await;
        for path in ["v1/media/config", "/_matrix/media/v3/config"] {
            assert_eq!(alice.get(path).await.ok()["m.upload.size"], 1 << 20);
        }
        let path = "/_matrix/media/v3/upload";
        alice.send_bytes(Method::POST, path, vec![1; 1 << 20]).await.ok();
        alice.send_bytes(Method::POST, path, vec![1; (1 << 20) + 1]).await.refused(413, "M_TOO_LARGE");
    })
    .await;
}

#[tokio::test]
async fn file_may_come_after_its_address() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        let created = alice.post("/_matrix/media/v1/create", json!({})).await.ok();
        assert!(created["unused_expires_at"].is_u64());
        let uri = created["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
        let download = format!("v1/media/download/{uri}");
        bob.get(&format!("{download}?timeout_ms=0")).await.refused(504, "M_NOT_YET_UPLOADED");

        let waiting = tokio::spawn({
            let (bob, download) = (bob.clone(), download.clone());
            async move { bob.get(&format!("{download}?timeout_ms=20000")).await }
        });
        let upload = format!("/_matrix/media/v3/upload/{uri}");
        bob.send_bytes(Method::PUT, &upload, "mine").await.refused(403, "M_FORBIDDEN");
        alice.send_bytes(Method::PUT, &upload, "late").await.ok();
        assert_eq!(waiting.await.unwrap().body.as_ref(), b"late");
        alice.send_bytes(Method::PUT, &upload, "again").await.refused(409, "M_CANNOT_OVERWRITE_MEDIA");
        assert_eq!(bob.get(&download).await.body.as_ref(), b"late");
        let unknown = "/_matrix/media/v3/upload/parvis.test/unknown";
        alice.send_bytes(Method::PUT, unknown, "x").await.refused(404, "M_NOT_FOUND");
    })
    .await;
}
