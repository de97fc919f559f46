//! `create_content_async` and `create_mxc_uri`

use serde_json::json;

use super::send;
use crate::world::World;

#[tokio::test]
async fn content_comes_once_from_whom_the_address_was_given_to() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let (status, created) = send(&world, "POST", "/_matrix/media/v1/create", &alice, &[], "{}").await;
    assert_eq!(status, 200);
    assert_eq!(created["unused_expires_at"], 1_700_000_000_000_u64 + 24 * 60 * 60 * 1_000);
    let uri = created["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    let id = uri.split_once('/').unwrap().1;
    for (who, uri, status, errcode) in [
        (&bob, uri, 403, json!("M_FORBIDDEN")),
        (&alice, "parvis.test/unknown", 404, json!("M_NOT_FOUND")),
        (&alice, &format!("other.test/{id}"), 404, json!("M_NOT_FOUND")),
        (&alice, "parvis.test/..%2F..%2Fx", 404, json!("M_NOT_FOUND")),
        (&alice, uri, 200, json!(null)),
        (&alice, uri, 409, json!("M_CANNOT_OVERWRITE_MEDIA")),
    ] {
        let path = format!("/_matrix/media/v3/upload/{uri}");
        let (found, body) = send(&world, "PUT", &path, who, &[], "bytes").await;
        assert_eq!((found, body["errcode"].clone()), (status, errcode), "{uri}");
    }
}

#[tokio::test]
async fn address_that_was_not_used_in_time_is_gone() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let (_, created) = send(&world, "POST", "/_matrix/media/v1/create", &alice, &[], "").await;
    let uri = created["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    world.wait(24 * 60 * 60);
    let path = format!("/_matrix/media/v3/upload/{uri}");
    let (status, body) = send(&world, "PUT", &path, &alice, &[], "bytes").await;
    assert_eq!((status, &body["errcode"]), (404, &json!("M_NOT_FOUND")));
    let download = world.get_as(&alice, &format!("v1/media/download/{uri}")).await;
    assert_eq!(download.error(), (404, "M_NOT_FOUND"));
}

#[tokio::test]
async fn one_who_holds_too_many_unused_addresses_is_told_to_come_back() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let mut last = (200, json!(null));
    for _ in 0..51 {
        assert_eq!(last.0, 200);
        last = send(&world, "POST", "/_matrix/media/v1/create", &alice, &[], "{}").await;
    }
    assert_eq!((last.0, &last.1["errcode"]), (429, &json!("M_LIMIT_EXCEEDED")));
}
