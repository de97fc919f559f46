//! Mail addresses: proving them, adding them, registering, logging in and getting a new password by them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use http::{Method, Request, header};
use parvis_accounts::{AddressAtRegistration, Language, MailSettings, UsersChange};
use parvis_client_api::{RateLimit, RateLimitSettings};
use parvis_peers::{Mail, MailError, Mailer};
use serde_json::{Value, json};

use crate::world::{Answer, Client, World, client, on_each_engine, read};

const PAGE: &str = "/_matrix/client/unstable/org.parvis.mail/submit_token";

/// A mail server that keeps what it is given, and takes nothing for `nobody`.
#[derive(Debug, Default)]
pub(crate) struct Postbox(Mutex<Vec<Mail>>);

#[async_trait]
impl Mailer for Postbox {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        if mail.to.starts_with("nobody@") {
            return Err(MailError::Failed("550 no such mailbox".to_owned()));
        }
        self.0.lock().unwrap().push(mail);
        Ok(())
    }
}

impl Postbox {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The link in the newest mail.
    fn link(&self) -> String {
        let mails = self.0.lock().unwrap();
        let text = &mails.last().unwrap().text;
        let link = text.lines().find(|line| line.starts_with("https://")).unwrap();
        assert!(mails.last().unwrap().html.contains(&link.replace('&', "&amp;")));
        link.strip_prefix("https://matrix.example.org").unwrap().to_owned()
    }
}

pub(crate) fn with_mail(world: World, entry: AddressAtRegistration) -> (World, Arc<Postbox>) {
    let postbox = Arc::new(Postbox::default());
    let mail = MailSettings {
        mailer: Arc::clone(&postbox) as Arc<dyn Mailer>,
        organisation: "Example & Co".to_owned(),
        link: format!("https://matrix.example.org{PAGE}"),
        default_language: Language::English,
        next_link_hosts: vec!["app.example.org".to_owned()],
    };
    let world = world.with_accounts(|settings| {
        settings.mail = Some(mail);
        settings.address_at_registration = entry;
    });
    (world, postbox)
}

async fn request(world: &World, place: &str, email: &str, more: Value) -> Answer {
    let mut body = json!({ "client_secret": "s3cret.=_-", "email": email, "send_attempt": 1 });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    world.send(Method::POST, &format!("v3/{place}/email/requestToken"), None, body).await
}

/// Presses the button on the page behind a link; gives the status and where the browser is sent.
async fn confirm(world: &World, link: &str) -> (u16, Option<String>) {
    let answer = world.answer(Request::post(link).body(Body::empty()).unwrap()).await;
    let location = answer.headers().get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location)
}

async fn add(world: &World, client: &Client, sid: &str, secret: &str) -> Answer {
    let name = client.user_id.as_str();
    let auth = json!({ "type": "m.login.password", "password": "password",
        "identifier": { "type": "m.id.user", "user": name } });
    let body = json!({ "sid": sid, "client_secret": secret, "auth": auth });
    world.post_as(client, "v3/account/3pid/add", body).await
}

async fn addresses(world: &World, client: &Client) -> Vec<String> {
    let answer = world.get_as(client, "v3/account/3pid").await.ok();
    let list = answer["threepids"].as_array().unwrap().clone();
    list.iter().map(|entry| entry["address"].as_str().unwrap().to_owned()).collect()
}

/// Gives a user an address.
pub(crate) async fn with_address(world: &World, postbox: &Postbox, client: &Client, email: &str) {
    let sid = request(world, "account/3pid", email, json!({})).await.text("sid");
    assert_eq!(confirm(world, &postbox.link()).await.0, 200);
    add(world, client, &sid, "s3cret.=_-").await.ok();
}

#[tokio::test]
async fn address_is_proved_added_and_taken_away() {
    on_each_engine(async |world: World| {
        let (world, postbox) = with_mail(world, AddressAtRegistration::No);
        let alice = world.register("alice").await;
        let sid = request(&world, "account/3pid", "Alice@Example.org", json!({})).await.text("sid");
        assert_eq!(postbox.0.lock().unwrap()[0].to, "alice@example.org");
        let early = add(&world, &alice, &sid, "s3cret.=_-").await;
        assert_eq!(early.error(), (400, "M_THREEPID_AUTH_FAILED"));

        let link = postbox.link();
        let page = world.answer(Request::get(&link).body(Body::empty()).unwrap()).await;
        assert_eq!(page.status(), 200);
        assert_eq!(page.headers()[header::REFERRER_POLICY], "no-referrer");
        let page = String::from_utf8(read(page).await).unwrap();
        assert!(page.contains("<form method=\"post\">") && page.contains("Example &amp; Co"), "{page}");
        let early = add(&world, &alice, &sid, "s3cret.=_-").await;
        assert_eq!(early.error(), (400, "M_THREEPID_AUTH_FAILED"), "looking at the page confirms nothing");

        assert_eq!(confirm(&world, &link).await, (200, None));
        assert_eq!(confirm(&world, &link).await.0, 400, "a link is good for one use");
        assert_eq!(add(&world, &alice, &sid, "another").await.error(), (400, "M_THREEPID_AUTH_FAILED"));
        let without_auth = json!({ "sid": sid, "client_secret": "s3cret.=_-" });
        assert_eq!(world.post_as(&alice, "v3/account/3pid/add", without_auth).await.status, 401);
        assert_eq!(add(&world, &alice, &sid, "s3cret.=_-").await.ok(), json!({}));
        assert_eq!(addresses(&world, &alice).await, ["alice@example.org"]);
        assert_eq!(add(&world, &alice, &sid, "s3cret.=_-").await.error(), (400, "M_THREEPID_AUTH_FAILED"));

        let again = request(&world, "account/3pid", "alice@example.org", json!({})).await;
        assert_eq!(again.error(), (400, "M_THREEPID_IN_USE"));
        let body = json!({ "medium": "email", "address": "ALICE@example.org" });
        let answer = world.post_as(&alice, "v3/account/3pid/delete", body).await.ok();
        assert_eq!(answer, json!({ "id_server_unbind_result": "no-support" }));
        assert!(addresses(&world, &alice).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn older_form_of_adding_asks_for_the_password_too() {
    let (world, postbox) = with_mail(World::new().await, AddressAtRegistration::No);
    let alice = world.register("alice").await;
    let sid = request(&world, "account/3pid", "alice@example.org", json!({})).await.text("sid");
    confirm(&world, &postbox.link()).await;
    let creds = json!({ "sid": sid, "client_secret": "s3cret.=_-", "id_server": "id.example.org" });
    let mut body = json!({ "three_pid_creds": creds });
    assert_eq!(world.post_as(&alice, "v3/account/3pid", body.clone()).await.status, 401);
    body["auth"] = json!({ "type": "m.login.password", "password": "password" });
    world.post_as(&alice, "v3/account/3pid", body).await.ok();
    assert_eq!(addresses(&world, &alice).await, ["alice@example.org"]);
}

#[tokio::test]
async fn mail_is_sent_again_only_for_a_greater_attempt_and_the_newest_link_counts() {
    on_each_engine(async |world: World| {
        let (world, postbox) = with_mail(world, AddressAtRegistration::No);
        let ask =
            async |more: Value| request(&world, "account/3pid", "a@example.org", more).await.text("sid");
        let sid = ask(json!({})).await;
        let first = postbox.link();
        assert_eq!(ask(json!({})).await, sid);
        assert_eq!(postbox.count(), 1);
        assert_eq!(ask(json!({ "send_attempt": 2 })).await, sid);
        assert_eq!(postbox.count(), 2);
        assert_eq!(confirm(&world, &first).await.0, 400, "the older link is void");
        let other = ask(json!({ "client_secret": "other" })).await;
        assert_ne!(other, sid, "another client has a proof of its own");
        let link = postbox.link();
        world.wait(3_601);
        assert_eq!(confirm(&world, &link).await.0, 400, "a link is good for an hour");
        let swapped = link.replace(&other, &sid);
        assert_eq!(confirm(&world, &swapped).await.0, 400);
    })
    .await;
}

#[tokio::test]
async fn mails_speak_the_language_that_is_read() {
    let (world, postbox) = with_mail(World::new().await, AddressAtRegistration::No);
    for (index, (language, word)) in
        [("fr-CH,fr;q=0.9", "Confirmez"), ("de", "Bestätigen"), ("it", "Confermi"), ("nl", "Confirm your")]
            .into_iter()
            .enumerate()
    {
        let body =
            json!({ "client_secret": "s", "email": format!("a{index}@example.org"), "send_attempt": 1 });
        let request = Request::post("/_matrix/client/v3/register/email/requestToken")
            .header(header::ACCEPT_LANGUAGE, language)
            .body(Body::from(body.to_string()))
            .unwrap();
        assert_eq!(world.answer(request).await.status(), 200);
        let subject = postbox.0.lock().unwrap().last().unwrap().subject.clone();
        assert!(subject.contains(word) && subject.contains("Example & Co"), "{subject}");
        let page = Request::get(postbox.link()).header(header::ACCEPT_LANGUAGE, language);
        let page = read(world.answer(page.body(Body::empty()).unwrap()).await).await;
        let code = if word == "Confirm your" { "en" } else { &language[..2] };
        assert!(String::from_utf8(page).unwrap().contains(&format!("lang=\"{code}\"")), "{language}");
    }
}

#[tokio::test]
async fn browsers_are_sent_on_to_known_hosts_alone() {
    let (world, postbox) = with_mail(World::new().await, AddressAtRegistration::No);
    for (index, (link, expected)) in [
        ("https://app.example.org/#/done?a=b", Some("https://app.example.org/#/done?a=b")),
        ("https://evil.example/", None),
        ("https://app.example.org@evil.example/", None),
        ("https://app.example.org.evil.example/", None),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("a{index}@example.org");
        request(&world, "register", &email, json!({ "next_link": link })).await.ok();
        let (status, location) = confirm(&world, &postbox.link()).await;
        assert_eq!(
            (status, location.as_deref()),
            (if expected.is_some() { 303 } else { 200 }, expected),
            "{link}"
        );
    }
    for link in ["javascript:alert(1)", "file:///etc/passwd", "https://app.example.org/\r\nX: y"] {
        let answer = request(&world, "register", "b@example.org", json!({ "next_link": link })).await;
        assert_eq!(answer.error(), (400, "M_INVALID_PARAM"), "{link}");
    }
}

#[tokio::test]
async fn token_may_be_sent_as_json() {
    let (world, postbox) = with_mail(World::new().await, AddressAtRegistration::No);
    let sid = request(&world, "register", "a@example.org", json!({})).await.text("sid");
    let link = postbox.link();
    let token = link.split("token=").last().unwrap().to_owned();
    let path = PAGE.strip_prefix("/_matrix/client/").unwrap();
    let mut body = json!({ "sid": sid, "client_secret": "s3cret.=_-", "token": "guess" });
    let wrong = world.send(Method::POST, path, None, body.clone()).await;
    assert_eq!(wrong.error(), (400, "M_THREEPID_AUTH_FAILED"));
    body["token"] = token.into();
    assert_eq!(world.send(Method::POST, path, None, body).await.ok(), json!({ "success": true }));
    assert_eq!(world.send(Method::POST, path, None, json!({ "sid": sid })).await.error().0, 400);
    assert_eq!(world.get(&format!("{PAGE}?sid=x")).await.0, 400);
}

#[tokio::test]
async fn what_cannot_be_mailed_to_is_refused() {
    let (world, _) = with_mail(World::new().await, AddressAtRegistration::No);
    for place in ["register", "account/3pid", "account/password"] {
        for email in ["alice", "a@", "a b@example.org", "a@example.org\r\nBcc: b@example.org"] {
            let answer = request(&world, place, email, json!({})).await;
            assert_eq!(answer.error(), (400, "M_INVALID_PARAM"), "{place} {email}");
        }
        let phone = json!({ "client_secret": "s", "country": "GB", "phone_number": "0", "send_attempt": 1 });
        let answer = world.send(Method::POST, &format!("v3/{place}/msisdn/requestToken"), None, phone).await;
        assert_eq!(answer.error(), (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED"), "{place}");
        let secret = request(&world, place, "a@example.org", json!({ "client_secret": "a&b" })).await;
        assert_eq!(secret.status, 400, "{place}");
    }
    assert_eq!(
        request(&world, "register", "nobody@example.org", json!({})).await.error(),
        (502, "M_UNKNOWN")
    );
    let without = World::new().await;
    for place in ["register", "account/3pid", "account/password"] {
        let answer = request(&without, place, "a@example.org", json!({})).await;
        assert_eq!(answer.error(), (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED"), "{place}");
    }
}

#[tokio::test]
async fn mails_are_limited_for_whoever_asks() {
    let limits =
        RateLimitSettings { mails: RateLimit { per_second: 0.01, burst: 2 }, ..RateLimitSettings::OFF };
    let (world, postbox) = with_mail(World::new().await.with_limits(limits), AddressAtRegistration::No);
    for attempt in 1..=2 {
        request(&world, "register", "a@example.org", json!({ "send_attempt": attempt })).await.ok();
    }
    let answer = request(&world, "register", "b@example.org", json!({})).await;
    assert_eq!((answer.error(), postbox.count()), ((429, "M_LIMIT_EXCEEDED"), 2));
}

#[tokio::test]
async fn identity_servers_are_told_nothing() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let body =
        json!({ "client_secret": "s", "id_server": "id.example.org", "id_access_token": "t", "sid": "1" });
    let answer = world.post_as(&alice, "v3/account/3pid/bind", body).await;
    assert_eq!(answer.error(), (400, "M_SERVER_NOT_TRUSTED"));
    let body = json!({ "medium": "email", "address": "a@example.org" });
    let answer = world.post_as(&alice, "v3/account/3pid/unbind", body).await.ok();
    assert_eq!(answer, json!({ "id_server_unbind_result": "no-support" }));
}

#[tokio::test]
async fn whoever_has_the_address_logs_in_by_it_and_gets_a_new_password() {
    on_each_engine(async |world: World| {
        let (world, postbox) = with_mail(world, AddressAtRegistration::No);
        let alice = world.register("alice").await;
        let unknown = request(&world, "account/password", "alice@example.org", json!({})).await;
        assert_eq!(unknown.error(), (400, "M_THREEPID_NOT_FOUND"));
        with_address(&world, &postbox, &alice, "alice@example.org").await;

        let login = async |password: &str| {
            let identifier =
                json!({ "type": "m.id.thirdparty", "medium": "email", "address": "ALICE@example.org" });
            let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
            world.send(Method::POST, "v3/login", None, body).await
        };
        assert_eq!(login("password").await.text("user_id"), "@alice:parvis.test");
        assert_eq!(login("wrong").await.error(), (403, "M_FORBIDDEN"));

        // A proof that was given to add an address is no proof for a new password.
        let added = request(&world, "account/3pid", "more@example.org", json!({})).await.text("sid");
        confirm(&world, &postbox.link()).await;
        let reset = async |sid: &str, password: &str| {
            let creds = json!({ "sid": sid, "client_secret": "s3cret.=_-" });
            // Some clients send the proof under its older name too.
            let auth =
                json!({ "type": "m.login.email.identity", "threepid_creds": creds, "threepidCreds": creds });
            let body = json!({ "new_password": password, "auth": auth });
            world.send(Method::POST, "v3/account/password", None, body).await
        };
        assert_eq!(reset(&added, "a new password").await.error(), (401, "M_FORBIDDEN"));
        let sid = request(&world, "account/password", "alice@example.org", json!({})).await.text("sid");
        let early = reset(&sid, "a new password").await;
        assert_eq!(early.error(), (401, "M_FORBIDDEN"));
        assert_eq!(early.body["flows"], json!([{ "stages": ["m.login.email.identity"] }]));
        assert_eq!(confirm(&world, &postbox.link()).await.0, 200);
        assert_eq!(reset(&sid, "short").await.error(), (400, "M_WEAK_PASSWORD"));
        reset(&sid, "a new password").await.ok();
        assert_eq!(reset(&sid, "one more password").await.error().0, 401, "a proof is good for one use");
        assert_eq!(login("a new password").await.status, 200);
        assert_eq!(world.get_as(&alice, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
    })
    .await;
}

#[tokio::test]
async fn address_is_asked_for_at_registration() {
    on_each_engine(async |world: World| {
        let (world, postbox) = with_mail(world, AddressAtRegistration::Required);
        let register = async |auth: Value| {
            let body = json!({ "username": "alice", "password": "password", "auth": auth });
            world.send(Method::POST, "v3/register", None, body).await
        };
        let first = register(Value::Null).await;
        assert_eq!(first.body["flows"], json!([{ "stages": ["m.login.email.identity"] }]));
        assert_eq!(register(json!({ "type": "m.login.dummy" })).await.status, 401);
        let sid = request(&world, "register", "alice@example.org", json!({})).await.text("sid");
        let session = first.text("session");
        let creds = json!({ "sid": sid, "client_secret": "s3cret.=_-" });
        let auth = json!({ "type": "m.login.email.identity", "threepid_creds": creds, "session": session });
        assert_eq!(
            register(auth.clone()).await.error(),
            (401, "M_FORBIDDEN"),
            "the app asks until it is done"
        );
        confirm(&world, &postbox.link()).await;
        let answer = register(auth.clone()).await;
        let alice = client(&answer);
        assert_eq!(addresses(&world, &alice).await, ["alice@example.org"]);
        assert_eq!(
            register(auth).await.text("user_id"),
            alice.user_id,
            "an answer that was lost is given again"
        );
        let taken = request(&world, "register", "alice@example.org", json!({})).await;
        assert_eq!(taken.error(), (400, "M_THREEPID_IN_USE"));
    })
    .await;
}

#[tokio::test]
async fn closed_account_gives_its_address_back() {
    let (world, postbox) = with_mail(World::new().await, AddressAtRegistration::No);
    let alice = world.register("alice").await;
    with_address(&world, &postbox, &alice, "alice@example.org").await;
    let auth = json!({ "type": "m.login.password", "password": "password" });
    world.post_as(&alice, "v3/account/deactivate", json!({ "auth": auth })).await.ok();
    let answer = request(&world, "account/password", "alice@example.org", json!({})).await;
    assert_eq!(answer.error(), (400, "M_THREEPID_NOT_FOUND"));
}

#[tokio::test]
async fn what_the_organisation_manages_is_told_and_refused() {
    let (world, _) = with_mail(World::new().await, AddressAtRegistration::No);
    let alice = world.register("alice").await;
    let capability = async |world: &World, name: &str| {
        world.get_as(&alice, "v3/capabilities").await.ok()["capabilities"][name].clone()
    };
    assert_eq!(capability(&world, "m.3pid_changes").await, json!({ "enabled": true }));
    let nothing =
        UsersChange { displayname: false, avatar_url: true, password: false, third_party_ids: false };
    let world = world.with_accounts(|settings| settings.users_change = nothing);
    for (name, enabled) in [
        ("m.3pid_changes", false),
        ("m.change_password", false),
        ("m.set_displayname", false),
        ("m.set_avatar_url", true),
    ] {
        assert_eq!(capability(&world, name).await, json!({ "enabled": enabled }), "{name}");
    }
    let fields = json!({ "enabled": true, "disallowed": ["displayname"] });
    assert_eq!(capability(&world, "m.profile_fields").await, fields);
    let path = "v3/profile/@alice:parvis.test";
    let name = world.put_as(&alice, &format!("{path}/displayname"), json!({ "displayname": "A" })).await;
    assert_eq!(name.error(), (403, "M_FORBIDDEN"));
    let name = world.delete_as(&alice, &format!("{path}/displayname"), Value::Null).await;
    assert_eq!(name.error(), (403, "M_FORBIDDEN"));
    world.put_as(&alice, &format!("{path}/avatar_url"), json!({ "avatar_url": "mxc://a/b" })).await.ok();
    let auth = json!({ "type": "m.login.password", "password": "password" });
    let body = json!({ "new_password": "a new password", "auth": auth });
    assert_eq!(world.post_as(&alice, "v3/account/password", body).await.error(), (403, "M_FORBIDDEN"));
    let body = json!({ "medium": "email", "address": "a@example.org" });
    assert_eq!(
        world.post_as(&alice, "v3/account/3pid/delete", body).await.error(),
        (403, "M_THREEPID_DENIED")
    );
}
