//! Media and thumbnails.

use parvis_storage::{
    CommitError, MediaContent, RemoteThumbnailKey, Store, StoredMedia, StoredThumbnail, ThumbnailKey, UserSn,
    WriteSet,
};
use ruma::user_id;

use crate::world::{World, on_each_engine};

async fn alice(store: &Store) -> UserSn {
    store.intern_user(user_id!("@alice:parvis.test")).await.unwrap()
}

fn unused(media_id: &str, uploader: UserSn, expires_ts: i64) -> StoredMedia {
    let media_id = media_id.to_owned();
    StoredMedia { media_id, uploader, created_ts: 100, expires_ts: Some(expires_ts), content: None }
}

fn content(byte: u8, filename: Option<&str>) -> MediaContent {
    MediaContent {
        hash: [byte; 32],
        size_bytes: 5_000_000_000,
        content_type: "image/png".to_owned(),
        filename: filename.map(str::to_owned),
        stored_ts: 150,
    }
}

async fn put(store: &Store, media: &StoredMedia) {
    let mut set = WriteSet::new();
    set.put_media(media);
    store.commit(set).await.unwrap();
}

#[tokio::test]
async fn media_is_read_back_as_it_was_kept() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let uploader = alice(store).await;
        for (id, filename) in [("named", Some("ä \" \\ /.png")), ("nameless", None)] {
            let content = Some(content(7, filename));
            let media = StoredMedia { content, expires_ts: None, ..unused(id, uploader, 0) };
            put(store, &media).await;
            assert_eq!(store.media(id).await.unwrap(), Some(media));
        }
        assert_eq!(store.media("Named").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn content_comes_once() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let media = unused("later", alice(store).await, 200);
        put(store, &media).await;
        assert_eq!(store.media("later").await.unwrap().as_ref(), Some(&media));

        let first = StoredMedia { content: Some(content(1, None)), ..media.clone() };
        let second = StoredMedia { content: Some(content(2, None)), ..media };
        for (filled, refused) in [(&first, false), (&second, true)] {
            let mut set = WriteSet::new();
            set.fill_media(filled);
            let outcome = store.commit(set).await;
            assert_eq!(matches!(outcome, Err(CommitError::Guard("media_unused"))), refused, "{outcome:?}");
        }
        assert_eq!(store.media("later").await.unwrap(), Some(first));
    })
    .await;
}

#[tokio::test]
async fn unused_media_is_counted_until_it_expires_and_then_forgotten() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let uploader = alice(store).await;
        put(store, &unused("short", uploader, 200)).await;
        put(store, &unused("long", uploader, 300)).await;
        put(store, &StoredMedia { content: Some(content(1, None)), ..unused("used", uploader, 300) }).await;
        for (now, count) in [(199, 2), (200, 1), (300, 0)] {
            assert_eq!(store.count_unused_media(uploader, now).await.unwrap(), count, "at {now}");
        }

        let mut set = WriteSet::new();
        set.forget_unused_media(uploader, 299);
        store.commit(set).await.unwrap();
        assert_eq!(store.media("short").await.unwrap(), None);
        assert!(store.media("long").await.unwrap().is_some());
        assert!(store.media("used").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn thumbnail_is_found_by_source_size_and_method() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let key = ThumbnailKey { source: [1; 32], width: 96, height: u32::MAX, method: "crop".to_owned() };
        let thumbnail =
            StoredThumbnail { hash: [2; 32], size_bytes: 17, content_type: "image/jpeg".to_owned() };
        let mut set = WriteSet::new();
        set.put_thumbnail(&key, &thumbnail);
        store.commit(set).await.unwrap();
        assert_eq!(store.thumbnail(&key).await.unwrap(), Some(thumbnail));
        for other in [
            ThumbnailKey { source: [3; 32], ..key.clone() },
            ThumbnailKey { width: 95, ..key.clone() },
            ThumbnailKey { height: 96, ..key.clone() },
            ThumbnailKey { method: "scale".to_owned(), ..key.clone() },
        ] {
            assert_eq!(store.thumbnail(&other).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn media_of_other_servers_are_kept_apart_by_server_and_never_change() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut set = WriteSet::new();
        set.put_remote_media(("one.test", "id"), &content(1, Some("ä.png")));
        set.put_remote_media(("two.test", "id"), &content(2, None));
        store.commit(set).await.unwrap();
        let mut set = WriteSet::new();
        set.put_remote_media(("one.test", "id"), &content(9, None));
        store.commit(set).await.unwrap();
        assert_eq!(store.remote_media(("one.test", "id")).await.unwrap(), Some(content(1, Some("ä.png"))));
        assert_eq!(store.remote_media(("two.test", "id")).await.unwrap(), Some(content(2, None)));
        assert_eq!(store.remote_media(("one.test", "other")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn thumbnails_of_other_servers_are_kept_by_their_size() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let key = |width| RemoteThumbnailKey {
            server_name: "one.test".to_owned(),
            media_id: "id".to_owned(),
            width,
            height: 48,
            method: "crop".to_owned(),
        };
        let made = StoredThumbnail { hash: [3; 32], size_bytes: 77, content_type: "image/webp".to_owned() };
        let mut set = WriteSet::new();
        set.put_remote_thumbnail(&key(32), &made);
        store.commit(set).await.unwrap();
        assert_eq!(store.remote_thumbnail(&key(32)).await.unwrap(), Some(made));
        assert_eq!(store.remote_thumbnail(&key(33)).await.unwrap(), None);
    })
    .await;
}
