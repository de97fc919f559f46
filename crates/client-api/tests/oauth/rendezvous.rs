//! Where two devices meet before one of them is logged in.

use axum::body::Body;
use http::{HeaderMap, Method, Request, header};
use parvis_client_api::{RateLimit, RateLimitSettings};
use serde_json::Value;

use super::browser::BASE;
use crate::world::{World, read};

const PLACES: &str = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous";

/// Status, headers and text.
struct Got(u16, HeaderMap, String);

impl Got {
    fn header(&self, name: header::HeaderName) -> &str {
        self.1.get(&name).unwrap_or_else(|| panic!("no {name} in {} {}", self.0, self.2)).to_str().unwrap()
    }

    fn error(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.2).unwrap_or_default();
        (self.0, body["errcode"].as_str().unwrap_or_default().to_owned())
    }
}

async fn send(
    world: &World,
    method: Method,
    path: &str,
    more: &[(header::HeaderName, &str)],
    body: &str,
) -> Got {
    let mut request = Request::builder().method(method).uri(path.strip_prefix(BASE).unwrap_or(path));
    for (name, value) in more {
        request = request.header(name, *value);
    }
    let response = world.answer(request.body(Body::from(body.to_owned())).unwrap()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got(status, headers, String::from_utf8(read(response).await).unwrap())
}

const TEXT: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/plain");

/// Makes a place. Gives its URL and the name of its first message.
async fn begin(world: &World, body: &str) -> (String, String) {
    let got = send(world, Method::POST, PLACES, &[TEXT], body).await;
    assert_eq!(got.0, 201, "{}", got.2);
    let body: Value = serde_json::from_str(&got.2).unwrap();
    (body["url"].as_str().unwrap().to_owned(), got.header(header::ETAG).to_owned())
}

async fn get(world: &World, url: &str, seen: Option<&str>) -> Got {
    let seen: Vec<_> = seen.into_iter().map(|seen| (header::IF_NONE_MATCH, seen)).collect();
    send(world, Method::GET, url, &seen, "").await
}

async fn put(world: &World, url: &str, seen: &str, body: &str) -> Got {
    send(world, Method::PUT, url, &[TEXT, (header::IF_MATCH, seen)], body).await
}

#[tokio::test]
async fn two_devices_leave_messages_for_one_another() {
    let world = World::new().await.with_oauth();
    let (_, versions) = world.get("/_matrix/client/versions").await;
    assert_eq!(versions["unstable_features"]["org.matrix.msc4108"], true);
    let (url, first) = begin(&world, "").await;
    assert!(url.starts_with(&format!("{BASE}{PLACES}/")), "{url}");
    let empty = get(&world, &url, None).await;
    assert_eq!((empty.0, empty.2.as_str(), empty.header(header::ETAG)), (200, "", first.as_str()));
    assert_eq!(empty.header(header::CONTENT_TYPE), "text/plain");
    assert_eq!(empty.header(header::LAST_MODIFIED), "Tue, 14 Nov 2023 22:13:20 GMT");
    assert_eq!(empty.header(header::EXPIRES), "Tue, 14 Nov 2023 22:23:20 GMT");
    assert_eq!(empty.header(header::CACHE_CONTROL), "no-store");

    world.wait(7);
    let written = put(&world, &url, &first, "hello").await;
    assert_eq!(written.0, 202);
    let second = written.header(header::ETAG).to_owned();
    assert_ne!(first, second);
    assert_eq!(put(&world, &url, &first, "late").await.error(), (412, "M_CONCURRENT_WRITE".to_owned()));
    let read = get(&world, &url, Some(&first)).await;
    assert_eq!((read.0, read.2.as_str(), read.header(header::ETAG)), (200, "hello", second.as_str()));
    let same = get(&world, &url, Some(&second)).await;
    assert_eq!((same.0, same.2.as_str(), same.header(header::ETAG)), (304, "", second.as_str()));
    assert_eq!(same.header(header::LAST_MODIFIED), "Tue, 14 Nov 2023 22:13:27 GMT");
    assert_eq!(
        same.header(header::EXPIRES),
        empty.header(header::EXPIRES),
        "writing does not make it last longer"
    );

    assert_eq!(send(&world, Method::DELETE, &url, &[], "").await.0, 204);
    let gone = (404, "M_NOT_FOUND".to_owned());
    assert_eq!(get(&world, &url, None).await.error(), gone);
    assert_eq!(put(&world, &url, &second, "x").await.error(), gone);
    assert_eq!(send(&world, Method::DELETE, &url, &[], "").await.error(), gone);
}

#[tokio::test]
async fn what_is_left_there_is_small_and_text_and_lasts_for_minutes() {
    let world = World::new().await.with_oauth();
    let (largest, larger) = ("x".repeat(4 << 10), "x".repeat((4 << 10) + 1));
    let (url, first) = begin(&world, &largest).await;
    let too_large = (413, "M_TOO_LARGE".to_owned());
    assert_eq!(send(&world, Method::POST, PLACES, &[TEXT], &larger).await.error(), too_large);
    assert_eq!(put(&world, &url, &first, &larger).await.error(), too_large);
    let page = (header::CONTENT_TYPE, "text/html");
    let bad = (400, "M_INVALID_PARAM".to_owned());
    assert_eq!(send(&world, Method::POST, PLACES, std::slice::from_ref(&page), "<p>").await.error(), bad);
    let seen = (header::IF_MATCH, first.as_str());
    assert_eq!(send(&world, Method::PUT, &url, &[page, seen], "<p>").await.error(), bad);
    let blind = send(&world, Method::PUT, &url, &[TEXT], "x").await;
    assert_eq!(blind.error(), (400, "M_MISSING_PARAM".to_owned()));
    assert_eq!(get(&world, &url, None).await.2, largest, "nothing of that was left");
    world.wait(10 * 60);
    assert_eq!(get(&world, &url, None).await.error(), (404, "M_NOT_FOUND".to_owned()));
    assert_eq!(put(&world, &url, &first, "x").await.error(), (404, "M_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn making_places_is_limited() {
    let login = RateLimit { per_second: 0.1, burst: 2 };
    let world =
        World::new().await.with_oauth().with_limits(RateLimitSettings { login, ..RateLimitSettings::OFF });
    begin(&world, "").await;
    let (url, _) = begin(&world, "").await;
    let refused = send(&world, Method::POST, PLACES, &[TEXT], "").await;
    assert_eq!(refused.error(), (429, "M_LIMIT_EXCEEDED".to_owned()));
    for _ in 0..20 {
        assert_eq!(get(&world, &url, None).await.0, 200, "looking is not");
    }
}

#[tokio::test]
async fn where_it_is_switched_off_there_are_no_places() {
    let unknown = (404, "M_UNRECOGNIZED".to_owned());
    let off = World::new().await.with_oauth_as(|sign_on| sign_on.qr_codes = false);
    for world in [off, World::new().await] {
        let (_, versions) = world.get("/_matrix/client/versions").await;
        assert_eq!(versions["unstable_features"].get("org.matrix.msc4108"), None);
        assert_eq!(send(&world, Method::POST, PLACES, &[TEXT], "").await.error(), unknown);
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let got = send(&world, method, &format!("{PLACES}/x"), &[TEXT], "").await;
            assert_eq!(got.error(), unknown);
        }
    }
}
