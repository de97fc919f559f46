//! What guards the pages, and what they say.

use http::{Method, header};
use parvis_accounts::{Terms, TermsDocument};
use serde_json::Value;

use super::browser::{Browser, app, authorize_path};
use crate::world::{World, on_each_engine};

const LOGIN: &str = "/_parvis/account/login";

#[tokio::test]
async fn pages_run_nothing_and_are_inside_no_other() {
    let world = World::new().await.with_oauth();
    let page = Browser::new(&world).open(LOGIN).await;
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("<script") && !page.text.contains("style="), "{}", page.text);
    assert_eq!(page.headers[header::X_FRAME_OPTIONS], "DENY");
    assert_eq!(page.headers[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-parvis="), "{cookie}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let elsewhere =
        page.text.split("https://").skip(1).filter(|rest| !rest.starts_with("matrix.example.org/"));
    assert_eq!(elsewhere.count(), 0, "{}", page.text);
}

#[tokio::test]
async fn form_of_another_page_is_refused() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    let (token, next) = (page.field("form"), page.field("next"));
    let mut fields = vec![("form", ""), ("next", next.as_str()), ("name", "alice"), ("password", "password")];
    assert_eq!(browser.post(LOGIN, &fields, &[]).await.status, 403, "without the token");
    fields[0].1 = &token;
    assert_eq!(browser.post(LOGIN, &fields, &[("sec-fetch-site", "cross-site")]).await.status, 403);
    assert_eq!(Browser::new(&world).post(LOGIN, &fields, &[]).await.status, 403, "without the cookie");
    let mut other = Browser::new(&world);
    other.open(LOGIN).await;
    assert_eq!(other.post(LOGIN, &fields, &[]).await.status, 403, "in another browser");
    assert_eq!(browser.post(LOGIN, &fields, &[("sec-fetch-site", "same-origin")]).await.status, 303);
}

#[tokio::test]
async fn browser_keeps_another_secret_once_somebody_signs_in() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    let before = browser.cookies.clone();
    browser.sign_in(&page, "alice", "password").await;
    assert_ne!(browser.cookies, before, "whoever knew it before is not signed in");
    let mut knew = Browser { cookies: before, ..Browser::new(&world) };
    assert!(knew.follow("/_parvis/account").await.text.contains("name=\"password\""));
}

#[tokio::test]
async fn wrong_passwords_are_answered_alike_and_limited() {
    use parvis_client_api::{RateLimit, RateLimitSettings};

    let limits =
        RateLimitSettings { login: RateLimit { per_second: 0.01, burst: 4 }, ..RateLimitSettings::OFF };
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let world = world.with_limits(limits);
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    let mut statuses = Vec::new();
    for name in ["alice", "nobody", "@alice:parvis.test", "alice", "alice"] {
        let answer = browser.sign_in(&page, name, "wrong").await;
        let alike = answer.text.contains("The name or the password is wrong.");
        statuses.push((answer.status, alike));
    }
    assert_eq!(statuses, [(400, true), (400, true), (400, true), (400, true), (429, false)]);
}

#[tokio::test]
async fn login_leads_nowhere_else() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    for next in ["https://evil.test/", "//evil.test/", "/\\evil.test"] {
        let mut browser = Browser::new(&world);
        let page = browser.open(LOGIN).await;
        let fields = [("next", next), ("name", "alice"), ("password", "password")];
        let answer = browser.submit(LOGIN, &page, &fields).await;
        assert_eq!(answer.location(), "https://matrix.example.org/_parvis/account");
    }
}

#[tokio::test]
async fn page_speaks_the_language_of_the_app_or_of_the_browser() {
    let world = World::new().await.with_oauth();
    let client_id = app(&world).await;
    for (language, locales, expected) in [
        ("en", "", "Password"),
        ("fr-CH, fr;q=0.9", "", "Mot de passe"),
        ("de", "", "Passwort"),
        ("it", "", "Accedere"),
        ("nl", "", "Password"),
        ("en", "de-CH en", "Passwort"),
    ] {
        let mut browser = Browser { language, ..Browser::new(&world) };
        let page = browser.follow(&authorize_path(&client_id, &[("ui_locales", locales)])).await;
        assert!(page.text.contains(expected), "{language} {locales}: {}", page.text);
    }
}

#[tokio::test]
async fn rules_of_use_are_accepted_once_for_each_version() {
    fn terms(version: &str) -> Vec<Terms> {
        let document =
            |title: &str, url: &str| TermsDocument { title: title.to_owned(), url: url.to_owned() };
        vec![Terms {
            name: "charter".to_owned(),
            version: version.to_owned(),
            documents: vec![
                ("en".to_owned(), document("The Charter", "https://example.org/en")),
                ("fr".to_owned(), document("La Charte", "https://example.org/fr")),
            ],
        }]
    }
    on_each_engine(async |world: World| {
        world.register("alice").await;
        let world = world.with_accounts(|settings| settings.terms = terms("1")).with_oauth();
        let client_id = app(&world).await;
        let mut browser = Browser { language: "fr", ..Browser::new(&world) };
        let path = authorize_path(&client_id, &[]);
        let login = browser.follow(&path).await;
        let charter = browser.sign_in(&login, "alice", "password").await;
        assert!(
            charter.text.contains("La Charte") && charter.text.contains("https://example.org/fr"),
            "{}",
            charter.text
        );
        let early = browser.submit(&path, &charter, &[("answer", "allow")]).await;
        assert!(early.location().contains("/charter?next="), "{}", early.location());
        let next = charter.field("next");
        let refused = browser.submit("/_parvis/account/charter", &charter, &[("next", &next)]).await;
        assert_eq!(refused.status, 400);
        let fields = [("next", next.as_str()), ("accept", "charter 1")];
        let accepted = browser.submit("/_parvis/account/charter", &refused, &fields).await;
        let consent = browser.follow(accepted.location()).await;
        assert!(consent.text.contains("value=\"allow\""), "{}", consent.text);
        let again = browser.follow(&path).await;
        assert!(again.text.contains("value=\"allow\""), "not asked twice");

        let cookies = browser.cookies.clone();
        let world = world.with_accounts(|settings| settings.terms = terms("2")).with_oauth();
        let mut browser = Browser { cookies, ..Browser::new(&world) };
        let changed = browser.follow(&path).await;
        assert!(
            changed.text.contains("The Charter") && changed.text.contains("charter 2"),
            "{}",
            changed.text
        );
    })
    .await;
}

#[tokio::test]
async fn changed_password_signs_browsers_out() {
    let world = World::new().await.with_oauth();
    let alice = world.register("alice").await;
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    browser.sign_in(&page, "alice", "password").await;
    assert!(browser.open("/_parvis/account").await.text.contains("@alice:parvis.test"));
    let body = serde_json::json!({
        "new_password": "another password",
        "logout_devices": false,
        "auth": {
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": "alice" },
            "password": "password",
        },
    });
    world.post_as(&alice, "v3/account/password", body).await.ok();
    assert_eq!(browser.open("/_parvis/account").await.status, 303);
}

#[tokio::test]
async fn signing_out_leaves_apps_alone() {
    let world = World::new().await.with_oauth();
    let alice = world.register("alice").await;
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    let account = browser.sign_in(&page, "alice", "password").await;
    let out = browser.submit("/_parvis/account/logout", &account, &[]).await;
    assert_eq!(out.status, 200);
    assert_eq!(browser.open("/_parvis/account").await.status, 303);
    assert_eq!(
        world.send(Method::GET, "v3/account/whoami", Some(&alice.token), Value::Null).await.status,
        200
    );
}

#[tokio::test]
async fn browser_is_signed_out_after_half_a_day() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    browser.sign_in(&page, "alice", "password").await;
    world.wait(12 * 3_600);
    assert_eq!(browser.open("/_parvis/account").await.status, 303);
}

#[tokio::test]
async fn organisation_has_its_name_and_colours() {
    use parvis_client_api::{Accent, Logo};

    let world = World::new().await.with_oauth_as(|sign_on| {
        sign_on.organisation = "Ville de <Nyon>".to_owned();
        sign_on.accent = Accent([0x80, 0, 0x40]);
        sign_on.logo = Some(Logo { content_type: "image/svg+xml", bytes: "<svg/>".into() });
    });
    let mut browser = Browser::new(&world);
    let page = browser.open(LOGIN).await;
    assert!(page.text.contains("Ville de &#60;Nyon&#62;"), "{}", page.text);
    assert!(browser.open("/_parvis/account/style.css").await.text.contains("--accent:#800040"));
    let logo = browser.open("/_parvis/account/logo").await;
    assert!(logo.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));
}
