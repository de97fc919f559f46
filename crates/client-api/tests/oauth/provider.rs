//! Company single sign-on: people prove who they are at an identity provider, here one in memory.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parvis_accounts::{BackChannelLogout, ClientSecret, ExistingAccounts, IdentityProvider};
use parvis_peers::{Body, Limits, PeerError, ProviderCaller, Transport};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Map, Value, json};

use super::browser::{Browser, Page, answered, app, authorize_path};
use crate::world::{World, on_each_engine};

pub(crate) const ISSUER: &str = "https://idp.example.org";
pub(crate) const START_SECONDS: i64 = 1_700_000_000;

/// What the provider does otherwise than it should, and what it says of whoever signs in.
#[derive(Default)]
struct Told {
    claims: Map<String, Value>,
    /// Signs with a key that it does not publish.
    other_key: bool,
    /// What it was sent to its token endpoint.
    forms: Vec<String>,
    /// Refuses codes.
    refuses: bool,
}

/// An identity provider.
pub(crate) struct Provider {
    key: KeyPair,
    other: KeyPair,
    told: Mutex<Told>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Provider")
    }
}

impl Provider {
    pub(crate) fn new() -> Arc<Self> {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Arc::new(Self { key: key(), other: key(), told: Mutex::default() })
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says this of whoever signs in, for this sign-in.
    fn say(&self, nonce: &str, more: &Value) {
        let mut claims = json!({
            "iss": ISSUER, "aud": "parvis", "sub": "1001", "nonce": nonce,
            "iat": START_SECONDS, "exp": START_SECONDS + 300,
            "preferred_username": "Alice", "name": "Alice A.", "email": "alice@example.org", "email_verified": true,
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.told().claims = claims.as_object().unwrap().clone();
    }

    fn jwks(&self) -> Value {
        let point = self.key.public_key_raw();
        let (x, y) = point[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({ "keys": [
            { "kty": "oct-of-the-future", "kid": "0" },
            { "kty": "EC", "crv": "P-256", "use": "sig", "kid": "1", "x": x, "y": y },
        ] })
    }

    /// Signs something, as a token of a kind.
    pub(crate) fn sign(&self, kind: &str, claims: &Value) -> String {
        let key = if self.told().other_key { &self.other } else { &self.key };
        let header =
            Header { kid: Some("1".to_owned()), typ: Some(kind.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &EncodingKey::from_ec_der(&key.serialize_der())).unwrap()
    }

    /// Signs from now on with a key that it does not publish.
    pub(crate) fn lose_key(&self, lost: bool) {
        self.told().other_key = lost;
    }

    fn tokens(&self) -> Value {
        let claims = Value::Object(self.told().claims.clone());
        json!({ "access_token": "x", "token_type": "Bearer", "id_token": self.sign("JWT", &claims) })
    }
}

#[async_trait]
impl Transport for Provider {
    async fn exchange(
        &self,
        destination: &ruma::ServerName,
        _: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        Err(PeerError::NotAPartner(destination.to_string()))
    }

    async fn call_service(
        &self,
        base_url: &str,
        request: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        assert_eq!(base_url, ISSUER);
        let (status, body) = match request.uri().path() {
            "/.well-known/openid-configuration" => (
                200,
                json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": format!("{ISSUER}/auth"),
                    "token_endpoint": format!("{ISSUER}/token"),
                    "jwks_uri": format!("{ISSUER}/jwks"),
                }),
            ),
            "/jwks" => (200, self.jwks()),
            "/token" => {
                let form = String::from_utf8(request.body().to_vec()).unwrap();
                self.told().forms.push(form);
                let refuses = self.told().refuses;
                if refuses { (400, json!({ "error": "invalid_grant" })) } else { (200, self.tokens()) }
            }
            path => panic!("the provider is asked for {path}"),
        };
        Ok(http::Response::builder().status(status).body(Body::whole(body.to_string().into())).unwrap())
    }
}

pub(crate) fn settings(existing_accounts: ExistingAccounts) -> IdentityProvider {
    IdentityProvider {
        id: "company".to_owned(),
        name: "Company Account".to_owned(),
        issuer: ISSUER.to_owned(),
        client_id: "parvis".to_owned(),
        client_secret: Some(ClientSecret("s&cret".to_owned())),
        scopes: "openid profile email".to_owned(),
        localpart_claim: "preferred_username".to_owned(),
        name_claim: "name".to_owned(),
        mail_claim: "email".to_owned(),
        trusts_mail: false,
        makes_accounts: true,
        existing_accounts,
        groups_claim: "groups".to_owned(),
        required_groups: Vec::new(),
        back_channel_logout: BackChannelLogout::Devices,
    }
}

pub(crate) fn with_provider(world: World, provider: &Arc<Provider>, existing: ExistingAccounts) -> World {
    with_settings(world, provider, settings(existing))
}

/// A world with a provider of these settings.
pub(crate) fn with_settings(world: World, provider: &Arc<Provider>, settings: IdentityProvider) -> World {
    let caller = ProviderCaller::new(Arc::clone(provider) as Arc<dyn Transport>);
    let world = world.with_accounts(|settings_of| {
        settings_of.providers = vec![settings];
        settings_of.provider_caller = caller;
    });
    world.with_oauth()
}

/// Opens the page for signing in, and goes to the provider. Gives what the provider is asked.
pub(crate) async fn go(browser: &mut Browser<'_>, path: &str) -> String {
    let login = browser.follow(path).await;
    assert!(login.text.contains("Company Account"), "{}", login.text);
    let link = login.text.split("href=\"").find(|link| link.contains("/account/provider?")).unwrap();
    let link = link.split('"').next().unwrap().replace("&#38;", "&");
    browser.open(&link).await.location().to_owned()
}

/// Comes back from the provider, which says this.
pub(crate) async fn come(browser: &mut Browser<'_>, asked: &str, provider: &Provider, more: &Value) -> Page {
    provider.say(&answered(asked, "nonce").unwrap(), more);
    let state = answered(asked, "state").unwrap();
    browser.open(&format!("/_parvis/account/callback?code=c&state={state}")).await
}

#[tokio::test]
async fn somebody_from_the_company_lets_an_app_in() {
    on_each_engine(async |world: World| {
        let provider = Provider::new();
        let world = with_provider(world, &provider, ExistingAccounts::Refuse);
        let client_id = app(&world).await;
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, &authorize_path(&client_id, &[])).await;
        assert!(asked.starts_with(&format!("{ISSUER}/auth?")), "{asked}");
        assert_eq!(answered(&asked, "code_challenge_method").as_deref(), Some("S256"));
        let back = "https://matrix.example.org/_parvis/account/callback";
        assert_eq!(answered(&asked, "redirect_uri").as_deref(), Some(back));
        let come = come(&mut browser, &asked, &provider, &json!({})).await;
        let consent = browser.follow(come.location()).await;
        assert!(consent.text.contains("@alice:parvis.test"), "{}", consent.text);
        let verifier = answered(&format!("?{}", provider.told().forms[0]), "code_verifier").unwrap();
        assert_eq!(verifier.len(), 64);
        let account = browser.follow("/_parvis/account").await;
        assert!(
            account.text.contains("Alice A.") && account.text.contains("alice@example.org"),
            "{}",
            account.text
        );

        // The next time it is the same account, whatever they are called by then.
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, "/_parvis/account").await;
        let more = json!({ "preferred_username": "bob", "email": "bob@example.org" });
        let come = self::come(&mut browser, &asked, &provider, &more).await;
        assert!(browser.follow(come.location()).await.text.contains("@alice:parvis.test"));
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_has_not_signed_for_this_is_not_believed() {
    let provider = Provider::new();
    let world = with_provider(World::new().await, &provider, ExistingAccounts::Refuse);
    for more in [
        json!({ "aud": "another" }),
        json!({ "aud": ["parvis", "another"] }),
        json!({ "azp": "another" }),
        json!({ "iss": "https://evil.test" }),
        json!({ "nonce": "another" }),
        json!({ "exp": START_SECONDS - 61 }),
        json!({ "iat": START_SECONDS - 3_600 }),
        json!({ "nbf": START_SECONDS + 3_600 }),
        json!({ "sub": "" }),
    ] {
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, "/_parvis/account").await;
        let page = come(&mut browser, &asked, &provider, &more).await;
        assert_eq!((page.status, page.location), (403, None), "{more}");
        assert!(page.text.contains("cannot be believed"), "{more}: {}", page.text);
    }
    provider.told().other_key = true;
    let mut browser = Browser::new(&world);
    let asked = go(&mut browser, "/_parvis/account").await;
    let page = come(&mut browser, &asked, &provider, &json!({})).await;
    assert_eq!((page.status, page.location), (403, None), "the signature is another's");
}

#[tokio::test]
async fn sign_in_is_good_once_and_in_its_own_browser() {
    on_each_engine(async |world: World| {
        let provider = Provider::new();
        let world = with_provider(world, &provider, ExistingAccounts::Refuse);
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, "/_parvis/account").await;
        let mut other = Browser::new(&world);
        other.open("/_parvis/account/login").await;
        let foreign = come(&mut other, &asked, &provider, &json!({})).await;
        assert_eq!((foreign.status, foreign.location), (400, None), "nobody is signed in as somebody else");
        let cookies = browser.cookies.clone();
        assert_eq!(come(&mut browser, &asked, &provider, &json!({})).await.status, 303);
        let mut before = Browser { cookies, ..Browser::new(&world) };
        assert_eq!(come(&mut before, &asked, &provider, &json!({})).await.status, 400, "it was used");

        let mut late = Browser::new(&world);
        let asked = go(&mut late, "/_parvis/account").await;
        world.wait(15 * 60);
        assert_eq!(come(&mut late, &asked, &provider, &json!({})).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn who_was_removed_at_the_provider_or_locked_here_stays_out() {
    let provider = Provider::new();
    let world = with_provider(World::new().await, &provider, ExistingAccounts::Refuse);
    let mut browser = Browser::new(&world);
    let asked = go(&mut browser, "/_parvis/account").await;
    come(&mut browser, &asked, &provider, &json!({})).await;

    let mut browser = Browser::new(&world);
    let asked = go(&mut browser, "/_parvis/account").await;
    let state = answered(&asked, "state").unwrap();
    let denied = browser.open(&format!("/_parvis/account/callback?error=access_denied&state={state}")).await;
    assert!(denied.status == 403 && denied.text.contains("did not let you in"), "{}", denied.text);

    provider.told().refuses = true;
    let asked = go(&mut browser, "/_parvis/account").await;
    assert_eq!(come(&mut browser, &asked, &provider, &json!({})).await.status, 403);
    provider.told().refuses = false;
    world.api.accounts.set_locked("alice", true).await.unwrap();
    let asked = go(&mut browser, "/_parvis/account").await;
    let locked = come(&mut browser, &asked, &provider, &json!({})).await;
    assert!(locked.status == 403 && locked.text.contains("locked"), "{}", locked.text);
}

#[tokio::test]
async fn account_that_was_there_before_becomes_theirs_only_by_the_organisations_rule() {
    for (rule, more, expected) in [
        (ExistingAccounts::Refuse, json!({}), 403),
        (ExistingAccounts::ByLocalpart, json!({}), 303),
        // A mail address that nobody has checked proves nothing, nor does one that is nobody's.
        (ExistingAccounts::ByMail, json!({ "email_verified": false }), 403),
        (ExistingAccounts::ByMail, json!({ "email": "other@example.org" }), 403),
    ] {
        let provider = Provider::new();
        let world = World::new().await;
        world.register("alice").await;
        let world = with_provider(world, &provider, rule);
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, "/_parvis/account").await;
        let page = come(&mut browser, &asked, &provider, &more).await;
        assert_eq!(page.status, expected, "{rule:?} {more}: {}", page.text);
    }
    let provider = Provider::new();
    let world = World::new().await;
    world.register("alice").await;
    let world = with_provider(world, &provider, ExistingAccounts::ByLocalpart);
    for (subject, expected) in [("1001", 303), ("1002", 403)] {
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, "/_parvis/account").await;
        let page = come(&mut browser, &asked, &provider, &json!({ "sub": subject })).await;
        assert_eq!(page.status, expected, "one account is one person's: {}", page.text);
    }
}

#[tokio::test]
async fn older_clients_come_by_the_same_pages() {
    use http::Method;

    let provider = Provider::new();
    let world = with_provider(World::new().await, &provider, ExistingAccounts::Refuse);
    let flows = world.send(Method::GET, "v3/login", None, Value::Null).await.ok();
    let sso = flows["flows"].as_array().unwrap().iter().find(|flow| flow["type"] == "m.login.sso").unwrap();
    assert_eq!(sso["oauth_aware_preferred"], true);
    assert_eq!(sso["org.matrix.msc3824.delegated_oidc_compatibility"], true);
    assert_eq!(sso["identity_providers"][0]["name"], "Company Account");

    let to = "https://app.element.io/?x=1";
    let path = format!(
        "/_matrix/client/v3/login/sso/redirect/company?{}",
        super::browser::form(&[("redirectUrl", to)])
    );
    let mut browser = Browser::new(&world);
    let straight = browser.open(&path).await;
    let asked = browser.open(straight.location()).await.location().to_owned();
    let come = come(&mut browser, &asked, &provider, &json!({})).await;
    let page = browser.follow(come.location()).await;
    assert!(page.text.contains("app.element.io"), "{}", page.text);
    let back = browser.submit(&path, &page, &[("answer", "allow")]).await;
    assert!(back.location().starts_with("https://app.element.io/?x=1&loginToken="), "{}", back.location());
    let token = answered(back.location(), "loginToken").unwrap();
    let body = json!({ "type": "m.login.token", "token": token });
    let login = world.send(Method::POST, "v3/login", None, body.clone()).await;
    assert_eq!(login.text("user_id"), "@alice:parvis.test");
    assert_eq!(world.send(Method::POST, "v3/login", None, body).await.status, 403, "once");

    for to in ["javascript:alert(1)", "http://evil.test/", "https://user@evil.test/", "nonsense", ""] {
        let query = super::browser::form(&[("redirectUrl", to)]);
        let path = format!("/_matrix/client/v3/login/sso/redirect?{query}");
        assert_eq!(browser.open(&path).await.status, 400, "{to}");
    }
}

#[tokio::test]
async fn who_is_in_no_group_that_is_let_in_stays_out() {
    let provider = Provider::new();
    let required = vec!["chat".to_owned(), "staff".to_owned()];
    let settings = IdentityProvider { required_groups: required, ..settings(ExistingAccounts::Refuse) };
    let world = with_settings(World::new().await, &provider, settings);
    for (more, expected) in [
        (json!({}), 403),
        (json!({ "groups": [] }), 403),
        (json!({ "groups": ["Staff", "guests", 7] }), 403),
        (json!({ "groups": { "staff": true } }), 403),
        (json!({ "groups": ["guests", "staff"] }), 303),
        (json!({ "groups": "chat" }), 303),
        // Who is in none of them any more.
        (json!({ "groups": ["guests"] }), 403),
    ] {
        let mut browser = Browser::new(&world);
        let asked = go(&mut browser, "/_parvis/account").await;
        let page = come(&mut browser, &asked, &provider, &more).await;
        assert_eq!(page.status, expected, "{more}: {}", page.text);
        assert_eq!(expected == 403, page.text.contains("not given you access"), "{more}: {}", page.text);
    }
}
