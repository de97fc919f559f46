//! Uploads, and the downloads of old.

mod create_content;
mod get_content;
mod get_content_as_filename;
mod get_content_thumbnail;
mod get_media_config;

use axum::{body::Body, http::Response};
use http::{HeaderMap, Request};
use parvis_media::Offer;
use ruma::user_id;

use crate::world::World;

/// Keeps a file without asking over HTTP; gives the last two parts of its URI, as in paths.
async fn keep(world: &World, content_type: &str, filename: Option<&str>, bytes: &[u8]) -> String {
    let offer = Offer {
        content_type: Some(content_type.to_owned()),
        filename: filename.map(str::to_owned),
        size_bytes: None,
    };
    let body = Body::from(bytes.to_vec()).into_data_stream();
    let uri = world.api.media.upload(user_id!("@alice:example.org"), &offer, body).await.unwrap();
    uri.as_str().strip_prefix("mxc://").unwrap().to_owned()
}

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    world.answer(request.body(Body::empty()).unwrap()).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// What protects browsers from files is on every answer with a file.
fn assert_is_guarded(headers: &HeaderMap) {
    let policy = header(headers, "content-security-policy");
    assert!(policy.starts_with("sandbox; default-src 'none';"), "{policy}");
    assert_eq!(header(headers, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!(header(headers, "x-content-type-options"), "nosniff");
    assert_eq!(header(headers, "cache-control"), "private, max-age=86400, immutable");
}
