//! Uploads, and the downloads of old.

mod create_content;
mod create_content_async;
mod get_content;
mod get_content_as_filename;
mod get_content_thumbnail;
mod get_media_config;

use axum::{body::Body, http::Response};
use http::{HeaderMap, HeaderName, Request};
use parvis_media::Offer;
use ruma::user_id;
use serde_json::Value;

use crate::world::{Client, World, read};

/// Keeps a file without asking over HTTP; gives the last two parts of its URI, as in paths.
pub(crate) async fn keep(world: &World, content_type: &str, filename: Option<&str>, bytes: &[u8]) -> String {
    let offer = Offer {
        content_type: Some(content_type.to_owned()),
        filename: filename.map(str::to_owned),
        size_bytes: None,
    };
    let body = Body::from(bytes.to_vec()).into_data_stream();
    let uri = world.api.media.upload(user_id!("@alice:parvis.test"), &offer, body).await.unwrap();
    uri.as_str().strip_prefix("mxc://").unwrap().to_owned()
}

/// Sends any request as a client; gives the status and the JSON body of the answer.
async fn send(
    world: &World,
    method: &str,
    path: &str,
    client: &Client,
    headers: &[(HeaderName, &str)],
    body: &'static str,
) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request = request.header("authorization", format!("Bearer {}", client.token));
    let response = world.answer(request.body(Body::from(body)).unwrap()).await;
    (response.status().as_u16(), serde_json::from_slice(&read(response).await).unwrap())
}

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    world.answer(request.body(Body::empty()).unwrap()).await
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// What protects browsers from files is on every answer with a file.
pub(crate) fn assert_is_guarded(headers: &HeaderMap) {
    let policy = header(headers, "content-security-policy");
    assert!(policy.starts_with("sandbox; default-src 'none';"), "{policy}");
    assert_eq!(header(headers, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!(header(headers, "x-content-type-options"), "nosniff");
    assert_eq!(header(headers, "cache-control"), "private, max-age=86400, immutable");
}
