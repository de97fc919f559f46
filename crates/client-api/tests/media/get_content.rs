//! `get_content`: what does not depend on who asks is told here.

use std::time::Duration;

use ruma::user_id;

use super::{assert_is_guarded, get, header, keep};
use crate::world::{World, read};

const PATH: &str = "/_matrix/media/v3/download";

#[tokio::test]
async fn file_comes_with_its_type_its_name_and_its_guards() {
    let world = World::new().await;
    for (content_type, disposition) in [
        ("image/png", "inline; filename=\"a.b\""),
        ("text/plain; charset=utf-8", "inline; filename=\"a.b\""),
        ("text/html", "attachment; filename=\"a.b\""),
        ("text/html;x", "attachment; filename=\"a.b\""),
        ("image/svg+xml", "attachment; filename=\"a.b\""),
    ] {
        let uri = keep(&world, content_type, Some("a.b"), b"bytes").await;
        let response = get(&world, &format!("{PATH}/{uri}"), &[]).await;
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_is_guarded(headers);
        assert_eq!(header(headers, "content-type"), content_type);
        assert_eq!(header(headers, "content-disposition"), disposition);
        assert_eq!(header(headers, "content-length"), "5");
        assert_eq!(read(response).await, b"bytes");
    }
}

#[tokio::test]
async fn old_path_works_too() {
    let world = World::new().await;
    let uri = keep(&world, "image/png", None, b"bytes").await;
    let response = get(&world, &format!("/_matrix/media/r0/download/{uri}"), &[]).await;
    assert_eq!(header(response.headers(), "content-disposition"), "inline");
    assert_eq!(read(response).await, b"bytes");
}

#[tokio::test]
async fn file_that_was_stored_after_the_freeze_is_not_there() {
    let world = World::new().await;
    let before = keep(&world, "image/png", None, b"bytes").await;
    world.freeze();
    let after = keep(&world, "image/png", None, b"bytes").await;
    assert_eq!(get(&world, &format!("{PATH}/{before}"), &[]).await.status(), 200);
    let (status, body) = world.get(&format!("{PATH}/{after}")).await;
    assert_eq!((status, &body["errcode"]), (404, &"M_NOT_FOUND".into()));
}

#[tokio::test]
async fn what_is_not_ours_is_not_there() {
    let world = World::new().await;
    let uri = keep(&world, "image/png", None, b"bytes").await;
    let id = uri.split_once('/').unwrap().1;
    for path in [
        "parvis.test/unknown".to_owned(),
        format!("other.org/{id}"),
        format!("..%2F..%2Fetc/{id}"),
        "parvis.test/..%2F..%2Fparvis.db".to_owned(),
        "parvis.test/%2e%2e".to_owned(),
        "parvis.test/%00".to_owned(),
        format!("parvis.test/{id}%20"),
    ] {
        let (status, body) = world.get(&format!("{PATH}/{path}")).await;
        assert_eq!((status, &body["errcode"]), (404, &"M_NOT_FOUND".into()), "{path}");
    }
}

#[tokio::test]
async fn part_of_a_file_may_be_asked_for() {
    let world = World::new().await;
    let uri = keep(&world, "video/mp4", None, b"0123456789").await;
    let path = format!("{PATH}/{uri}");
    let whole = get(&world, &path, &[]).await;
    assert_eq!(header(whole.headers(), "accept-ranges"), "bytes");
    let etag = header(whole.headers(), "etag").to_owned();
    for (headers, status, range, body) in [
        (vec![("range", "bytes=2-4")], 206, "bytes 2-4/10", "234"),
        (vec![("range", "bytes=8-")], 206, "bytes 8-9/10", "89"),
        (vec![("range", "bytes=-1")], 206, "bytes 9-9/10", "9"),
        (vec![("range", "bytes=10-")], 416, "bytes */10", ""),
        (vec![("range", "bytes=0-1,3-4")], 200, "", "0123456789"),
        (vec![("range", "bytes=2-4"), ("if-range", etag.as_str())], 206, "bytes 2-4/10", "234"),
        (vec![("range", "bytes=2-4"), ("if-range", "\"other\"")], 200, "", "0123456789"),
    ] {
        let response = get(&world, &path, &headers).await;
        assert_eq!(response.status(), status, "{headers:?}");
        assert_is_guarded(response.headers());
        assert_eq!(header(response.headers(), "content-range"), range, "{headers:?}");
        assert_eq!(read(response).await, body.as_bytes(), "{headers:?}");
    }
}

#[tokio::test]
async fn file_that_the_client_has_is_not_sent_again() {
    let world = World::new().await;
    let uri = keep(&world, "image/png", None, b"0123456789").await;
    let path = format!("{PATH}/{uri}");
    let etag = header(get(&world, &path, &[]).await.headers(), "etag").to_owned();
    let response = get(&world, &path, &[("if-none-match", &etag)]).await;
    assert_eq!(response.status(), 304);
    assert_is_guarded(response.headers());
    assert!(read(response).await.is_empty());
    assert_eq!(get(&world, &path, &[("if-none-match", "\"other\"")]).await.status(), 200);
}

#[tokio::test]
async fn file_that_is_still_to_come_is_waited_for() {
    let world = World::new().await;
    let created = world.api.media.create(user_id!("@alice:parvis.test")).await.unwrap();
    let uri = created.uri.as_str().strip_prefix("mxc://").unwrap();
    let (status, body) = world.get(&format!("{PATH}/{uri}?timeout_ms=0")).await;
    assert_eq!((status, &body["errcode"]), (504, &"M_NOT_YET_UPLOADED".into()));

    let path = format!("{PATH}/{uri}?timeout_ms=5000");
    let waiting = world.get(&path);
    let later = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.clock.advance(Duration::from_secs(1));
        }
    };
    let ((status, _), ()) = tokio::join!(waiting, later);
    assert_eq!(status, 504);
}

#[tokio::test]
async fn timeout_that_is_no_number_is_refused() {
    let world = World::new().await;
    for timeout in ["x", "-1", "1.5"] {
        let (status, body) = world.get(&format!("{PATH}/parvis.test/x?timeout_ms={timeout}")).await;
        assert_eq!((status, &body["errcode"]), (400, &"M_INVALID_PARAM".into()), "{timeout}");
    }
}

#[tokio::test]
async fn large_file_comes_in_pieces() {
    let world = World::new().await;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    let uri = keep(&world, "application/zip", None, &bytes).await;
    let response = get(&world, &format!("{PATH}/{uri}"), &[]).await;
    let mut body = response.into_body().into_data_stream();
    let mut received = Vec::new();
    let mut largest = 0;
    while let Some(piece) = futures_util::StreamExt::next(&mut body).await {
        let piece = piece.unwrap();
        largest = largest.max(piece.len());
        received.extend(piece);
    }
    assert_eq!(received, bytes);
    assert!(largest <= 65_536, "{largest}");
}
