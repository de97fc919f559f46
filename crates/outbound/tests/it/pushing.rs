//! What phones are promised: everything once, in order, whatever gateways and restarts do.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parvis_outbound::{Attention, Push, PushSettings};
use parvis_peers::{Body, Limits, PeerError, Transport};
use parvis_storage::{NewPusher, PusherKey, WriteSet};
use ruma::ServerName;
use serde_json::{Value, json};

use crate::{
    eager::Eager,
    world::{Person, Room, World},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Gateways that keep what they are told, and answer as they are to.
#[derive(Debug, Default)]
struct Gateways {
    told: Mutex<Vec<(String, Value)>>,
    /// The hosts that do not answer.
    dead: Mutex<HashSet<String>>,
    /// The hosts that find fault with everything.
    picky: Mutex<HashSet<String>>,
    rejected: Mutex<HashSet<String>>,
    attempts: Mutex<usize>,
}

fn host(url: &str) -> String {
    url.split('/').nth(2).unwrap().to_owned()
}

#[async_trait]
impl Transport for Gateways {
    async fn exchange(
        &self,
        destination: &ServerName,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::NotAPartner(destination.to_string()))
    }

    async fn notify(&self, url: &str, body: Bytes, _: Limits) -> Result<http::Response<Body>, PeerError> {
        *self.attempts.lock().unwrap() += 1;
        let host = host(url);
        if self.dead.lock().unwrap().contains(&host) {
            return Err(PeerError::Timeout(host));
        }
        if self.picky.lock().unwrap().contains(&host) {
            return Ok(http::Response::builder().status(400).body(Body::whole(Bytes::new())).unwrap());
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        let key = body["notification"]["devices"][0]["pushkey"].as_str().unwrap().to_owned();
        let rejected: Vec<&str> =
            if self.rejected.lock().unwrap().contains(&key) { vec![&key] } else { Vec::new() };
        let answer = json!({ "rejected": rejected }).to_string();
        self.told.lock().unwrap().push((key, body["notification"].clone()));
        Ok(http::Response::new(Body::whole(answer.into())))
    }
}

struct Phones {
    world: World,
    gateways: Arc<Gateways>,
    eager: Arc<Eager>,
    push: Push,
}

impl Phones {
    async fn on(world: World) -> Self {
        let gateways = Arc::<Gateways>::default();
        let eager = Eager::new(&world.store);
        let push = Self::start(&world, &gateways, &eager).await;
        Self { world, gateways, eager, push }
    }

    async fn start(world: &World, gateways: &Arc<Gateways>, eager: &Arc<Eager>) -> Push {
        let (store, ambient) = (world.store.clone(), world.ambient());
        let network = Arc::clone(gateways) as Arc<dyn Transport>;
        let attention = Arc::clone(eager) as Arc<dyn Attention>;
        Push::start(store, ambient, network, attention, PushSettings::default()).await.unwrap()
    }

    /// A restart; an orderly one writes last where phones stand.
    async fn restart(self, orderly: bool) -> Self {
        let Self { world, gateways, eager, push } = self;
        if orderly {
            push.close().await;
        } else {
            push.stop();
        }
        drop((push, eager));
        let world = world.restart(orderly).await;
        let eager = Eager::new(&world.store);
        let push = Self::start(&world, &gateways, &eager).await;
        Self { world, gateways, eager, push }
    }

    /// Somebody with a phone that is told through the gateway at a host.
    async fn person(&self, name: &str, host: &str) -> Person {
        let person = self.world.person(&format!("@{name}:parvis.test")).await;
        let device = parvis_storage::DeviceSn(self.world.store.next_number().await.unwrap());
        let pusher =
            json!({ "data": { "url": format!("https://{host}/_matrix/push/v1/notify") } }).to_string();
        let mut set = WriteSet::new();
        set.add_device(person.user, device, ruma::device_id!("PHONE"), None, 0);
        set.put_pusher(&NewPusher {
            user: person.user,
            device,
            app_id: "app",
            pushkey: name,
            pusher: &pusher,
            created_ts: 0,
            enabled: true,
        });
        self.world.store.commit(set).await.unwrap();
        person
    }

    /// Waits until nothing is under way any more.
    async fn settle(&self) {
        let mut calm = 0;
        for _ in 0..5_000 {
            let status = self.push.status();
            let busy = status.unread_changes > 0 || status.pushers.waiting > status.pushers.failing;
            calm = if busy { 0 } else { calm + 1 };
            if calm > 5 {
                return;
            }
            // What is gathered is told when time has passed.
            self.world.clock.advance(Duration::from_millis(20));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it never comes to rest: {:?}", self.push.status());
    }

    async fn pass(&self, duration: Duration) {
        self.settle().await;
        self.world.clock.advance(duration);
        self.settle().await;
    }

    /// Lets a gateway answer again; after so long all phones have been told what waited for them.
    async fn revive(&self, host: &str, after: Duration) {
        self.set_dead(host, false);
        self.pass(after).await;
        // Nothing says that an attempt is about to be made, which a busy machine may take a while to begin.
        for _ in 0..2_000 {
            if self.push.status().pushers.waiting == 0 {
                return self.settle().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("somebody is not told: {:?}", self.push.status());
    }

    fn set_dead(&self, host: &str, dead: bool) {
        let mut hosts = self.gateways.dead.lock().unwrap();
        if dead {
            hosts.insert(host.to_owned())
        } else {
            hosts.remove(host)
        };
    }

    /// The messages of which a phone was told, in order.
    fn messages(&self, pushkey: &str) -> Vec<String> {
        let told = self.gateways.told.lock().unwrap();
        let messages = told.iter().filter(|(key, told)| key == pushkey && told["event_id"].is_string());
        messages.map(|(_, told)| told["content"]["body"].as_str().unwrap().to_owned()).collect()
    }

    /// The number on the icon that a phone was told last.
    fn badge(&self, pushkey: &str) -> Option<u64> {
        let told = self.gateways.told.lock().unwrap();
        told.iter().rev().find(|(key, _)| key == pushkey)?.1["counts"]["unread"].as_u64()
    }

    fn attempts(&self) -> usize {
        *self.gateways.attempts.lock().unwrap()
    }
}

async fn on_each_engine<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    test(World::new().await).await;
    if let Some(world) = World::on_postgres().await {
        test(world).await;
    }
}

fn texts(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn dead_gateway_delays_nobody_and_is_told_everything_once_when_it_is_back() {
    on_each_engine(async |world: World| {
        let phones = Phones::on(world).await;
        let alice = phones.world.person("@alice:parvis.test").await;
        let (bob, carol) =
            (phones.person("bob", "dead.test").await, phones.person("carol", "live.test").await);
        let mut room = Room::with(&phones.world, "room", &[&alice, &bob, &carol]).await;
        phones.settle().await;
        phones.set_dead("dead.test", true);
        for number in texts(0..150) {
            room.say(&alice, &number).await;
        }
        phones.settle().await;
        assert_eq!(phones.messages("carol"), texts(0..150));
        assert_eq!(phones.push.status().pushers.failing, 1);
        let before = phones.attempts();
        phones.pass(HOUR).await;
        phones.pass(HOUR).await;
        assert!((1..=4).contains(&(phones.attempts() - before)), "it is left in peace");
        phones.revive("dead.test", HOUR * 2).await;
        assert_eq!(phones.messages("bob"), texts(0..150));
        assert_eq!((phones.badge("bob"), phones.push.status().pushers.waiting), (Some(150), 0));
    })
    .await;
}

#[tokio::test]
async fn orderly_restart_loses_nothing_and_tells_nothing_twice() {
    on_each_engine(async |world: World| {
        let phones = Phones::on(world).await;
        let alice = phones.world.person("@alice:parvis.test").await;
        let (bob, carol) =
            (phones.person("bob", "dead.test").await, phones.person("carol", "live.test").await);
        let mut room = Room::with(&phones.world, "room", &[&alice, &bob, &carol]).await;
        phones.settle().await;
        phones.set_dead("dead.test", true);
        for number in texts(0..5) {
            room.say(&alice, &number).await;
        }
        phones.settle().await;
        let head = room.head.clone();
        drop(room);
        let phones = phones.restart(true).await;
        phones.settle().await;
        let mut room = Room::again(&phones.world, head);
        room.say(&alice, "5").await;
        phones.settle().await;
        assert_eq!(phones.messages("carol"), texts(0..6));
        phones.revive("dead.test", HOUR).await;
        assert_eq!(phones.messages("bob"), texts(0..6));
    })
    .await;
}

#[tokio::test]
async fn crash_loses_nothing() {
    let phones = Phones::on(World::new().await).await;
    let alice = phones.world.person("@alice:parvis.test").await;
    let bob = phones.person("bob", "live.test").await;
    let mut room = Room::with(&phones.world, "room", &[&alice, &bob]).await;
    room.say(&alice, "0").await;
    phones.pass(SECOND * 5).await;
    room.say(&alice, "1").await;
    drop(room);
    let phones = phones.restart(false).await;
    phones.pass(SECOND).await;
    let told = phones.messages("bob");
    let distinct: HashSet<&String> = told.iter().collect();
    assert_eq!(distinct.len(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|text| *text == "0").count(), 1, "what was written down is not told again");
}

#[tokio::test]
async fn what_is_older_than_a_day_is_not_told_but_counted() {
    let phones = Phones::on(World::new().await).await;
    let alice = phones.world.person("@alice:parvis.test").await;
    let bob = phones.person("bob", "dead.test").await;
    let mut room = Room::with(&phones.world, "room", &[&alice, &bob]).await;
    phones.settle().await;
    phones.set_dead("dead.test", true);
    room.say(&alice, "old").await;
    phones.pass(HOUR * 20).await;
    room.say(&alice, "new").await;
    phones.pass(HOUR * 5).await;
    phones.revive("dead.test", HOUR).await;
    assert_eq!(phones.messages("bob"), ["new"]);
    assert_eq!(phones.badge("bob"), Some(2));
}

#[tokio::test]
async fn what_was_read_meanwhile_is_not_told_and_the_number_is_told_when_it_changes() {
    let phones = Phones::on(World::new().await).await;
    let alice = phones.world.person("@alice:parvis.test").await;
    let bob = phones.person("bob", "dead.test").await;
    let mut room = Room::with(&phones.world, "room", &[&alice, &bob]).await;
    phones.settle().await;
    phones.set_dead("dead.test", true);
    let read = room.say(&alice, "read").await;
    room.say(&alice, "unread").await;
    phones.settle().await;
    phones.eager.reads(bob.user, read.sn);
    phones.revive("dead.test", HOUR).await;
    assert_eq!((phones.messages("bob"), phones.badge("bob")), (vec!["unread".to_owned()], Some(1)));
    let attempts = phones.attempts();
    phones.world.read(&room, &bob, &read, "").await;
    phones.pass(SECOND).await;
    assert_eq!(phones.attempts(), attempts, "the number is the same");
    let last = room.say(&alice, "last").await;
    phones.settle().await;
    phones.eager.reads(bob.user, last.sn);
    phones.world.read(&room, &bob, &last, "").await;
    phones.pass(SECOND).await;
    assert_eq!(phones.badge("bob"), Some(1));
}

#[tokio::test]
async fn notification_that_is_refused_again_and_again_makes_room_for_the_next() {
    let phones = Phones::on(World::new().await).await;
    let alice = phones.world.person("@alice:parvis.test").await;
    let bob = phones.person("bob", "picky.test").await;
    let mut room = Room::with(&phones.world, "room", &[&alice, &bob]).await;
    phones.settle().await;
    phones.gateways.picky.lock().unwrap().insert("picky.test".to_owned());
    room.say(&alice, "bad").await;
    for _ in 0..6 {
        phones.pass(SECOND * 60).await;
    }
    phones.gateways.picky.lock().unwrap().clear();
    room.say(&alice, "good").await;
    phones.pass(HOUR).await;
    assert_eq!(phones.messages("bob"), ["good"]);
}

#[tokio::test]
async fn pusher_whose_key_is_rejected_is_gone() {
    let phones = Phones::on(World::new().await).await;
    let alice = phones.world.person("@alice:parvis.test").await;
    let bob = phones.person("bob", "live.test").await;
    let mut room = Room::with(&phones.world, "room", &[&alice, &bob]).await;
    phones.gateways.rejected.lock().unwrap().insert("bob".to_owned());
    room.say(&alice, "0").await;
    phones.pass(SECOND).await;
    room.say(&alice, "1").await;
    phones.pass(SECOND).await;
    let key = PusherKey { user: bob.user, app_id: "app".to_owned(), pushkey: "bob".to_owned() };
    assert_eq!(phones.world.store.pusher(&key).await.unwrap(), None);
    assert!(!phones.messages("bob").contains(&"1".to_owned()));
    assert_eq!(phones.push.status().pushers.pushers, 0);
}
