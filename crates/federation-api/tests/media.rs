//! Files for other servers.

use futures_util::stream;
use parvis_media::Offer;

use crate::world::{Answer, World};

/// The two parts of an answer, each with its head.
fn parts(answer: &Answer) -> [(String, Vec<u8>); 2] {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let kind = answer.headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/mixed; boundary=").unwrap();
    let text = &answer.bytes;
    assert_eq!(answer.headers["content-length"].to_str().unwrap(), text.len().to_string());
    let find = |needle: &str, from: usize| {
        let found = text[from..].windows(needle.len()).position(|window| window == needle.as_bytes());
        from + found.unwrap_or_else(|| panic!("no {needle:?}"))
    };
    let first = find(&format!("--{boundary}\r\n"), 0);
    assert_eq!(first, 0);
    let second = find(&format!("\r\n--{boundary}\r\n"), first);
    let end = find(&format!("\r\n--{boundary}--"), second);
    let part = |start: usize, end: usize| {
        let body = find("\r\n\r\n", start) + 4;
        (String::from_utf8_lossy(&text[start..body]).into_owned(), text[body..end].to_vec())
    };
    [part(first + boundary.len() + 4, second), part(second + boundary.len() + 6, end)]
}

async fn upload(world: &World, content_type: &str, filename: &str, bytes: Vec<u8>) -> String {
    let alice = world.person("@alice:parvis.test").await;
    let offer = Offer {
        content_type: Some(content_type.to_owned()),
        filename: Some(filename.to_owned()),
        size_bytes: None,
    };
    let body = stream::iter([Ok::<_, std::io::Error>(bytes.into())]);
    let uri = world.api.media.upload(&alice.user_id, &offer, body).await.unwrap();
    uri.media_id().unwrap().to_owned()
}

#[tokio::test]
async fn file_comes_in_two_parts() {
    let world = World::new().await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[number as usize % 4]).collect();
    let id = upload(&world, "text/html", "grün.html", bytes.clone()).await;
    let answer = world.get(&format!("/_matrix/federation/v1/media/download/{id}")).await;
    let [about, file] = parts(&answer);
    assert!(about.0.contains("Content-Type: application/json\r\n"), "{}", about.0);
    assert_eq!(about.1, b"{}");
    assert!(file.0.contains("Content-Type: text/html\r\n"), "{}", file.0);
    assert!(
        file.0.contains("Content-Disposition: attachment; filename=\"gr_n.html\"; filename*="),
        "{}",
        file.0
    );
    assert_eq!(file.1, bytes);
}

#[tokio::test]
async fn thumbnail_is_made_for_others_too() {
    let world = World::new().await;
    let mut png = Vec::new();
    let picture = image::RgbImage::new(300, 200);
    picture.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let id = upload(&world, "image/png", "a.png", png).await;
    let path =
        format!("/_matrix/federation/v1/media/thumbnail/{id}?width=96&height=96&method=crop&animated=true");
    let [_, file] = parts(&world.get(&path).await);
    let thumbnail = image::load_from_memory(&file.1).unwrap();
    assert_eq!((thumbnail.width(), thumbnail.height()), (96, 96));
    let path = format!("/_matrix/federation/v1/media/thumbnail/{id}?width=x&height=96");
    assert_eq!(world.get(&path).await.error(), (400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn only_files_that_are_here_are_found() {
    let world = World::new().await;
    for id in ["none", "..%2F..%2Fetc%2Fpasswd", "%00", "a%20b"] {
        let answer = world.get(&format!("/_matrix/federation/v1/media/download/{id}")).await;
        assert_eq!(answer.error(), (404, "M_NOT_FOUND"), "{id}");
    }
    let answer = world.get_unsigned("/_matrix/federation/v1/media/download/none").await;
    assert_eq!(answer.error(), (401, "M_UNAUTHORIZED"));
}

#[tokio::test]
async fn file_that_is_still_to_come_is_waited_for_as_long_as_asked() {
    let world = World::new().await;
    let alice = world.person("@alice:parvis.test").await;
    let created = world.api.media.create(&alice.user_id).await.unwrap();
    let id = created.uri.media_id().unwrap();
    let answer = world.get(&format!("/_matrix/federation/v1/media/download/{id}?timeout_ms=0")).await;
    assert_eq!(answer.error(), (504, "M_NOT_YET_UPLOADED"));
}
