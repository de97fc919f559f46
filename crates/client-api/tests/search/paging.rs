//! Page after page.

use serde_json::{Value, json};

use super::{bodies, join, say, search_from};
use crate::world::{Client, World, on_each_engine};

/// A page of what is found for `word`, and where the next one begins.
async fn page(
    world: &World,
    seeker: &Client,
    more: &Value,
    next: Option<&str>,
) -> (Vec<String>, Option<String>, u64) {
    let found = search_from(world, seeker, "word", more.clone(), next).await;
    let found = &found["search_categories"]["room_events"];
    let texts = bodies(found).into_iter().map(str::to_owned).collect();
    (texts, found["next_batch"].as_str().map(str::to_owned), found["count"].as_u64().unwrap())
}

#[tokio::test]
async fn pages_hold_everything_once_in_both_orders() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        for number in 0..20 {
            say(&world, &alice, &room, &format!("word {number}")).await;
        }
        for order in ["recent", "rank"] {
            let more = json!({ "order_by": order, "filter": { "limit": 10, "rooms": [room] } });
            let (first, next, count) = page(&world, &alice, &more, None).await;
            assert_eq!((first.len(), count), (10, 20));
            say(&world, &alice, &room, "something else").await;
            let (second, next, count) = page(&world, &alice, &more, Some(&next.unwrap())).await;
            assert_eq!((second.len(), count), (10, 20));
            let (third, last, count) = page(&world, &alice, &more, Some(&next.unwrap())).await;
            assert_eq!((third.len(), last, count), (0, None, 20));
            if order == "recent" {
                assert_eq!((&*first[0], &*first[9], &*second[0]), ("word 19", "word 10", "word 9"));
            }
            let all: std::collections::BTreeSet<String> = first.into_iter().chain(second).collect();
            assert_eq!(all.len(), 20);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_in_one_moment_is_not_lost_between_pages() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        for number in 0..7 {
            let path = format!("v3/rooms/{room}/send/m.room.message/x{number}");
            let content = json!({ "msgtype": "m.text", "body": format!("word {number}") });
            world.put_as(&alice, &path, content).await.ok();
        }
        let more = json!({ "order_by": "recent", "filter": { "limit": 3 } });
        let (mut all, mut next) = (Vec::new(), None);
        for _ in 0..3 {
            let (texts, end, _) = page(&world, &alice, &more, next.as_deref()).await;
            all.extend(texts);
            next = end;
        }
        assert_eq!(all, ["word 6", "word 5", "word 4", "word 3", "word 2", "word 1", "word 0"]);
        assert_eq!(next, None);
    })
    .await;
}

#[tokio::test]
async fn group_is_paged_by_itself() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let one = world.room(&alice).await;
        let two = world.room(&alice).await;
        join(&world, &alice, &bob, &two).await;
        for number in 0..4 {
            say(&world, &alice, &one, &format!("word one {number}")).await;
            say(&world, &bob, &two, &format!("word two {number}")).await;
        }
        for (key, group) in [("room_id", &one), ("sender", &alice.user_id)] {
            let groupings = json!({ "group_by": [{ "key": key }] });
            let more = json!({ "order_by": "recent", "filter": { "limit": 4 }, "groupings": groupings });
            let found = search_from(&world, &alice, "word", more.clone(), None).await;
            let groups = &found["search_categories"]["room_events"]["groups"][key];
            let next = groups[group]["next_batch"].as_str().unwrap().replace('@', "%40");
            let (texts, _, count) = page(&world, &alice, &more, Some(&next)).await;
            assert_eq!(texts, ["word one 1", "word one 0"], "{key}");
            assert_eq!(count, 4);
        }
    })
    .await;
}
