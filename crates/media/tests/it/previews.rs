//! Previews of pages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parvis_media::{Media, PreviewError, PreviewSettings};
use parvis_peers::{Body, Limits, Page, PageWish, PeerError, Transport};
use ruma::ServerName;
use serde_json::{Value, json};

use crate::world::{World, alice};

/// A small Web: pages by address, and what was asked for.
#[derive(Debug, Default)]
struct Web {
    pages: BTreeMap<String, (&'static str, Bytes)>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Web {
    async fn exchange(
        &self,
        destination: &ServerName,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::Unsendable(destination.to_string()))
    }

    async fn page(&self, url: &str, wish: &PageWish<'_>, _: Limits) -> Result<Page, PeerError> {
        self.asked.lock().unwrap().push(format!("{url} {}", wish.languages));
        let Some((kind, bytes)) = self.pages.get(url) else {
            return Err(PeerError::Timeout(url.to_owned()));
        };
        let response = http::Response::builder().status(if kind.is_empty() { 404 } else { 200 });
        let response = response.header("content-type", *kind).body(Body::whole(bytes.clone())).unwrap();
        Ok(Page { url: url.to_owned(), response })
    }
}

fn picture() -> Bytes {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(7, 5).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner().into()
}

/// A world with these pages.
async fn with(pages: &[(&str, &'static str, &[u8])], settings: PreviewSettings) -> (World, Media, Arc<Web>) {
    let world = World::new().await;
    let pages =
        pages.iter().map(|(url, kind, bytes)| ((*url).to_owned(), (*kind, Bytes::copy_from_slice(bytes))));
    let web = Arc::new(Web { pages: pages.collect(), ..Web::default() });
    let media = world.media.clone().previewing(Arc::clone(&web) as _, settings);
    (world, media, web)
}

fn settings() -> PreviewSettings {
    let denied_hosts = vec!["intranet.test".to_owned()];
    PreviewSettings { denied_hosts, languages: "fr".to_owned(), max_picture_bytes: 10_000 }
}

async fn preview(media: &Media, url: &str) -> Result<Value, PreviewError> {
    media.preview(url, None, alice()).await.map(|text| serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn page_is_told_with_its_picture_kept_here_and_remembered_for_a_while() {
    let html = b"<title>A page</title><meta property=og:image content=p.png>";
    let pages = [
        ("http://a.test/x/", "text/html; charset=utf-8", &html[..]),
        ("http://a.test/x/p.png", "image/png", &picture()),
    ];
    let (world, media, web) = with(&pages, settings()).await;
    let told = preview(&media, "http://a.test/x/#part").await.unwrap();
    assert_eq!(told["og:title"], "A page");
    assert_eq!((&told["og:image:width"], &told["og:image:height"]), (&json!(7), &json!(5)));
    assert_eq!(told["matrix:image:size"], picture().len());
    let uri = told["og:image"].as_str().unwrap().into();
    assert_eq!(world.find(&uri).await.unwrap().content_type, "image/png");
    assert_eq!(preview(&media, "http://a.test/x/").await.unwrap(), told);
    assert_eq!(*web.asked.lock().unwrap(), ["http://a.test/x/ fr", "http://a.test/x/p.png fr"]);

    media.preview("http://a.test/x/", Some("de"), alice()).await.unwrap();
    assert_eq!(web.asked.lock().unwrap().len(), 4, "in another language it may be another page");
    world.clock.advance(Duration::from_secs(3_600));
    preview(&media, "http://a.test/x/").await.unwrap();
    assert_eq!(web.asked.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn picture_alone_and_other_files_are_told_as_far_as_they_go() {
    let big = vec![0; 20_000];
    let html = b"<title>T</title><meta property=og:image content=http://a.test/big.png>";
    let pages = [
        ("http://a.test/p.png", "image/png", &*picture()),
        ("http://a.test/big.png", "image/png", &big),
        ("http://a.test/f.pdf", "application/pdf", &b"%PDF"[..]),
        ("http://a.test/page", "text/html", &html[..]),
        ("http://a.test/gone", "", &b""[..]),
    ];
    let (_world, media, _) = with(&pages, settings()).await;
    assert_eq!(preview(&media, "http://a.test/p.png").await.unwrap()["og:image:width"], 7);
    assert_eq!(preview(&media, "http://a.test/big.png").await.unwrap(), json!({}));
    assert_eq!(preview(&media, "http://a.test/f.pdf").await.unwrap(), json!({}));
    assert_eq!(preview(&media, "http://a.test/page").await.unwrap(), json!({ "og:title": "T" }));
    for gone in ["http://a.test/gone", "http://a.test/nowhere"] {
        assert!(matches!(preview(&media, gone).await, Err(PreviewError::Unreachable(_))), "{gone}");
    }
}

#[tokio::test]
async fn what_the_organisation_denies_is_not_asked_for() {
    let (world, media, web) = with(&[], settings()).await;
    let long = format!("http://a.test/{}", "a".repeat(3_000));
    for refused in
        ["http://intranet.test/", "https://Wiki.INTRANET.test./x", "ftp://a.test/", "a.test", "", &long]
    {
        assert!(matches!(preview(&media, refused).await, Err(PreviewError::Refused(_))), "{refused}");
    }
    assert!(web.asked.lock().unwrap().is_empty());
    assert!(matches!(preview(&world.media, "http://a.test/").await, Err(PreviewError::Off)));
}
