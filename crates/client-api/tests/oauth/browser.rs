//! A browser that keeps cookies and sends forms, and an app that is let in by it.

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, Request, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

use crate::world::{World, read};

pub(crate) const BASE: &str = "https://matrix.example.org";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const REDIRECT: &str = "https://app.element.io/callback";
pub(crate) const SCOPE: &str = "urn:matrix:client:api:* urn:matrix:client:device:PHONE";

/// A page, or what a browser got in its place.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// Where the browser is sent, which must be elsewhere.
    pub(crate) fn location(&self) -> &str {
        self.location.as_deref().unwrap_or_else(|| panic!("stays: {} {}", self.status, self.text))
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let behind = self.text.split(&start).nth(1).unwrap_or_else(|| panic!("no {name} in {}", self.text));
        behind.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
    }
}

/// A browser, with its cookies.
pub(crate) struct Browser<'a> {
    pub(crate) world: &'a World,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) language: &'static str,
}

/// A text as it stands in a form.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new(), language: "en" }
    }

    async fn send(&mut self, method: Method, path: &str, body: String, more: &[(&str, &str)]) -> Page {
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::ACCEPT_LANGUAGE, self.language)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let response = self.world.answer(request.body(Body::from(body)).unwrap()).await;
        let headers = response.headers().clone();
        for cookie in headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        Page { status, location, headers, text: String::from_utf8(read(response).await).unwrap() }
    }

    /// Opens an address, without following where it leads.
    pub(crate) async fn open(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, String::new(), &[]).await
    }

    /// Opens an address and follows where it leads, as long as that is here.
    pub(crate) async fn follow(&mut self, path: &str) -> Page {
        let mut page = self.open(path).await;
        for _ in 0..8 {
            match &page.location {
                Some(next) if next.starts_with(BASE) => page = self.open(&next.clone()).await,
                _ => break,
            }
        }
        page
    }

    /// Sends a form of a page.
    pub(crate) async fn submit(&mut self, path: &str, page: &Page, fields: &[(&str, &str)]) -> Page {
        let token = page.field("form");
        let mut all = vec![("form", token.as_str())];
        all.extend_from_slice(fields);
        self.send(Method::POST, path, form(&all), &[]).await
    }

    /// Sends a form as it is, with these headers.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)], more: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, form(fields), more).await
    }

    /// Signs in on the page that is shown, and follows where it leads.
    pub(crate) async fn sign_in(&mut self, page: &Page, name: &str, password: &str) -> Page {
        let next = page.field("next");
        let fields = [("next", next.as_str()), ("name", name), ("password", password)];
        let page = self.submit("/_parvis/account/login", page, &fields).await;
        match page.location.clone() {
            Some(next) => self.follow(&next).await,
            None => page,
        }
    }
}

/// An app that was registered.
pub(crate) async fn app(world: &World) -> String {
    let answer = register(world, web_app()).await;
    assert_eq!(answer.0, 201, "{}", answer.1);
    answer.1["client_id"].as_str().unwrap().to_owned()
}

/// What a web app says of itself.
pub(crate) fn web_app() -> Value {
    json!({
        "client_name": "Element",
        "client_uri": "https://element.io",
        "redirect_uris": [REDIRECT],
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

/// Registers an app.
pub(crate) async fn register(world: &World, metadata: Value) -> (u16, Value) {
    let request = Request::post("/_parvis/oauth/register")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(metadata.to_string()))
        .unwrap();
    json_of(world, request).await
}

/// Sends a form as an app does.
pub(crate) async fn post_form(world: &World, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form(fields)))
        .unwrap();
    json_of(world, request).await
}

async fn json_of(world: &World, request: Request<Body>) -> (u16, Value) {
    let response = world.answer(request).await;
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&read(response).await).unwrap_or(Value::Null))
}

/// The path at which the app asks, with some parameters changed; an empty one is left out.
pub(crate) fn authorize_path(client_id: &str, changed: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut fields = BTreeMap::from([
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("response_mode", "fragment"),
        ("scope", SCOPE),
        ("state", "s t&te"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ]);
    fields.extend(changed.iter().copied());
    let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("/_parvis/oauth/authorize?{}", form(&fields))
}

/// A parameter of an answer that stands in an address.
pub(crate) fn answered(location: &str, name: &str) -> Option<String> {
    let behind = location.split_once(['#', '?']).map_or("", |(_, behind)| behind);
    let mut pairs = url::form_urlencoded::parse(behind.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The code that an app is given once somebody has signed in and allowed it.
pub(crate) async fn code(browser: &mut Browser<'_>, client_id: &str, user: &str) -> String {
    let path = authorize_path(client_id, &[]);
    let mut page = browser.follow(&path).await;
    if page.text.contains("name=\"password\"") {
        page = browser.sign_in(&page, user, "password").await;
    }
    let page = browser.submit(&path, &page, &[("answer", "allow")]).await;
    answered(page.location(), "code").unwrap_or_else(|| panic!("no code: {page:?}"))
}

/// Fetches tokens with a code.
pub(crate) async fn fetch(world: &World, client_id: &str, code: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    post_form(world, "/_parvis/oauth/token", &fields).await
}

/// Refreshes.
pub(crate) async fn refresh(world: &World, client_id: &str, token: &str) -> (u16, Value) {
    let fields = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
    post_form(world, "/_parvis/oauth/token", &fields).await
}

/// A world in which apps are let in by OAuth, with the user `alice`, and the tokens of an app of hers.
pub(crate) async fn let_in(world: &World) -> (String, Value) {
    world.register("alice").await;
    let client_id = app(world).await;
    let code = code(&mut Browser::new(world), &client_id, "alice").await;
    let (status, tokens) = fetch(world, &client_id, &code).await;
    assert_eq!(status, 200, "{tokens}");
    (client_id, tokens)
}

/// Who has an access token: status and body.
pub(crate) async fn whoami(world: &World, tokens: &Value) -> crate::world::Answer {
    let token = tokens["access_token"].as_str().unwrap();
    world.send(Method::GET, "v3/account/whoami", Some(token), Value::Null).await
}
