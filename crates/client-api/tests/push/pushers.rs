//! `get_pushers` and `set_pusher`

use axum::body::Body;
use http::{Method, Request};
use parvis_accounts::AddressAtRegistration;
use parvis_policy::push::MailContent;
use serde_json::{Value, json};

use crate::{
    addresses::{with_address, with_mail},
    world::{Client, World, on_each_engine, read},
};

fn pusher(pushkey: &str) -> Value {
    json!({
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": pushkey,
        "app_display_name": "An app",
        "device_display_name": "A phone",
        "lang": "en",
        "data": { "url": "https://push.example.org/_matrix/push/v1/notify", "format": "event_id_only" },
    })
}

/// The pusher as its user is told of it.
fn kept(mut pusher: Value, client: &Client) -> Value {
    pusher["org.matrix.msc3881.enabled"] = json!(true);
    pusher["org.matrix.msc3881.device_id"] = json!(client.device_id);
    pusher
}

#[tokio::test]
async fn pushers_are_kept_replaced_and_taken_away() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        assert_eq!(world.get_as(&alice, "v3/pushers").await.ok(), json!({ "pushers": [] }));
        assert_eq!(world.post_as(&alice, "v3/pushers/set", pusher("k")).await.ok(), json!({}));
        let mut changed = pusher("k");
        changed["lang"] = json!("de");
        world.post_as(&alice, "v3/pushers/set", changed.clone()).await.ok();
        assert_eq!(
            world.get_as(&alice, "v3/pushers").await.ok(),
            json!({ "pushers": [kept(changed, &alice)] })
        );

        let gone = json!({ "kind": null, "app_id": "org.example.app", "pushkey": "k" });
        assert_eq!(world.post_as(&alice, "v3/pushers/set", gone).await.status, 200);
        assert_eq!(world.get_as(&alice, "v3/pushers").await.ok(), json!({ "pushers": [] }));
    })
    .await;
}

#[tokio::test]
async fn pusher_moves_to_the_user_who_sets_it_last() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        world.post_as(&alice, "v3/pushers/set", pusher("k")).await.ok();
        let mut among_others = pusher("k");
        among_others["append"] = json!(true);
        world.post_as(&bob, "v3/pushers/set", among_others).await.ok();
        assert_eq!(world.get_as(&alice, "v3/pushers").await.ok()["pushers"].as_array().unwrap().len(), 1);
        assert_eq!(world.get_as(&bob, "v3/pushers").await.ok()["pushers"], json!([kept(pusher("k"), &bob)]));
        world.post_as(&bob, "v3/pushers/set", pusher("k")).await.ok();
        assert_eq!(world.get_as(&alice, "v3/pushers").await.ok()["pushers"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn pusher_goes_with_the_device_that_set_it() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let other = crate::world::client(&world.login("alice", json!({})).await);
    world.post_as(&alice, "v3/pushers/set", pusher("k")).await.ok();
    world.post_as(&alice, "v3/logout", json!({})).await.ok();
    assert_eq!(world.get_as(&other, "v3/pushers").await.ok()["pushers"], json!([]));
}

#[tokio::test]
async fn pusher_of_another_kind_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let mut email = pusher("alice@example.org");
    email["kind"] = json!("email");
    email["data"] = json!({});
    assert_eq!(world.post_as(&alice, "v3/pushers/set", email).await.error(), (400, "M_INVALID_PARAM"));
}

#[tokio::test]
async fn pusher_to_no_gateway_or_to_one_that_the_organisation_does_not_use_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let set = async |world: &World, url: &str| {
        let mut pusher = pusher("k");
        pusher["data"]["url"] = json!(url);
        let answer = world.post_as(&alice, "v3/pushers/set", pusher).await;
        (answer.status, answer.error().1.to_owned())
    };
    for url in ["https://push.example.org/notify", "http://push.example.org/_matrix/push/v1/notify", "x"] {
        assert_eq!(set(&world, url).await, (400, "M_INVALID_PARAM".to_owned()), "{url}");
    }
    let gateway = "https://push.example.org/_matrix/push/v1/notify";
    assert_eq!(set(&world, gateway).await.0, 200);
    let world = world.with_accounts(|settings| settings.push.gateways = vec!["*.parvis.test".to_owned()]);
    assert_eq!(set(&world, gateway).await, (403, "M_FORBIDDEN".to_owned()));
    let world = world.with_accounts(|settings| settings.push.enabled = false);
    assert_eq!(set(&world, gateway).await, (403, "M_FORBIDDEN".to_owned()));
}

#[tokio::test]
async fn pusher_that_is_switched_off_is_kept_so() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let mut off = pusher("k");
        off["org.matrix.msc3881.enabled"] = json!(false);
        world.post_as(&alice, "v3/pushers/set", off).await.ok();
        let pushers = world.get_as(&alice, "v3/pushers").await.ok();
        assert_eq!(pushers["pushers"][0]["org.matrix.msc3881.enabled"], false);
        world.post_as(&alice, "v3/pushers/set", pusher("k")).await.ok();
        let pushers = world.get_as(&alice, "v3/pushers").await.ok();
        assert_eq!(pushers["pushers"], json!([kept(pusher("k"), &alice)]));
    })
    .await;
}

fn mail_pusher(address: &str) -> Value {
    json!({
        "kind": "email",
        "app_id": "m.email",
        "pushkey": address,
        "app_display_name": "Email Notifications",
        "device_display_name": "a@example.org",
        "lang": "fr",
        "data": { "brand": "Example" },
    })
}

#[tokio::test]
async fn mails_of_missed_messages_go_to_an_address_of_ones_own_until_they_are_stopped() {
    on_each_engine(async |world: World| {
        let (world, postbox) = with_mail(world, AddressAtRegistration::No);
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        with_address(&world, &postbox, &alice, "alice@example.org").await;
        let set =
            async |client: &Client, pusher: Value| world.post_as(client, "v3/pushers/set", pusher).await;
        for (client, wrong) in [
            (&alice, mail_pusher("bob@example.org")),
            (&bob, mail_pusher("alice@example.org")),
            (&alice, {
                let mut other_app = mail_pusher("alice@example.org");
                other_app["app_id"] = json!("org.example.app");
                other_app
            }),
            (&alice, {
                let mut no_mail = pusher("alice@example.org");
                no_mail["app_id"] = json!("m.email");
                no_mail
            }),
        ] {
            assert_eq!(set(client, wrong.clone()).await.error(), (400, "M_INVALID_PARAM"), "{wrong}");
        }
        set(&alice, mail_pusher("Alice@Example.org")).await.ok();
        let told = world.get_as(&alice, "v3/pushers").await.ok();
        assert_eq!(told, json!({ "pushers": [kept(mail_pusher("alice@example.org"), &alice)] }));

        // The link's secret is not shown, and stays the same when the pusher is set again.
        let secret = async || {
            let session = world.api.accounts.authenticate(&alice.token, None).await.unwrap();
            let stored = world.api.accounts.pushers(&session).await.unwrap().remove(0).pusher;
            let stored: Value = serde_json::from_str(&stored).unwrap();
            stored["org.parvis.stop"].as_str().unwrap().to_owned()
        };
        let known = secret().await;
        set(&alice, mail_pusher("alice@example.org")).await.ok();
        assert_eq!(secret().await, known);

        let stop = async |method: Method, token: &str| {
            let path = format!("/_matrix/client/unstable/org.parvis.mail/stop?token={token}");
            let request = Request::builder().method(method).uri(path).header("accept-language", "de");
            let response = world.answer(request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), 200);
            String::from_utf8(read(response).await).unwrap()
        };
        let count =
            async || world.get_as(&alice, "v3/pushers").await.ok()["pushers"].as_array().unwrap().len();
        assert!(stop(Method::GET, &known).await.contains("<form method=\"post\">"));
        stop(Method::POST, &format!("{known}x")).await;
        stop(Method::POST, "nonsense").await;
        assert_eq!(count().await, 1, "whoever follows a link, or guesses, stops nothing");
        assert!(stop(Method::POST, &known).await.contains("keine solchen E-Mails mehr"));
        assert_eq!(count().await, 0);
        assert!(!stop(Method::GET, &known).await.contains("<form"), "there is nothing left to stop");
    })
    .await;
}

#[tokio::test]
async fn mails_of_missed_messages_end_with_the_address_and_where_none_are_sent() {
    let (world, postbox) = with_mail(World::new().await, AddressAtRegistration::No);
    let alice = world.register("alice").await;
    with_address(&world, &postbox, &alice, "alice@example.org").await;
    world.post_as(&alice, "v3/pushers/set", mail_pusher("alice@example.org")).await.ok();
    let gone = json!({ "medium": "email", "address": "ALICE@example.org" });
    world.post_as(&alice, "v3/account/3pid/delete", gone).await.ok();
    assert_eq!(world.get_as(&alice, "v3/pushers").await.ok()["pushers"], json!([]));

    let world = world.with_accounts(|settings| settings.push.mail = MailContent::Off);
    let refused = world.post_as(&alice, "v3/pushers/set", mail_pusher("alice@example.org")).await;
    assert_eq!(refused.error(), (403, "M_FORBIDDEN"));
    let world = World::new().await;
    let alice = world.register("alice").await;
    let refused = world.post_as(&alice, "v3/pushers/set", mail_pusher("alice@example.org")).await;
    assert_eq!(refused.error(), (403, "M_FORBIDDEN"), "there is no mail server");
}
