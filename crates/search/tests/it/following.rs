//! What is new, and what becomes other than it was.

use parvis_search::SearchSettings;
use parvis_storage::Place;

use crate::world::{TestRoom, found, on_each_engine, runtime, shut, start};

#[test]
fn what_is_said_while_the_search_is_shut_is_found_when_it_opens() {
    on_each_engine(|home| {
        runtime().block_on(async {
            let (store, search) = start(home, SearchSettings::default()).await;
            let mut room = TestRoom::new(&store).await;
            let first = room.say(&store, &["apples", "pears"]).await;
            search.catch_up().await;
            assert_eq!(found(&search, room.room, "apple").await, ["apples"]);
            search.close().await;
            drop(search);
            room.say(&store, &["apples again"]).await;
            room.redact(&store, first[0]).await;
            room.edit(&store, first[1], "plums", None).await;
            store.close().await;
            let (store, search) = start(home, SearchSettings::default()).await;
            search.catch_up().await;
            assert_eq!(found(&search, room.room, "apples").await, ["apples again"]);
            assert!(found(&search, room.room, "pears").await.is_empty());
            assert_eq!(found(&search, room.room, "plum").await, ["pears"]);
            assert_eq!(store.search_documents_count().await.unwrap(), 2);
            assert!(store.search_pending(10).await.unwrap().is_empty());
            shut(store, search).await;
        });
    });
}

#[test]
fn what_comes_from_the_past_is_found_though_it_is_no_news() {
    on_each_engine(|home| {
        runtime().block_on(async {
            let (store, search) = start(home, SearchSettings::default()).await;
            let mut room = TestRoom::new(&store).await;
            let now = room.say(&store, &["apples"]).await;
            search.catch_up().await;
            let head = store.head();
            let place = |number: i64| Place(Place::of(head).0 - 1_000 + number);
            let past = room.say_in_the_past(&store, "apples of long ago", place(1)).await;
            let edit = room.edit(&store, now[0], "pears", Some(place(2))).await;
            assert_eq!(store.head(), head, "no news");
            search.catch_up().await;
            assert_eq!(found(&search, room.room, "apples").await, ["apples of long ago"]);
            assert_eq!(found(&search, room.room, "pears").await, ["apples"]);
            room.redact(&store, edit).await;
            room.redact(&store, past).await;
            search.catch_up().await;
            assert_eq!(found(&search, room.room, "apples").await, ["apples"]);
            assert!(found(&search, room.room, "pears").await.is_empty());
            shut(store, search).await;
        });
    });
}

#[test]
fn redacted_text_is_not_found_even_before_the_worker_has_looked() {
    on_each_engine(|home| {
        runtime().block_on(async {
            let (store, search) = start(home, SearchSettings::default()).await;
            let mut room = TestRoom::new(&store).await;
            let said = room.say(&store, &["secret", "another secret"]).await;
            search.catch_up().await;
            search.close().await;
            room.redact(&store, said[0]).await;
            assert_eq!(store.search_documents_count().await.unwrap(), 2, "the index does not know yet");
            assert_eq!(found(&search, room.room, "secret").await, ["another secret"]);
            shut(store, search).await;
        });
    });
}
