//! Media of other servers, which are fetched when somebody asks for them.

use std::{
    collections::HashMap,
    io::Cursor,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use parvis_ambient::Timestamp;
use parvis_events::ServerKey;
use parvis_media::{DownloadError, Media, Method, ThumbnailError, ThumbnailRequest};
use parvis_peers::{Body, Federation, Limits, PeerError, Transport};
use ruma::{ServerName, server_name};

use crate::world::{NO_WAIT, World};

/// A status, a content type and a body.
type Stored = (u16, &'static str, Vec<u8>);

/// A network that answers paths and URLs as it was told to, in pieces of a few bytes.
#[derive(Debug, Default)]
struct Network {
    answers: Mutex<HashMap<String, Stored>>,
    asked: Mutex<Vec<String>>,
}

impl Network {
    fn on(&self, path: &str, status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, content_type, body.into()));
    }

    fn answer(&self, path: &str, signed: bool) -> Response<Body> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(format!("{}{path}", if signed { "signed " } else { "" }));
        let name = path.split('?').next().unwrap();
        let answers = self.answers.lock().unwrap();
        let (status, content_type, body) =
            answers.get(name).cloned().unwrap_or((404, "application/json", b"{}".to_vec()));
        let pieces: Vec<_> = body.chunks(5_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let response = Response::builder().status(status).header("content-type", content_type);
        let named = response.header("content-disposition", "inline; filename=x.bin");
        named.body(Body::new(stream::iter(pieces))).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|path| path.split('?').next().unwrap().to_owned()).collect()
    }
}

#[derive(Debug)]
struct Wire(Arc<Network>);

#[async_trait]
impl Transport for Wire {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: Request<Bytes>,
        _: Limits,
    ) -> Result<Response<Body>, PeerError> {
        assert_eq!(destination, "one.test");
        Ok(self.0.answer(&request.uri().to_string(), request.headers().contains_key("authorization")))
    }

    async fn fetch(&self, url: &str, _: Limits) -> Result<Response<Body>, PeerError> {
        Ok(self.0.answer(url, false))
    }
}

async fn world(max_upload_bytes: u64) -> (World, Media, Arc<Network>) {
    reaching(World::with(|settings| settings.max_upload_bytes = max_upload_bytes).await)
}

fn reaching(world: World) -> (World, Media, Arc<Network>) {
    let network = Arc::new(Network::default());
    let key = Arc::new(ServerKey::generate([1; 32], "1").unwrap());
    let wire = Arc::new(Wire(Arc::clone(&network)));
    let federation = Federation::new(server_name!("parvis.test").to_owned(), key, wire);
    let media = world.media.clone().reaching(federation);
    (world, media, network)
}

const DOWNLOAD: &str = "/_matrix/federation/v1/media/download/id";
const LEGACY: &str = "/_matrix/media/v3/download/one.test/id";
const URI: (&str, &str) = ("one.test", "id");
const MULTIPART: &str = "multipart/mixed; boundary=b";

fn wrapped(head: &str, file: &[u8]) -> Vec<u8> {
    let mut body =
        format!("--b\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--b\r\n{head}\r\n").into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--b--\r\n");
    body
}

#[tokio::test]
async fn file_is_fetched_once_and_kept() {
    let (world, media, network) = world(1 << 20).await;
    let file: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let head =
        "Content-Type: text/csv\r\nContent-Disposition: attachment; filename*=utf-8''gr%C3%BCn.csv\r\n";
    network.on(DOWNLOAD, 200, MULTIPART, wrapped(head, &file));
    let (one, two) = tokio::join!(media.find(URI, NO_WAIT), media.find(URI, NO_WAIT));
    let content = one.unwrap();
    assert_eq!(content, two.unwrap());
    assert_eq!((content.content_type.as_str(), content.filename.as_deref()), ("text/csv", Some("grün.csv")));
    assert_eq!(world.bytes(&content.hash, content.size_bytes).await, file);
    assert_eq!(network.asked(), [format!("signed {DOWNLOAD}")]);
}

#[tokio::test]
async fn stranger_makes_nobody_fetch_anything() {
    let (_world, media, network) = world(1 << 20).await;
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("", b"x"));
    assert!(matches!(media.find_open(URI, NO_WAIT, true).await, Err(DownloadError::NotFound)));
    assert!(network.asked().is_empty());
}

#[tokio::test]
async fn stranger_has_files_fetched_only_until_the_freeze() {
    let freeze = Timestamp(1_000_500);
    let (world, media, network) = reaching(World::with(|settings| settings.open_before = Some(freeze)).await);
    let other = ("one.test", "other");
    for path in [DOWNLOAD, "/_matrix/federation/v1/media/download/other"] {
        network.on(path, 200, MULTIPART, wrapped("Content-Type: text/plain\r\n", b"x"));
    }
    assert!(media.find_open(URI, NO_WAIT, false).await.is_err(), "who says that nobody is to be asked");
    assert!(network.asked().is_empty());
    assert_eq!(media.find_open(URI, NO_WAIT, true).await.unwrap().content_type, "text/plain");
    world.clock.advance(Duration::from_millis(500));
    assert!(media.find_open(URI, NO_WAIT, true).await.is_ok(), "fetched before");
    assert!(media.find_open(other, NO_WAIT, true).await.is_err());
    assert_eq!(network.asked().len(), 1);
}

#[tokio::test]
async fn file_is_fetched_from_where_its_server_says_it_is() {
    let (world, media, network) = world(1 << 20).await;
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("Location: https://cdn.test/file\r\n", b""));
    network.on("https://cdn.test/file", 200, "image/png", "bytes");
    let content = media.find(URI, NO_WAIT).await.unwrap();
    assert_eq!(content.content_type, "image/png");
    assert_eq!(world.bytes(&content.hash, content.size_bytes).await, b"bytes");
    assert_eq!(network.asked(), [format!("signed {DOWNLOAD}"), "https://cdn.test/file".to_owned()]);
}

#[tokio::test]
async fn file_is_fetched_from_no_unsafe_place() {
    for location in ["http://cdn.test/file", "file:///etc/passwd", "//cdn.test/file", "/file", "ftp://x", ""]
    {
        let (world, media, network) = world(1 << 20).await;
        network.on(DOWNLOAD, 200, MULTIPART, wrapped(&format!("Location: {location}\r\n"), b"x"));
        assert!(matches!(media.find(URI, NO_WAIT).await, Err(DownloadError::Remote(_))), "{location}");
        assert_eq!(network.asked().len(), 1);
        assert!(world.files().is_empty());
    }
}

#[tokio::test]
async fn old_server_is_asked_in_the_old_way_without_a_signature() {
    for (status, refusal) in [(404, r#"{"errcode":"M_UNRECOGNIZED","error":"?"}"#), (400, "what?")] {
        let (world, media, network) = world(1 << 20).await;
        network.on(DOWNLOAD, status, "application/json", refusal);
        network.on(LEGACY, 200, "text/plain", "old");
        let content = media.find(URI, NO_WAIT).await.unwrap();
        let (content_type, filename) = (content.content_type.as_str(), content.filename.as_deref());
        assert_eq!((content_type, filename), ("text/plain", Some("x.bin")));
        assert_eq!(world.bytes(&content.hash, content.size_bytes).await, b"old");
        assert_eq!(network.asked(), [format!("signed {DOWNLOAD}"), LEGACY.to_owned()]);
        assert!(network.asked.lock().unwrap()[1].contains("allow_remote=false"));
    }
}

#[tokio::test]
async fn what_the_server_does_not_give_is_not_there_and_asked_for_again() {
    let (world, media, network) = world(1 << 20).await;
    network.on(DOWNLOAD, 404, "application/json", r#"{"errcode":"M_NOT_FOUND","error":"?"}"#);
    assert!(matches!(media.find(URI, NO_WAIT).await, Err(DownloadError::NotFound)));
    network.on(DOWNLOAD, 504, "application/json", r#"{"errcode":"M_NOT_YET_UPLOADED","error":"?"}"#);
    assert!(matches!(media.find(URI, NO_WAIT).await, Err(DownloadError::NotYetUploaded)));
    network.on(DOWNLOAD, 500, "text/html", "oops");
    assert!(matches!(media.find(URI, NO_WAIT).await, Err(DownloadError::Remote(_))));
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("", b"x"));
    assert_eq!(media.find(URI, NO_WAIT).await.unwrap().size_bytes, 1);
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn nothing_is_kept_of_an_answer_that_is_not_whole() {
    let whole = wrapped("Content-Type: text/plain\r\n", b"file");
    let three = String::from_utf8(whole.clone()).unwrap().replace("--b--", "--b\r\n\r\nmore\r\n--b--");
    for (content_type, body) in [
        (MULTIPART, whole[..whole.len() - 9].to_vec()),
        (MULTIPART, whole[..20].to_vec()),
        (MULTIPART, Vec::new()),
        (MULTIPART, three.into_bytes()),
        (MULTIPART, b"--b\r\n\r\nno json\r\n--b\r\n\r\nfile\r\n--b--".to_vec()),
        ("multipart/mixed", whole.clone()),
        ("text/plain", whole.clone()),
    ] {
        let (world, media, network) = world(1 << 20).await;
        network.on(DOWNLOAD, 200, content_type, body.clone());
        let found = media.find(URI, NO_WAIT).await;
        assert!(
            matches!(found, Err(DownloadError::Remote(_))),
            "{content_type} {}",
            String::from_utf8_lossy(&body)
        );
        assert!(world.files().is_empty());
    }
}

#[tokio::test]
async fn file_that_is_too_large_is_given_up() {
    let (world, media, network) = world(99_999).await;
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("", &vec![7; 100_000]));
    assert!(matches!(media.find(URI, NO_WAIT).await, Err(DownloadError::TooLarge(99_999))));
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn only_what_can_be_an_id_on_a_server_is_asked_for() {
    let (_world, media, network) = world(1 << 20).await;
    for uri in [("one.test", "../id"), ("one.test", "id?x"), ("one.test", ""), ("one test", "id"), ("", "id")]
    {
        assert!(matches!(media.find(uri, NO_WAIT).await, Err(DownloadError::NotFound)), "{uri:?}");
    }
    assert!(network.asked().is_empty());
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::RgbImage::new(width, height);
    picture.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

const THUMBNAIL: &str = "/_matrix/federation/v1/media/thumbnail/id";
const WANTED: ThumbnailRequest = ThumbnailRequest { width: 32, height: 32, method: Method::Crop };

#[tokio::test]
async fn thumbnail_of_what_can_be_read_is_made_here() {
    let (_world, media, network) = world(1 << 20).await;
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("Content-Type: image/png\r\n", &png(200, 100)));
    let made = media.thumbnail_of(URI, NO_WAIT, WANTED).await.unwrap();
    assert_eq!(made.content_type, "image/png");
    assert_eq!(network.asked(), [format!("signed {DOWNLOAD}")]);
}

#[tokio::test]
async fn thumbnail_of_anything_else_is_its_servers_affair() {
    let (world, media, network) = world(1 << 20).await;
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("Content-Type: video/mp4\r\n", b"film"));
    network.on(THUMBNAIL, 200, MULTIPART, wrapped("Content-Type: image/png\r\n", &png(32, 32)));
    let made = media.thumbnail_of(URI, NO_WAIT, WANTED).await.unwrap();
    assert_eq!(world.bytes(&made.hash, made.size_bytes).await, png(32, 32));
    assert_eq!(media.thumbnail_of(URI, NO_WAIT, WANTED).await.unwrap(), made);
    assert_eq!(network.asked(), [format!("signed {DOWNLOAD}"), format!("signed {THUMBNAIL}")]);
}

#[tokio::test]
async fn thumbnail_that_is_no_picture_is_refused() {
    let (_world, media, network) = world(1 << 20).await;
    network.on(DOWNLOAD, 200, MULTIPART, wrapped("Content-Type: video/mp4\r\n", b"film"));
    network.on(THUMBNAIL, 200, MULTIPART, wrapped("Content-Type: text/html\r\n", b"<script>"));
    let refused = media.thumbnail_of(URI, NO_WAIT, WANTED).await;
    assert!(matches!(refused, Err(ThumbnailError::NotAnImage)));
}
