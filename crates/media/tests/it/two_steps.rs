//! Ids that are created before their content comes.

use std::time::Duration;

use parvis_media::{DownloadError, Offer, UploadError};

use crate::world::{NO_WAIT, World, alice, bob, body, parts};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn content_may_come_after_the_id() {
    let world = World::new().await;
    let created = world.media.create(alice()).await.unwrap();
    assert_eq!(created.unused_expires_at.millis(), 1_000_000 + 86_400_000);
    let outcome = world.find(&created.uri).await;
    assert!(matches!(outcome, Err(DownloadError::NotYetUploaded)), "{outcome:?}");

    let uri = parts(&created.uri);
    world.media.upload_to(alice(), uri, &Offer::default(), body([&b"late"[..]])).await.unwrap();
    let content = world.find(&created.uri).await.unwrap();
    assert_eq!(world.bytes(&content.hash, content.size_bytes).await, b"late");
}

#[tokio::test]
async fn content_never_changes() {
    let world = World::new().await;
    let created = world.media.create(alice()).await.unwrap();
    let at_once = world.upload(b"at once").await.unwrap();
    let uri = parts(&created.uri);
    world.media.upload_to(alice(), uri, &Offer::default(), body([&b"first"[..]])).await.unwrap();
    for uri in [&created.uri, &at_once] {
        let before = world.find(uri).await.unwrap();
        let outcome =
            world.media.upload_to(alice(), parts(uri), &Offer::default(), body([&b"second"[..]])).await;
        assert!(matches!(outcome, Err(UploadError::AlreadyUploaded)), "{outcome:?}");
        assert_eq!(world.find(uri).await.unwrap(), before);
    }
}

#[tokio::test]
async fn of_two_contents_that_come_together_one_stays() {
    let world = World::new().await;
    let created = world.media.create(alice()).await.unwrap();
    let offer = Offer::default();
    let upload =
        |bytes: &'static [u8]| world.media.upload_to(alice(), parts(&created.uri), &offer, body([bytes]));
    let (first, second) = tokio::join!(upload(b"one"), upload(b"two"));
    let refused =
        [&first, &second].iter().filter(|it| matches!(it, Err(UploadError::AlreadyUploaded))).count();
    assert_eq!((first.is_ok() as usize + second.is_ok() as usize, refused), (1, 1));
}

#[tokio::test]
async fn id_is_filled_by_its_creator_alone() {
    let world = World::new().await;
    let created = world.media.create(alice()).await.unwrap();
    let uri = parts(&created.uri);
    let outcome = world.media.upload_to(bob(), uri, &Offer::default(), body([&b"x"[..]])).await;
    assert!(matches!(outcome, Err(UploadError::NotYours)), "{outcome:?}");
    for uri in [("parvis.test", "neverCreated"), ("other.test", uri.1), ("parvis.test", "../x")] {
        let outcome = world.media.upload_to(alice(), uri, &Offer::default(), body([&b"x"[..]])).await;
        assert!(matches!(outcome, Err(UploadError::NotFound)), "{uri:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn id_expires_unless_it_was_filled_in_time() {
    let world = World::new().await;
    let unused = world.media.create(alice()).await.unwrap();
    let used = world.media.create(alice()).await.unwrap();
    world.clock.advance(DAY - Duration::from_millis(1));
    world.media.upload_to(alice(), parts(&used.uri), &Offer::default(), body([&b"x"[..]])).await.unwrap();
    world.clock.advance(Duration::from_millis(1));
    let outcome = world.media.find(parts(&unused.uri), DAY).await;
    assert!(matches!(outcome, Err(DownloadError::NotFound)), "{outcome:?}");
    let late = world.media.upload_to(alice(), parts(&unused.uri), &Offer::default(), body([&b"x"[..]])).await;
    assert!(matches!(late, Err(UploadError::NotFound)), "{late:?}");
    assert!(world.find(&used.uri).await.is_ok());
}

#[tokio::test]
async fn user_holds_so_many_unused_ids_and_no_more() {
    let world = World::with(|settings| settings.max_unused_per_user = 2).await;
    let first = world.media.create(alice()).await.unwrap();
    world.media.create(alice()).await.unwrap();
    assert!(matches!(world.media.create(alice()).await, Err(UploadError::TooManyUnused)));
    world.media.create(bob()).await.unwrap();
    // One that is filled is not unused, and one that expired is not held.
    world.media.upload_to(alice(), parts(&first.uri), &Offer::default(), body([&b"x"[..]])).await.unwrap();
    world.media.create(alice()).await.unwrap();
    assert!(matches!(world.media.create(alice()).await, Err(UploadError::TooManyUnused)));
    world.clock.advance(DAY);
    world.media.create(alice()).await.unwrap();
}

#[tokio::test]
async fn download_waits_for_the_content() {
    let world = World::new().await;
    let created = world.media.create(alice()).await.unwrap();
    let uri = parts(&created.uri);
    let offer = Offer::default();
    let download = world.media.find(uri, Duration::from_secs(20));
    let upload = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.media.upload_to(alice(), uri, &offer, body([&b"late"[..]])).await.unwrap();
    };
    // The clock stands still: only the arrival can end the wait.
    let (content, ()) = tokio::join!(download, upload);
    assert_eq!(content.unwrap().size_bytes, 4);
}

#[tokio::test]
async fn download_waits_no_longer_than_the_client_and_the_settings_allow() {
    let world = World::with(|settings| settings.max_wait = Duration::from_secs(30)).await;
    let created = world.media.create(alice()).await.unwrap();
    for (wait, ends_after) in [(Duration::from_secs(5), 5), (Duration::MAX, 30)] {
        let start = parvis_ambient::Clock::now(&*world.clock);
        let download = world.media.find(parts(&created.uri), wait);
        tokio::pin!(download);
        let mut seconds = 0;
        let outcome = loop {
            tokio::select! {
                outcome = &mut download => break outcome,
                () = tokio::time::sleep(Duration::from_millis(3)) => {
                    seconds += 1;
                    world.clock.advance(Duration::from_secs(1));
                }
            }
        };
        assert!(matches!(outcome, Err(DownloadError::NotYetUploaded)), "{outcome:?}");
        assert!(seconds >= ends_after, "{seconds}");
        assert!(
            parvis_ambient::Clock::now(&*world.clock).since(start) < Duration::from_secs(ends_after + 20)
        );
    }
    assert!(matches!(
        world.media.find(parts(&created.uri), NO_WAIT).await,
        Err(DownloadError::NotYetUploaded)
    ));
}

#[tokio::test]
async fn nobody_waits_any_more_when_the_server_stops() {
    let world = World::new().await;
    let created = world.media.create(alice()).await.unwrap();
    let uri = parts(&created.uri);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.media.close();
    };
    // The clock stands still: only the stop can end the wait.
    let (waited, ()) = tokio::join!(world.media.find(uri, Duration::from_secs(20)), stop);
    assert!(matches!(waited, Err(DownloadError::NotYetUploaded)), "{waited:?}");
    let later = world.media.find(uri, Duration::from_secs(20)).await;
    assert!(matches!(later, Err(DownloadError::NotYetUploaded)), "{later:?}");
}
