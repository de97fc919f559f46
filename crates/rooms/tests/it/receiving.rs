//! What other servers send, and what is missing of it.

#![expect(clippy::unwrap_used, reason = "tests")]

use parvis_policy::Preset;
use parvis_rooms::{Action, Actor, CreateRoom, Direction, SendEvent};
use ruma::{OwnedEventId, OwnedRoomId, RoomId, ServerName};
use serde_json::{json, value::RawValue};

use crate::across::{Across, Server, across};

/// Alice on `a.test` and Bob on `b.test`, in a room that Alice has made.
async fn together() -> (Across, Actor, Actor, OwnedRoomId) {
    let world = across(&["a.test", "b.test", "c.test"]).await;
    let (alice, bob) =
        (world.server("a.test").person("alice").await, world.server("b.test").person("bob").await);
    let wanted = CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() };
    let room_id = world.server("a.test").rooms.create(&alice, wanted).await.unwrap();
    for number in 0..5 {
        say(world.server("a.test"), &alice, &room_id, &format!("before {number}")).await;
    }
    world.server("b.test").join(&bob, &room_id, &["a.test"]).await.unwrap();
    (world, alice, bob, room_id)
}

async fn say(server: &Server, actor: &Actor, room_id: &RoomId, text: &str) -> OwnedEventId {
    let content = RawValue::from_string(json!({ "msgtype": "m.text", "body": text }).to_string()).unwrap();
    let event = SendEvent { kind: "m.room.message".to_owned(), content, transaction_id: text.to_owned() };
    server.rooms.send(actor, room_id, event).await.unwrap()
}

/// Sends an event of one server to another, as a transaction would.
async fn carry(from: &Server, to: &Server, event_id: &OwnedEventId) -> Result<(), String> {
    let event = from.store.event_by_id(event_id).await.unwrap().unwrap();
    let raw = RawValue::from_string(event.pdu.json().to_owned()).unwrap();
    let origin = ServerName::parse(from.name.as_str()).unwrap();
    let outcomes = to.rooms.receive(&origin, vec![raw]).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].0, *event_id);
    outcomes[0].1.clone()
}

/// Waits until a server shows an event.
async fn seen(server: &Server, room_id: &RoomId, event_id: &OwnedEventId) {
    let mut head = server.store.follow();
    for _ in 0..200 {
        if server.rooms.event(room_id, event_id).await.is_ok() {
            return;
        }
        let _ = tokio::time::timeout(std::time::Duration::from_millis(100), head.changed()).await;
    }
    panic!("{event_id} does not come in at {}", server.name);
}

/// Waits until a server shows an event that it tries to take in now and then, while time goes by.
async fn seen_in_time(world: &Across, server: &Server, room_id: &RoomId, event_id: &OwnedEventId) {
    for _ in 0..200 {
        world.clock.advance(std::time::Duration::from_secs(60));
        if server.rooms.event(room_id, event_id).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{event_id} does not come in at {}", server.name);
}

async fn bodies(server: &Server, actor: &Actor, room_id: &RoomId) -> Vec<String> {
    bodies_by(server, actor, room_id, 4).await
}

/// What is said in a room, newest first, read in pages of this size.
async fn bodies_by(server: &Server, actor: &Actor, room_id: &RoomId, limit: usize) -> Vec<String> {
    let mut from = None;
    let mut bodies = Vec::new();
    for _ in 0..50 {
        let page =
            server.rooms.messages(actor, room_id, from, None, Direction::Backward, limit).await.unwrap();
        for event in &page.events {
            let content: serde_json::Value = event.pdu.content_as().unwrap();
            bodies.extend(content["body"].as_str().map(ToOwned::to_owned));
            if event.pdu.is_create() {
                bodies.push("create".to_owned());
            }
        }
        if page.end.is_none() || page.end == from {
            break;
        }
        from = page.end;
    }
    bodies
}

#[tokio::test]
async fn message_of_another_server_enters() {
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let said = say(a, &alice, &room_id, "hello").await;
    assert_eq!(carry(a, b, &said).await, Ok(()));
    seen(b, &room_id, &said).await;
    assert_eq!(carry(a, b, &said).await, Ok(()), "once more is no error");
    assert!(b.store.inbox(b.rooms.find(&room_id).await.unwrap(), 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn events_in_between_are_fetched_and_shown_in_order() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    for number in 0..5 {
        say(a, &alice, &room_id, &format!("missed {number}")).await;
    }
    let last = say(a, &alice, &room_id, "last").await;
    carry(a, b, &last).await.unwrap();
    seen(b, &room_id, &last).await;
    let newest: Vec<String> = bodies(b, &bob, &room_id).await.into_iter().take(6).collect();
    assert_eq!(newest, ["last", "missed 4", "missed 3", "missed 2", "missed 1", "missed 0"]);
    let asked = world.asked("a.test");
    assert!(!asked.iter().any(|asked| asked.contains("state_ids")), "{asked:?}");
}

#[tokio::test]
async fn newcomer_pages_back_to_the_beginning() {
    let (world, _, bob, room_id) = together().await;
    let b = world.server("b.test");
    let all = bodies(b, &bob, &room_id).await;
    assert_eq!(all, ["before 4", "before 3", "before 2", "before 1", "before 0", "create"]);
    let requests = world.asked("a.test").len();
    assert_eq!(bodies(b, &bob, &room_id).await, all);
    assert_eq!(world.asked("a.test").len(), requests, "what was fetched is kept");
}

#[tokio::test]
async fn hole_is_bridged_by_the_state_and_filled_in_place_later() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let mut missed = Vec::new();
    for number in 0..5 {
        missed.push(say(a, &alice, &room_id, &format!("missed {number}")).await);
    }
    a.rooms
        .set_state(
            &alice,
            &room_id,
            "m.room.topic",
            "",
            &RawValue::from_string("{\"topic\":\"new\"}".to_owned()).unwrap(),
        )
        .await
        .unwrap();
    let last = say(a, &alice, &room_id, "last").await;
    world.tamper("a.test", withhold(missed));
    carry(a, b, &last).await.unwrap();
    seen(b, &room_id, &last).await;
    assert_eq!(b.content(&room_id, "m.room.topic", "").await, Some(json!({ "topic": "new" })));
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
    let next = say(a, &alice, &room_id, "next").await;
    carry(a, b, &next).await.unwrap();
    seen(b, &room_id, &next).await;
    let newest: Vec<String> = bodies(b, &bob, &room_id).await.into_iter().take(7).collect();
    assert_eq!(newest, ["next", "last", "missed 4", "missed 3", "missed 2", "missed 1", "missed 0"]);
}

#[tokio::test]
async fn hole_that_cannot_be_filled_now_is_not_the_end() {
    let (world, _, bob, room_id) = together().await;
    world.set_down("a.test", true);
    let b = world.server("b.test");
    let page = b.rooms.messages(&bob, &room_id, None, None, Direction::Backward, 10).await.unwrap();
    assert_eq!(page.events.len(), 1, "only the join is here");
    let older = b.rooms.messages(&bob, &room_id, page.end, None, Direction::Backward, 10).await.unwrap();
    assert!(older.events.is_empty());
    assert!(older.end.is_some(), "there is more");
    world.set_down("a.test", false);
    let older = b.rooms.messages(&bob, &room_id, older.end, None, Direction::Backward, 100).await.unwrap();
    assert!(older.events.iter().any(|event| event.pdu.is_create()));
}

#[tokio::test]
async fn history_ends_though_who_knows_what_is_missing_never_answers() {
    let (world, _, bob, room_id) = together().await;
    world.set_down("a.test", true);
    let b = world.server("b.test");
    let mut from = None;
    let mut tokens = Vec::new();
    for _ in 0..20 {
        let page = b.rooms.messages(&bob, &room_id, from, None, Direction::Backward, 10).await.unwrap();
        let Some(end) = page.end else {
            assert!(tokens.len() > 1, "it ended at once");
            return;
        };
        assert!(tokens.iter().all(|token| *token > end.0), "{end} was there before");
        tokens.push(end.0);
        from = page.end;
    }
    panic!("it goes on for ever");
}

#[tokio::test]
async fn hole_that_nobody_can_fill_is_the_end() {
    let (world, _, bob, room_id) = together().await;
    world.tamper("a.test", |path, body| {
        if path.contains("backfill") {
            body["pdus"] = json!([]);
        }
    });
    let b = world.server("b.test");
    let page = b.rooms.messages(&bob, &room_id, None, None, Direction::Backward, 10).await.unwrap();
    let older = b.rooms.messages(&bob, &room_id, page.end, None, Direction::Backward, 10).await.unwrap();
    assert!(older.events.is_empty());
    assert_eq!(older.end, None);
}

#[tokio::test]
async fn who_has_left_is_asked_for_what_nobody_else_knows() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    a.leave(&alice, &room_id).await.unwrap();
    let left = newest(a, &room_id).await;
    carry(a, b, &left).await.unwrap();
    seen(b, &room_id, &left).await;
    let all = bodies(b, &bob, &room_id).await;
    assert_eq!(all, ["before 4", "before 3", "before 2", "before 1", "before 0", "create"]);
}

/// What a server does to its answers that keeps these events back.
fn withhold(kept: Vec<OwnedEventId>) -> impl Fn(&str, &mut serde_json::Value) + Send + Sync {
    move |path, body| {
        if path.contains("get_missing_events") {
            body["events"] = json!([]);
        } else if path.contains("/event/") && kept.iter().any(|id| path.contains(&id.as_str()[1..])) {
            body["pdus"] = json!([]);
        }
    }
}

#[tokio::test]
async fn missing_event_is_asked_for_by_its_id_where_nobody_tells_what_lies_between() {
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let missed = say(a, &alice, &room_id, "missed").await;
    let last = say(a, &alice, &room_id, "last").await;
    world.tamper("a.test", |path, body| {
        if path.contains("get_missing_events") {
            body["events"] = json!([]);
        }
    });
    carry(a, b, &last).await.unwrap();
    seen(b, &room_id, &last).await;
    seen(b, &room_id, &missed).await;
}

#[tokio::test]
async fn nobody_is_believed_about_the_past_of_their_own_event_against_the_others() {
    let (world, alice, _, room_id) = together().await;
    let (a, b, c) = (world.server("a.test"), world.server("b.test"), world.server("c.test"));
    let carol = c.person("carol").await;
    c.join(&carol, &room_id, &["b.test"]).await.unwrap();
    let joined = newest(c, &room_id).await;
    for server in [a, b] {
        carry(c, server, &joined).await.unwrap();
        seen(server, &room_id, &joined).await;
    }
    let withheld = say(a, &alice, &room_id, "withheld").await;
    let child = say(a, &alice, &room_id, "child").await;
    world.tamper("a.test", withhold(vec![withheld.clone()]));
    carry(a, b, &child).await.unwrap();
    for _ in 0..6 {
        // What others say of it goes on, and is not kept waiting.
        let text = say(c, &carol, &room_id, "meanwhile").await;
        carry(c, b, &text).await.unwrap();
        seen(b, &room_id, &text).await;
        world.clock.advance(std::time::Duration::from_secs(600));
    }
    assert!(b.rooms.event(&room_id, &child).await.is_err(), "only its sender can tell what came before it");
    assert!(b.rooms.event(&room_id, &withheld).await.is_err());

    carry(a, c, &withheld).await.unwrap();
    seen(c, &room_id, &withheld).await;
    carry(a, b, &child).await.unwrap();
    // It may still lie there from before, and wait for its next try.
    seen_in_time(&world, b, &room_id, &child).await;
    assert_eq!(b.state(&room_id).await, a.state(&room_id).await);
}

/// The event at the end of a room.
async fn newest(server: &Server, room_id: &RoomId) -> OwnedEventId {
    let room = server.rooms.find(room_id).await.unwrap();
    let head = server.store.room_head(room).await.unwrap().unwrap();
    server.store.event(head.heads[0]).await.unwrap().pdu.owned_event_id().clone()
}

#[tokio::test]
async fn server_that_was_put_out_while_it_was_cut_off_learns_why_and_no_more() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let missed = say(a, &alice, &room_id, "missed").await;
    let room = a.rooms.find(&room_id).await.unwrap();
    a.rooms.act_on_member(&alice, room, &bob.user_id, Action::Kick, None).await.unwrap();
    let kick = newest(a, &room_id).await;
    let after = say(a, &alice, &room_id, "after").await;
    carry(a, b, &kick).await.unwrap();
    seen(b, &room_id, &kick).await;
    seen(b, &room_id, &missed).await;
    assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("leave"));
    let server = ServerName::parse("b.test").unwrap();
    assert!(a.rooms.serve_event(&server, &missed).await.is_ok());
    assert!(a.rooms.serve_event(&server, &after).await.is_err());
    let since = [after.clone()];
    let served = a.rooms.serve_backfill(&server, &room_id, &since, 100).await.unwrap();
    assert!(served.iter().all(|event| *event.event_id() != *after), "{served:?}");
    let stranger = ServerName::parse("c.test").unwrap();
    assert!(a.rooms.serve_event(&stranger, &missed).await.is_err());
}

#[tokio::test]
async fn both_sides_of_a_partition_end_with_the_same_room() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let topic = |text: &str| RawValue::from_string(json!({ "topic": text }).to_string()).unwrap();
    a.rooms.set_state(&alice, &room_id, "m.room.topic", "", &topic("of a")).await.unwrap();
    say(b, &bob, &room_id, "lonely b").await;
    let last_of_a = say(a, &alice, &room_id, "lonely a").await;
    let last_of_b = say(b, &bob, &room_id, "still lonely b").await;
    carry(a, b, &last_of_a).await.unwrap();
    carry(b, a, &last_of_b).await.unwrap();
    seen(b, &room_id, &last_of_a).await;
    seen(a, &room_id, &last_of_b).await;
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
    let merged = say(a, &alice, &room_id, "together").await;
    carry(a, b, &merged).await.unwrap();
    seen(b, &room_id, &merged).await;
    for server in [a, b] {
        let room = server.rooms.find(&room_id).await.unwrap();
        let head = server.store.room_head(room).await.unwrap().unwrap();
        let heads = server.store.events(&head.heads).await.unwrap();
        let heads: Vec<_> = heads.iter().map(|head| head.pdu.event_id()).collect();
        assert_eq!(heads, [&*merged], "at {}", server.name);
    }
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
}

#[tokio::test]
async fn event_with_a_false_signature_is_dropped() {
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let said = say(a, &alice, &room_id, "signed").await;
    let event = a.store.event_by_id(&said).await.unwrap().unwrap();
    let json = event.pdu.json().replace("\"depth\":", "\"depth\":1");
    let origin = ServerName::parse("a.test").unwrap();
    let outcomes = b.rooms.receive(&origin, vec![RawValue::from_string(json).unwrap()]).await.unwrap();
    assert!(outcomes[0].1.is_err(), "{outcomes:?}");
}

#[tokio::test]
async fn what_lies_in_the_inbox_is_taken_up_by_the_next_run() {
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    b.rooms.close().await;
    let said = say(a, &alice, &room_id, "while you slept").await;
    carry(a, b, &said).await.unwrap();
    assert!(b.rooms.event(&room_id, &said).await.is_err());
    let again = b.again();
    again.resume().await.unwrap();
    let mut head = b.store.follow();
    while again.event(&room_id, &said).await.is_err() {
        head.changed().await.unwrap();
    }
    again.close().await;
}

#[tokio::test]
async fn event_whose_ancestors_are_withheld_delays_no_other_and_is_tried_again() {
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let ordinary = say(a, &alice, &room_id, "ordinary").await;
    let withheld = say(a, &alice, &room_id, "withheld").await;
    let child = say(a, &alice, &room_id, "child").await;
    world.tamper("a.test", |path, body| {
        if ["get_missing_events", "/event/", "state"].iter().any(|kept| path.contains(kept)) {
            *body = json!({ "events": [] });
        }
    });
    carry(a, b, &child).await.unwrap();
    carry(a, b, &ordinary).await.unwrap();
    seen(b, &room_id, &ordinary).await;
    assert!(b.rooms.event(&room_id, &child).await.is_err());
    assert!(b.rooms.event(&room_id, &withheld).await.is_err());
    // The first search shall be over: what begins in vain may end with a hole.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    world.tamper("a.test", |_, _| {});
    seen_in_time(&world, b, &room_id, &child).await;
    seen(b, &room_id, &withheld).await;
}

#[tokio::test]
async fn many_events_after_what_is_withheld_are_one_search_for_each_try() {
    const EVENTS: usize = 20;
    const TRIES: usize = 5;
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    say(a, &alice, &room_id, "withheld").await;
    let mut events = Vec::new();
    for number in 0..EVENTS {
        let event = say(a, &alice, &room_id, &format!("after it {number}")).await;
        let event = a.store.event_by_id(&event).await.unwrap().unwrap();
        events.push(RawValue::from_string(event.pdu.json().to_owned()).unwrap());
    }
    world.tamper("a.test", |path, body| {
        if ["get_missing_events", "/event/", "state"].iter().any(|kept| path.contains(kept)) {
            *body = json!({ "events": [] });
        }
    });
    let before = world.asked("a.test").len();
    let outcomes = b.rooms.receive(&ServerName::parse("a.test").unwrap(), events).await.unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
    let room = b.store.room_sn(&room_id).await.unwrap().unwrap();
    for _ in 0..500 {
        let before = world.asked("a.test").len();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if b.store.inbox(room, 0, 1).await.unwrap().is_empty() {
            break;
        }
        if world.asked("a.test").len() == before {
            world.clock.advance(std::time::Duration::from_secs(20));
        }
    }
    assert!(b.store.inbox(room, 0, 1).await.unwrap().is_empty(), "they are given up");
    let asked = world.asked("a.test").len() - before;
    assert!((TRIES..EVENTS * TRIES / 2).contains(&asked), "{asked} questions");
}

#[tokio::test]
async fn departure_that_others_hold_void_is_undone_when_they_go_on() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let carol = b.person("carol").await;
    b.join(&carol, &room_id, &["a.test"]).await.unwrap();
    carry(b, a, &newest(b, &room_id).await).await.unwrap();
    seen(a, &room_id, &newest(b, &room_id).await).await;
    let levels = |bob_has: u32| {
        let mut users = serde_json::Map::new();
        users.insert(bob.user_id.to_string(), bob_has.into());
        RawValue::from_string(json!({ "users": users }).to_string()).unwrap()
    };
    a.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels(50)).await.unwrap();
    let moderated = newest(a, &room_id).await;
    carry(a, b, &moderated).await.unwrap();
    seen(b, &room_id, &moderated).await;

    // Out of each other's sight: Alice takes Bob's power away, while he uses it to empty his own server.
    a.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels(0)).await.unwrap();
    let room = b.rooms.find(&room_id).await.unwrap();
    b.rooms.act_on_member(&bob, room, &carol.user_id, Action::Kick, None).await.unwrap();
    b.leave(&bob, &room_id).await.unwrap();
    let left = newest(b, &room_id).await;
    assert_eq!(b.membership(&carol.user_id, &room_id).await, Some("leave"));

    carry(b, a, &left).await.unwrap();
    seen(a, &room_id, &left).await;
    assert_eq!(a.membership(&carol.user_id, &room_id).await, Some("join"), "who kicked her had no power to");
    let next = say(a, &alice, &room_id, "we go on").await;
    carry(a, b, &next).await.unwrap();
    seen(b, &room_id, &next).await;
    assert_eq!(b.membership(&carol.user_id, &room_id).await, Some("join"));
    assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("leave"));
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
}

#[tokio::test]
async fn events_that_come_late_and_in_pieces_are_no_ends_of_the_room() {
    let (world, alice, _, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let topic = |text: &str| RawValue::from_string(json!({ "topic": text }).to_string()).unwrap();
    a.rooms.set_state(&alice, &room_id, "m.room.topic", "", &topic("one")).await.unwrap();
    let first = newest(a, &room_id).await;
    a.rooms.set_state(&alice, &room_id, "m.room.topic", "", &topic("two")).await.unwrap();
    let second = newest(a, &room_id).await;
    let last = say(a, &alice, &room_id, "last").await;
    world.tamper("a.test", |path, body| {
        if path.contains("get_missing_events") {
            body["events"] = json!([]);
        }
    });
    for event in [&last, &first, &second] {
        carry(a, b, event).await.unwrap();
        seen(b, &room_id, event).await;
    }
    assert_eq!(newest(b, &room_id).await, last);
    let room = b.rooms.find(&room_id).await.unwrap();
    assert_eq!(b.store.room_head(room).await.unwrap().unwrap().heads.len(), 1);
    assert_eq!(a.state(&room_id).await, b.state(&room_id).await);
}

#[tokio::test]
async fn event_of_long_ago_is_fetched_by_itself_and_what_came_after_it_when_somebody_reads_on() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let other = CreateRoom { preset: Some(Preset::PublicChat), ..CreateRoom::default() };
    let long = a.rooms.create(&alice, other).await.unwrap();
    assert_ne!(long, room_id);
    let mut first = None;
    for number in 0..420 {
        world.clock.advance(std::time::Duration::from_secs(1));
        let said = say(a, &alice, &long, &format!("{number}")).await;
        first.get_or_insert(said);
    }
    let first = first.unwrap();
    let sent = a.rooms.event(&long, &first).await.unwrap().pdu.origin_server_ts();
    b.join(&bob, &long, &["a.test"]).await.unwrap();
    let near = b.rooms.event_near(&bob, &long, sent, Direction::Forward).await.unwrap();
    assert_eq!(near.event_id, first);
    let context = b.rooms.context(&long, &first, 4).await.unwrap();
    assert!(!context.before.is_empty(), "what came before it has come with it");
    let all = bodies_by(b, &bob, &long, 50).await;
    let numbers: Vec<String> = (0..420).rev().map(|number| number.to_string()).collect();
    assert_eq!(all[..420], numbers, "the hole is filled in its place");
    assert_eq!(all.last().map(String::as_str), Some("create"));
    assert!(b.rooms.context(&long, &first, 4).await.unwrap().after.len() == 2);
}

#[tokio::test]
async fn many_ends_are_brought_together_by_an_event_that_nobody_is_shown() {
    let (world, alice, _, room_id) = together().await;
    let newest = ends_brought_together(&world, &alice, &room_id).await;
    assert!(newest.flags.contains(parvis_storage::EventFlags::HANDED), "others are not told");
}

#[tokio::test]
async fn many_ends_are_brought_together_by_somebody_who_may_speak() {
    let (world, alice, bob, room_id) = together().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let beth = b.person("beth").await;
    b.join(&beth, &room_id, &["a.test"]).await.unwrap();
    let joined = newest(b, &room_id).await;
    carry(b, a, &joined).await.unwrap();
    seen(a, &room_id, &joined).await;
    let mut levels = a.content(&room_id, "m.room.power_levels", "").await.unwrap();
    levels["users"][bob.user_id.as_str()] = json!(-10);
    let levels = RawValue::from_string(levels.to_string()).unwrap();
    a.rooms.set_state(&alice, &room_id, "m.room.power_levels", "", &levels).await.unwrap();
    let newest = ends_brought_together(&world, &alice, &room_id).await;
    assert_eq!(newest.pdu.sender(), beth.user_id);
}

/// Lets a dozen events of Alice follow the same one, and gives the event that brings them together on `b.test`.
async fn ends_brought_together(
    world: &Across,
    alice: &Actor,
    room_id: &RoomId,
) -> std::sync::Arc<parvis_storage::StoredEvent> {
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let state = a.state(room_id).await;
    let last = say(a, alice, room_id, "together").await;
    carry(a, b, &last).await.unwrap();
    seen(b, room_id, &last).await;
    let cited = |kind: &str, key: &str| {
        let found = state.iter().find(|entry| entry.0 == kind && entry.1 == key).unwrap();
        OwnedEventId::try_from(found.2.as_str()).unwrap()
    };
    let auth = vec![cited("m.room.power_levels", ""), cited("m.room.member", alice.user_id.as_str())];
    let end = |number: i64| {
        let draft = parvis_events::EventDraft {
            room_id: Some(room_id.to_owned()),
            sender: alice.user_id.clone(),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: RawValue::from_string(json!({ "body": number.to_string() }).to_string()).unwrap(),
            redacts: None,
            prev_events: vec![last.clone()],
            auth_events: auth.clone(),
            depth: 100,
            origin_server_ts: 1_700_000_000_000 + number,
        };
        let key = crate::across::key_of("a.test");
        let pdu = draft.sign(parvis_events::RoomVersion::DEFAULT, &key).unwrap();
        RawValue::from_string(pdu.json().to_owned()).unwrap()
    };
    let origin = ServerName::parse("a.test").unwrap();
    b.rooms.receive(&origin, (0..12).map(end).collect()).await.unwrap();
    let room = b.rooms.find(room_id).await.unwrap();
    for _ in 0..300 {
        let head = b.store.room_head(room).await.unwrap().unwrap();
        let newest = b.store.event(*head.heads.last().unwrap()).await.unwrap();
        if newest.pdu.kind() == parvis_events::DUMMY_EVENT {
            assert_eq!((head.heads.len(), newest.pdu.prev_events().len()), (1, 12));
            return newest;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the ends were not brought together");
}
