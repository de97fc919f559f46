//! `create_content`

use axum::body::Body;
use http::{Request, header};
use serde_json::Value;

use super::{get, header, send};
use crate::world::{World, read};

const PATH: &str = "/_matrix/media/v3/upload";

#[tokio::test]
async fn strangers_upload_nothing() {
    let world = World::new().await;
    for (method, path) in [
        ("POST", "/_matrix/media/v3/upload"),
        ("POST", "/_matrix/media/r0/upload"),
        ("POST", "/_matrix/media/v1/create"),
        ("PUT", "/_matrix/media/v3/upload/parvis.test/x"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::from("x")).unwrap();
        assert_eq!(world.answer(request).await.status(), 401, "{path}");
    }
}

#[tokio::test]
async fn uploaded_file_keeps_its_type_and_name() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for (query, content_type, disposition) in [
        ("?filename=a.txt", Some("text/plain"), "inline; filename=\"a.txt\""),
        (
            "?filename=gr%C3%BCn+1.txt",
            Some("text/plain"),
            "inline; filename=\"gr_n 1.txt\"; filename*=utf-8''gr%C3%BCn%201.txt",
        ),
        ("?filename=", Some("text/plain"), "inline"),
        ("", Some("text/html"), "attachment"),
        ("", None, "attachment"),
        ("", Some("nonsense"), "attachment"),
    ] {
        let headers: Vec<_> = content_type.map(|kind| (header::CONTENT_TYPE, kind)).into_iter().collect();
        let (status, body) = send(&world, "POST", &format!("{PATH}{query}"), &alice, &headers, "bytes").await;
        assert_eq!(status, 200, "{body}");
        let uri = body["content_uri"].as_str().unwrap().strip_prefix("mxc://parvis.test/").unwrap();
        let path = format!("/_matrix/client/v1/media/download/parvis.test/{uri}");
        let response = get(&world, &path, &[("authorization", &format!("Bearer {}", alice.token))]).await;
        let expected = content_type.filter(|kind| kind.contains('/')).unwrap_or("application/octet-stream");
        assert_eq!(header(response.headers(), "content-type"), expected);
        assert_eq!(header(response.headers(), "content-disposition"), disposition);
        assert_eq!(read(response).await, b"bytes");
    }
}

#[tokio::test]
async fn file_announced_as_too_large_is_refused_at_once() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let announced = world.api.media.max_upload_bytes() + 1;
    let headers = [(header::CONTENT_LENGTH, announced.to_string())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.as_str())).collect();
    let (status, body) = send(&world, "POST", PATH, &alice, &headers, "x").await;
    assert_eq!((status, body["errcode"].as_str().unwrap()), (413, "M_TOO_LARGE"));
}

#[tokio::test]
async fn upload_that_breaks_off_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let pieces = [Ok("half"), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
    let request = Request::post(PATH).header("authorization", format!("Bearer {}", alice.token));
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let response = world.answer(request.body(body).unwrap()).await;
    assert_eq!(response.status(), 400);
    let body: Value = serde_json::from_slice(&read(response).await).unwrap();
    assert_eq!(body["errcode"], "M_UNKNOWN");
}
