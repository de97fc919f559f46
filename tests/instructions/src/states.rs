//! The tree that holds the states of a large room.

use std::path::Path;

use parvis_storage::{DatabaseSettings, EventSn, Slot, StateRoot, Store, StoreSettings, WriteSet};

use crate::{counted::Script, world::single_thread};

/// How many members the room has.
const SLOTS: u32 = 50_000;

/// Walks the paths.
pub(crate) fn walk(script: &mut Script, directory: &Path) {
    let runtime = single_thread();
    let path = directory.join("states.db");
    let database = DatabaseSettings::Sqlite { path, readers: 1, relaxed_durability: true };
    let settings = StoreSettings { database, cache_bytes: 64 << 20 };
    let (store, before) = runtime.block_on(async {
        let store = Store::open(&settings).await.unwrap();
        let all: Vec<_> = (0..SLOTS).map(|slot| (Slot(slot), Some(EventSn(i64::from(slot))))).collect();
        let mut set = WriteSet::new();
        let root = store.change_state(&mut set, StateRoot::EMPTY, &all).await.unwrap();
        store.commit(set).await.unwrap();
        (store, root)
    });
    let mut after = before;
    script.count("change one slot of a state of 50,000", 10, |number| {
        runtime.block_on(async {
            let mut set = WriteSet::new();
            let change = [(Slot(number * 997), Some(EventSn(1_000_000 + i64::from(number))))];
            after = store.change_state(&mut set, after, &change).await.unwrap();
            // So that the next look finds them; written down, with others, it is in the path of a send.
            store.commit(set).await.unwrap();
        });
    });
    script.count("the difference of two states of 50,000", 10, |_| {
        let differences = runtime.block_on(store.state_diff(before, after)).unwrap();
        assert_eq!(differences.len(), 11);
    });
    script.count("look up ten slots of a state of 50,000", 10, |number| {
        let slots: Vec<Slot> = (0..10).map(|slot| Slot(slot * 4_001 + number)).collect();
        assert_eq!(runtime.block_on(store.state_slots(after, &slots)).unwrap().len(), 10);
    });
    runtime.block_on(store.close());
}
