//! The promises themselves.

use std::time::Duration;

use parvis_storage::Position;
use ruma::{api::federation::transactions::edu::PresenceUpdate, presence::PresenceState, server_name};
use serde_json::json;

use crate::world::{Person, Room, World};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Alice here, and Bob elsewhere.
async fn two(world: &World) -> (Person, Person) {
    (world.person("@alice:parvis.test").await, world.person("@bob:other.test").await)
}

#[tokio::test]
async fn what_local_users_say_reaches_the_servers_in_the_room_in_order() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let carol = world.person("@carol:third.test").await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    let mut other = Room::with(&world, "other", &[&alice, &carol]).await;
    world.settle().await;
    world.network.forget();
    for number in 0..120 {
        room.say(&alice, &number.to_string()).await;
    }
    room.say(&bob, "what others say is told by them").await;
    other.say(&alice, "for carol").await;
    world.settle().await;
    let expected: Vec<String> = (0..120).map(|number| number.to_string()).collect();
    assert_eq!(world.network.events_to("other.test"), expected);
    assert_eq!(world.network.events_to("third.test"), ["for carol"]);
    assert!(world.network.to("other.test").iter().all(|carried| carried.events().len() <= 50));
    let transaction = &world.network.to("third.test")[0];
    assert_eq!(transaction.body["origin"], "parvis.test");
    assert_eq!(world.outbound.status().queues.servers, 0, "who was told everything has no queue");
}

#[tokio::test]
async fn retry_has_the_same_transaction_id() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.forget();
    world.network.lose_answers("other.test");
    room.say(&alice, "first").await;
    world.settle().await;
    room.say(&alice, "second").await;
    world.pass(SECOND).await;
    world.network.revive("other.test");
    world.pass(SECOND * 2).await;
    let carried = world.network.to("other.test");
    let ids: Vec<&str> = carried.iter().map(|carried| carried.id.as_str()).collect();
    assert_eq!(carried.len(), 4, "{carried:?}");
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert!(carried[..3].iter().all(|carried| carried.events() == ["first"]));
    assert_eq!(carried[3].events(), ["second"]);
}

#[tokio::test]
async fn server_that_was_away_is_told_the_newest_of_each_room() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut rooms = vec![
        Room::with(&world, "one", &[&alice, &bob]).await,
        Room::with(&world, "two", &[&alice, &bob]).await,
        Room::with(&world, "three", &[&alice]).await,
    ];
    world.settle().await;
    world.network.forget();
    world.network.kill("other.test");
    for number in 0..200 {
        for room in &mut rooms {
            room.say(&alice, &number.to_string()).await;
        }
        if number % 40 == 0 {
            world.pass(SECOND * 30).await;
        }
    }
    world.pass(SECOND * 30).await;
    let status = world.outbound.status().queues;
    assert_eq!((status.lagging, status.waiting_events), (1, 0), "a long silence costs no memory");
    world.network.revive("other.test");
    world.pass(HOUR).await;
    assert_eq!(world.network.events_to("other.test"), ["199", "199"]);
    rooms[0].say(&alice, "and on").await;
    world.pass(SECOND * 2).await;
    assert_eq!(world.network.events_to("other.test"), ["199", "199", "and on"]);
    world.pass(SECOND * 2).await;
    assert_eq!(world.store.lagging_servers().await.unwrap(), [], "it does not lag any more");
    assert_eq!(world.store.outbound_position().await.unwrap(), world.store.head());
}

#[tokio::test]
async fn what_is_said_while_the_missed_is_told_is_not_lost() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.kill("other.test");
    room.say(&alice, "missed").await;
    for _ in 0..12 {
        world.pass(SECOND * 20).await;
    }
    assert_eq!(world.outbound.status().queues.lagging, 1);
    world.network.forget();
    world.network.revive("other.test");
    world.clock.advance(HOUR);
    for number in 0..100 {
        room.say(&alice, &number.to_string()).await;
    }
    world.settle().await;
    let told = world.network.events_to("other.test");
    let last = told.iter().rposition(|event| event == "missed").map_or(0, |missed| missed + 1);
    let first: usize = told[last].parse().unwrap();
    let expected: Vec<String> = (first..100).map(|number| number.to_string()).collect();
    assert_eq!(told[last..], expected, "from where it caught up each is told");
}

#[tokio::test]
async fn restart_loses_nothing() {
    for orderly in [true, false] {
        let mut worlds = vec![World::new().await];
        worlds.extend(World::on_postgres().await);
        for world in worlds {
            restart_loses_nothing_in(world, orderly).await;
        }
    }
}

async fn restart_loses_nothing_in(world: World, orderly: bool) {
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.forget();
    world.network.kill("other.test");
    for number in 0..10 {
        room.say(&alice, &number.to_string()).await;
    }
    world.put_down("other.test", &json!({ "edu_type": "m.test", "content": { "n": 1 } })).await;
    world.settle().await;
    let room = room;
    let network = world.network.clone();
    drop(room);
    let world = world.restart(orderly).await;
    network.revive("other.test");
    world.pass(SECOND * 2).await;
    let told = network.events_to("other.test");
    let tail: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(told[told.len() - 10..], tail, "orderly: {orderly}");
    assert_eq!(network.edus_to("other.test", "m.test"), [json!({ "n": 1 })]);
    let server = server_name!("other.test");
    assert_eq!(world.store.outgoing_edus(server, 10).await.unwrap(), [], "what has arrived is deleted");
    network.forget();
    world.pass(SECOND * 2).await;
    let world = world.restart(true).await;
    world.settle().await;
    assert_eq!(network.events_to("other.test"), Vec::<String>::new(), "it is told once");
}

#[tokio::test]
async fn server_that_lags_behind_is_told_after_a_restart() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.kill("other.test");
    room.say(&alice, "missed").await;
    for _ in 0..12 {
        world.pass(SECOND * 20).await;
    }
    assert_eq!(world.store.lagging_servers().await.unwrap().len(), 1);
    assert_eq!(world.store.outbound_position().await.unwrap(), world.store.head(), "nobody waits for it");
    drop(room);
    let network = world.network.clone();
    network.forget();
    let world = world.restart(false).await;
    network.revive("other.test");
    world.pass(SECOND).await;
    assert_eq!(network.events_to("other.test"), ["missed"]);
}

#[tokio::test]
async fn dead_servers_delay_nobody_and_cost_little() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut people = vec![alice.clone(), bob];
    for number in 0..1_000 {
        people.push(world.person(&format!("@user:dead{number}.test")).await);
        world.network.kill(&format!("dead{number}.test"));
    }
    let people: Vec<&Person> = people.iter().collect();
    let mut room = Room::with(&world, "room", &people).await;
    world.settle().await;
    world.network.forget();
    room.say(&alice, "hello").await;
    world.settle().await;
    assert_eq!(world.network.events_to("other.test"), ["hello"]);
    for _ in 0..12 {
        world.pass(SECOND * 20).await;
    }
    let status = world.outbound.status().queues;
    assert_eq!((status.failing, status.waiting_events), (1_000, 0), "{status:?}");
    assert_eq!(world.store.lagging_servers().await.unwrap().len(), 1_000);
    let before = world.network.attempts();
    for number in 0..20 {
        room.say(&alice, &number.to_string()).await;
    }
    world.settle().await;
    assert_eq!(world.network.events_to("other.test").len(), 21);
    assert!(world.network.attempts() - before <= 21, "nobody asks the dead because something was said");
}

#[tokio::test]
async fn server_that_calls_is_told_at_once() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.kill("other.test");
    room.say(&alice, "hello").await;
    for _ in 0..9 {
        world.pass(SECOND * 60).await;
    }
    world.network.revive("other.test");
    world.network.forget();
    world.pass(SECOND * 10).await;
    assert_eq!(world.network.events_to("other.test"), Vec::<String>::new(), "its time has not come");
    world.outbound.heard_from(server_name!("other.test"));
    world.outbound.heard_from(server_name!("unknown.test"));
    world.settle().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.settle().await;
    assert_eq!(world.network.events_to("other.test"), ["hello"]);
}

#[tokio::test]
async fn who_is_put_out_is_told_and_hears_nothing_after() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let carol = world.person("@carol:third.test").await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    room.say(&alice, "before").await;
    room.member(&alice, &bob, "ban").await;
    room.say(&alice, "after").await;
    room.member(&alice, &carol, "invite").await;
    room.member(&alice, &carol, "leave").await;
    world.settle().await;
    let told = world.network.events_to("other.test");
    let heard = ["before", "m.room.member"];
    assert_eq!(told[told.len() - 2..], heard, "the ban, and nothing after");
    assert_eq!(world.network.events_to("third.test"), ["m.room.member"], "an invite taken back");
}

#[tokio::test]
async fn who_was_kicked_and_then_banned_during_an_outage_is_told_of_the_kick() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.kill("other.test");
    room.member(&alice, &bob, "leave").await;
    room.member(&alice, &bob, "ban").await;
    for _ in 0..9 {
        world.pass(SECOND * 60).await;
    }
    world.network.revive("other.test");
    world.network.forget();
    world.outbound.heard_from(server_name!("other.test"));
    world.settle().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.settle().await;
    assert_eq!(world.network.events_to("other.test"), ["m.room.member"]);
}

#[tokio::test]
async fn who_comes_is_not_told_what_was_before() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice]).await;
    world.outbound.stop();
    room.say(&alice, "before").await;
    room.member(&bob, &bob, "join").await;
    room.say(&alice, "after").await;
    drop(room);
    let network = world.network.clone();
    let world = world.restart(false).await;
    world.settle().await;
    assert_eq!(network.events_to("other.test"), ["after"]);
}

#[tokio::test]
async fn receipts_are_bundled() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let anna = world.person("@anna:parvis.test").await;
    let mut one = Room::with(&world, "one", &[&alice, &bob, &anna]).await;
    let mut two = Room::with(&world, "two", &[&alice, &bob]).await;
    let (first, second) = (one.say(&bob, "hi").await, two.say(&bob, "hi").await);
    let third = one.say(&bob, "again").await;
    world.settle().await;
    world.network.forget();
    world.read(&one, &alice, &first, "").await;
    world.read(&one, &alice, &third, "").await;
    world.read(&one, &anna, &third, "").await;
    world.read(&one, &bob, &third, "").await;
    world.read(&two, &alice, &second, "").await;
    world.settle().await;
    assert_eq!(world.network.to("other.test").len(), 0, "they are gathered");
    world.pass(SECOND).await;
    let receipts = world.network.edus_to("other.test", "m.receipt");
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    let read = &receipts[0][one.head.room_id.as_str()]["m.read"];
    assert_eq!(read["@alice:parvis.test"]["event_ids"], json!([third.pdu.event_id()]));
    assert_eq!(read["@anna:parvis.test"]["event_ids"], json!([third.pdu.event_id()]));
    assert_eq!(read["@bob:other.test"], json!(null), "others tell of their own");
    assert!(receipts[0][two.head.room_id.as_str()]["m.read"]["@alice:parvis.test"].is_object());
}

#[tokio::test]
async fn receipts_of_threads_are_told_apart() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    let event = room.say(&bob, "hi").await;
    world.settle().await;
    world.network.forget();
    world.read(&room, &alice, &event, "").await;
    world.read(&room, &alice, &event, "main").await;
    world.pass(SECOND).await;
    let receipts = world.network.edus_to("other.test", "m.receipt");
    let thread = |index: usize| {
        &receipts[index][room.head.room_id.as_str()]["m.read"]["@alice:parvis.test"]["data"]["thread_id"]
    };
    assert_eq!(receipts.len(), 2);
    assert_eq!([thread(0), thread(1)], [&json!(null), &json!("main")]);
}

#[tokio::test]
async fn typing_is_told_again_while_it_goes_on() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    let tell = async |user: &Person, typing: bool| {
        world.outbound.tell_typing(room.head.room, user.user, typing);
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.settle().await;
    };
    tell(&alice, true).await;
    tell(&alice, true).await;
    tell(&bob, true).await;
    world.pass(SECOND * 21).await;
    tell(&alice, true).await;
    tell(&alice, false).await;
    tell(&alice, false).await;
    let told = world.network.edus_to("other.test", "m.typing");
    let typing: Vec<bool> = told.iter().map(|edu| edu["typing"].as_bool().unwrap()).collect();
    assert_eq!(typing, [true, true, false]);
    let who = json!({ "room_id": room.head.room_id, "user_id": "@alice:parvis.test", "typing": true });
    assert_eq!(told[0], who);
}

#[tokio::test]
async fn presence_is_told_once_to_each_server_however_many_rooms_are_shared() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let stranger = world.person("@eve:stranger.test").await;
    for name in ["one", "two", "three"] {
        Room::with(&world, name, &[&alice, &bob]).await;
    }
    Room::with(&world, "elsewhere", &[&stranger]).await;
    world.settle().await;
    world.network.forget();
    for state in [PresenceState::Unavailable, PresenceState::Online] {
        let update = PresenceUpdate::new(alice.id.clone(), state, 5_u32.into());
        world.outbound.tell_presence(alice.user, update);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.pass(SECOND).await;
    let told = world.network.edus_to("other.test", "m.presence");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["push"].as_array().unwrap().len(), 1);
    assert_eq!(told[0]["push"][0]["presence"], "online");
    assert_eq!(world.network.to("stranger.test").len(), 0);
}

#[tokio::test]
async fn what_is_put_down_arrives_in_order_in_bounded_transactions() {
    let world = World::new().await;
    for number in 0..250 {
        world.put_down("other.test", &json!({ "edu_type": "m.test", "content": { "n": number } })).await;
    }
    world.settle().await;
    let told = world.network.edus_to("other.test", "m.test");
    let numbers: Vec<i64> = told.iter().map(|edu| edu["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..250).collect::<Vec<i64>>());
    assert!(world.network.to("other.test").iter().all(|carried| carried.edus().len() <= 100));
}

#[tokio::test]
async fn transaction_that_is_refused_as_bad_is_given_up_in_the_end() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.forget();
    world.network.refuse("other.test", 400);
    room.say(&alice, "poison").await;
    for _ in 0..8 {
        world.pass(SECOND * 9).await;
    }
    world.network.revive("other.test");
    room.say(&alice, "good").await;
    world.pass(HOUR).await;
    assert_eq!(world.network.events_to("other.test"), ["good"]);
}

#[tokio::test]
async fn nothing_runs_after_the_end() {
    let world = World::new().await;
    let (alice, bob) = two(&world).await;
    let mut room = Room::with(&world, "room", &[&alice, &bob]).await;
    world.settle().await;
    world.network.forget();
    world.outbound.close().await;
    room.say(&alice, "late").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.network.to("other.test").len(), 0);
    assert!(world.store.outbound_position().await.unwrap() < world.store.head());
    assert!(world.store.outbound_position().await.unwrap() > Position::START);
}
