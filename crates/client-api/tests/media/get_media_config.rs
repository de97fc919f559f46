//! `get_media_config`

use serde_json::json;

use super::send;
use crate::world::World;

#[tokio::test]
async fn strangers_are_not_told_the_limits() {
    let world = World::new().await;
    for version in ["r0", "v3"] {
        let (status, body) = world.get(&format!("/_matrix/media/{version}/config")).await;
        assert_eq!((status, &body["errcode"]), (401, &"M_MISSING_TOKEN".into()));
    }
}

#[tokio::test]
async fn others_are() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for path in ["client/v1/media/config", "media/v3/config", "media/r0/config"] {
        let (status, body) = send(&world, "GET", &format!("/_matrix/{path}"), &alice, &[], "").await;
        assert_eq!((status, body), (200, json!({ "m.upload.size": 50 << 20 })), "{path}");
    }
}
