//! Who may ask: the signature of a request, seen from outside.

use axum::body::Body;
use http::{HeaderValue, Method, Request, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::world::{Asked, HERE, SHUT_OUT, THERE, World};

const PATH: &str = "/_matrix/federation/v1/publicRooms?limit=5&since=0";
const UNAUTHORISED: (u16, &str) = (401, "M_UNAUTHORIZED");

fn post() -> Asked<'static> {
    let body = json!({ "limit": 5, "x": 0.50, "ä": ["\u{1F600}", "\u{FB00}"] });
    Asked { method: Method::POST, body, ..Asked::get("/_matrix/federation/v1/publicRooms") }
}

/// A request of this content that says it was signed otherwise.
fn with_header(asked: &Asked<'_>, header: &str) -> Request<Body> {
    let mut request = asked.request();
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
    request
}

#[tokio::test]
async fn signed_request_is_answered() {
    let world = World::new().await;
    assert_eq!(world.get(PATH).await.status, 200);
    let asked = Asked { body: json!({ "limit": 5 }), ..post() };
    assert_eq!(world.send(asked.request()).await.status, 200);
    // Not the body of this endpoint, but a body: an empty one is none.
    let asked = Asked { body: Value::Null, ..post() };
    assert_eq!(world.send(asked.request()).await.status, 200);
}

#[tokio::test]
async fn unsigned_request_is_refused() {
    let world = World::new().await;
    assert_eq!(world.get_unsigned(PATH).await.error(), UNAUTHORISED);
    for header in ["Bearer token", "X-Matrix", "X-Matrix origin=remote.test", "Basic eDp5"] {
        let answer = world.send(with_header(&Asked::get(PATH), header)).await;
        assert_eq!(answer.error(), UNAUTHORISED, "{header}");
    }
}

#[tokio::test]
async fn signature_binds_method_uri_body_and_names() {
    let world = World::new().await;
    let asked = post();
    let others = [
        Asked { origin: "other.test", ..post() },
        Asked { method: Method::PUT, ..post() },
        Asked { path: "/_matrix/federation/v1/publicRooms?", ..post() },
        Asked { path: "/_matrix/federation/v1/public%52ooms", ..post() },
        Asked { body: json!({ "limit": 6 }), ..post() },
        Asked { body: Value::Null, ..post() },
    ];
    for (index, other) in others.iter().enumerate() {
        let header = other.authorization().replace("other.test", THERE);
        assert_eq!(world.send(with_header(&asked, &header)).await.error(), UNAUTHORISED, "{index}");
    }
}

#[tokio::test]
async fn request_for_another_server_is_refused() {
    let world = World::new().await;
    for destination in ["elsewhere.test", "PARVIS.TEST", "parvis.test:8448", ""] {
        let asked = Asked { destination, ..Asked::get(PATH) };
        assert_eq!(world.send(asked.request()).await.error(), UNAUTHORISED, "{destination}");
    }
}

#[tokio::test]
async fn destination_may_stay_unsaid_but_is_signed() {
    let world = World::new().await;
    let unsaid = |asked: &Asked<'_>| {
        let header = asked.authorization();
        let said = format!("destination=\"{}\",", asked.destination);
        with_header(asked, &header.replace(&said, ""))
    };
    assert_eq!(world.send(unsaid(&Asked::get(PATH))).await.status, 200);
    let elsewhere = Asked { destination: "elsewhere.test", ..Asked::get(PATH) };
    assert_eq!(world.send(unsaid(&elsewhere)).await.error(), UNAUTHORISED);
}

#[tokio::test]
async fn one_good_signature_of_several_is_enough() {
    let world = World::new().await;
    let asked = Asked::get(PATH);
    let (good, unknown) = (asked.authorization(), asked.authorization().replace("ed25519:k", "ed25519:old"));
    let mut request = asked.request();
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&unknown).unwrap());
    request.headers_mut().append(AUTHORIZATION, HeaderValue::from_str(&good).unwrap());
    assert_eq!(world.send(request).await.status, 200);
    assert_eq!(world.send(with_header(&asked, &unknown)).await.error(), UNAUTHORISED);
    // Two servers cannot make one request.
    let other = Asked { origin: "other.test", ..Asked::get(PATH) };
    let mut request = asked.request();
    request.headers_mut().append(AUTHORIZATION, HeaderValue::from_str(&other.authorization()).unwrap());
    assert_eq!(world.send(request).await.error(), UNAUTHORISED);
}

#[tokio::test]
async fn server_whose_key_cannot_be_had_is_refused() {
    let asked = Asked { origin: "unknown.test", ..Asked::get(PATH) };
    assert_eq!(World::new().await.send(asked.request()).await.error(), UNAUTHORISED);
}

#[tokio::test]
async fn server_that_is_no_partner_is_refused() {
    let asked = Asked { origin: SHUT_OUT, ..Asked::get(PATH) };
    assert_eq!(World::new().await.send(asked.request()).await.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn no_partner_still_learns_version_and_keys() {
    let world = World::new().await;
    for path in ["/_matrix/federation/v1/version", "/_matrix/key/v2/server"] {
        assert_eq!(world.get_unsigned(path).await.status, 200);
    }
}

#[tokio::test]
async fn body_that_is_no_json_is_refused_as_such() {
    let world = World::new().await;
    for (body, error) in [
        ("{", (400, "M_NOT_JSON")),
        ("[]", (400, "M_BAD_JSON")),
        ("{\"a\":\"\\ud800\"}", (400, "M_BAD_JSON")),
        ("\u{0}", (400, "M_NOT_JSON")),
    ] {
        let mut request = post().request();
        *request.body_mut() = Body::from(body);
        assert_eq!(world.send(request).await.error(), error, "{body}");
    }
    let mut request = post().request();
    *request.body_mut() = Body::from(vec![b'{'; 2 << 20]);
    assert_eq!(world.send(request).await.error(), (413, "M_TOO_LARGE"));
}

#[tokio::test]
async fn replay_to_the_same_server_is_only_the_same_question() {
    let world = World::new().await;
    let header = Asked::get(PATH).authorization();
    for _ in 0..2 {
        assert_eq!(world.send(with_header(&Asked::get(PATH), &header)).await.status, 200);
    }
    assert!(header.contains(HERE));
}
