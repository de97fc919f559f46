//! `get_content_as_filename`

use super::{assert_is_guarded, get, header, keep};
use crate::world::{World, read};

const PATH: &str = "/_matrix/media/v3/download";

#[tokio::test]
async fn file_comes_under_the_name_asked_for() {
    let world = World::new().await;
    let uri = keep(&world, "image/png", Some("its own.png"), b"bytes").await;
    for (name, disposition) in [
        ("other.png", "inline; filename=\"other.png\""),
        ("two%20words.png", "inline; filename=\"two words.png\""),
        ("gr%C3%BCn.png", "inline; filename=\"gr_n.png\"; filename*=utf-8''gr%C3%BCn.png"),
        ("a%22b%5C.png", "inline; filename=\"a\\\"b\\\\.png\""),
        ("..%2Fetc%2Fpasswd", "inline; filename=\"../etc/passwd\""),
        ("a%0D%0AX-Evil:%20b", "inline; filename=\"a__X-Evil: b\"; filename*=utf-8''a%0D%0AX-Evil%3A%20b"),
    ] {
        let response = get(&world, &format!("{PATH}/{uri}/{name}"), &[]).await;
        assert_eq!(response.status(), 200, "{name}");
        assert_is_guarded(response.headers());
        assert_eq!(header(response.headers(), "content-disposition"), disposition);
        assert!(response.headers().get("x-evil").is_none());
        assert_eq!(read(response).await, b"bytes");
    }
}

#[tokio::test]
async fn name_does_not_open_what_is_closed() {
    let world = World::new().await;
    world.freeze();
    let uri = keep(&world, "image/png", None, b"bytes").await;
    let (status, body) = world.get(&format!("{PATH}/{uri}/name.png")).await;
    assert_eq!((status, &body["errcode"]), (404, &"M_NOT_FOUND".into()));
}
