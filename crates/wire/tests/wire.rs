//! The envelope, seen from outside: requests in, responses out.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    io,
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse, response::Response};
use http::{Method, Request, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use parvis_wire::{
    Authenticator, Call, Endpoint, Endpoints, MatrixError, Route, SameOrigin, Settings, Stream, Telemetry,
    envelope,
};
use ruma::api::client::{
    account::{change_password, whoami},
    alias::create_alias,
    discovery::get_supported_versions,
    media::create_content,
    push::get_pushrules_all,
    state::get_state_event_for_key,
    sync::sync_events,
    uiaa::{AuthFlow, AuthType, UiaaInfo},
};
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing::instrument::WithSubscriber;

/// Knows one token, `secret`, which is Alice's.
#[derive(Clone)]
struct Api;

#[derive(Debug)]
struct Caller(&'static str);

impl Authenticator for Api {
    type Principal = Caller;

    async fn authenticate(&self, token: &str, _: &Parts) -> Result<Caller, MatrixError> {
        if token == "secret" {
            Ok(Caller("@alice:example.org"))
        } else {
            Err(MatrixError::unknown_token(true))
        }
    }
}

async fn whoami(
    _: Api,
    call: Call<whoami::v3::Request, Caller>,
) -> Result<whoami::v3::Response, MatrixError> {
    let user_id = ruma::UserId::parse(call.principal.0).map_err(MatrixError::internal)?;
    Ok(whoami::v3::Response::new(user_id, false))
}

async fn versions(
    _: Api,
    call: Call<get_supported_versions::Request, Option<Caller>>,
) -> Result<get_supported_versions::Response, MatrixError> {
    let caller = call.principal.map_or("nobody", |caller| caller.0);
    Ok(get_supported_versions::Response::new(vec![caller.to_owned()]))
}

/// Says what it was asked for in its error, so that tests can see it.
async fn create_alias(
    _: Api,
    call: Call<create_alias::v3::Request, Caller>,
) -> Result<create_alias::v3::Response, MatrixError> {
    let body = String::from_utf8_lossy(&call.body).into_owned();
    Err(MatrixError::forbidden(call.request.room_alias.to_string()).with("body", body))
}

async fn get_state(
    _: Api,
    call: Call<get_state_event_for_key::v3::Request, Caller>,
) -> Result<get_state_event_for_key::v3::Response, MatrixError> {
    let seen = json!({ "type": call.request.event_type.to_string(), "state_key": call.request.state_key });
    let seen = serde_json::value::to_raw_value(&seen).map_err(MatrixError::internal)?;
    Ok(get_state_event_for_key::v3::Response::new(seen))
}

async fn change_password(
    _: Api,
    _: Call<change_password::v3::Request, Option<Caller>>,
) -> Result<change_password::v3::Response, MatrixError> {
    let mut info = UiaaInfo::new(vec![AuthFlow::new(vec![AuthType::Password])]);
    info.session = Some("session".to_owned());
    Err(MatrixError::interactive_authentication(&info))
}

async fn pushrules(
    _: Api,
    _: Call<get_pushrules_all::v3::Request, Caller>,
) -> Result<get_pushrules_all::v3::Response, MatrixError> {
    Err(MatrixError::limit_exceeded(Duration::from_millis(1_200)))
}

async fn sync(_: Api, _: Call<sync_events::v3::Request, Caller>) -> Result<Response, MatrixError> {
    panic!("the reason is a secret")
}

async fn upload(_: Api, stream: Stream<Caller>) -> Result<Response, MatrixError> {
    let size = stream.body.collect().await.map_err(MatrixError::internal)?.to_bytes().len();
    Ok(size.to_string().into_response())
}

/// A page that is for its own origin.
async fn page(_: Api, _: Stream<()>) -> Result<Response, MatrixError> {
    let mut response = "page".into_response();
    response.extensions_mut().insert(SameOrigin);
    Ok(response)
}

const BODY_LIMIT_BYTES: usize = 300;

fn server() -> Router {
    let endpoints = Endpoints::new()
        .with(Endpoint::typed(whoami))
        .with(Endpoint::typed(versions))
        .with(Endpoint::typed(create_alias))
        .with(
            Endpoint::typed(get_state)
                .also_at("/_matrix/client/v3/rooms/{room}/state/{event_type}")
                .also_at("/_matrix/client/v3/rooms/{room}/state/{event_type}/"),
        )
        .with(Endpoint::typed(change_password))
        .with(Endpoint::typed(pushrules))
        .with(Endpoint::with_own_reply(sync))
        .with(Endpoint::open(Method::GET, "/page", page))
        .with(Endpoint::streaming::<create_content::v3::Request, _, _, _>(upload));
    let telemetry = Telemetry {
        new_request_id: Arc::new(|| "made-here".to_owned()),
        elapsed: Arc::new(Duration::default),
    };
    envelope(endpoints.into_router(Api, BODY_LIMIT_BYTES), &Settings { telemetry })
}

/// A request from Alice.
fn request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, "Bearer secret");
    request.body(body.into()).unwrap()
}

fn anonymous(method: Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// Lets every test have somebody who listens. Else a test without one could make `tracing` remember of a place in
/// the code that nobody listens, while the test of the log begins to.
fn listen_to_all() {
    static LISTENER: Once = Once::new();
    LISTENER.call_once(|| {
        let nowhere = tracing_subscriber::fmt().with_writer(io::sink).finish();
        tracing::subscriber::set_global_default(nowhere).unwrap();
    });
}

async fn send(request: Request<Body>) -> Response {
    listen_to_all();
    server().oneshot(request).await.unwrap()
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

/// The status and the errcode of an answer which must be JSON.
async fn refusal(response: Response) -> (u16, String) {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let status = response.status().as_u16();
    let body = body(response).await;
    assert!(body["error"].is_string(), "{body}");
    (status, body["errcode"].as_str().unwrap().to_owned())
}

async fn refusal_of_body(body: impl Into<Body>) -> (u16, String) {
    refusal(send(request(Method::PUT, ALIAS, body)).await).await
}

fn refused(status: u16, errcode: &str) -> (u16, String) {
    (status, errcode.to_owned())
}

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const ALIAS: &str = "/_matrix/client/v3/directory/room/%23hall:example.org";

#[tokio::test]
async fn typed_endpoint_answers_on_all_paths_of_its_type() {
    for path in [WHOAMI, "/_matrix/client/r0/account/whoami"] {
        let response = send(request(Method::GET, path, "")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(body(response).await["user_id"], "@alice:example.org");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let response = send(request(Method::HEAD, WHOAMI, "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn path_written_with_a_final_slash_is_answered_without_it() {
    for path in ["/_matrix/client/v3/pushrules", "/_matrix/client/v3/pushrules/"] {
        assert_eq!(send(request(Method::GET, path, "")).await.status(), StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn missing_token_is_told_apart_from_an_unknown_one() {
    let refusal_with = async |authorization: &str| {
        let mut request = anonymous(Method::GET, WHOAMI);
        request.headers_mut().insert(header::AUTHORIZATION, authorization.parse().unwrap());
        refusal(send(request).await).await
    };
    assert_eq!(refusal(send(anonymous(Method::GET, WHOAMI)).await).await, refused(401, "M_MISSING_TOKEN"));
    assert_eq!(refusal_with("Bearer ").await, refused(401, "M_MISSING_TOKEN"));
    assert_eq!(refusal_with("Basic YTpi").await, refused(401, "M_MISSING_TOKEN"));
    assert_eq!(refusal_with("Bearer other").await, refused(401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn scheme_of_the_token_is_read_without_regard_to_case() {
    let mut request = anonymous(Method::GET, WHOAMI);
    request.headers_mut().insert(header::AUTHORIZATION, "bearer secret".parse().unwrap());
    assert_eq!(send(request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn unknown_token_says_whether_it_is_a_soft_logout() {
    let mut request = anonymous(Method::GET, WHOAMI);
    request.headers_mut().insert(header::AUTHORIZATION, "Bearer other".parse().unwrap());
    assert_eq!(body(send(request).await).await["soft_logout"], true);
}

#[tokio::test]
async fn token_may_stand_in_the_query_string_where_there_is_none_in_the_header() {
    let by_query =
        async |token: &str| send(anonymous(Method::GET, &format!("{WHOAMI}?access_token={token}"))).await;
    assert_eq!(by_query("secret").await.status(), StatusCode::OK);
    for (token, refusal) in [("other", "M_UNKNOWN_TOKEN"), ("", "M_UNKNOWN_TOKEN")] {
        let response = by_query(token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(body(response).await["errcode"], refusal, "{token}");
    }
    let mut both = anonymous(Method::GET, &format!("{WHOAMI}?access_token=secret"));
    both.headers_mut().insert(header::AUTHORIZATION, "Bearer other".parse().unwrap());
    assert_eq!(send(both).await.status(), StatusCode::UNAUTHORIZED, "the header counts");
}

#[tokio::test]
async fn optional_token_may_be_absent_but_not_wrong() {
    const VERSIONS: &str = "/_matrix/client/versions";
    assert_eq!(body(send(anonymous(Method::GET, VERSIONS)).await).await["versions"][0], "nobody");
    let known = send(request(Method::GET, VERSIONS, "")).await;
    assert_eq!(body(known).await["versions"][0], "@alice:example.org");
    let mut wrong = anonymous(Method::GET, VERSIONS);
    wrong.headers_mut().insert(header::AUTHORIZATION, "Bearer other".parse().unwrap());
    assert_eq!(send(wrong).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn faults_of_a_body_are_told_apart() {
    assert_eq!(refusal_of_body("{").await, refused(400, "M_NOT_JSON"));
    assert_eq!(refusal_of_body("hello").await, refused(400, "M_NOT_JSON"));
    assert_eq!(refusal_of_body("{} {}").await, refused(400, "M_NOT_JSON"));
    assert_eq!(refusal_of_body(&b"{\"room_id\": \"\xff\"}"[..]).await, refused(400, "M_NOT_JSON"));
    assert_eq!(refusal_of_body("[\"!a:b\"]").await, refused(400, "M_BAD_JSON"));
    assert_eq!(refusal_of_body(r#"{"room_id": 5}"#).await, refused(400, "M_BAD_JSON"));
    assert_eq!(refusal_of_body(r#"{"room_id": "not a room"}"#).await, refused(400, "M_BAD_JSON"));
    assert_eq!(refusal_of_body("{}").await, refused(400, "M_MISSING_PARAM"));
}

#[tokio::test]
async fn empty_body_counts_as_an_empty_object() {
    assert_eq!(refusal_of_body("").await, refused(400, "M_MISSING_PARAM"));
}

#[tokio::test]
async fn content_type_of_a_request_does_not_matter() {
    let mut request = request(Method::PUT, ALIAS, r#"{"room_id": "!a:example.org"}"#);
    request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_eq!(refusal(send(request).await).await, refused(403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn handler_sees_the_body_as_it_came() {
    let sent = r#"{ "room_id": "!a:example.org", "unknown": 1 }"#;
    assert_eq!(body(send(request(Method::PUT, ALIAS, sent)).await).await["body"], sent);
}

#[tokio::test]
async fn path_is_decoded_once() {
    let path = "/_matrix/client/v3/rooms/!a:example.org/state/m.type/a%2Fb%2525";
    assert_eq!(body(send(request(Method::GET, path, "")).await).await["state_key"], "a/b%25");
}

#[tokio::test]
async fn path_which_is_not_utf8_is_an_invalid_parameter() {
    let path = "/_matrix/client/v3/rooms/!a:example.org/state/m.type/%FF";
    let refusal = refusal(send(request(Method::GET, path, "")).await).await;
    assert_eq!(refusal, refused(400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn identifier_in_a_path_which_is_none_is_an_invalid_parameter() {
    let path = "/_matrix/client/v3/directory/room/hall";
    let refusal = refusal(send(request(Method::PUT, path, r#"{"room_id": "!a:b"}"#)).await).await;
    assert_eq!(refusal, refused(400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn endpoint_answers_on_the_paths_added_to_it() {
    for path in ["state/m.room.name", "state/m.room.name/"] {
        let path = format!("/_matrix/client/v3/rooms/!a:example.org/{path}");
        let seen = body(send(request(Method::GET, &path, "")).await).await;
        assert_eq!(seen, json!({ "type": "m.room.name", "state_key": "" }));
    }
}

#[tokio::test]
async fn unknown_path_is_not_found_and_unrecognized() {
    let response = send(anonymous(Method::GET, "/_matrix/client/v3/nothing")).await;
    assert_eq!(refusal(response).await, refused(404, "M_UNRECOGNIZED"));
}

#[tokio::test]
async fn wrong_method_is_not_allowed_and_unrecognized() {
    let response = send(anonymous(Method::POST, WHOAMI)).await;
    assert!(response.headers().contains_key(header::ALLOW));
    assert_eq!(refusal(response).await, refused(405, "M_UNRECOGNIZED"));
}

#[tokio::test]
async fn body_beyond_the_limit_is_too_large() {
    let body = format!(r#"{{"room_id": "!a:example.org", "fill": "{}"}}"#, "x".repeat(BODY_LIMIT_BYTES));
    assert_eq!(refusal_of_body(body).await, refused(413, "M_TOO_LARGE"));
}

#[tokio::test]
async fn strangers_body_is_refused_before_it_is_judged() {
    let mut request = request(Method::PUT, ALIAS, "{");
    request.headers_mut().remove(header::AUTHORIZATION);
    assert_eq!(refusal(send(request).await).await, refused(401, "M_MISSING_TOKEN"));
}

#[tokio::test]
async fn streaming_endpoint_gets_a_body_of_any_size() {
    let body = vec![0_u8; 10 * BODY_LIMIT_BYTES];
    let response = send(request(Method::POST, "/_matrix/media/v3/upload", body)).await;
    assert_eq!(&response.into_body().collect().await.unwrap().to_bytes()[..], b"3000");
    let stranger = send(anonymous(Method::POST, "/_matrix/media/v3/upload")).await;
    assert_eq!(refusal(stranger).await, refused(401, "M_MISSING_TOKEN"));
}

#[tokio::test]
async fn limit_says_when_to_come_back_in_body_and_header() {
    let response = send(request(Method::GET, "/_matrix/client/v3/pushrules/", "")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    let body = body(response).await;
    assert_eq!((&body["errcode"], &body["retry_after_ms"]), (&json!("M_LIMIT_EXCEEDED"), &json!(1200)));
}

#[tokio::test]
async fn interactive_authentication_asks_with_401() {
    let path = "/_matrix/client/v3/account/password";
    let response = send(request(Method::POST, path, r#"{"new_password": "x"}"#)).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let asked = json!({ "flows": [{ "stages": ["m.login.password"] }], "session": "session" });
    assert_eq!(body(response).await, asked);
}

#[tokio::test]
async fn panic_is_an_opaque_error() {
    let response = send(request(Method::GET, "/_matrix/client/v3/sync", "")).await;
    assert_eq!(response.headers()["x-request-id"], "made-here");
    let whole = response.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&whole).contains("secret"));
    let response = send(request(Method::GET, "/_matrix/client/v3/sync", "")).await;
    assert_eq!(refusal(response).await, refused(500, "M_UNKNOWN"));
}

#[tokio::test]
async fn every_answer_may_be_read_from_any_origin() {
    let answers = [
        (StatusCode::OK, request(Method::GET, WHOAMI, "")),
        (StatusCode::UNAUTHORIZED, anonymous(Method::GET, WHOAMI)),
        (StatusCode::NOT_FOUND, anonymous(Method::GET, "/nowhere")),
        (StatusCode::METHOD_NOT_ALLOWED, anonymous(Method::PATCH, WHOAMI)),
        (StatusCode::PAYLOAD_TOO_LARGE, request(Method::PUT, ALIAS, "x".repeat(BODY_LIMIT_BYTES + 1))),
        (StatusCode::TOO_MANY_REQUESTS, request(Method::GET, "/_matrix/client/v3/pushrules/", "")),
        (StatusCode::INTERNAL_SERVER_ERROR, request(Method::GET, "/_matrix/client/v3/sync", "")),
    ];
    for (status, request) in answers {
        let response = send(request).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*", "{status}");
    }
}

#[tokio::test]
async fn pages_of_the_server_are_for_its_own_origin() {
    let response = send(anonymous(Method::GET, "/page")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
}

#[tokio::test]
async fn preflight_is_answered_on_every_path_without_a_token() {
    for path in [WHOAMI, "/_matrix/client/v3/nothing", "/"] {
        let response = send(anonymous(Method::OPTIONS, path)).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        let headers = response.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let allowed = headers[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
        assert!(allowed.contains("Authorization") && allowed.contains("Content-Type"));
        let methods = headers[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap();
        assert!(["GET", "POST", "PUT", "DELETE", "OPTIONS"].iter().all(|method| methods.contains(method)));
    }
}

#[tokio::test]
async fn request_id_of_a_proxy_is_kept_if_it_is_fit_for_logs() {
    for (given, kept) in [("abc-1.2_3", "abc-1.2_3"), ("a b", "made-here"), ("", "made-here")] {
        let mut request = anonymous(Method::GET, "/nowhere");
        request.headers_mut().insert("x-request-id", given.parse().unwrap());
        assert_eq!(send(request).await.headers()["x-request-id"], kept);
    }
}

#[tokio::test]
async fn answer_carries_the_template_of_its_route() {
    let path = "/_matrix/client/v3/rooms/!a:example.org/state/m.room.name/";
    let response = send(request(Method::GET, path, "")).await;
    let route = response.extensions().get::<Route>().unwrap();
    assert_eq!(&*route.0, "/_matrix/client/v3/rooms/{room}/state/{event_type}/");
    assert!(send(anonymous(Method::GET, "/nowhere")).await.extensions().get::<Route>().is_none());
}

/// What was logged while a test ran.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn log_names_the_route_and_never_identifiers_tokens_queries_or_bodies() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let path = format!("{ALIAS}?token=query-part");
    send(request(Method::PUT, &path, r#"{"room_id": "!body-part:example.org"}"#))
        .with_subscriber(subscriber)
        .await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line: Value = serde_json::from_str(log.trim()).expect("one line");
    assert_eq!(line["span"]["route"], "/_matrix/client/v3/directory/room/{room_alias}");
    assert_eq!(line["span"]["method"], "PUT");
    assert_eq!(line["span"]["request_id"], "made-here");
    assert_eq!(line["fields"]["status"], 403);
    for secret in ["hall", "secret", "query-part", "body-part"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
#[should_panic(expected = "Overlapping method route")]
fn two_endpoints_for_one_path_are_found_when_the_server_starts() {
    let twice = Endpoints::new().with(Endpoint::typed(whoami)).with(Endpoint::typed(whoami));
    let _ = twice.into_router(Api, BODY_LIMIT_BYTES);
}
