//! Uploads at once, and the files that they leave.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use parvis_ambient::Timestamp;
use parvis_media::{DownloadError, Media, Offer, UploadError};

use crate::world::{NO_WAIT, World, alice, body, collect, parts};

#[tokio::test]
async fn uploaded_file_is_downloaded_as_it_was() {
    let world = World::new().await;
    let offer = Offer {
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        filename: Some("Notiz \"1\".txt".to_owned()),
        size_bytes: Some(11),
    };
    let uri = world.media.upload(alice(), &offer, body([&b"hello "[..], b"", b"world"])).await.unwrap();
    let content = world.find(&uri).await.unwrap();
    assert_eq!(content.size_bytes, 11);
    assert_eq!(content.content_type, "text/plain; charset=utf-8");
    assert_eq!(content.filename.as_deref(), Some("Notiz \"1\".txt"));
    assert_eq!(content.hash, *blake3::hash(b"hello world").as_bytes());
    assert_eq!(world.bytes(&content.hash, 11).await, b"hello world");
    assert_eq!(collect(world.media.read(&content.hash, 3..8).await.unwrap()).await, b"lo wo");
}

#[tokio::test]
async fn empty_file_is_a_file() {
    let world = World::new().await;
    let uri = world.upload(b"").await.unwrap();
    let content = world.find(&uri).await.unwrap();
    assert_eq!((content.size_bytes, content.filename), (0, None));
    assert_eq!(world.bytes(&content.hash, 0).await, b"");
}

#[tokio::test]
async fn same_bytes_lie_on_disk_once_under_two_ids() {
    let world = World::new().await;
    let first = world.upload(b"twice").await.unwrap();
    let second = world.upload(b"twice").await.unwrap();
    assert_ne!(first, second);
    let hash = blake3::hash(b"twice").to_hex();
    let place = format!("media/{}/{}/{hash}", &hash[0..2], &hash[2..4]);
    assert_eq!(world.files(), [world.directory.path().join(place)]);
}

#[tokio::test]
async fn file_at_the_limit_is_kept_and_one_byte_more_is_refused() {
    let world = World::with(|settings| settings.max_upload_bytes = 100_000).await;
    let bytes = vec![7; 100_001];
    world.upload(&bytes[..100_000]).await.unwrap();
    let before = world.files();
    // The last byte tells, whatever the client had announced.
    for size_bytes in [None, Some(5)] {
        let offer = Offer { size_bytes, ..Offer::default() };
        let outcome = world.media.upload(alice(), &offer, body(bytes.chunks(999))).await;
        assert!(matches!(outcome, Err(UploadError::TooLarge(100_000))), "{outcome:?}");
    }
    assert_eq!(world.files(), before);
}

#[tokio::test]
async fn file_announced_as_too_large_is_refused_unread() {
    let world = World::with(|settings| settings.max_upload_bytes = 10).await;
    let offer = Offer { size_bytes: Some(11), ..Offer::default() };
    let unreadable = stream::poll_fn(|_| -> std::task::Poll<Option<io::Result<Bytes>>> {
        panic!("the body is read");
    });
    let outcome = world.media.upload(alice(), &offer, unreadable).await;
    assert!(matches!(outcome, Err(UploadError::TooLarge(10))), "{outcome:?}");
}

#[tokio::test]
async fn interrupted_upload_leaves_nothing() {
    let world = World::new().await;
    let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err(io::ErrorKind::ConnectionReset)]);
    let outcome = world.media.upload(alice(), &Offer::default(), broken).await;
    assert!(matches!(outcome, Err(UploadError::Interrupted)), "{outcome:?}");
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn upload_that_brings_nothing_for_too_long_is_given_up() {
    let world = World::with(|settings| settings.upload_idle_timeout = Duration::from_secs(60)).await;
    let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"half"))]);
    let stuck = first.chain(stream::pending());
    let offer = Offer::default();
    let upload = world.media.upload(alice(), &offer, Box::pin(stuck));
    let later = async {
        tokio::task::yield_now().await;
        // The time runs anew after each piece: one of the two pushes is enough.
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            world.clock.advance(Duration::from_secs(60));
        }
    };
    let (outcome, ()) = tokio::join!(upload, later);
    assert!(matches!(outcome, Err(UploadError::Interrupted)), "{outcome:?}");
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn what_an_earlier_run_left_half_written_is_removed() {
    let world = World::new().await;
    world.upload(b"whole").await.unwrap();
    let half = world.directory.path().join("media/incoming/half");
    std::fs::write(&half, b"ha").unwrap();
    let settings = parvis_media::Settings::in_directory(world.directory.path().join("media"));
    let database = parvis_storage::DatabaseSettings::Sqlite {
        path: world.directory.path().join("parvis.db"),
        readers: 1,
        relaxed_durability: true,
    };
    let settings_of_store = parvis_storage::StoreSettings { database, cache_bytes: 1 << 20 };
    let store = parvis_storage::Store::open(&settings_of_store).await.unwrap();
    let ambient = parvis_ambient::Ambient::system();
    let name = ruma::server_name!("parvis.test").to_owned();
    Media::open(settings, store, ambient, name).await.unwrap();
    assert!(!half.exists());
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn no_media_id_reaches_outside() {
    let world = World::new().await;
    let uri = world.upload(b"secret").await.unwrap();
    let (ours, id) = parts(&uri);
    let hash = blake3::hash(b"secret").to_hex().to_string();
    let path = format!("../{}/{}/{hash}", &hash[0..2], &hash[2..4]);
    let long = "a".repeat(300);
    let cased = ours.to_uppercase();
    let table = [
        (ours, "../../parvis.db"),
        (ours, ".."),
        (ours, "."),
        (ours, ""),
        (ours, "/etc/passwd"),
        (ours, "..%2f..%2fparvis.db"),
        (ours, "incoming/half"),
        (ours, "a\0b"),
        (ours, "ａｂｃ"),
        (ours, path.as_str()),
        (ours, hash.as_str()),
        (ours, long.as_str()),
        ("..", id),
        ("", id),
        ("other.test", id),
        (cased.as_str(), id),
    ];
    for uri in table {
        let outcome = world.media.find(uri, NO_WAIT).await;
        assert!(matches!(outcome, Err(DownloadError::NotFound)), "{uri:?} gives {outcome:?}");
    }
    assert!(world.media.find((ours, id), NO_WAIT).await.is_ok());
}

#[tokio::test]
async fn only_what_was_stored_before_the_freeze_is_open_to_all() {
    let frozen = World::new().await;
    let uri = frozen.upload(b"x").await.unwrap();
    let outcome = frozen.media.find_open(parts(&uri), NO_WAIT, true).await;
    assert!(matches!(outcome, Err(DownloadError::NotFound)), "{outcome:?}");

    let freeze = Timestamp(1_000_500);
    let world = World::with(|settings| settings.open_before = Some(freeze)).await;
    let before = world.upload(b"old").await.unwrap();
    world.clock.advance(Duration::from_millis(499));
    let just_before = world.upload(b"old").await.unwrap();
    world.clock.advance(Duration::from_millis(1));
    let after = world.upload(b"old").await.unwrap();
    for (uri, open) in [(before, true), (just_before, true), (after, false)] {
        assert_eq!(world.media.find_open(parts(&uri), NO_WAIT, true).await.is_ok(), open);
        assert!(world.find(&uri).await.is_ok());
    }
}
