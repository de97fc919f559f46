//! The directory of users.

use parvis_accounts::Findable;
use serde_json::{Value, json};

use crate::world::{Client, World, on_each_engine};

async fn search(world: &World, seeker: &Client, term: &str, limit: u32) -> Value {
    let body = json!({ "search_term": term, "limit": limit });
    world.post_as(seeker, "v3/user_directory/search", body).await.ok()
}

fn names(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap();
    results.iter().map(|user| user["user_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn users_are_found_by_the_beginning_of_a_name() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let bob = world.register("bob").await;
        let path = "v3/profile/@bob:parvis.test/displayname";
        world.put_as(&bob, path, json!({ "displayname": "Robert Ödegård" })).await.ok();
        for term in ["bo", "BOB", "@bob", "@bob:parvis.test", "rob", "ödeg", "Robert Ö"] {
            let found = search(&world, &alice, term, 10).await;
            assert_eq!(names(&found), ["@bob:parvis.test"], "{term}");
            assert_eq!(found["results"][0]["display_name"], "Robert Ödegård");
            assert_eq!(found["limited"], false);
        }
        for term in ["ob", "%", "_", "", "alice"] {
            assert!(names(&search(&world, &alice, term, 10).await).is_empty(), "{term}");
        }
    })
    .await;
}

#[tokio::test]
async fn strangers_may_be_hidden_from_each_other() {
    on_each_engine(async |world: World| {
        let world = world.with_accounts(|settings| settings.findable = Findable::Acquaintances);
        let alice = world.register("xalice").await;
        let (bob, eve) = (world.register("xbob").await, world.register("xeve").await);
        let room = world.room(&alice).await;
        for seeker in [&alice, &bob, &eve] {
            assert!(names(&search(&world, seeker, "x", 10).await).is_empty());
        }
        let invite = json!({ "user_id": bob.user_id });
        world.post_as(&alice, &format!("v3/rooms/{room}/invite"), invite).await.ok();
        assert!(names(&search(&world, &bob, "x", 10).await).is_empty(), "who is invited is no member");
        world.post_as(&bob, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        assert_eq!(names(&search(&world, &bob, "x", 10).await), ["@xalice:parvis.test"]);
        assert_eq!(names(&search(&world, &alice, "x", 10).await), ["@xbob:parvis.test"]);
        assert!(names(&search(&world, &eve, "x", 10).await).is_empty());
        // Only bob knows this name.
        let member = json!({ "membership": "join", "displayname": "xsecret" });
        let path = format!("v3/rooms/{room}/state/m.room.member/{}", alice.user_id);
        world.put_as(&alice, &path, member).await.ok();
        world.post_as(&alice, "v3/createRoom", json!({ "visibility": "public" })).await.ok();
        let found = search(&world, &eve, "x", 10).await;
        assert_eq!(names(&found), ["@xalice:parvis.test"], "who is in a room that anybody may find");
        assert_ne!(found["results"][0]["display_name"], "xsecret");
        assert!(names(&search(&world, &eve, "xsecret", 10).await).is_empty());
    })
    .await;
}

#[tokio::test]
async fn no_more_are_found_than_asked_for() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for number in 0..3 {
        world.register(&format!("bob{number}")).await;
    }
    let found = search(&world, &alice, "bob", 2).await;
    assert_eq!(names(&found), ["@bob0:parvis.test", "@bob1:parvis.test"]);
    assert_eq!(found["limited"], true);
    assert_eq!(search(&world, &alice, "bob", 3).await["limited"], false);
}
