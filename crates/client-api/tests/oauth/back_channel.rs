//! An identity provider says that somebody's sign-in there has ended.

use http::Method;
use parvis_accounts::{BackChannelLogout, ExistingAccounts, IdentityProvider};
use parvis_client_api::{RateLimit, RateLimitSettings};
use serde_json::{Value, json};

use super::{
    browser::{Browser, answered, app, authorize_path, fetch, post_form, refresh, whoami},
    provider::{ISSUER, Provider, START_SECONDS, come, go, settings, with_provider, with_settings},
};
use crate::world::{World, client, on_each_engine};

const PATH: &str = "/_parvis/oauth/back_channel_logout/company";

/// What the provider says, with some of it said otherwise; null is left out.
fn claims(more: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "parvis", "iat": START_SECONDS, "exp": START_SECONDS + 120, "jti": "1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// Says it. Gives the status and the error.
async fn say(world: &World, provider: &Provider, more: Value) -> (u16, String) {
    send(world, &provider.sign("logout+jwt", &claims(&more))).await
}

async fn send(world: &World, token: &str) -> (u16, String) {
    let (status, body) = post_form(world, PATH, &[("logout_token", token)]).await;
    (status, body["errcode"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned())
}

/// Signs in at the provider, which calls the sign-in so.
async fn sign_in(browser: &mut Browser<'_>, provider: &Provider, sid: &str) {
    let asked = go(browser, "/_parvis/account").await;
    let page = come(browser, &asked, provider, &json!({ "sid": sid })).await;
    assert_eq!(page.status, 303, "{}", page.text);
}

async fn code(browser: &mut Browser<'_>, client_id: &str, device: &str) -> String {
    let scope = format!("urn:matrix:client:api:* urn:matrix:client:device:{device}");
    let path = authorize_path(client_id, &[("scope", &scope)]);
    let page = browser.follow(&path).await;
    let page = browser.submit(&path, &page, &[("answer", "allow")]).await;
    answered(page.location(), "code").unwrap()
}

/// Lets an app in, on this device.
async fn let_in(world: &World, browser: &mut Browser<'_>, client_id: &str, device: &str) -> Value {
    let code = code(browser, client_id, device).await;
    let (status, tokens) = fetch(world, client_id, &code).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    browser.follow("/_parvis/account").await.text.contains("@alice:parvis.test")
}

#[tokio::test]
async fn what_began_with_a_sign_in_ends_with_it() {
    on_each_engine(async |world: World| {
        let provider = Provider::new();
        let other = world.register("alice").await;
        let world = with_provider(world, &provider, ExistingAccounts::ByLocalpart);
        let client_id = app(&world).await;
        let (mut desk, mut sofa) = (Browser::new(&world), Browser::new(&world));
        sign_in(&mut desk, &provider, "s1").await;
        sign_in(&mut sofa, &provider, "s2").await;
        let phone = let_in(&world, &mut desk, &client_id, "PHONE").await;
        let tablet = let_in(&world, &mut sofa, &client_id, "TABLET").await;
        let (_, phone) = refresh(&world, &client_id, phone["refresh_token"].as_str().unwrap()).await;
        assert_eq!(whoami(&world, &phone).await.status, 200);

        assert_eq!(say(&world, &provider, json!({ "sid": "s1" })).await.0, 200);
        assert_eq!(whoami(&world, &phone).await.error(), (401, "M_UNKNOWN_TOKEN"));
        let again = refresh(&world, &client_id, phone["refresh_token"].as_str().unwrap()).await;
        assert_eq!(again.0, 400, "{}", again.1);
        assert!(!is_signed_in(&mut desk).await);
        assert_eq!(whoami(&world, &tablet).await.status, 200, "another sign-in");
        assert!(is_signed_in(&mut sofa).await);

        // Without the name of a sign-in all of that person end; what never came by the provider stays.
        assert_eq!(say(&world, &provider, json!({ "sub": "1001", "jti": "2" })).await.0, 200);
        assert_eq!(whoami(&world, &tablet).await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert!(!is_signed_in(&mut sofa).await);
        let devices = world.get_as(&other, "v3/devices").await.ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 1, "{devices}");

        // They may come back.
        sign_in(&mut desk, &provider, "s3").await;
        assert!(is_signed_in(&mut desk).await);
    })
    .await;
}

#[tokio::test]
async fn what_waits_to_begin_does_not_begin_any_more() {
    on_each_engine(async |world: World| {
        let provider = Provider::new();
        let world = with_provider(world, &provider, ExistingAccounts::Refuse);
        let client_id = app(&world).await;
        let mut desk = Browser::new(&world);
        sign_in(&mut desk, &provider, "s1").await;
        let late = code(&mut desk, &client_id, "LATE").await;
        let phone = let_in(&world, &mut desk, &client_id, "PHONE").await;
        let token = phone["access_token"].as_str().unwrap();
        let sso = "/_matrix/client/v3/login/sso/redirect?redirectUrl=https://app.element.io/";
        let page = desk.follow(sso).await;
        let back = desk.submit(sso, &page, &[("answer", "allow")]).await;
        let login_token = answered(back.location(), "loginToken").unwrap();
        let login = |token: &str| json!({ "type": "m.login.token", "token": token });
        let older = world.send(Method::POST, "v3/login", None, login(&login_token)).await;
        let older = client(&older);
        assert_eq!(world.get_as(&older, "v3/account/whoami").await.status, 200);
        let page = desk.follow(sso).await;
        let back = desk.submit(sso, &page, &[("answer", "allow")]).await;
        let unused = answered(back.location(), "loginToken").unwrap();
        let scope = [("client_id", client_id.as_str()), ("scope", super::browser::SCOPE)];
        let (_, asked) = post_form(&world, "/_parvis/oauth/device", &scope).await;
        let user_code = asked["user_code"].as_str().unwrap();
        let page = desk.follow(&format!("/_parvis/account/link?code={user_code}")).await;
        let answer = [("code", user_code), ("answer", "allow")];
        assert_eq!(desk.submit("/_parvis/account/link", &page, &answer).await.status, 200);

        assert_eq!(say(&world, &provider, json!({ "sub": "1001", "sid": "s1" })).await.0, 200);
        assert_eq!(fetch(&world, &client_id, &late).await.0, 400, "a code");
        let device = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", client_id.as_str()),
            ("device_code", asked["device_code"].as_str().unwrap()),
        ];
        assert_eq!(post_form(&world, "/_parvis/oauth/token", &device).await.0, 400, "a device code");
        assert_eq!(
            world.send(Method::POST, "v3/login", None, login(&unused)).await.status,
            403,
            "a login token"
        );
        assert_eq!(world.get_as(&older, "v3/account/whoami").await.status, 401, "who came by a login token");
        assert_eq!(world.send(Method::GET, "v3/devices", Some(token), Value::Null).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_has_not_signed_as_an_end_ends_nothing() {
    let provider = Provider::new();
    let world = with_provider(World::new().await, &provider, ExistingAccounts::Refuse);
    let mut desk = Browser::new(&world);
    sign_in(&mut desk, &provider, "s1").await;
    let bad = (400, "invalid_request".to_owned());
    for more in [
        json!({ "aud": "another" }),
        json!({ "iss": "https://evil.test" }),
        json!({ "iat": START_SECONDS - 3_600 }),
        json!({ "iat": START_SECONDS + 3_600 }),
        json!({ "iat": null }),
        json!({ "exp": START_SECONDS - 61 }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "events": null }),
        json!({ "events": { "http://schemas.openid.net/event/other": {} } }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": true } }),
        json!({ "nonce": "n" }),
        json!({ "sub": null }),
        json!({ "sub": 1_001 }),
        json!({ "sid": ["s1"] }),
    ] {
        let mut all = json!({ "sub": "1001" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(say(&world, &provider, all).await, bad, "{more}");
    }
    let good = claims(&json!({ "sub": "1001" }));
    assert_eq!(send(&world, &provider.sign("at+jwt", &good)).await, bad, "a token of another kind");
    provider.lose_key(true);
    assert_eq!(send(&world, &provider.sign("logout+jwt", &good)).await, bad, "another's signature");
    provider.lose_key(false);
    assert_eq!(send(&world, "x.y.z").await, bad);
    assert_eq!(send(&world, "").await, bad);
    for nobody in [json!({ "sub": "1002" }), json!({ "sid": "s2", "jti": "2" })] {
        assert_eq!(say(&world, &provider, nobody).await.0, 200, "whoever has no sign-in here is signed out");
    }
    let other = json!({ "sub": "1002", "sid": "s1", "jti": "3" });
    assert_eq!(say(&world, &provider, other).await.0, 200, "a sign-in of somebody else");
    assert!(is_signed_in(&mut desk).await);
}

#[tokio::test]
async fn end_is_heard_once() {
    on_each_engine(async |world: World| {
        let provider = Provider::new();
        let world = with_provider(world, &provider, ExistingAccounts::Refuse);
        let mut desk = Browser::new(&world);
        sign_in(&mut desk, &provider, "s1").await;
        assert_eq!(say(&world, &provider, json!({ "sub": "1001" })).await.0, 200);
        sign_in(&mut desk, &provider, "s2").await;
        assert_eq!(say(&world, &provider, json!({ "sub": "1001" })).await.0, 400);
        assert!(is_signed_in(&mut desk).await);
        // It is forgotten only when it would be too old.
        world.wait(15 * 60 + 61);
        assert_eq!(say(&world, &provider, json!({ "sub": "1001", "exp": null })).await.0, 400);
        assert!(is_signed_in(&mut desk).await);
    })
    .await;
}

#[tokio::test]
async fn what_ends_is_the_organisations_choice() {
    for (choice, status, browser, app_status) in [
        (BackChannelLogout::Browsers, 200, false, 200),
        (BackChannelLogout::Ignored, 404, true, 200),
        (BackChannelLogout::Devices, 200, false, 401),
    ] {
        let provider = Provider::new();
        let settings = IdentityProvider { back_channel_logout: choice, ..settings(ExistingAccounts::Refuse) };
        let world = with_settings(World::new().await, &provider, settings);
        let client_id = app(&world).await;
        let mut desk = Browser::new(&world);
        sign_in(&mut desk, &provider, "s1").await;
        let phone = let_in(&world, &mut desk, &client_id, "PHONE").await;
        assert_eq!(say(&world, &provider, json!({ "sid": "s1" })).await.0, status, "{choice:?}");
        assert_eq!(is_signed_in(&mut desk).await, browser, "{choice:?}");
        assert_eq!(whoami(&world, &phone).await.status, app_status, "{choice:?}");
    }
    let world = World::new().await;
    assert_eq!(send(&world, "x").await, (404, "M_UNRECOGNIZED".to_owned()));
}

#[tokio::test]
async fn what_is_refused_is_limited_and_what_the_provider_says_is_not() {
    let provider = Provider::new();
    let login = RateLimit { per_second: 0.1, burst: 3 };
    let limits = RateLimitSettings { login, ..RateLimitSettings::OFF };
    let world = with_provider(World::new().await, &provider, ExistingAccounts::Refuse).with_limits(limits);
    for jti in 0..20 {
        let end = json!({ "sub": "1001", "jti": jti.to_string() });
        assert_eq!(say(&world, &provider, end).await.0, 200, "as many as it likes");
    }
    let mut refused = Vec::new();
    for _ in 0..5 {
        refused.push(send(&world, "x.y.z").await.0);
    }
    assert_eq!(refused, [400, 400, 400, 429, 429]);
    let end = json!({ "sub": "1001", "jti": "later" });
    assert_eq!(
        say(&world, &provider, end.clone()).await.0,
        429,
        "from that address nobody is heard for a while"
    );
    world.wait(30);
    assert_eq!(say(&world, &provider, end).await.0, 200);
}
