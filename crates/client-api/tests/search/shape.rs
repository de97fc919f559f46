//! What an answer looks like, and which requests are refused.

use http::Method;
use parvis_client_api::{RateLimit, RateLimitSettings};
use serde_json::{Value, json};

use super::{bodies, join, room_of_two, say, search};
use crate::world::{World, on_each_engine};

#[tokio::test]
async fn result_is_the_event_with_its_rank_and_the_words_that_were_found() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let event = say(&world, &alice, &room, "hello, world").await;
        let found = search(&world, &alice, "Hello", json!({ "keys": ["content.body"] })).await;
        assert_eq!(found["count"], 1);
        assert_eq!(found["highlights"], json!(["hello"]));
        assert_eq!(found["next_batch"], Value::Null);
        assert_eq!(found["groups"], Value::Null);
        assert_eq!(found["state"], Value::Null);
        let result = &found["results"][0];
        assert!(result["rank"].as_f64().unwrap() > 0.0);
        assert_eq!(result["context"], Value::Null, "nobody has asked for it");
        let result = &result["result"];
        assert_eq!(result["event_id"], event);
        assert_eq!(result["room_id"], room);
        assert_eq!(result["type"], "m.room.message");
        assert_eq!(result["content"]["body"], "hello, world");
    })
    .await;
}

#[tokio::test]
async fn words_are_found_in_other_forms_and_without_accents() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        for body in [
            "La réunion de mardi est annulée",
            "Die Verträge für Frau Müller sind unterschrieben",
            "Ho spedito i contratti alla città di Lugano",
            "The invoices were paid",
        ] {
            say(&world, &alice, &room, body).await;
        }
        for (term, words) in [
            ("reunions annulees", &["annulée", "réunion"][..]),
            ("Vertrag Mueller", &["müller", "verträge"]),
            ("contratto citta", &["città", "contratti"]),
            ("invoice", &["invoices"]),
        ] {
            let found = search(&world, &alice, term, json!({})).await;
            assert_eq!(found["count"], 1, "{term}");
            assert_eq!(found["highlights"], json!(words), "{term}");
        }
    })
    .await;
}

#[tokio::test]
async fn neighbours_are_shown_nearest_first_with_profiles() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let path = format!("v3/profile/{}/displayname", bob.user_id);
        world.put_as(&bob, &path, json!({ "displayname": "Bob" })).await.ok();
        let room = room_of_two(&world, &alice, &bob).await;
        for number in 1..=7 {
            let speaker = if number % 2 == 0 { &alice } else { &bob };
            say(&world, speaker, &room, &format!("Message number {number}")).await;
        }
        let context = json!({ "before_limit": 2, "after_limit": 1, "include_profile": true });
        let more = json!({ "order_by": "recent", "event_context": context });
        let found = search(&world, &alice, "Message 4", more).await;
        assert_eq!(bodies(&found), ["Message number 4"]);
        let context = &found["results"][0]["context"];
        let texts = |name: &str| -> Vec<&str> {
            let events = context[name].as_array().unwrap();
            events.iter().map(|event| event["content"]["body"].as_str().unwrap()).collect()
        };
        assert_eq!(texts("events_before"), ["Message number 3", "Message number 2"]);
        assert_eq!(texts("events_after"), ["Message number 5"]);
        assert_eq!(context["profile_info"][&bob.user_id]["displayname"], "Bob");
        assert!(context["profile_info"][&alice.user_id].is_object());
        let start = context["start"].as_str().unwrap();
        let page = world.get_as(&alice, &format!("v3/rooms/{room}/messages?dir=b&from={start}")).await.ok();
        assert_eq!(page["chunk"][0]["content"]["body"], "Message number 1");
    })
    .await;
}

#[tokio::test]
async fn names_and_topics_are_found_by_their_keys() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = json!({ "name": "Budget", "topic": "Budget and more" });
        let room = world.post_as(&alice, "v3/createRoom", room).await.text("room_id");
        say(&world, &alice, &room, "the budget").await;
        for (keys, types) in [
            (json!(["content.name"]), vec!["m.room.name"]),
            (json!(["content.topic"]), vec!["m.room.topic"]),
            (json!(["content.body", "content.name"]), vec!["m.room.message", "m.room.name"]),
            (json!([]), vec!["m.room.message", "m.room.name", "m.room.topic"]),
        ] {
            let found = search(&world, &alice, "budgets", json!({ "keys": keys })).await;
            let results = found["results"].as_array().unwrap();
            let mut found: Vec<_> =
                results.iter().map(|result| result["result"]["type"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found, types, "{keys}");
        }
    })
    .await;
}

#[tokio::test]
async fn filter_says_where_and_by_whom() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let one = room_of_two(&world, &alice, &bob).await;
        let two = room_of_two(&world, &alice, &bob).await;
        say(&world, &alice, &one, "word of alice in one").await;
        say(&world, &bob, &two, "word of bob in two").await;
        for (filter, expected) in [
            (json!({ "rooms": [one] }), &["word of alice in one"][..]),
            (json!({ "not_rooms": [one] }), &["word of bob in two"]),
            (json!({ "senders": [alice.user_id] }), &["word of alice in one"]),
            (json!({ "not_senders": [alice.user_id] }), &["word of bob in two"]),
            (json!({ "types": ["m.room.*"] }), &["word of bob in two", "word of alice in one"]),
            (json!({ "not_types": ["m.room.message"] }), &[]),
            (json!({ "rooms": [] }), &[]),
            (json!({ "senders": ["@nobody:parvis.test"] }), &[]),
            (json!({ "rooms": ["!nowhere:parvis.test"] }), &[]),
        ] {
            let more = json!({ "order_by": "recent", "filter": filter });
            let found = search(&world, &alice, "word", more).await;
            assert_eq!(bodies(&found), expected, "{filter}");
            assert_eq!(found["count"], expected.len());
        }
    })
    .await;
}

#[tokio::test]
async fn state_of_the_rooms_comes_along_if_asked_for() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = json!({ "name": "The room" });
        let room = world.post_as(&alice, "v3/createRoom", room).await.text("room_id");
        say(&world, &alice, &room, "something").await;
        let found = search(&world, &alice, "something", json!({ "include_state": true })).await;
        let state = found["state"][&room].as_array().unwrap();
        assert!(state.iter().any(|event| event["content"]["name"] == "The room"));
    })
    .await;
}

#[tokio::test]
async fn best_results_come_first_by_rank_and_newest_by_time() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        say(&world, &alice, &room, "garden house").await;
        say(&world, &alice, &room, "a house of somebody, who also has gardens and much more to tell").await;
        let ranked = search(&world, &alice, "garden house", json!({})).await;
        assert_eq!(bodies(&ranked)[0], "garden house", "rank is the order if none is asked for");
        let newest = search(&world, &alice, "garden house", json!({ "order_by": "recent" })).await;
        assert!(bodies(&newest)[0].starts_with("a house of somebody"));
    })
    .await;
}

#[tokio::test]
async fn nonsense_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let criteria = |more: Value| {
        let mut criteria = json!({ "search_term": "x" });
        criteria.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "search_categories": { "room_events": criteria } })
    };
    for (body, path) in [
        (criteria(json!({ "order_by": "taste" })), "v3/search"),
        (criteria(json!({ "keys": ["content.msgtype"] })), "v3/search"),
        (criteria(json!({ "groupings": { "group_by": [{ "key": "type" }] } })), "v3/search"),
        (criteria(json!({})), "v3/search?next_batch=nonsense"),
        (criteria(json!({ "order_by": "recent" })), "v3/search?next_batch=k10"),
    ] {
        assert_eq!(
            world.post_as(&alice, path, body.clone()).await.error(),
            (400, "M_INVALID_PARAM"),
            "{body}"
        );
    }
    let without_term = json!({ "search_categories": { "room_events": {} } });
    assert_eq!(world.post_as(&alice, "v3/search", without_term).await.status, 400);
    let nothing = world.send(Method::POST, "v3/search", None, criteria(json!({}))).await;
    assert_eq!(nothing.error(), (401, "M_MISSING_TOKEN"));
    let other = world.post_as(&alice, "v3/search", json!({ "search_categories": {} })).await.ok();
    assert_eq!(other, json!({ "search_categories": {} }));
    for term in ["", "?!", "\"", "a AND (", "' | '"] {
        let found = search(&world, &alice, term, json!({})).await;
        assert_eq!((&found["count"], &found["results"]), (&json!(0), &json!([])), "{term}");
    }
}

#[tokio::test]
async fn who_seeks_too_often_has_to_wait() {
    let searches = RateLimit { per_second: 0.5, burst: 2 };
    let world = World::new().await.with_limits(RateLimitSettings { searches, ..RateLimitSettings::OFF });
    let alice = world.register("alice").await;
    let body = json!({ "search_categories": { "room_events": { "search_term": "x" } } });
    for _ in 0..2 {
        world.post_as(&alice, "v3/search", body.clone()).await.ok();
    }
    assert_eq!(world.post_as(&alice, "v3/search", body.clone()).await.error(), (429, "M_LIMIT_EXCEEDED"));
    world.wait(3);
    world.post_as(&alice, "r0/search", body).await.ok();
}

#[tokio::test]
async fn groups_name_their_results() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let one = world.room(&alice).await;
        let two = world.room(&alice).await;
        join(&world, &alice, &bob, &two).await;
        let first = say(&world, &alice, &one, "word").await;
        let second = say(&world, &bob, &two, "word").await;
        let third = say(&world, &alice, &two, "word").await;
        let groupings = json!({ "group_by": [{ "key": "room_id" }, { "key": "sender" }] });
        let more = json!({ "order_by": "recent", "groupings": groupings });
        let found = search(&world, &alice, "word", more).await;
        let rooms = &found["groups"]["room_id"];
        assert_eq!(rooms[&two], json!({ "order": 0, "results": [third, second] }));
        assert_eq!(rooms[&one], json!({ "order": 2, "results": [first] }));
        let senders = &found["groups"]["sender"];
        assert_eq!(senders[&alice.user_id], json!({ "order": 0, "results": [third, first] }));
        assert_eq!(senders[&bob.user_id], json!({ "order": 1, "results": [second] }));
    })
    .await;
}
