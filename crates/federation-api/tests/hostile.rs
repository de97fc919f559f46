//! Every endpoint is asked nonsense: each answers with an error that says so, or as if it had been asked for what
//! is not there, and never fails.

use std::fmt::Write as _;

use http::{HeaderValue, Method, header::AUTHORIZATION};
use parvis_federation_api::routes;
use serde_json::{Value, json};

use crate::world::{Answer, Asked, BODY_LIMIT_BYTES, SHUT_OUT, World};

/// Endpoints at which nobody says who they are.
fn is_open(path: &str) -> bool {
    path.starts_with("/_matrix/key/")
        || path.starts_with("/.well-known/")
        || ["/version", "/openid/userinfo", "/3pid/onbind"].iter().any(|end| path.ends_with(end))
}

/// A path with something in place of each variable.
fn fill(template: &str, value: &str) -> String {
    let fill = |segment: &str| if segment.starts_with('{') { value.to_owned() } else { segment.to_owned() };
    template.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// Every endpoint of which the caller must be known.
fn signed_routes() -> Vec<(Method, String)> {
    routes().into_iter().filter(|(_, path)| !is_open(path)).collect()
}

fn check(answer: &Answer, what: &str) {
    assert!(answer.status < 500 || answer.status == 501 || answer.status == 504, "{} {what}", answer.status);
    if answer.status >= 400 {
        assert!(answer.body["errcode"].is_string() && answer.body["error"].is_string(), "{answer:?} {what}");
    }
}

#[tokio::test]
async fn every_endpoint_wants_a_good_signature_for_here_by_a_partner() {
    let world = World::new().await;
    assert!(signed_routes().len() >= 13);
    for (method, template) in signed_routes() {
        let path = fill(&template, "x");
        let body = if method == Method::GET { Value::Null } else { json!({}) };
        let asked = Asked { method: method.clone(), body, ..Asked::get(&path) };
        let what = format!("{method} {template}");

        let mut request = asked.request();
        request.headers_mut().remove(AUTHORIZATION);
        assert_eq!(world.send(request).await.error(), (401, "M_UNAUTHORIZED"), "{what} unsigned");

        let mut request = asked.request();
        let other = Asked { path: "/else", body: Value::Null, ..Asked::get("/else") }.authorization();
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&other).unwrap());
        assert_eq!(
            world.send(request).await.error(),
            (401, "M_UNAUTHORIZED"),
            "{what} with another's signature"
        );

        let elsewhere =
            Asked { destination: "elsewhere.test", body: asked.body.clone(), method, ..Asked::get(&path) };
        let answer = world.send(elsewhere.request()).await;
        assert_eq!(answer.error(), (401, "M_UNAUTHORIZED"), "{what} for another server");

        let shut_out = Asked { origin: SHUT_OUT, destination: crate::world::HERE, ..elsewhere };
        let answer = world.send(shut_out.request()).await;
        assert_eq!(answer.error(), (403, "M_FORBIDDEN"), "{what} by one who is no partner");
    }
}

#[tokio::test]
async fn nonsense_in_paths_and_queries_is_refused() {
    let world = World::new().await;
    let long = "a".repeat(8_000);
    let names = [
        "x",
        "!",
        "%21x%3Aremote.test",
        "%24x",
        "%40x%3Aparvis.test",
        "%23x%3Aparvis.test",
        "%00",
        "%FF",
        "%2F..%2F..",
        "%F0%9F%98%80",
        "-1",
        "9999999999999999999999",
        &long,
    ];
    let mut queries = vec![
        String::new(),
        "?".to_owned(),
        "?%FF=%FF".to_owned(),
        "?limit=-1&ts=-1&width=-1&height=-1&timeout_ms=-1&minimum_valid_until_ts=-1&v=%FF".to_owned(),
        "?limit=1e99&ts=1e99&width=1e99&height=1e99&timeout_ms=1e99&minimum_valid_until_ts=1e99".to_owned(),
        "?limit=99999999999999999999&ts=99999999999999999999&dir=f&event_id=x&v=x".to_owned(),
        "?limit=9007199254740991&ts=9007199254740991&dir=b&event_id=%24x&v=%24x&width=9007199254740991&height=1"
            .to_owned(),
        "?event_id=%00&room_alias=%00&user_id=%00&access_token=%00&ver=%00&since=%00".to_owned(),
        "?room_alias=%23x%3Aparvis.test&user_id=%40x%3Aparvis.test&since=-1&field=%FF".to_owned(),
        "?ver=1&ver=99&ver=&ver=%F0%9F%98%80&omit_members=maybe".to_owned(),
    ];
    let mut many = "?limit=5".to_owned();
    (0..3_000).for_each(|number| write!(many, "&v=%24{number}").unwrap());
    queries.push(many);
    for (method, template) in routes() {
        for name in names {
            let path = fill(&template, name);
            for query in &queries {
                if name.len() > 100 && query.len() > 100 {
                    continue;
                }
                let path = format!("{path}{query}");
                let body = if method == Method::GET { Value::Null } else { json!({}) };
                let asked = Asked { method: method.clone(), body, ..Asked::get(&path) };
                check(&world.send(asked.request()).await, &format!("{method} {path}"));
            }
        }
    }
}

/// The fields that bodies of these endpoints have.
const FIELDS: [&str; 18] = [
    "auth_events",
    "content",
    "device_keys",
    "earliest_events",
    "edus",
    "event",
    "filter",
    "invite_room_state",
    "latest_events",
    "limit",
    "min_depth",
    "one_time_keys",
    "origin",
    "origin_server_ts",
    "pdus",
    "room_version",
    "server_keys",
    "type",
];

/// Bodies that no endpoint asks for, each canonical as far as such a thing can be.
fn bodies() -> Vec<String> {
    let mut bodies: Vec<String> = [
        "{",
        "[]",
        "null",
        "\"x\"",
        "5",
        "nul",
        "{\"a\":}",
        "{\"a\":\"\\ud800\"}",
        "{}{}",
        "{\"a\":1e999}",
        "{\"a\":01}",
        "\u{FEFF}{}",
        "{\"\\u0000\":\"\\u0000\"}",
    ]
    .map(str::to_owned)
    .to_vec();
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let mut values: Vec<String> = [
        "null",
        "true",
        "-1",
        "0.5",
        "9007199254740993",
        "-99999999999999999999",
        "1e99",
        "\"\"",
        "\"x\"",
        "[]",
        "{}",
    ]
    .map(str::to_owned)
    .to_vec();
    values.extend(
        ["[null]", "[[]]", "[{}]", "[1]", "{\"x\":1}", "{\"@x:parvis.test\":{\"x\":{}}}"].map(str::to_owned),
    );
    for depth in [60, 126, 127, 128, 129, 1_000, 100_000] {
        values.push(nested("[", "]", depth));
        values.push(nested("{\"a\":", "}", depth));
    }
    for value in &values {
        for field in FIELDS {
            if value.len() > 10_000 && field != "pdus" && field != "content" {
                continue;
            }
            bodies.push(format!("{{\"{field}\":{value}}}"));
        }
        if value.len() < 10_000 {
            let all = FIELDS.map(|field| format!("\"{field}\":{value}")).join(",");
            bodies.push(format!("{{{all}}}"));
        }
    }
    let event = |more: &str| {
        format!(
            "{{\"content\":{{}},\"depth\":1,\"room_id\":\"!x:remote.test\",\"sender\":\"@x:remote.test\"{more}}}"
        )
    };
    let pdus = [event(""), event(",\"type\":\"m.room.member\""), event(",\"type\":5")].join(",");
    bodies.push(format!(
        "{{\"edus\":[{{}}],\"origin\":\"remote.test\",\"origin_server_ts\":1,\"pdus\":[{pdus}]}}"
    ));
    let pdus = vec!["{}"; 51].join(",");
    bodies
        .push(format!("{{\"edus\":[],\"origin\":\"remote.test\",\"origin_server_ts\":1,\"pdus\":[{pdus}]}}"));
    let edus = vec!["{\"content\":{},\"edu_type\":\"m.typing\"}"; 101].join(",");
    bodies
        .push(format!("{{\"edus\":[{edus}],\"origin\":\"remote.test\",\"origin_server_ts\":1,\"pdus\":[]}}"));
    bodies
}

#[tokio::test]
async fn nonsense_in_bodies_is_refused() {
    let world = World::new().await;
    let bodies = bodies();
    for (method, template) in routes().into_iter().filter(|(method, _)| method != Method::GET) {
        for name in ["x", "%21x%3Aremote.test"] {
            let path = fill(&template, name);
            let asked = Asked { method: method.clone(), ..Asked::get(&path) };
            for body in &bodies {
                let answer = world.send(asked.request_with(body)).await;
                let shown: String = body.chars().take(80).collect();
                check(&answer, &format!("{method} {path} {shown}"));
            }
            let answer = world.send(asked.request_with(&bodies[0])).await;
            assert_eq!(answer.error(), (400, "M_NOT_JSON"), "{method} {path}");
            let answer = world.send(asked.request_with(&format!("{{\"a\":{}}}", "[".repeat(200)))).await;
            assert_eq!(answer.error(), (400, "M_NOT_JSON"), "{method} {path}");
            let large = format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_LIMIT_BYTES));
            let answer = world.send(asked.request_with(&large)).await;
            assert_eq!(answer.error(), (413, "M_TOO_LARGE"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn body_that_is_not_utf_8_is_refused() {
    let world = World::new().await;
    for (method, template) in routes().into_iter().filter(|(method, _)| method != Method::GET) {
        let path = fill(&template, "x");
        let mut request = Asked { method: method.clone(), ..Asked::get(&path) }.request();
        *request.body_mut() = axum::body::Body::from(vec![b'{', 0xFF, b'}']);
        assert_eq!(world.send(request).await.error(), (400, "M_NOT_JSON"), "{method} {template}");
    }
}

#[tokio::test]
async fn same_request_again_gets_the_same_answer() {
    let world = World::new().await;
    for (method, template) in routes() {
        let path = fill(&template, "x");
        let body = if method == Method::GET { Value::Null } else { json!({}) };
        let asked = Asked { method: method.clone(), body, ..Asked::get(&path) };
        let (first, second) = (world.send(asked.request()).await, world.send(asked.request()).await);
        assert_eq!((first.status, &first.body), (second.status, &second.body), "{method} {template}");
    }
}
