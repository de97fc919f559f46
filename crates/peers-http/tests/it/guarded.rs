//! With whom the organisation speaks, and who is left in peace.

use std::{sync::Arc, time::Duration};

use parvis_ambient::TestClock;
use parvis_peers::{PeerError, Transport};
use parvis_peers_http::Guarded;
use ruma::ServerName;

use crate::world::{self, INSISTENT, Outcome, PATIENT, Scripted, get, server};

struct World {
    network: Arc<Scripted>,
    guarded: Guarded,
    clock: Arc<TestClock>,
    directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let (ambient, clock) = world::ambient();
        let (store, directory) = world::store().await;
        let network = Arc::new(Scripted::default());
        let guarded = Guarded::new(
            Arc::clone(&network) as _,
            server("own.example"),
            Arc::new(|server: &ServerName| server.host() != "foe.example"),
            store,
            ambient,
        );
        Self { guarded: guarded.await.unwrap(), network, clock, directory }
    }

    async fn ask(&self, name: &str) -> Result<(), PeerError> {
        self.guarded.exchange(&server(name), get("/x"), PATIENT).await.map(drop)
    }

    /// How long, in seconds, it is until the server may be tried; after this, it may and was.
    async fn seconds_to_wait(&self, name: &str) -> u64 {
        let mut seconds = 0;
        while let Err(PeerError::BackingOff { wait_ms, .. }) = self.ask(name).await {
            let wait = Duration::from_millis(wait_ms);
            self.clock.advance(wait);
            seconds += wait.as_secs();
        }
        seconds
    }
}

#[tokio::test]
async fn refused_servers_and_oneself_are_not_called() {
    let world = World::new().await;
    assert!(matches!(world.ask("foe.example").await, Err(PeerError::NotAPartner(_))));
    assert!(matches!(world.ask("foe.example:8448").await, Err(PeerError::NotAPartner(_))));
    assert!(matches!(world.ask("own.example").await, Err(PeerError::Unsendable(_))));
    assert_eq!(world.network.tries(), 0);
    world.ask("friend.example").await.unwrap();
    assert_eq!(world.network.tries(), 1);
}

#[tokio::test]
async fn failed_server_is_left_in_peace_twice_as_long_each_time_up_to_a_day() {
    let world = World::new().await;
    world.network.then(Outcome::Silence);
    world.ask("a.example").await.unwrap_err();
    let mut waits = Vec::new();
    for _ in 0..17 {
        // The try that ends the wait fails as well.
        world.network.then(Outcome::Silence);
        waits.push(world.seconds_to_wait("a.example").await);
    }
    let mut expected = 5;
    for wait in &waits {
        assert!((expected..=expected + expected / 10 + 1).contains(wait), "up to a tenth more: {waits:?}");
        expected = (expected * 2).min(86_400);
    }
    assert_eq!(expected, 86_400);
    world.ask("other.example").await.unwrap();
}

#[tokio::test]
async fn tries_that_fail_side_by_side_count_once() {
    let world = World::new().await;
    for _ in 0..5 {
        world.network.then(Outcome::Silence);
        let insistent = world.guarded.exchange(&server("a.example"), get("/x"), INSISTENT).await;
        assert!(matches!(insistent, Err(PeerError::Timeout(_))));
    }
    assert!(world.seconds_to_wait("a.example").await <= 6);
}

#[tokio::test]
async fn one_success_or_a_call_from_the_server_ends_the_wait() {
    let world = World::new().await;
    let a = server("a.example");
    for _ in 0..2 {
        world.network.then(Outcome::Silence);
        world.ask("a.example").await.unwrap_err();
        assert!(matches!(world.ask("a.example").await, Err(PeerError::BackingOff { .. })));
        world.guarded.exchange(&a, get("/x"), INSISTENT).await.unwrap();
        world.ask("a.example").await.unwrap();
    }
    world.network.then(Outcome::Silence);
    world.ask("a.example").await.unwrap_err();
    world.guarded.heard_from(&a);
    world.ask("a.example").await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_a_server_goes_on_when_it_is_heard_from_or_due() {
    let world = World::new().await;
    let a = server("a.example");
    world.guarded.until_due(&a).await;
    for heard in [true, false] {
        world.network.then(Outcome::Silence);
        world.ask("a.example").await.unwrap_err();
        let wait = world.guarded.until_due(&a);
        let change = async {
            tokio::task::yield_now().await;
            if heard {
                world.guarded.heard_from(&a);
            } else {
                world.clock.advance(Duration::from_secs(70));
            }
        };
        let both = async { tokio::join!(wait, change) };
        tokio::time::timeout(Duration::from_secs(5), both).await.unwrap();
        world.ask("a.example").await.unwrap();
    }
}

#[tokio::test]
async fn answers_of_a_dead_servers_proxy_are_failures_and_those_of_a_living_server_are_not() {
    for (status, failing) in [
        (200, false),
        (400, false),
        (401, false),
        (404, false),
        (500, false),
        (502, true),
        (503, true),
        (504, true),
    ] {
        let world = World::new().await;
        world.network.then(Outcome::Status(status));
        assert!(world.ask("a.example").await.is_ok());
        assert_eq!(world.ask("a.example").await.is_err(), failing, "{status}");
    }
}

#[tokio::test]
async fn server_that_says_how_long_to_wait_is_left_in_peace_so_long() {
    let world = World::new().await;
    world.network.then(Outcome::SlowDown { retry_after: "600" });
    world.ask("a.example").await.unwrap();
    let seconds = world.seconds_to_wait("a.example").await;
    assert!((600..=661).contains(&seconds), "{seconds}");

    world.network.then(Outcome::SlowDown { retry_after: "999999999" });
    world.ask("b.example").await.unwrap();
    let seconds = world.seconds_to_wait("b.example").await;
    assert!((3_600..=3_961).contains(&seconds), "an hour at most, not {seconds}");
}

#[tokio::test]
async fn who_is_left_in_peace_survives_a_restart() {
    let world = World::new().await;
    for name in ["b.example", "a.example"] {
        world.network.then(Outcome::Silence);
        world.ask(name).await.unwrap_err();
        // The store learns of this with the next failure.
        world.guarded.heard_from(&server("b.example"));
    }
    let World { guarded, network, directory, .. } = world;
    drop(guarded);

    let (ambient, _) = world::ambient();
    let store = world::open(&directory).await;
    let admits = Arc::new(|_: &ServerName| true);
    let again =
        Guarded::new(Arc::clone(&network) as _, server("own.example"), admits, store, ambient).await.unwrap();
    let ask = async |name| again.exchange(&server(name), get("/x"), PATIENT).await;
    assert!(matches!(ask("a.example").await, Err(PeerError::BackingOff { .. })));
    ask("b.example").await.unwrap();
}
