//! Keys of devices, messages to them, and backups.

use std::collections::{BTreeMap, HashSet};

use parvis_storage::{
    Account, BackedUpKey, CommitError, DEVICE_IS_THERE, DeviceList, DeviceSn, KEY_BACKUP_IS_UNCHANGED,
    KeyBackup, KeysMeant, Position, Store, UserSn, WriteSet,
};
use ruma::{device_id, owned_room_id, owned_user_id, user_id};

use crate::world::{World, on_each_engine};

/// Alice, on her phone.
async fn phone(store: &Store) -> (UserSn, DeviceSn) {
    let user = store.intern_user(user_id!("@alice:parvis.test")).await.unwrap();
    let device = DeviceSn(store.next_number().await.unwrap());
    let mut set = WriteSet::new();
    set.add_device(user, device, device_id!("PHONE"), None, 1);
    store.commit(set).await.unwrap();
    (user, device)
}

fn account(user: UserSn) -> Account {
    Account {
        user,
        user_id: owned_user_id!("@alice:parvis.test"),
        password_hash: None,
        is_admin: false,
        locked: false,
        deactivated: false,
        erased: false,
        created_ts: 1,
        suspended: false,
        guest: false,
    }
}

async fn put_keys(store: &Store, (user, device): (UserSn, DeviceSn), ids: impl IntoIterator<Item = usize>) {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    let mut set = WriteSet::new();
    set.put_one_time_keys(user, device, ids.iter().map(|id| ("signed", id.as_str(), "{}")));
    store.commit(set).await.unwrap();
}

async fn claim(store: &Store, (user, device): (UserSn, DeviceSn)) -> Option<String> {
    let mut set = WriteSet::new();
    let key = set.claim_one_time_key(user, device, "signed", 5);
    store.commit(set).await.unwrap();
    key.into_key().unwrap().map(|(key_id, _)| key_id)
}

#[tokio::test]
async fn one_time_key_is_given_once_also_to_those_who_come_together_and_after_reopening() {
    on_each_engine(async |world: World| {
        let phone = phone(&world.store).await;
        put_keys(&world.store, phone, 0..60).await;
        let claims = (0..50).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { claim(&store, phone).await.unwrap() })
        });
        let mut given = HashSet::new();
        for claim in claims.collect::<Vec<_>>() {
            assert!(given.insert(claim.await.unwrap()), "given twice");
        }
        world.store.close().await;
        let store = Store::open(&world.settings).await.unwrap();
        assert_eq!(store.device_state(phone.1).await.unwrap().one_time_keys["signed"], 10);
        for _ in 0..10 {
            assert!(given.insert(claim(&store, phone).await.unwrap()), "given twice");
        }
        assert_eq!(claim(&store, phone).await, None);
        assert_eq!(store.device_state(phone.1).await.unwrap().one_time_keys, BTreeMap::new());
    })
    .await;
}

#[tokio::test]
async fn several_keys_of_one_device_are_taken_in_one_set_in_order() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let phone = phone(store).await;
        put_keys(store, phone, [9, 3]).await;
        put_keys(store, phone, [1]).await;
        let mut set = WriteSet::new();
        let keys: Vec<_> = (0..4).map(|_| set.claim_one_time_key(phone.0, phone.1, "signed", 5)).collect();
        store.commit(set).await.unwrap();
        let taken = keys.into_iter().map(|key| key.into_key().unwrap().map(|(key_id, _)| key_id));
        let expected = [Some("9"), Some("3"), Some("1"), None];
        assert_eq!(taken.collect::<Vec<_>>(), expected.map(|key| key.map(str::to_owned)));
    })
    .await;
}

#[tokio::test]
async fn messages_wait_in_order_until_they_are_thrown_away() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let (user, device) = phone(store).await;
        assert_eq!(store.device_state(device).await.unwrap().waiting, None);
        let mut places = Vec::new();
        for n in 0..5 {
            let mut set = WriteSet::new();
            set.send_to_devices(user, vec![(user, device, n.to_string())]);
            places.push(store.commit(set).await.unwrap().position);
        }
        assert_eq!(store.device_state(device).await.unwrap().waiting, Some(places[0]));
        let read = store.to_device(device, places[0], places[3], 2).await.unwrap();
        assert_eq!(read, [(places[1], "1".to_owned()), (places[2], "2".to_owned())]);
        let mut set = WriteSet::new();
        set.delete_to_device(device, places[2]);
        store.commit(set).await.unwrap();
        assert_eq!(store.device_state(device).await.unwrap().waiting, Some(places[3]));
        let left = store.to_device(device, Position::START, store.head(), 100).await.unwrap();
        assert_eq!(left.iter().map(|(place, _)| *place).collect::<Vec<_>>(), places[3..]);
    })
    .await;
}

#[tokio::test]
async fn oldest_messages_of_a_sender_go_when_there_are_too_many_or_they_are_too_long() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let (user, device) = phone(store).await;
        let others = [UserSn(user.0 + 1_000), UserSn(user.0 + 1_001)];
        for n in 0..6 {
            for sender in others {
                let mut set = WriteSet::new();
                set.send_to_devices(sender, vec![(user, device, format!("\"{n}\""))]);
                store.commit(set).await.unwrap();
            }
        }
        let waiting = async || -> Vec<(u64, u64)> {
            let waiting = store.waiting_by_sender(device).await.unwrap();
            assert_eq!(waiting.iter().map(|waiting| waiting.sender).collect::<Vec<_>>(), others);
            waiting.iter().map(|waiting| (waiting.count, waiting.size)).collect()
        };
        assert_eq!(waiting().await, [(6, 18), (6, 18)]);
        let thin_out = async |sender, most, most_size| {
            let mut set = WriteSet::new();
            set.thin_out_to_device(device, sender, most, most_size);
            store.commit(set).await.unwrap();
        };
        thin_out(others[0], 6, 18).await;
        assert_eq!(waiting().await, [(6, 18), (6, 18)]);
        thin_out(others[0], 4, 100).await;
        assert_eq!(waiting().await, [(4, 12), (6, 18)]);
        thin_out(others[1], 100, 7).await;
        assert_eq!(waiting().await, [(4, 12), (2, 6)]);
        let left = store.to_device(device, Position::START, store.head(), 100).await.unwrap();
        let left: Vec<&str> = left.iter().map(|(_, message)| message.trim_matches('"')).collect();
        assert_eq!(left, ["2", "3", "4", "4", "5", "5"]);
    })
    .await;
}

#[tokio::test]
async fn device_takes_along_all_that_is_its_own() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let (user, device) = phone(store).await;
        let other = DeviceSn(store.next_number().await.unwrap());
        let mut set = WriteSet::new();
        set.add_device(user, other, device_id!("DESK"), None, 1);
        for (device, name) in [(device, device_id!("PHONE")), (other, device_id!("DESK"))] {
            set.put_device_keys(user, device, name, "{}");
            set.put_one_time_keys(user, device, [("signed", "a", "{}")]);
            set.put_fallback_key(user, device, ("signed", "f", "{}"));
            set.put_key_signature(user, user, name.as_str(), "ed25519:x", "signature");
            set.send_to_devices(user, vec![(user, device, "{}".to_owned())]);
        }
        let before = store.commit(set).await.unwrap().position;
        let mut set = WriteSet::new();
        set.delete_device(user, device);
        store.commit(set).await.unwrap();
        let state = store.device_state(device).await.unwrap();
        assert!(
            state.one_time_keys.is_empty() && state.unused_fallback.is_empty() && state.waiting.is_none()
        );
        let names = |keys: Vec<parvis_storage::DeviceKeys>| -> Vec<String> {
            keys.into_iter().map(|key| key.device_id.to_string()).collect()
        };
        assert_eq!(names(store.device_keys(&[user]).await.unwrap()), ["DESK"]);
        assert_eq!(store.key_signatures(&[user], None).await.unwrap().len(), 1);
        let changed = store.device_changes_between(before, store.head()).await.unwrap();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].device_id.as_deref(), Some(device_id!("PHONE")));

        let mut set = WriteSet::new();
        set.delete_devices_of(user, None);
        store.commit(set).await.unwrap();
        assert_eq!(store.device_state(other).await.unwrap().waiting, None);
        assert!(store.device_keys(&[user]).await.unwrap().is_empty());
        assert!(store.key_signatures(&[user], None).await.unwrap().is_empty());
        let mut set = WriteSet::new();
        set.put_device_keys(user, other, device_id!("DESK"), "{}");
        set.demand_device(other);
        assert!(matches!(store.commit(set).await, Err(CommitError::Guard(DEVICE_IS_THERE))));
    })
    .await;
}

#[tokio::test]
async fn backup_is_changed_by_one_at_a_time() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let mut backup = KeyBackup {
            version: 1,
            algorithm: "a".to_owned(),
            auth_data: "{}".to_owned(),
            etag: 0,
            key_count: 0,
            deleted: false,
        };
        let mut set = WriteSet::new();
        set.add_key_backup(UserSn(1), &backup);
        store.commit(set).await.unwrap();
        let key = BackedUpKey {
            room_id: owned_room_id!("!r:x"),
            session_id: "s".to_owned(),
            first_message_index: 1,
            forwarded_count: 2,
            is_verified: true,
            session_data: "{}".to_owned(),
        };
        (backup.etag, backup.key_count) = (1, 1);
        for outcome in [true, false] {
            let mut set = WriteSet::new();
            set.put_backed_up_key(UserSn(1), 1, &key);
            set.change_key_backup(UserSn(1), 0, &backup);
            match store.commit(set).await {
                Ok(_) => assert!(outcome),
                Err(error) => {
                    assert!(!outcome && matches!(error, CommitError::Guard(KEY_BACKUP_IS_UNCHANGED)));
                }
            }
        }
        let meant = KeysMeant::Session(&key.room_id, "s");
        assert_eq!(store.backed_up_keys(UserSn(1), 1, meant).await.unwrap(), std::slice::from_ref(&key));
        assert_eq!(store.backed_up_sessions(UserSn(1), 1, &["s", "t"]).await.unwrap(), [key]);
        assert_eq!(store.newest_key_backup(UserSn(1)).await.unwrap(), Some(backup));
    })
    .await;
}

#[tokio::test]
async fn lists_that_are_stale_are_found() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let lists = [(1, false), (2, true), (3, true)];
        let mut set = WriteSet::new();
        for (user, stale) in lists {
            set.put_device_list(DeviceList { user: UserSn(user), stream_id: user * 10, stale });
        }
        set.put_cursor("reader", Position(7));
        store.commit(set).await.unwrap();
        assert_eq!(store.stale_device_lists(10).await.unwrap(), [UserSn(2), UserSn(3)]);
        assert_eq!(store.device_list(UserSn(2)).await.unwrap().unwrap().stream_id, 20);
        assert_eq!(store.cursor("reader").await.unwrap(), Some(Position(7)));
        assert_eq!(store.cursor("other").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn store_that_was_restored_gives_no_old_key_no_old_position_and_no_old_number() {
    on_each_engine(async |world: World| {
        let store = &world.store;
        let phone = phone(store).await;
        put_keys(store, phone, 0..3).await;
        let mut set = WriteSet::new();
        set.add_account(&account(phone.0));
        set.put_fallback_key(phone.0, phone.1, ("signed", "f", "{}"));
        set.put_device_list(DeviceList { user: phone.0, stream_id: 7, stale: false });
        store.commit(set).await.unwrap();
        assert!(!store.is_void(Position(store.head().0 + 1)));
        let mut set = WriteSet::new();
        set.begin_after_restore(9);
        store.commit(set).await.unwrap();
        let last = store.head();
        world.store.close().await;

        let store = Store::open(&world.settings).await.unwrap();
        let state = store.device_state(phone.1).await.unwrap();
        assert_eq!((state.one_time_keys.len(), state.unused_fallback.len()), (0, 0));
        assert_eq!(claim(&store, phone).await, None);
        let known = store.one_time_keys(phone.1, &["0", "1", "2"]).await.unwrap();
        assert!(
            known.len() == 3 && known.iter().all(|key| key.claimed),
            "an old upload does not bring them back"
        );
        assert!(store.device_list(phone.0).await.unwrap().unwrap().stream_id > 1_000);
        assert!(
            !store.is_void(last)
                && store.is_void(Position(last.0 + 1))
                && store.is_void(Position(last.0 + 1_000_000))
        );
        put_keys(&store, phone, [5]).await;
        assert!(!store.is_void(store.head()), "what is new lies behind what is void");
        assert_eq!(claim(&store, phone).await.as_deref(), Some("5"));
    })
    .await;
}
