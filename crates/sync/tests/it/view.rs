//! Which events a reader sees, and what is said about them.

use std::{sync::Arc, time::Duration};

use parvis_storage::{EventFlags, Store, StoredEvent};
use parvis_sync::View;
use serde_json::{Value, json};

use crate::world::{Making, Person, Room, World, membership, on_each_engine, to_json};

/// The bodies of those of the events that a person sees.
async fn bodies(world: &World, person: &Person, events: &[&Arc<StoredEvent>]) -> Vec<String> {
    let shown = world.shown(person, events).await;
    shown.iter().map(|shown| to_json(shown)["content"]["body"].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn each_history_visibility_shows_what_its_rule_says() {
    // What somebody sees who was out, invited, in, gone, and back; each message tells its time.
    let cases = [
        ("world_readable", "out invited in left back"),
        ("shared", "out invited in left back"),
        ("invited", "invited in back"),
        ("joined", "in back"),
    ];
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        for (visibility, expected) in cases {
            let mut room = Room::create(&world, visibility, &alice).await;
            room.visibility(&alice, visibility).await;
            let out = room.message(&alice, "out").await;
            room.member(&alice, &bob, "invite").await;
            let invited = room.message(&alice, "invited").await;
            room.member(&bob, &bob, "join").await;
            let inside = room.message(&alice, "in").await;
            room.member(&bob, &bob, "leave").await;
            let left = room.message(&alice, "left").await;
            let before_return = bodies(&world, &bob, &[&out, &invited, &inside, &left]).await;
            room.member(&bob, &bob, "join").await;
            let back = room.message(&alice, "back").await;
            let seen = bodies(&world, &bob, &[&out, &invited, &inside, &left, &back]).await;
            assert_eq!(seen.join(" "), expected, "{visibility}");
            let expected = match visibility {
                "world_readable" => "out invited in left",
                "shared" => "out invited in",
                "invited" => "invited in",
                _ => "in",
            };
            assert_eq!(before_return.join(" "), expected, "{visibility}, having left");
        }
    })
    .await;
}

#[tokio::test]
async fn stranger_sees_only_world_readable_history() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let shared = room.message(&alice, "shared").await;
        let opened = room.visibility(&alice, "world_readable").await;
        let open = room.message(&alice, "open").await;
        let closed = room.visibility(&alice, "joined").await;
        let hidden = room.message(&alice, "hidden").await;
        let seen = world.shown(&bob, &[&shared, &opened, &open, &closed, &hidden]).await;
        let seen: Vec<_> = seen.iter().map(|shown| shown.event.sn).collect();
        assert_eq!(
            seen,
            [opened.sn, open.sn, closed.sn],
            "a change of visibility is seen by either side's rule"
        );
    })
    .await;
}

#[tokio::test]
async fn kicked_user_sees_the_kick_and_nothing_after_it() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let before = room.message(&alice, "before").await;
        let kick = room.member(&alice, &bob, "leave").await;
        let after = room.message(&alice, "after").await;
        let ban = room.member(&alice, &bob, "ban").await;
        let seen = world.shown(&bob, &[&before, &kick, &after, &ban]).await;
        let seen: Vec<_> = seen.iter().map(|shown| (shown.event.sn, shown.membership)).collect();
        assert_eq!(seen, [(before.sn, Some(membership("join"))), (kick.sn, Some(membership("leave")))]);
    })
    .await;
}

#[tokio::test]
async fn events_outside_of_the_timeline_are_never_shown() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        for flags in [EventFlags::OUTLIER, EventFlags::REJECTED, EventFlags::SOFT_FAILED] {
            let making = Making {
                sender: &alice,
                kind: "m.room.message",
                state_key: None,
                content: json!({ "body": "hidden" }),
                redacts: None,
                flags,
            };
            let event = room.make(making).await;
            assert!(world.shown(&alice, &[&event]).await.is_empty(), "{flags:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn ignored_senders_are_heard_only_in_state() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let joined = room.member(&bob, &bob, "join").await;
        let message = room.message(&bob, "noise").await;
        assert_eq!(world.shown(&alice, &[&joined, &message]).await.len(), 2);
        let list = json!({ "ignored_users": { "@bob:parvis.test": {}, "@alice:parvis.test": {} } });
        world.put_account_data(&alice, None, "m.ignored_user_list", list).await;
        let own = room.message(&alice, "mine").await;
        let seen = world.shown(&alice, &[&joined, &message, &own]).await;
        let seen: Vec<_> = seen.iter().map(|shown| shown.event.sn).collect();
        assert_eq!(seen, [joined.sn, own.sn], "the list takes effect at once, and never on oneself");
        world.put_account_data(&alice, None, "m.ignored_user_list", json!({ "ignored_users": {} })).await;
        assert_eq!(world.shown(&alice, &[&joined, &message]).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn transaction_id_is_told_to_the_sending_device_alone() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let event = room.message(&alice, "hello").await;
        let reopened = Store::open(&world.settings).await.unwrap();
        let reopened = View::new(reopened, world.ambient.clone());
        for view in [&world.view, &reopened] {
            for (person, expected) in
                [(&alice, json!("t1")), (&alice.on_device(77), Value::Null), (&bob, Value::Null)]
            {
                let shown = view.show(person.reader(), std::slice::from_ref(&event)).await.unwrap();
                assert_eq!(to_json(&shown[0])["unsigned"]["transaction_id"], expected, "{person:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn state_event_tells_what_it_replaced() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let first = room.state(&alice, "m.room.name", "", json!({ "name": "one" })).await;
        let second = room.state(&alice, "m.room.name", "", json!({ "name": "two" })).await;
        world.clock.advance(Duration::from_millis(1_234));
        let first_json = world.json(&alice, &first).await.unwrap();
        assert_eq!(first_json["unsigned"], json!({ "age": 1_234, "membership": "join" }));
        let second = world.json(&alice, &second).await.unwrap();
        let unsigned = json!({
            "age": 1_234, "membership": "join",
            "prev_content": { "name": "one" }, "prev_sender": alice.id,
            "replaces_state": first.pdu.event_id(),
        });
        assert_eq!(second["unsigned"], unsigned);
        assert_eq!(second["room_id"], "!r:parvis.test");
    })
    .await;
}

#[tokio::test]
async fn redacted_event_carries_its_redaction_and_no_relations() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let event = room.message(&alice, "a slip").await;
        room.relate(&alice, &event, "m.replace", "an edited slip").await;
        assert!(world.json(&bob, &event).await.unwrap()["unsigned"]["m.relations"]["m.replace"].is_object());
        let redaction = room.redact(&alice, &event).await;
        let json = world.json(&bob, &event).await.unwrap();
        assert_eq!(json["content"], json!({}));
        let because = &json["unsigned"]["redacted_because"];
        assert_eq!(because["event_id"], redaction.pdu.event_id().as_str());
        assert_eq!(because["content"]["redacts"], event.pdu.event_id().as_str());
        assert_eq!(json["unsigned"]["m.relations"], Value::Null, "{json:#}");
    })
    .await;
}

#[tokio::test]
async fn newest_valid_edit_is_bundled() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let event = room.message(&alice, "first").await;
        let tick = || world.clock.advance(Duration::from_millis(1));
        let edit = |json: &Value| json["unsigned"]["m.relations"]["m.replace"]["content"]["body"].clone();
        tick();
        room.relate(&alice, &event, "m.replace", "second").await;
        tick();
        let third = room.relate(&alice, &event, "m.replace", "third").await;
        assert_eq!(edit(&world.json(&bob, &event).await.unwrap()), "third");
        tick();
        room.relate(&bob, &event, "m.replace", "by another").await;
        let without_new_content =
            json!({ "body": "no", "m.relates_to": { "rel_type": "m.replace", "event_id": event.pdu.event_id() } });
        room.send(&alice, "m.room.message", without_new_content.clone()).await;
        room.send(&alice, "m.sticker", without_new_content).await;
        room.relate(&alice, &third, "m.replace", "edit of an edit").await;
        let json = world.json(&bob, &event).await.unwrap();
        assert_eq!(edit(&json), "third");
        assert_eq!(json["content"]["body"], "first", "the original is served as it was");
        assert_eq!(edit(&world.json(&bob, &third).await.unwrap()), Value::Null, "an edit cannot be edited");
        room.redact(&alice, &third).await;
        assert_eq!(edit(&world.json(&bob, &event).await.unwrap()), "second");
    })
    .await;
}

#[tokio::test]
async fn thread_is_summed_up_for_each_reader() {
    on_each_engine(async |world: World| {
        let (alice, bob, carol) =
            (world.person("alice").await, world.person("bob").await, world.person("carol").await);
        let mut room = Room::create(&world, "r", &alice).await;
        for person in [&bob, &carol] {
            room.member(person, person, "join").await;
        }
        let root = room.message(&alice, "root").await;
        assert!(world.json(&alice, &root).await.unwrap()["unsigned"]["m.relations"].is_null());
        room.relate(&bob, &root, "m.thread", "one").await;
        let second = room.relate(&bob, &root, "m.thread", "two").await;
        world.clock.advance(Duration::from_millis(1));
        room.relate(&bob, &second, "m.replace", "two, edited").await;
        let thread = async |person: &Person| {
            world.json(person, &root).await.unwrap()["unsigned"]["m.relations"]["m.thread"].clone()
        };
        for (person, participated) in [(&alice, true), (&bob, true), (&carol, false)] {
            let thread = thread(person).await;
            assert_eq!(thread["count"], 2, "{thread:#}");
            assert_eq!(thread["current_user_participated"], participated, "{}", person.id);
            assert_eq!(thread["latest_event"]["event_id"], second.pdu.event_id().as_str());
            let edit = &thread["latest_event"]["unsigned"]["m.relations"]["m.replace"];
            assert_eq!(edit["content"]["m.new_content"]["body"], "two, edited", "{thread:#}");
        }
        let last = room.relate(&carol, &root, "m.thread", "three").await;
        assert_eq!(thread(&carol).await["current_user_participated"], true);
        let ignore = json!({ "ignored_users": { "@carol:parvis.test": {} } });
        world.put_account_data(&alice, None, "m.ignored_user_list", ignore).await;
        let seen = thread(&alice).await;
        assert_eq!((&seen["count"], &seen["latest_event"]["content"]["body"]), (&json!(2), &json!("two")));
        assert_eq!(thread(&bob).await["count"], 3);
        room.redact(&carol, &last).await;
        assert_eq!(thread(&bob).await["count"], 2, "a redacted reply counts no longer");
        assert_eq!(thread(&carol).await["current_user_participated"], false);
    })
    .await;
}

#[tokio::test]
async fn user_who_left_is_told_of_the_thread_as_it_was() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let root = room.message(&alice, "root").await;
        room.relate(&alice, &root, "m.thread", "heard").await;
        room.member(&bob, &bob, "leave").await;
        room.relate(&alice, &root, "m.thread", "unheard").await;
        room.relate(&alice, &root, "m.replace", "edited after").await;
        let relations = world.json(&bob, &root).await.unwrap()["unsigned"]["m.relations"].clone();
        assert_eq!(relations["m.thread"]["count"], 1);
        assert_eq!(relations["m.thread"]["latest_event"]["content"]["body"], "heard");
        assert!(relations["m.replace"].is_null());
    })
    .await;
}

#[tokio::test]
async fn references_are_listed_without_those_of_ignored_users() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let poll = room.message(&alice, "poll").await;
        let first = room.relate(&bob, &poll, "m.reference", "yes").await;
        let second = room.relate(&alice, &poll, "m.reference", "no").await;
        let chunk = async |person: &Person| {
            world.json(person, &poll).await.unwrap()["unsigned"]["m.relations"]["m.reference"]["chunk"]
                .clone()
        };
        let both = json!([{ "event_id": first.pdu.event_id() }, { "event_id": second.pdu.event_id() }]);
        assert_eq!(chunk(&alice).await, both);
        let ignore = json!({ "ignored_users": { "@bob:parvis.test": {} } });
        world.put_account_data(&alice, None, "m.ignored_user_list", ignore).await;
        assert_eq!(chunk(&alice).await, json!([{ "event_id": second.pdu.event_id() }]));
    })
    .await;
}

#[tokio::test]
async fn reactions_are_not_bundled() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let event = room.message(&alice, "hello").await;
        let relation = json!({ "rel_type": "m.annotation", "event_id": event.pdu.event_id(), "key": "+1" });
        room.send(&alice, "m.reaction", json!({ "m.relates_to": relation })).await;
        assert!(world.json(&alice, &event).await.unwrap()["unsigned"]["m.relations"].is_null());
    })
    .await;
}

#[tokio::test]
async fn what_memory_knows_of_children_is_what_the_database_says() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let root = room.message(&alice, "root").await;
        for number in 0..3 {
            room.relate(&bob, &root, "m.thread", &number.to_string()).await;
            room.relate(&alice, &root, "m.replace", &number.to_string()).await;
            room.relate(&alice, &root, "m.reference", &number.to_string()).await;
            let warm = world.json(&bob, &root).await.unwrap();
            let cold = View::new(Store::open(&world.settings).await.unwrap(), world.ambient.clone());
            let cold = cold.show(bob.reader(), std::slice::from_ref(&root)).await.unwrap();
            assert_eq!(warm, to_json(&cold[0]));
        }
    })
    .await;
}
