//! Registering with tokens that administrators gave out, and accepting terms.

use http::Method;
use parvis_accounts::{NewToken, Registration, RegistrationToken, Terms, TermsDocument};
use parvis_ambient::Clock as _;
use serde_json::{Value, json};

use crate::world::{Answer, World, client, on_each_engine};

async fn register(world: &World, name: &str, auth: Value) -> Answer {
    let body = json!({ "username": name, "password": "password", "auth": auth });
    world.send(Method::POST, "v3/register", None, body).await
}

fn token(token: &str) -> Value {
    json!({ "type": "m.login.registration_token", "token": token })
}

async fn is_valid(world: &World, token: &str) -> Value {
    let path = format!("v1/register/m.login.registration_token/validity?token={token}");
    world.send(Method::GET, &path, None, Value::Null).await.ok()["valid"].clone()
}

fn by_token(world: World) -> World {
    world.with_accounts(|settings| {
        settings.registration = Registration::Token(vec![RegistrationToken("sesame".to_owned())]);
    })
}

fn wanted(token: &str, uses_allowed: Option<i64>, expires_ts: Option<i64>) -> NewToken {
    NewToken { token: Some(token.to_owned()), uses_allowed, expires_ts, created_by: "admin".to_owned() }
}

#[tokio::test]
async fn token_is_good_for_so_many_accounts_and_so_long() {
    on_each_engine(async |world: World| {
        let world = by_token(world);
        let accounts = &world.api.accounts;
        accounts.give_registration_token(wanted("twice", Some(2), None)).await.unwrap();
        let soon = world.clock.now().millis() + 60_000;
        accounts.give_registration_token(wanted("soon", None, Some(soon))).await.unwrap();
        let made_up = accounts.give_registration_token(NewToken::default()).await.unwrap();
        for good in ["twice", "soon", "sesame", &made_up.token] {
            assert_eq!(is_valid(&world, good).await, true, "{good}");
        }
        assert_eq!(is_valid(&world, "guess").await, false);
        for name in ["a", "b"] {
            assert_eq!(register(&world, name, token("twice")).await.status, 200, "{name}");
        }
        assert_eq!(register(&world, "c", token("twice")).await.error(), (401, "M_FORBIDDEN"));
        assert_eq!(is_valid(&world, "twice").await, false);
        world.wait(61);
        assert_eq!(is_valid(&world, "soon").await, false);
        let given = accounts.registration_tokens().await.unwrap();
        let twice = given.iter().find(|given| given.token == "twice").unwrap();
        assert_eq!((twice.uses, given.len()), (2, 3));
        accounts.revoke_registration_token(&made_up.token).await.unwrap();
        assert_eq!(is_valid(&world, &made_up.token).await, false);
        assert!(accounts.revoke_registration_token(&made_up.token).await.is_err());
        for bad in [
            wanted("", None, None),
            wanted("a b", None, None),
            wanted(&"x".repeat(65), None, None),
            wanted("zero", Some(0), None),
            wanted("past", None, Some(1)),
            wanted("twice", None, None),
        ] {
            assert!(accounts.give_registration_token(bad.clone()).await.is_err(), "{bad:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn last_use_of_a_token_goes_to_one_of_two_who_have_passed_its_stage() {
    on_each_engine(async |world: World| {
        let world = by_token(world).with_accounts(|settings| {
            settings.registration = Registration::Token(Vec::new());
            settings.terms = terms();
        });
        world.api.accounts.give_registration_token(wanted("once", Some(1), None)).await.unwrap();
        let mut sessions = Vec::new();
        for name in ["a", "b"] {
            let first = register(&world, name, token("once")).await;
            assert_eq!(first.body["completed"], json!(["m.login.registration_token"]));
            sessions.push(first.text("session"));
        }
        let accept = |session: &str| json!({ "type": "m.login.terms", "session": session });
        assert_eq!(register(&world, "a", accept(&sessions[0])).await.status, 200);
        assert_eq!(register(&world, "b", accept(&sessions[1])).await.error(), (403, "M_FORBIDDEN"));
    })
    .await;
}

fn terms() -> Vec<Terms> {
    let document = |language: &str, title: &str| {
        let url = format!("https://example.org/{language}");
        (language.to_owned(), TermsDocument { title: title.to_owned(), url })
    };
    vec![Terms {
        name: "privacy_policy".to_owned(),
        version: "1.2".to_owned(),
        documents: vec![document("en", "Privacy"), document("fr", "Confidentialité")],
    }]
}

#[tokio::test]
async fn terms_are_shown_with_their_version_and_accepted() {
    on_each_engine(async |world: World| {
        let world = world.with_accounts(|settings| settings.terms = terms());
        let first = register(&world, "alice", Value::Null).await;
        assert_eq!(first.body["flows"], json!([{ "stages": ["m.login.terms"] }]));
        let expected = json!({ "policies": { "privacy_policy": {
            "version": "1.2",
            "en": { "name": "Privacy", "url": "https://example.org/en" },
            "fr": { "name": "Confidentialité", "url": "https://example.org/fr" },
        } } });
        assert_eq!(first.body["params"]["m.login.terms"], expected);
        assert_eq!(register(&world, "alice", json!({ "type": "m.login.dummy" })).await.status, 401);
        let auth = json!({ "type": "m.login.terms", "session": first.text("session") });
        let alice = client(&register(&world, "alice", auth).await);
        let accepted = world.api.accounts.accepted_terms(ruma::user_id!("@alice:parvis.test")).await.unwrap();
        assert_eq!(accepted.len(), 1);
        assert_eq!((accepted[0].0.as_str(), accepted[0].1.as_str()), ("privacy_policy", "1.2"));
        assert_eq!(alice.user_id, "@alice:parvis.test");
    })
    .await;
}
