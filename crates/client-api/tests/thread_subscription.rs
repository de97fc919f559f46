//! Threads that users follow.

use serde_json::{Value, json};

use crate::world::{Answer, Client, World, on_each_engine};

const ALL: &str = "unstable/io.element.msc4308/thread_subscriptions?dir=b";

async fn send(world: &World, client: &Client, room: &str, text: &str, root: Option<&str>) -> String {
    let mut body = json!({ "msgtype": "m.text", "body": text });
    if let Some(root) = root {
        body["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
    }
    let path = format!("v3/rooms/{room}/send/m.room.message/{text}");
    world.put_as(client, &path, body).await.text("event_id")
}

fn path(room: &str, root: &str) -> String {
    format!("unstable/io.element.msc4306/rooms/{room}/thread/{root}/subscription")
}

async fn follow(world: &World, client: &Client, room: &str, root: &str, cause: Option<&str>) -> Answer {
    let body = cause.map_or_else(|| json!({}), |cause| json!({ "automatic": cause }));
    world.put_as(client, &path(room, root), body).await
}

/// Whether the client's user follows the thread by itself, if at all.
async fn automatic(world: &World, client: &Client, room: &str, root: &str) -> Option<bool> {
    let answer = world.get_as(client, &path(room, root)).await;
    match answer.status {
        404 => None,
        _ => Some(answer.ok()["automatic"].as_bool().unwrap()),
    }
}

#[tokio::test]
async fn wish_to_follow_a_thread_stands_above_a_cause() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let root = send(&world, &alice, &room, "root", None).await;
        let reply = send(&world, &alice, &room, "reply", Some(&root)).await;
        assert_eq!(automatic(&world, &alice, &room, &root).await, None);
        follow(&world, &alice, &room, &root, Some(&reply)).await.ok();
        assert_eq!(automatic(&world, &alice, &room, &root).await, Some(true));
        follow(&world, &alice, &room, &root, None).await.ok();
        assert_eq!(automatic(&world, &alice, &room, &root).await, Some(false));
        follow(&world, &alice, &room, &root, Some(&reply)).await.ok();
        assert_eq!(automatic(&world, &alice, &room, &root).await, Some(false));
        for _ in 0..2 {
            world.delete_as(&alice, &path(&room, &root), json!({})).await.ok();
            assert_eq!(automatic(&world, &alice, &room, &root).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn cause_is_a_reply_that_came_after_the_user_stopped_following() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let root = send(&world, &alice, &room, "root", None).await;
        let other = send(&world, &alice, &room, "other", None).await;
        let elsewhere = send(&world, &alice, &room, "elsewhere", Some(&other)).await;
        for cause in [&root, &elsewhere] {
            let refused = follow(&world, &alice, &room, &root, Some(cause)).await;
            assert_eq!(refused.error(), (400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD"));
        }
        let before = send(&world, &alice, &room, "before", Some(&root)).await;
        follow(&world, &alice, &room, &root, Some(&before)).await.ok();
        let meanwhile = send(&world, &alice, &room, "meanwhile", Some(&root)).await;
        world.delete_as(&alice, &path(&room, &root), json!({})).await.ok();
        let after = send(&world, &alice, &room, "after", Some(&root)).await;
        for cause in [&before, &meanwhile] {
            let refused = follow(&world, &alice, &room, &root, Some(cause)).await;
            assert_eq!(refused.error(), (409, "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION"));
            assert_eq!(automatic(&world, &alice, &room, &root).await, None);
        }
        follow(&world, &alice, &room, &root, Some(&after)).await.ok();
        assert_eq!(automatic(&world, &alice, &room, &root).await, Some(true));
    })
    .await;
}

#[tokio::test]
async fn thread_that_the_user_may_not_see_is_not_there() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        let root = send(&world, &alice, &room, "root", None).await;
        let reply = send(&world, &alice, &room, "reply", Some(&root)).await;
        let unknown = "$none";
        for (client, root) in [(&bob, root.as_str()), (&alice, unknown)] {
            assert_eq!(follow(&world, client, &room, root, None).await.error(), (404, "M_NOT_FOUND"));
            assert_eq!(world.get_as(client, &path(&room, root)).await.error(), (404, "M_NOT_FOUND"));
            let gone = world.delete_as(client, &path(&room, root), json!({})).await;
            assert_eq!(gone.error(), (404, "M_NOT_FOUND"));
        }
        let refused = follow(&world, &alice, &room, &root, Some(unknown)).await;
        assert_eq!(refused.error(), (404, "M_NOT_FOUND"));
        follow(&world, &alice, &room, &root, Some(&reply)).await.ok();
        assert_eq!(world.get_as(&bob, ALL).await.ok(), json!({}), "what others follow is not told");
    })
    .await;
}

#[tokio::test]
async fn changes_are_told_from_the_newest_and_each_thread_once() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let mut roots = Vec::new();
        for text in ["one", "two", "three"] {
            roots.push(send(&world, &alice, &room, text, None).await);
            follow(&world, &alice, &room, &roots[roots.len() - 1], None).await.ok();
        }
        world.delete_as(&alice, &path(&room, &roots[0]), json!({})).await.ok();
        let page = async |more: &str| world.get_as(&alice, &format!("{ALL}{more}")).await.ok();
        let told = |page: &Value, kind: &str| -> Vec<String> {
            let threads = page[kind].get(&room).and_then(Value::as_object);
            threads.into_iter().flatten().map(|(root, _)| root.clone()).collect()
        };
        let first = page("&limit=2").await;
        assert_eq!(told(&first, "unsubscribed"), [roots[0].as_str()]);
        assert_eq!(told(&first, "subscribed"), [roots[2].as_str()]);
        assert_eq!(first["subscribed"][&room][&roots[2]]["automatic"], false);
        let stamp = |kind: &str, root: &String| first[kind][&room][root]["bump_stamp"].as_i64().unwrap();
        assert!(stamp("unsubscribed", &roots[0]) > stamp("subscribed", &roots[2]));
        let from = first["end"].as_str().unwrap();
        let second = page(&format!("&from={from}")).await;
        assert_eq!((told(&second, "subscribed"), second.get("end")), (vec![roots[1].clone()], None));
        assert_eq!(page(&format!("&to={from}&limit=100")).await["subscribed"], first["subscribed"]);
        for bad in ["&limit=0", "&from=x", "&to=x"] {
            let refused = world.get_as(&alice, &format!("{ALL}{bad}")).await;
            assert_eq!(refused.error(), (400, "M_INVALID_PARAM"), "{bad}");
        }
    })
    .await;
}
