//! The policy as it stands: changes, history, pins, and what another process does.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use parvis_ambient::{Ambient, Clock, SeededChance, TestClock};
use parvis_organisation::{CONFIGURATION_FILE, ChangeError, Organisation, Source};
use parvis_policy::{Settings, encryption::Level};
use parvis_storage::{DatabaseSettings, Store, StoreSettings, fresh_schema};
use serde_json::{Value, json};

const START: i64 = 1_700_000_000_000;

struct World {
    store: Store,
    clock: Arc<TestClock>,
}

impl World {
    async fn open(&self, pinned: &[(&str, Value)]) -> Organisation {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let ambient = Ambient { clock, chance: Arc::new(SeededChance::new(1)) };
        let pinned: Settings =
            pinned.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let organisation = Organisation::open(self.store.clone(), ambient, pinned).await.unwrap();
        organisation.record_pinned().await.unwrap();
        organisation
    }
}

async fn on_each_engine(test: impl AsyncFn(World)) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parvis.db");
    let mut databases = vec![DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true }];
    if let Ok(server) = std::env::var("PARVIS_TEST_POSTGRES") {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("organisation_{}_{number}", std::process::id());
        let url = fresh_schema(&server, &schema).await.unwrap();
        databases.push(DatabaseSettings::Postgres { url, connections: 4 });
    }
    for database in databases {
        let store = Store::open(&StoreSettings { database, cache_bytes: 1 << 20 }).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(START));
        test(World { store, clock }).await;
    }
}

fn change(name: &str, value: Value) -> Vec<(String, Option<Value>)> {
    vec![(name.to_owned(), Some(value))]
}

#[tokio::test]
async fn change_holds_at_once_and_is_written_into_the_history() {
    on_each_engine(async |world: World| {
        let organisation = world.open(&[]).await;
        let standing = organisation.standing();
        assert_eq!(standing.now().encryption.private, Level::Off);
        assert_eq!(organisation.source("encryption.private"), Source::Default);

        let changed =
            organisation.change("@ann:a.test", &change("encryption.private", json!("required"))).await;
        assert_eq!(changed.unwrap().len(), 1);
        assert_eq!(standing.now().encryption.private, Level::Required);
        organisation.change("@ben:a.test", &change("encryption.private", json!("client"))).await.unwrap();
        organisation.change("@ben:a.test", &[("encryption.private".to_owned(), None)]).await.unwrap();
        assert_eq!(standing.now().encryption.private, Level::Off);

        let history = organisation.history(None, 10).await.unwrap();
        let told: Vec<_> = history
            .iter()
            .map(|change| (change.author.as_str(), change.old.as_deref(), change.new.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("@ben:a.test", Some("\"client\""), None),
                ("@ben:a.test", Some("\"required\""), Some("\"client\"")),
                ("@ann:a.test", None, Some("\"required\"")),
            ]
        );
        assert_eq!(history[2].changed_ts, START);
        let older = organisation.history(Some(history[0].change), 1).await.unwrap();
        assert_eq!(older, [history[1].clone()]);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_hold_is_refused_and_nothing_is_written() {
    on_each_engine(async |world: World| {
        let organisation = world.open(&[]).await;
        for wrong in [
            change("encryption.nothing", json!("off")),
            change("encryption.private", json!("perhaps")),
            change("encryption.who_may_turn_on", json!(["nobody has this role"])),
            vec![("encryption.nothing".to_owned(), None)],
            [change("encryption.public", json!("off")), change("encryption.private", json!(1))].concat(),
        ] {
            let refused = organisation.change("@ann:a.test", &wrong).await;
            assert!(matches!(refused, Err(ChangeError::Setting(_))), "{refused:?}");
        }
        assert_eq!(organisation.history(None, 10).await.unwrap(), []);
        let same =
            organisation.change("@ann:a.test", &[("encryption.private".to_owned(), None)]).await.unwrap();
        assert_eq!(same, []);
    })
    .await;
}

#[tokio::test]
async fn configuration_file_pins_what_it_says_and_its_word_stands_in_the_history_once() {
    on_each_engine(async |world: World| {
        let free = world.open(&[]).await;
        free.change("@ann:a.test", &change("encryption.direct", json!("client"))).await.unwrap();
        drop(free);
        for _ in 0..2 {
            let pinned = world.open(&[("encryption.direct", json!("forbidden"))]).await;
            assert_eq!(pinned.standing().now().encryption.direct, Level::Forbidden);
            assert_eq!(pinned.source("encryption.direct"), Source::Pinned);
            let refused = pinned.change("@ann:a.test", &change("encryption.direct", json!("off"))).await;
            assert!(matches!(refused, Err(ChangeError::Pinned(name)) if name == "encryption.direct"));
        }
        // Taken out of the file, it may be changed again.
        let free = world.open(&[]).await;
        assert_eq!(free.standing().now().encryption.direct, Level::Forbidden);
        free.change("@ann:a.test", &change("encryption.direct", json!("off"))).await.unwrap();
        let history = free.history(None, 10).await.unwrap();
        let authors: Vec<_> = history.iter().map(|change| change.author.as_str()).collect();
        assert_eq!(authors, ["@ann:a.test", CONFIGURATION_FILE, "@ann:a.test"]);
    })
    .await;
}

#[tokio::test]
async fn change_by_another_process_is_noticed() {
    on_each_engine(async |world: World| {
        let (server, tool) = (world.open(&[]).await, world.open(&[]).await);
        assert!(!server.refresh().await.unwrap());
        tool.change("the command line", &change("encryption.public", json!("forbidden"))).await.unwrap();
        assert_eq!(server.standing().now().encryption.public, Level::Off);
        assert!(server.refresh().await.unwrap());
        assert_eq!(server.standing().now().encryption.public, Level::Forbidden);
        let Source::Set { author, changed_ts } = server.source("encryption.public") else {
            panic!("not set")
        };
        assert_eq!((author.as_str(), changed_ts), ("the command line", START));
    })
    .await;
}
