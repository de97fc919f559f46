//! Application services: what they are told, and what is asked of them, through restarts of either side.

use parvis_testkit::{ApplicationService, Client, Engine, Server, User, timeline};
use serde_json::{Value, json};

use crate::on_each_engine;

/// A server with a service, whose own user is in a room with alice.
struct Bridge {
    service: ApplicationService,
    server: Server,
    /// The service as it calls the server.
    bot: Client,
    alice: User,
    room: String,
}

impl Bridge {
    async fn on(engine: &Engine, registration: &str) -> Self {
        let service = ApplicationService::start(registration).await;
        let server = Server::with(engine, &service.settings()).await;
        let bot = server.stranger().with_token(Some(ApplicationService::TOKEN));
        let alice = server.user("alice").await;
        let room = alice.create_room(json!({ "preset": "public_chat" })).await;
        bot.post(&format!("v3/join/{room}"), json!({})).await.ok();
        Self { service, server, bot, alice, room }
    }

    async fn register(&self, name: &str) -> String {
        let body = json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
        self.bot.post("v3/register", body).await.ok()["user_id"].as_str().unwrap().to_owned()
    }

    async fn say(&self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.alice.say(&self.room, &text).await;
        }
    }
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

/// Whatever came more than once came under the same id with the same content.
fn repetitions_are_the_same(service: &ApplicationService) {
    let transactions = service.transactions();
    for (id, body) in &transactions {
        assert!(transactions.iter().all(|(other, same)| other != id || same == body), "{id} changed");
    }
    let mut ids: Vec<String> = Vec::new();
    for event in service.events() {
        let id = event["event_id"].as_str().unwrap().to_owned();
        assert!(!ids.contains(&id), "{id} came in two transactions");
        ids.push(id);
    }
}

#[tokio::test]
async fn service_hears_what_is_said_and_speaks() {
    on_each_engine(async |engine| {
        let it = Bridge::on(&engine, "").await;
        it.say(numbers(0, 20)).await;
        it.service.hears("19").await;
        assert_eq!(it.service.texts(), numbers(0, 20), "in order, once");
        let events = it.service.events();
        let own_join = events.iter().find(|event| event["state_key"] == "@ircbot:parvis.test").unwrap();
        assert_eq!(
            (&own_join["room_id"], &own_join["content"]["membership"]),
            (&json!(it.room), &json!("join"))
        );

        let mallory = it.server.user("mallory").await;
        let elsewhere = mallory.create_room(json!({})).await;
        mallory.say(&elsewhere, "not for the service").await;

        let ghost = it.register("irc_bob").await;
        let as_ghost = format!("user_id={ghost}");
        it.bot.post(&format!("v3/join/{}?{as_ghost}", it.room), json!({})).await.ok();
        let path = format!("v3/rooms/{}/send/m.room.message/1?{as_ghost}", it.room);
        it.bot.put(&path, json!({ "msgtype": "m.text", "body": "from IRC" })).await.ok();
        let mut alice_sees = it.alice.follow();
        let sender = alice_sees
            .until("the ghost's message", |sync| {
                let events = timeline(sync, &it.room);
                let found = events.iter().find(|event| event["content"]["body"] == "from IRC")?;
                Some(found["sender"].clone())
            })
            .await;
        assert_eq!(sender, ghost);
        it.service.hears("from IRC").await;
        assert!(!it.service.texts().contains(&"not for the service".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_through_restarts_of_either_side() {
    on_each_engine(async |engine| {
        let mut it = Bridge::on(&engine, "").await;
        it.say(numbers(0, 5)).await;
        it.service.hears("4").await;

        it.service.go_down().await;
        it.say(numbers(5, 150)).await;
        it.server.restart_with("").await;
        it.say(numbers(150, 160)).await;
        it.service.come_back().await;
        it.service.hears("159").await;
        assert_eq!(it.service.texts(), numbers(0, 160));

        it.server.restart_with("").await;
        it.say(numbers(160, 165)).await;
        it.service.hears("164").await;
        assert_eq!(it.service.texts(), numbers(0, 165));
        repetitions_are_the_same(&it.service);
    })
    .await;
}

#[tokio::test]
async fn transaction_that_was_not_answered_well_comes_again_as_it_was() {
    on_each_engine(async |engine| {
        let mut it = Bridge::on(&engine, "").await;
        it.say(numbers(0, 1)).await;
        it.service.hears("0").await;
        it.service.fail(500, 1_000);
        it.say(numbers(1, 2)).await;
        it.service.hears("1").await;
        // What comes meanwhile is not put into what is under way, nor is what is under way changed by a restart.
        it.say(numbers(2, 4)).await;
        it.server.restart_with("").await;
        it.service.fail(200, 0);
        it.service.hears("3").await;
        let transactions = it.service.transactions();
        let with_one = transactions.iter().filter(|(_, body)| body.to_string().contains("\"body\":\"1\""));
        assert!(with_one.count() >= 2, "it came again");
        assert_eq!(it.service.texts(), numbers(0, 4));
        repetitions_are_the_same(&it.service);
    })
    .await;
}

#[tokio::test]
async fn service_hears_what_was_said_while_its_user_was_there() {
    on_each_engine(async |engine| {
        let mut it = Bridge::on(&engine, "").await;
        it.say(["before".to_owned()]).await;
        it.service.hears("before").await;
        it.service.go_down().await;
        it.say(["while it was there".to_owned()]).await;
        it.bot.post(&format!("v3/rooms/{}/leave", it.room), json!({})).await.ok();
        it.say(["after".to_owned()]).await;
        it.bot.post(&format!("v3/join/{}", it.room), json!({})).await.ok();
        it.say(["there again".to_owned()]).await;
        it.service.come_back().await;
        it.service.hears("there again").await;
        assert_eq!(it.service.texts(), ["before", "while it was there", "there again"]);
    })
    .await;
}

#[tokio::test]
async fn service_that_wants_it_gets_typing_and_receipts() {
    on_each_engine(async |engine| {
        let forms = "receive_ephemeral: true\nde.sorunome.msc2409.push_ephemeral: true";
        let it = Bridge::on(&engine, forms).await;
        let event = it.alice.say(&it.room, "hello").await;
        it.service.hears("hello").await;
        let bob = it.server.user("bob").await;
        bob.join(&it.room).await;
        let private = format!("v3/rooms/{}/receipt/m.read.private/{event}", it.room);
        bob.post(&private, json!({})).await.ok();
        let typing = format!("v3/rooms/{}/typing/{}", it.room, it.alice.id);
        it.alice.put(&typing, json!({ "typing": true, "timeout": 30_000 })).await.ok();
        let public = format!("v3/rooms/{}/receipt/m.read/{event}", it.room);
        bob.post(&public, json!({})).await.ok();
        for list in ["ephemeral", "de.sorunome.msc2409.ephemeral"] {
            let find = |kind: &str, content: &dyn Fn(&Value) -> bool| {
                let found = it.service.list(list);
                let found = found.iter().find(|event| event["type"] == kind && content(&event["content"]));
                found.map(|event| event["room_id"].clone())
            };
            let types = |content: &Value| content["user_ids"] == json!([it.alice.id]);
            assert_eq!(it.service.until("typing", |_| find("m.typing", &types)).await, it.room);
            let reads = |content: &Value| content[&event]["m.read"][&bob.id]["ts"].is_u64();
            assert_eq!(it.service.until("a receipt", |_| find("m.receipt", &reads)).await, it.room);
        }
        let all = format!("{:?}", it.service.transactions());
        assert!(!all.contains("m.read.private"), "what is private is for the reader alone");
    })
    .await;
}

#[tokio::test]
async fn service_that_does_not_want_it_gets_no_typing() {
    let it = Bridge::on(&Engine::Sqlite, "").await;
    let typing = format!("v3/rooms/{}/typing/{}", it.room, it.alice.id);
    it.alice.put(&typing, json!({ "typing": true, "timeout": 30_000 })).await.ok();
    it.say(["hello".to_owned()]).await;
    it.service.hears("hello").await;
    assert!(!format!("{:?}", it.service.transactions()).contains("m.typing"));
}

#[tokio::test]
async fn users_and_aliases_are_made_when_somebody_asks_for_them() {
    let it = Bridge::on(&Engine::Sqlite, "").await;
    let asked = |what: &'static str| {
        it.service.until(what, move |service| {
            service.questions().iter().any(|(asked, _)| asked.ends_with(what)).then_some(())
        })
    };
    let user = async {
        asked("/_matrix/app/v1/users/%40irc_carol%3Aparvis.test").await;
        it.register("irc_carol").await;
        it.service.answer("users/%40irc_carol%3Aparvis.test", 200, json!({}));
    };
    let (profile, ()) = tokio::join!(it.alice.get("v3/profile/@irc_carol:parvis.test"), user);
    assert_eq!(profile.ok()["displayname"], "irc_carol");

    let alias = async {
        asked("/_matrix/app/v1/rooms/%23irc_tea%3Aparvis.test").await;
        let body = json!({ "room_id": it.room });
        it.bot.put("v3/directory/room/%23irc_tea:parvis.test", body).await.ok();
        it.service.answer("rooms/%23irc_tea%3Aparvis.test", 200, json!({}));
    };
    let (found, ()) = tokio::join!(it.alice.get("v3/directory/room/%23irc_tea:parvis.test"), alias);
    assert_eq!(found.ok()["room_id"], it.room);

    it.service.answer("users/%40irc_nobody%3Aparvis.test", 404, json!({}));
    it.alice.get("v3/profile/@irc_nobody:parvis.test").await.refused(404, "M_NOT_FOUND");
    let before = it.service.questions().len();
    it.alice.get("v3/profile/@irc_carol:parvis.test").await.ok();
    it.alice.get("v3/profile/@nobody:parvis.test").await.refused(404, "M_NOT_FOUND");
    assert_eq!(it.service.questions().len(), before, "it is asked for its own, once");
}

#[tokio::test]
async fn other_networks_are_asked_through_their_service() {
    let it = Bridge::on(&Engine::Sqlite, "").await;
    let protocol = json!({
        "user_fields": ["nick"], "location_fields": ["channel"], "icon": "mxc://parvis.test/irc",
        "field_types": {}, "instances": [{ "network_id": "libera", "desc": "Libera", "fields": {} }],
    });
    it.service.answer("thirdparty/protocol/irc", 200, protocol);
    let user = json!([{ "userid": "@irc_bob:parvis.test", "protocol": "irc", "fields": { "nick": "bob" } }]);
    it.service.answer("thirdparty/user/irc", 200, user.clone());
    it.service.answer("thirdparty/location", 200, json!([]));
    it.service.answer("thirdparty/user", 200, user.clone());
    let place = json!([{ "alias": "#irc_a:parvis.test", "protocol": "irc", "fields": { "channel": "#a" } }]);
    it.service.answer("thirdparty/location/irc", 200, place.clone());
    let all = it.alice.get("v3/thirdparty/protocols").await.ok();
    assert_eq!(all["irc"]["instances"][0]["instance_id"], "irc|libera");
    assert_eq!(it.alice.get("unstable/thirdparty/protocol/irc").await.ok(), all["irc"]);
    it.alice.get("v3/thirdparty/protocol/xmpp").await.refused(404, "M_NOT_FOUND");
    assert_eq!(it.alice.get("v3/thirdparty/user/irc?nick=bob").await.ok(), user);
    assert_eq!(it.alice.get("v3/thirdparty/location?alias=%23irc_a:parvis.test").await.ok(), json!([]));
    assert_eq!(it.alice.get("v3/thirdparty/user?userid=%40irc_bob:parvis.test").await.ok(), user);
    assert_eq!(it.alice.get("v3/thirdparty/location/irc?channel=%23a").await.ok(), place);
    let asked: Vec<String> = it.service.questions().into_iter().map(|(asked, _)| asked).collect();
    assert!(asked.contains(&"GET /_matrix/app/v1/thirdparty/user/irc?nick=bob".to_owned()), "{asked:?}");
    let location = "GET /_matrix/app/v1/thirdparty/location?alias=%23irc_a:parvis.test";
    assert!(asked.contains(&location.to_owned()), "{asked:?}");

    let list = format!("v3/directory/list/appservice/libera/{}", it.room);
    it.bot.put(&list, json!({ "visibility": "public" })).await.ok();
    it.alice.put(&list, json!({ "visibility": "public" })).await.refused(403, "M_FORBIDDEN");
    let rooms = async |query: Value| {
        let found = it.alice.post("v3/publicRooms", query).await.ok();
        found["chunk"].as_array().unwrap().len()
    };
    assert_eq!(rooms(json!({})).await, 0);
    assert_eq!(rooms(json!({ "third_party_instance_id": "irc|libera" })).await, 1);
    assert_eq!(rooms(json!({ "third_party_instance_id": "irc|other" })).await, 0);
    assert_eq!(rooms(json!({ "include_all_networks": true })).await, 1);
    it.bot.put(&list, json!({ "visibility": "private" })).await.ok();
    assert_eq!(rooms(json!({ "include_all_networks": true })).await, 0);
}

#[tokio::test]
async fn service_finds_out_whether_it_can_be_reached() {
    let mut it = Bridge::on(&Engine::Sqlite, "").await;
    let ping =
        async |it: &Bridge| it.bot.post("v1/appservice/irc/ping", json!({ "transaction_id": "p1" })).await;
    it.service.answer("ping", 200, json!({}));
    assert!(ping(&it).await.ok()["duration_ms"].is_u64());
    assert_eq!(it.service.questions().last().unwrap().1, json!({ "transaction_id": "p1" }));
    it.service.answer("ping", 418, json!({ "teapot": true }));
    let answer = ping(&it).await;
    answer.refused(502, "M_BAD_STATUS");
    it.service.go_down().await;
    ping(&it).await.refused(502, "M_CONNECTION_FAILED");
    it.bot.post("v1/appservice/other/ping", json!({})).await.refused(403, "M_FORBIDDEN");
    it.alice.post("v1/appservice/irc/ping", json!({})).await.refused(403, "M_FORBIDDEN");
}
