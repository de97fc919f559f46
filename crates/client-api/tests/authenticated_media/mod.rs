//! Downloads for those who are logged in. What does not depend on who asks is told of the downloads of old.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use image::{ImageFormat, RgbImage};
use parvis_media::PreviewSettings;
use parvis_peers::{Body as PeerBody, Limits, Page, PageWish, PeerError, Transport};
use ruma::ServerName;
use serde_json::Value;

use crate::{
    media::{assert_is_guarded, header, keep},
    world::{Client, World, read},
};

async fn get(world: &World, client: &Client, path: &str) -> Response<Body> {
    let request = Request::get(format!("/_matrix/client/v1/media/{path}"));
    let request = request.header("authorization", format!("Bearer {}", client.token));
    world.answer(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn nobody_else_gets_anything() {
    let world = World::new().await;
    for path in ["config", "download/parvis.test/x", "download/parvis.test/x/y", "thumbnail/parvis.test/x"] {
        let path = format!("/_matrix/client/v1/media/{path}");
        for (token, errcode) in [(None, "M_MISSING_TOKEN"), (Some("Bearer unknown"), "M_UNKNOWN_TOKEN")] {
            let request = Request::get(&path);
            let request =
                token.into_iter().fold(request, |request, token| request.header("Authorization", token));
            let response = world.answer(request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), 401, "{path}");
            let body: Value = serde_json::from_slice(&read(response).await).unwrap();
            assert_eq!(body["errcode"], errcode, "{path}");
        }
    }
}

#[tokio::test]
async fn files_and_thumbnails_come_after_the_freeze_too() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    world.freeze();
    let mut png = std::io::Cursor::new(Vec::new());
    RgbImage::new(200, 100).write_to(&mut png, ImageFormat::Png).unwrap();
    let uri = keep(&world, "image/png", Some("a.png"), png.get_ref()).await;
    for (path, disposition) in [
        (format!("download/{uri}"), "inline; filename=\"a.png\""),
        (format!("download/{uri}/b.png"), "inline; filename=\"b.png\""),
        (format!("thumbnail/{uri}?width=32&height=32&method=crop"), "inline; filename=\"thumbnail.png\""),
    ] {
        let response = get(&world, &alice, &path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_is_guarded(response.headers());
        assert_eq!(header(response.headers(), "content-type"), "image/png");
        assert_eq!(header(response.headers(), "content-disposition"), disposition);
        let image = image::load_from_memory(&read(response).await).unwrap();
        assert_eq!(image.width(), if path.starts_with("thumbnail") { 32 } else { 200 });
    }
}

#[tokio::test]
async fn media_of_other_servers_is_not_there() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for path in
        ["download/other.test/x", "download/other.test/x/y", "thumbnail/other.test/x?width=1&height=1"]
    {
        let answer = world.get_as(&alice, &format!("v1/media/{path}")).await;
        assert_eq!(answer.error(), (404, "M_NOT_FOUND"), "{path}");
    }
}

/// A Web of one page.
#[derive(Debug)]
struct Web;

#[async_trait]
impl Transport for Web {
    async fn exchange(
        &self,
        destination: &ServerName,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<PeerBody>, PeerError> {
        Err(PeerError::Unsendable(destination.to_string()))
    }

    async fn page(&self, url: &str, _: &PageWish<'_>, _: Limits) -> Result<Page, PeerError> {
        let page = "<html><head><meta property=\"og:title\" content=\"Tea\"></head></html>";
        let response = http::Response::builder().header("content-type", "text/html");
        Ok(Page { url: url.to_owned(), response: response.body(PeerBody::whole(page.into())).unwrap() })
    }
}

#[tokio::test]
async fn page_is_previewed_for_those_who_are_logged_in() {
    let mut world = World::new().await;
    let settings =
        PreviewSettings { denied_hosts: Vec::new(), languages: String::new(), max_picture_bytes: 1_000 };
    world.api.media = world.api.media.clone().previewing(Arc::new(Web), settings);
    let alice = world.register("alice").await;
    for path in ["/_matrix/client/v1/media", "/_matrix/media/v3"] {
        let url = format!("{path}/preview_url?url=https://tea.test/");
        assert_eq!(world.get(&url).await.0, 401);
        let request = Request::get(&url).header("authorization", format!("Bearer {}", alice.token));
        let response = world.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200, "{url}");
        let preview: Value = serde_json::from_slice(&read(response).await).unwrap();
        assert_eq!(preview["og:title"], "Tea");
    }
}

#[tokio::test]
async fn server_without_previews_says_so() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let path = "v1/media/preview_url";
    assert_eq!(world.get(&format!("/_matrix/client/{path}?url=http://a.test/")).await.0, 401);
    assert_eq!(world.get_as(&alice, path).await.error(), (400, "M_MISSING_PARAM"));
    assert_eq!(
        world.get_as(&alice, &format!("{path}?url=http://a.test/")).await.error(),
        (404, "M_NOT_FOUND")
    );
}
