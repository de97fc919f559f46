//! The index of the search.

use parvis_storage::{
    EventSn, Place, Position, RoomSn, SearchDocument, SearchScope, SearchTerms, SearchWord, Store, WriteSet,
};

use crate::world::{World, on_each_engine};

const ROOMS: &[RoomSn] = &[RoomSn(1), RoomSn(2)];

fn document(event: i64, room: i64, words: &str) -> SearchDocument {
    SearchDocument {
        event: EventSn(event),
        room: RoomSn(room),
        source: EventSn(event),
        kind: 1,
        ts: 1_000 + event,
        place: Place(event),
        words: words.to_owned(),
    }
}

fn terms(groups: &[&[&str]]) -> SearchTerms {
    let word = |word: &&str| {
        let (word, beside) =
            word.split_once('+').map_or((*word, None), |(word, beside)| (word, Some(beside)));
        SearchWord {
            word: word.trim_end_matches('*').to_owned(),
            is_prefix: word.ends_with('*'),
            beside: beside.map(str::to_owned),
        }
    };
    SearchTerms { groups: groups.iter().map(|words| words.iter().map(word).collect()).collect() }
}

async fn put(store: &Store, documents: &[SearchDocument]) {
    let mut set = WriteSet::new();
    documents.iter().for_each(|document| set.put_search_document(document));
    store.commit(set).await.unwrap();
}

async fn found(store: &Store, groups: &[&[&str]]) -> Vec<i64> {
    found_in(store, groups, SearchScope { rooms: ROOMS, kinds: 1, until_ts: i64::MAX, limit: 10 }).await
}

async fn found_in(store: &Store, groups: &[&[&str]], scope: SearchScope<'_>) -> Vec<i64> {
    let found = store.search(&terms(groups), &scope).await.unwrap();
    found.iter().map(|found| found.event.0).collect()
}

#[tokio::test]
async fn documents_are_found_by_a_word_of_each_group_newest_first() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let documents =
            [document(1, 1, "budget sitz £sitz"), document(2, 2, "budget"), document(3, 3, "budget")];
        put(store, &documents).await;
        assert_eq!(found(store, &[&["budget"]]).await, [2, 1], "the third is in another room");
        assert_eq!(found(store, &[&["budget"], &["kein", "£sitz"]]).await, [1]);
        assert_eq!(found(store, &[&["budget"], &["kein"]]).await, [0; 0]);
        assert_eq!(found(store, &[&["bud*"]]).await, [2, 1]);
        assert_eq!(found(store, &[&["kein", "budget+sitz"]]).await, [1]);
        assert_eq!(found(store, &[&["bud"]]).await, [0; 0]);
        assert_eq!(found(store, &[]).await, [0; 0]);
        assert_eq!(found(store, &[&["budget"], &[]]).await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn words_of_every_script_are_found_and_none_can_break_out_of_the_question() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        put(store, &[document(1, 1, "会 議 привет ¥17"), document(2, 1, "and or not near")]).await;
        assert_eq!(found(store, &[&["会"], &["議"]]).await, [1]);
        assert_eq!(found(store, &[&["привет"]]).await, [1]);
        assert_eq!(found(store, &[&["¥17"]]).await, [1]);
        assert_eq!(found(store, &[&["not"], &["near"], &["or"]]).await, [2]);
        for word in ["\"", "' | 'x", "x\" OR \"and", "a\\", "(", ":", "words:and", "", "'"] {
            assert_eq!(found(store, &[&["and"], &[word, "zzz"]]).await, [0; 0], "{word:?}");
            assert_eq!(found(store, &[&["and"], &[word]]).await, [0; 0], "{word:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn document_that_is_put_again_has_only_its_new_words() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        put(store, &[document(1, 1, "old"), document(2, 1, "old")]).await;
        let edited = SearchDocument { source: EventSn(9), ..document(1, 1, "new") };
        put(store, &[edited]).await;
        assert_eq!(found(store, &[&["old"]]).await, [2]);
        assert_eq!(found(store, &[&["new"]]).await, [1]);
        assert_eq!(store.search_documents_of_edits(&[EventSn(9), EventSn(2)]).await.unwrap(), [EventSn(1)]);
        let mut set = WriteSet::new();
        set.delete_search_document(EventSn(1));
        store.commit(set).await.unwrap();
        assert_eq!(found(store, &[&["new"]]).await, [0; 0]);
        assert_eq!(store.search_documents_count().await.unwrap(), 1);
        assert_eq!(store.search_documents_among(&[EventSn(1), EventSn(2)]).await.unwrap(), [EventSn(2)]);
        assert!(store.search_index_bytes().await.unwrap() > 0);
    })
    .await;
}

#[tokio::test]
async fn scope_bounds_what_is_looked_at() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut documents: Vec<_> = (1..=20).map(|event| document(event, 1, "word")).collect();
        documents[4].kind = 2;
        put(store, &documents).await;
        let scope = SearchScope { rooms: ROOMS, kinds: 1, until_ts: 1_010, limit: 3 };
        assert_eq!(found_in(store, &[&["word"]], scope.clone()).await, [10, 9, 8]);
        let names = SearchScope { kinds: 2, ..scope.clone() };
        assert_eq!(found_in(store, &[&["word"]], names).await, [5]);
        let many: Vec<RoomSn> = (1..2_000).map(RoomSn).collect();
        let everywhere = SearchScope { rooms: &many, ..scope };
        assert_eq!(found_in(store, &[&["word"]], everywhere).await, [10, 9, 8]);
        let nowhere = SearchScope { rooms: &[], kinds: 1, until_ts: i64::MAX, limit: 3 };
        assert_eq!(found_in(store, &[&["word"]], nowhere).await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn marks_are_kept() {
    on_each_engine(async |world: World| {
        let mut set = WriteSet::new();
        set.move_search_position(Position(7));
        set.move_search_fill(EventSn(8));
        set.put_search_format(-9);
        world.store.commit(set).await.unwrap();
        let marks = world.store.search_marks().await.unwrap();
        assert_eq!((marks.position, marks.filled, marks.format), (Position(7), EventSn(8), -9));
    })
    .await;
}
