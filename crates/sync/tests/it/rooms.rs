//! What a sync tells of rooms.

use parvis_storage::{Direction, Position, Store};
use parvis_sync::{SyncAnswer, SyncEngine, SyncSettings, View};
use serde_json::json;

use crate::world::{Room, World, bodies, joined, on_each_engine, request};

#[tokio::test]
async fn first_sync_tells_everything_and_the_next_only_what_is_new() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let quiet = Room::create(&world, "quiet", &alice).await;
        room.message(&alice, "one").await;
        let first = world.sync(&alice, None, json!({})).await;
        assert_eq!(first.joined.len(), 2);
        let told = joined(&first, &room);
        assert_eq!(bodies(&told.timeline.events), "create member power_levels join_rules one");
        assert!(!told.timeline.limited && told.state.is_empty());
        assert_eq!(told.timeline.start, Position::START);
        assert_eq!(joined(&first, &quiet).timeline.events.len(), 4);

        room.message(&alice, "two").await;
        let second = world.sync(&alice, Some(first.next), json!({})).await;
        assert_eq!(second.joined.len(), 1, "a room that did not move is not told of");
        assert_eq!(bodies(&joined(&second, &room).timeline.events), "two");
        assert!(!joined(&second, &room).timeline.limited && joined(&second, &room).state.is_empty());
        let again = world.sync(&alice, Some(first.next), json!({})).await;
        assert_eq!(bodies(&joined(&again, &room).timeline.events), "two", "a lost answer is given again");
        assert!(world.sync(&alice, Some(second.next), json!({})).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn answer_from_the_tables_is_that_from_memory() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let mut other = Room::create(&world, "other", &alice).await;
        Room::create(&world, "quiet", &alice).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        room.member(&bob, &bob, "join").await;
        for number in 0..15 {
            room.message(&bob, &number.to_string()).await;
        }
        room.state(&alice, "m.room.name", "", json!({ "name": "named" })).await;
        other.message(&alice, "there").await;
        world.put_account_data(&alice, None, "m.direct", json!({ "a": 1 })).await;
        world.put_account_data(&alice, Some(other.head.room), "m.tag", json!({ "b": 1 })).await;

        let store = Store::open(&world.settings).await.unwrap();
        assert!(store.changes_between(since.position, store.head()).is_none(), "memory does not reach back");
        let view = View::new(store.clone(), world.ambient.clone());
        let reopened = SyncEngine::start(store, view, world.ambient.clone(), SyncSettings::default());
        for filter in [json!({}), json!({ "room": { "state": { "lazy_load_members": true } } })] {
            let request = request(Some(since), filter);
            let mut answers = Vec::new();
            for engine in [&world.engine, &reopened] {
                let mut answer = engine.sync(alice.reader(), &request).await.unwrap();
                answer.joined.sort_by(|left, right| left.room_id.cmp(&right.room_id));
                let told = answer.joined.iter().map(|room| {
                    let data: Vec<_> = room.account_data.iter().map(|data| data.kind.clone()).collect();
                    let (timeline, state) = (&room.timeline, bodies(&room.state));
                    (room.room_id.clone(), bodies(&timeline.events), timeline.start, state, data)
                });
                let data: Vec<_> = answer.account_data.iter().map(|data| data.kind.clone()).collect();
                answers.push((told.collect::<Vec<_>>(), data, answer.next.position));
            }
            assert_eq!(answers[0], answers[1]);
            assert_eq!(answers[0].0.len(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn gap_is_told_with_the_state_that_changed_in_it() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        room.state(&alice, "m.room.name", "", json!({ "name": "first" })).await;
        let hidden = room.member(&bob, &bob, "join").await;
        room.state(&alice, "m.room.name", "", json!({ "name": "second" })).await;
        let last_hidden = room.message(&alice, "in the gap").await;
        for body in ["a", "b"] {
            room.message(&bob, body).await;
        }
        room.state(&alice, "m.room.name", "", json!({ "name": "third" })).await;
        let filter = json!({ "room": { "timeline": { "limit": 3 } } });
        let answer = world.sync(&alice, Some(since), filter.clone()).await;
        let told = joined(&answer, &room);
        assert_eq!(bodies(&told.timeline.events), "a b third");
        assert!(told.timeline.limited);
        assert_eq!(told.timeline.start, last_hidden.position);
        let mut state: Vec<_> = told.state.iter().map(|shown| bodies(std::slice::from_ref(shown))).collect();
        state.sort();
        assert_eq!(state, ["member", "second"], "the state before the timeline, not the newest");
        assert!(told.state.iter().any(|shown| shown.event.sn == hidden.sn));

        let mut request = request(Some(since), filter);
        request.state_after = true;
        let answer = world.engine.sync(alice.reader(), &request).await.unwrap();
        let mut state: Vec<_> =
            joined(&answer, &room).state.iter().map(|shown| bodies(std::slice::from_ref(shown))).collect();
        state.sort();
        assert_eq!(state, ["member", "third"], "the state after the timeline");

        let page = world.store.timeline(
            room.head.room,
            Position::START,
            told.timeline.start,
            Direction::Backward,
            100,
        );
        let page = page.await.unwrap();
        assert_eq!(page[0].sn, last_hidden.sn, "paging goes on where the timeline begins");
    })
    .await;
}

#[tokio::test]
async fn state_that_the_timeline_filter_leaves_out_is_told_as_state() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let filter = json!({ "room": { "timeline": { "types": ["m.room.message"] } } });
        let since = world.sync(&alice, None, filter.clone()).await.next;
        room.message(&alice, "one").await;
        room.state(&alice, "m.room.name", "", json!({ "name": "named" })).await;
        room.message(&alice, "two").await;
        let answer = world.sync(&alice, Some(since), filter).await;
        let told = joined(&answer, &room);
        assert_eq!(bodies(&told.timeline.events), "one two");
        assert!(!told.timeline.limited);
        assert_eq!(bodies(&told.state), "named");
    })
    .await;
}

#[tokio::test]
async fn newly_joined_room_is_told_whole() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let since = world.sync(&bob, None, json!({})).await.next;
        room.message(&alice, "before").await;
        room.member(&bob, &bob, "join").await;
        let filter = json!({ "room": { "timeline": { "limit": 2 } } });
        let answer = world.sync(&bob, Some(since), filter.clone()).await;
        let told = joined(&answer, &room);
        assert_eq!(bodies(&told.timeline.events), "before member");
        assert!(told.timeline.limited);
        assert_eq!(bodies(&told.state), "create member power_levels join_rules");
        // A change of name is no new join.
        room.member(&bob, &bob, "join").await;
        let next = world.sync(&bob, Some(answer.next), filter).await;
        assert!(joined(&next, &room).state.is_empty() && !joined(&next, &room).timeline.limited);
    })
    .await;
}

#[tokio::test]
async fn room_left_and_joined_again_is_only_joined() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let since = world.sync(&bob, None, json!({})).await.next;
        room.member(&bob, &bob, "leave").await;
        let left = world.sync(&bob, Some(since), json!({})).await;
        assert_eq!((left.left.len(), left.joined.len()), (1, 0));
        room.member(&bob, &bob, "join").await;
        for since in [since, left.next] {
            let answer = world.sync(&bob, Some(since), json!({})).await;
            assert_eq!((answer.left.len(), answer.joined.len()), (0, 1));
        }
    })
    .await;
}

#[tokio::test]
async fn left_room_is_told_once_as_it_was_at_the_leaving() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let since = world.sync(&bob, None, json!({})).await.next;
        room.state(&alice, "m.room.name", "", json!({ "name": "before" })).await;
        let kick = room.member(&alice, &bob, "leave").await;
        room.message(&alice, "after").await;
        room.state(&alice, "m.room.name", "", json!({ "name": "after" })).await;
        let answer = world.sync(&bob, Some(since), json!({})).await;
        assert!(answer.joined.is_empty());
        let left = &answer.left[0];
        assert_eq!(bodies(&left.timeline.events), "before member");
        assert_eq!(left.timeline.events[1].event.sn, kick.sn);
        let limited = json!({ "room": { "timeline": { "limit": 1 } } });
        let limited = world.sync(&bob, Some(since), limited).await;
        let limited = &limited.left[0];
        assert_eq!(
            (bodies(&limited.timeline.events), bodies(&limited.state)),
            ("member".into(), "before".into())
        );
        assert!(world.sync(&bob, Some(answer.next), json!({})).await.is_empty(), "told once");
        assert!(world.sync(&bob, None, json!({})).await.left.is_empty(), "a first sync does not tell of it");
        let include = json!({ "room": { "include_leave": true, "timeline": { "limit": 0 } } });
        let whole = world.sync(&bob, None, include.clone()).await;
        let left = &whole.left[0];
        assert!(left.timeline.events.is_empty());
        assert_eq!(bodies(&left.state), "create member power_levels join_rules member before");
        assert_eq!(left.state[4].event.sn, kick.sn, "the state holds the leaving");

        let mut set = parvis_storage::WriteSet::new();
        set.forget_room(bob.user, room.head.room);
        world.store.commit(set).await.unwrap();
        assert!(world.sync(&bob, None, include).await.left.is_empty(), "a forgotten room is not told of");
        let late = world.sync(&bob, Some(since), json!({})).await;
        assert_eq!(late.left.len(), 1, "save to a device that does not know of the leaving");
        assert!(world.sync(&bob, Some(late.next), json!({})).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn rejected_invitation_shows_the_rejection_and_nothing_of_the_room() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.visibility(&alice, "joined").await;
        room.member(&alice, &bob, "invite").await;
        let invited = world.sync(&bob, None, json!({})).await;
        assert_eq!(invited.invited.len(), 1);
        let rejection = room.member(&bob, &bob, "leave").await;
        room.message(&alice, "hidden").await;
        let answer = world.sync(&bob, Some(invited.next), json!({})).await;
        assert!(answer.invited.is_empty());
        let left = &answer.left[0];
        assert_eq!(left.timeline.events.len(), 1);
        assert_eq!(left.timeline.events[0].event.sn, rejection.sn);
        assert!(left.state.is_empty());
        room.member(&alice, &bob, "invite").await;
        let again = world.sync(&bob, Some(answer.next), json!({})).await;
        assert_eq!((again.invited.len(), again.left.len()), (1, 0), "an invitation may come again");
    })
    .await;
}

#[tokio::test]
async fn invitation_shows_the_room_from_outside() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.state(&alice, "m.room.name", "", json!({ "name": "hall" })).await;
        room.state(&alice, "m.room.pinned_events", "", json!({ "pinned": [] })).await;
        let since = world.sync(&bob, None, json!({})).await.next;
        room.member(&alice, &bob, "invite").await;
        let answer = world.sync(&bob, Some(since), json!({})).await;
        let state: Vec<serde_json::Value> =
            answer.invited[0].state.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
        let mut kinds: Vec<_> = state
            .iter()
            .map(|event| {
                format!("{} {}", event["type"].as_str().unwrap(), event["state_key"].as_str().unwrap())
            })
            .collect();
        kinds.sort();
        let expected = [
            "m.room.create ",
            "m.room.join_rules ",
            "m.room.member @alice:parvis.test",
            "m.room.member @bob:parvis.test",
            "m.room.name ",
        ];
        assert_eq!(kinds, expected);
        assert!(world.sync(&bob, Some(answer.next), json!({})).await.is_empty(), "told once");

        let ignore = json!({ "ignored_users": { "@alice:parvis.test": {} } });
        world.put_account_data(&bob, None, "m.ignored_user_list", ignore).await;
        let answer = world.sync(&bob, Some(since), json!({})).await;
        assert!(answer.invited.is_empty(), "who is ignored cannot invite");
    })
    .await;
}

#[tokio::test]
async fn knock_shows_the_room_from_outside() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "knock").await;
        let answer = world.sync(&bob, None, json!({})).await;
        assert_eq!((answer.knocked.len(), answer.invited.len()), (1, 0));
        assert!(answer.knocked[0].state.iter().any(|event| event.contains("\"m.room.create\"")));
    })
    .await;
}

#[tokio::test]
async fn whole_state_is_given_to_who_asks_for_it() {
    on_each_engine(async |world: World| {
        let alice = world.person("alice").await;
        let mut room = Room::create(&world, "r", &alice).await;
        let quiet = Room::create(&world, "quiet", &alice).await;
        let since = world.sync(&alice, None, json!({})).await.next;
        room.message(&alice, "new").await;
        let mut request = request(Some(since), json!({}));
        request.full_state = true;
        let answer = world.engine.sync(alice.reader(), &request).await.unwrap();
        for (room, timeline) in [(&room, "new"), (&quiet, "")] {
            assert_eq!(bodies(&joined(&answer, room).timeline.events), timeline);
            assert_eq!(bodies(&joined(&answer, room).state), "create member power_levels join_rules");
        }
    })
    .await;
}

/// The members told as state in the only room of an answer, by the first letters of their names.
fn members(answer: &SyncAnswer) -> String {
    let state = answer.joined.first().map(|room| room.state.as_slice()).unwrap_or_default();
    let members = state.iter().filter(|shown| shown.event.pdu.kind() == "m.room.member");
    let mut names: Vec<_> =
        members.map(|shown| shown.event.pdu.state_key().unwrap()[1..4].to_owned()).collect();
    names.sort();
    names.join(" ")
}

#[tokio::test]
async fn lazily_loaded_members_are_those_of_the_senders_and_told_once() {
    on_each_engine(async |world: World| {
        let (alice, bob, carol) =
            (world.person("alice").await, world.person("bob").await, world.person("carol").await);
        let mut room = Room::create(&world, "r", &alice).await;
        for person in [&bob, &carol] {
            room.member(person, person, "join").await;
        }
        room.message(&bob, "one").await;
        let filter = |redundant: bool| {
            let state = json!({ "lazy_load_members": true, "include_redundant_members": redundant });
            json!({ "room": { "timeline": { "limit": 2 }, "state": state } })
        };
        let other_device = alice.on_device(9);
        let other_first = world.sync(&other_device, None, filter(false)).await;
        let first = world.sync(&alice, None, filter(false)).await;
        assert_eq!(members(&first), "ali bob", "the sender, and oneself; carol joined on the timeline");
        room.message(&bob, "two").await;
        let second = world.sync(&alice, Some(first.next), filter(false)).await;
        assert_eq!(members(&second), "", "bob is known");
        assert_eq!(members(&world.sync(&alice, Some(first.next), filter(true)).await), "bob");
        room.message(&carol, "three").await;
        let third = world.sync(&alice, Some(second.next), filter(false)).await;
        assert_eq!(members(&third), "", "carol was told of on the timeline");
        let other = world.sync(&other_device, Some(other_first.next), filter(false)).await;
        assert_eq!(members(&other), "", "so was the other device");
        for body in ["a", "b", "c"] {
            room.message(&bob, body).await;
        }
        let after_gap = world.sync(&alice, Some(third.next), filter(false)).await;
        assert!(after_gap.joined[0].timeline.limited);
        assert_eq!(members(&after_gap), "bob", "after a gap, members are told again");
    })
    .await;
}

#[tokio::test]
async fn lazily_loaded_member_is_told_again_if_the_answer_was_lost() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let filter =
            json!({ "room": { "timeline": { "limit": 1 }, "state": { "lazy_load_members": true } } });
        room.state(&alice, "m.room.name", "", json!({ "name": "without heroes" })).await;
        room.message(&alice, "zero").await;
        let first = world.sync(&alice, None, filter.clone()).await;
        assert_eq!(members(&first), "ali");
        room.message(&bob, "one").await;
        assert_eq!(members(&world.sync(&alice, Some(first.next), filter.clone()).await), "bob");
        let again = world.sync(&alice, Some(first.next), filter.clone()).await;
        assert_eq!(members(&again), "bob");
        room.message(&bob, "two").await;
        assert_eq!(members(&world.sync(&alice, Some(again.next), filter).await), "");
    })
    .await;
}

#[tokio::test]
async fn lazily_loaded_member_is_the_one_of_that_time() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let named = |name: &str| json!({ "membership": "join", "displayname": name });
        let first = room.state(&bob, "m.room.member", bob.id.as_str(), named("first")).await;
        room.message(&bob, "as first").await;
        room.state(&bob, "m.room.member", bob.id.as_str(), named("second")).await;
        let third = room.state(&bob, "m.room.member", bob.id.as_str(), named("third")).await;
        let filter = |limit: u32| {
            json!({ "room": { "timeline": { "limit": limit }, "state": { "lazy_load_members": true } } })
        };
        let answer = world.sync(&alice, None, filter(3)).await;
        let of_bob = |answer: &SyncAnswer| {
            let mut found = answer.joined[0].state.iter().map(|shown| &shown.event);
            found.find(|event| event.pdu.state_key() == Some(bob.id.as_str())).unwrap().sn
        };
        assert_eq!(of_bob(&answer), first.sn);
        let mut request = request(None, filter(3));
        request.state_after = true;
        let answer = world.engine.sync(alice.reader(), &request).await.unwrap();
        assert_eq!(of_bob(&answer), third.sn);
    })
    .await;
}

#[tokio::test]
async fn filter_chooses_rooms_events_and_data() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        let other = Room::create(&world, "other", &alice).await;
        room.member(&bob, &bob, "join").await;
        room.message(&alice, "alice").await;
        room.message(&bob, "bob").await;
        let image = json!({ "body": "image", "url": "mxc://a/b" });
        room.send(&bob, "m.room.message", image).await;
        world.put_account_data(&alice, None, "m.direct", json!({})).await;
        world.put_account_data(&alice, None, "im.other", json!({})).await;
        let events = async |timeline: serde_json::Value| {
            let filter = json!({ "room": { "rooms": [room.head.room_id], "timeline": timeline } });
            bodies(&joined(&world.sync(&alice, None, filter).await, &room).timeline.events)
        };
        let message = "m.room.message";
        let cases = [
            (json!({ "types": [message] }), "alice bob image"),
            (json!({ "types": ["m.room.m*"], "not_types": ["*.member"] }), "alice bob image"),
            (json!({ "types": [message], "senders": [bob.id] }), "bob image"),
            (json!({ "types": [message], "not_senders": [bob.id] }), "alice"),
            (json!({ "types": [message], "contains_url": true }), "image"),
            (json!({ "types": [message], "contains_url": false, "limit": 1 }), "bob"),
            (json!({ "limit": 0 }), ""),
            (json!({ "types": [] }), ""),
            (json!({ "not_rooms": [room.head.room_id] }), ""),
        ];
        for (timeline, expected) in cases {
            assert_eq!(events(timeline.clone()).await, expected, "{timeline}");
        }
        for filter in [
            json!({ "room": { "not_rooms": [other.head.room_id] }, "account_data": { "types": ["m.direct"] } }),
            json!({ "room": { "rooms": [room.head.room_id] }, "account_data": { "not_types": ["im.*", "m.push_rules"] } }),
        ] {
            let answer = world.sync(&alice, None, filter).await;
            assert_eq!(answer.joined.len(), 1);
            assert_eq!(answer.account_data.iter().map(|data| &data.kind).collect::<Vec<_>>(), ["m.direct"]);
        }
    })
    .await;
}

#[tokio::test]
async fn account_data_is_told_to_its_owner_alone() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut room = Room::create(&world, "r", &alice).await;
        room.member(&bob, &bob, "join").await;
        let (for_alice, for_bob) =
            (world.sync(&alice, None, json!({})).await, world.sync(&bob, None, json!({})).await);
        let rules = for_alice.account_data.iter().find(|data| data.kind == "m.push_rules").unwrap();
        assert!(rules.content.get().contains(".m.rule.master"), "push rules, though never changed");
        world.put_account_data(&alice, None, "m.direct", json!({ "a": 1 })).await;
        world.put_account_data(&alice, None, "m.direct", json!({ "a": 2 })).await;
        world.put_account_data(&alice, Some(room.head.room), "m.tag", json!({ "b": 1 })).await;
        let answer = world.sync(&alice, Some(for_alice.next), json!({})).await;
        let contents: Vec<_> = answer.account_data.iter().map(|data| data.content.get()).collect();
        assert_eq!(contents, [r#"{"a":2}"#], "only the last value, once");
        assert_eq!(joined(&answer, &room).account_data[0].content.get(), r#"{"b":1}"#);
        assert!(world.sync(&bob, Some(for_bob.next), json!({})).await.is_empty());
    })
    .await;
}
