//! Filters that clients keep here to sync by.

use serde_json::json;

use crate::world::{World, on_each_engine};

const PATH: &str = "v3/user/@alice:parvis.test/filter";

#[tokio::test]
async fn filter_is_kept_and_an_equal_one_not_twice() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let filter = json!({ "room": { "timeline": { "limit": 10 } }, "org.example.more": true });
        let id = world.post_as(&alice, PATH, filter.clone()).await.text("filter_id");
        assert!(!id.starts_with('{'));
        assert_eq!(world.get_as(&alice, &format!("{PATH}/{id}")).await.ok(), filter);
        let turned = json!({ "org.example.more": true, "room": { "timeline": { "limit": 10 } } });
        assert_eq!(world.post_as(&alice, PATH, turned).await.text("filter_id"), id);
        assert_ne!(world.post_as(&alice, PATH, json!({})).await.text("filter_id"), id);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for filter in [
        json!({ "room": "all" }),
        json!({ "room": { "timeline": { "limit": "ten" } } }),
        json!({ "presence": { "senders": [5] } }),
        json!({ "event_fields": "none" }),
        json!({ "presence": "not an object" }),
        json!({ "room": { "state": "not an object" } }),
        json!({ "room": { "timeline": { "not_rooms": "not a list" } } }),
        json!({ "room": { "timeline": { "types": [1] } } }),
        json!({ "room": { "timeline": { "rooms": ["not_a_room_id"] } } }),
        json!({ "room": { "timeline": { "senders": ["not_a_sender_id"] } } }),
    ] {
        let answer = world.post_as(&alice, PATH, filter.clone()).await;
        assert_eq!(answer.error(), (400, "M_BAD_JSON"), "{filter}");
    }
}

#[tokio::test]
async fn filter_of_another_user_is_out_of_reach() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let bob = world.register("bob").await;
    let id = world.post_as(&alice, PATH, json!({})).await.text("filter_id");
    assert_eq!(world.get_as(&bob, &format!("{PATH}/{id}")).await.error(), (403, "M_FORBIDDEN"));
    let own = format!("v3/user/@bob:parvis.test/filter/{id}");
    assert_eq!(world.get_as(&bob, &own).await.error(), (404, "M_NOT_FOUND"));
    for unknown in ["999999", "x"] {
        let answer = world.get_as(&alice, &format!("{PATH}/{unknown}")).await;
        assert_eq!(answer.error(), (404, "M_NOT_FOUND"));
    }
}
