//! What was there before the index was, or before its form became another.

use std::time::Duration;

use parvis_search::{Language, SearchSettings};

use crate::world::{TestRoom, found, on_each_engine, runtime, shut, start, until_filled};

const MESSAGES: usize = 3_000;

fn only(language: Language) -> SearchSettings {
    SearchSettings { languages: vec![language] }
}

/// Writes a room full of messages with the search shut, and gives its number.
async fn write_room(home: &crate::world::Home) -> parvis_storage::RoomSn {
    let store = parvis_storage::Store::open(&home.settings).await.unwrap();
    let mut room = TestRoom::new(&store).await;
    let texts: Vec<String> = (0..MESSAGES).map(|number| format!("chevaux {number}")).collect();
    for texts in texts.chunks(500) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        room.say(&store, &texts).await;
    }
    store.close().await;
    room.room
}

#[test]
fn filling_that_a_crash_cut_short_goes_on_where_it_was() {
    on_each_engine(|home| {
        let room = runtime().block_on(write_room(home));
        // The runtime is taken away from under the worker, the writer and the connections, wherever they are.
        let crashing = runtime();
        let (at_the_crash, status) = crashing.block_on(async {
            let (store, search) = start(home, SearchSettings::default()).await;
            loop {
                let marks = store.search_marks().await.unwrap();
                if marks.filled.0 > 0 {
                    break (marks, search.status());
                }
                tokio::task::yield_now().await;
            }
        });
        crashing.shutdown_background();
        assert!(at_the_crash.filled.0 < i64::MAX, "the filling was at its end before the crash");
        assert!(status.filled < 1.0, "{status:?}");
        runtime().block_on(async {
            // What the crashed writer was about, its database may still bring to an end.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let (store, search) = start(home, SearchSettings::default()).await;
            until_filled(&search).await;
            let documents = usize::try_from(search.status().documents).unwrap();
            assert!(documents < MESSAGES, "{documents} were put in: it began anew");
            assert_eq!(found(&search, room, "cheval").await.len(), MESSAGES);
            assert_eq!(store.search_documents_count().await.unwrap(), MESSAGES as u64);
            shut(store, search).await;
        });
    });
}

#[test]
fn index_is_made_anew_for_other_languages_and_of_use_meanwhile() {
    on_each_engine(|home| {
        let room = runtime().block_on(write_room(home));
        runtime().block_on(async {
            let (store, search) = start(home, only(Language::German)).await;
            until_filled(&search).await;
            assert!(found(&search, room, "cheval").await.is_empty(), "no German word");
            assert_eq!(found(&search, room, "chevaux 17").await, ["chevaux 17"]);
            shut(store, search).await;
            let (store, search) = start(home, only(Language::French)).await;
            assert_eq!(found(&search, room, "chevaux 17").await, ["chevaux 17"]);
            until_filled(&search).await;
            assert_eq!(found(&search, room, "cheval 17").await, ["chevaux 17"]);
            shut(store, search).await;
            let (store, search) = start(home, only(Language::French)).await;
            assert_eq!(search.status().documents, 0, "nothing is left to be done");
            assert_eq!(found(&search, room, "cheval 17").await, ["chevaux 17"]);
            shut(store, search).await;
        });
    });
}
