//! `create_content`, `create_content_async`, `create_mxc_uri`

use axum::body::Body;
use http::Request;

use crate::world::World;

#[tokio::test]
async fn strangers_upload_nothing() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/_matrix/media/v3/upload"),
        ("POST", "/_matrix/media/r0/upload"),
        ("POST", "/_matrix/media/v1/create"),
        ("PUT", "/_matrix/media/v3/upload/example.org/x"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::from("x")).unwrap();
        assert_eq!(world.answer(request).await.status(), 401, "{path}");
    }
}
