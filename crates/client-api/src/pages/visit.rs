//! One request of a browser for a page, and what guards the answer.

use std::{future::Future, net::IpAddr, sync::Arc};

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use parvis_accounts::{BrowserSession, BrowserSignIn, Language, form_token, is_form_token};
use parvis_wire::{ClientAddress, Endpoint, MatrixError, SameOrigin, Stream};
use url::Url;

use super::{
    browser::{Browser, set_cookie},
    error::PageError,
    form::Fields,
    paths::{LOGIN, absolute, with_query},
    templates::{Frame, MessagePage},
    words::Words,
};
use crate::{ApiError, ClientApi, RateLimitKey, sign_on::SignOn};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a page's handler knows of who asks.
pub(crate) struct Visit {
    pub(crate) api: ClientApi,
    pub(crate) sign_on: Arc<SignOn>,
    pub(crate) words: &'static Words,
    /// Who is signed in.
    pub(crate) session: Option<BrowserSession>,
    /// What stands behind the path.
    pub(crate) query: Fields,
    /// What was filled in; nothing, but for `POST`.
    pub(crate) form: Fields,
    /// The path and what stands behind it.
    pub(crate) uri: Uri,
    /// From where the request came.
    pub(crate) address: Option<IpAddr>,
    /// What stands in each form of the page.
    form_token: String,
    /// The secret that the browser keeps.
    pub(crate) secret: String,
}

/// An endpoint that answers with pages. Its forms are taken from its own pages alone.
pub(crate) fn page<F, A>(method: Method, path: &str, handler: F) -> Endpoint<ClientApi>
where
    F: Fn(Visit) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, PageError>> + Send + 'static,
{
    Endpoint::open(method, path, move |api: ClientApi, stream: Stream<()>| {
        let handler = handler.clone();
        async move {
            let Some(sign_on) = api.sign_on.clone() else {
                return Err(ApiError::from(MatrixError::unrecognized()));
            };
            Ok(answer(api, sign_on, stream, handler).await)
        }
    })
}

async fn answer<F, A>(api: ClientApi, sign_on: Arc<SignOn>, stream: Stream<()>, handler: F) -> Response
where
    F: Fn(Visit) -> A,
    A: Future<Output = Result<Response, PageError>>,
{
    let query = Fields::parse(stream.parts.uri.query().unwrap_or_default().as_bytes());
    let words = Words::of(language(&query, &stream.parts.headers, &sign_on));
    let mut cookie = None;
    let answer = async {
        let browser = Browser::of(&api, &stream.parts.headers).await?;
        if browser.is_new {
            cookie = set_cookie(&api, &browser.secret);
        }
        let address = stream.client_address().map(|address: ClientAddress| address.0);
        let form = match stream.parts.method {
            Method::POST => own_form(&browser, &stream.parts.headers, stream.body).await?,
            _ => Fields::default(),
        };
        let visit = Visit {
            api: api.clone(),
            sign_on: Arc::clone(&sign_on),
            words,
            form_token: form_token(&browser.secret),
            session: browser.session,
            query,
            form,
            uri: stream.parts.uri,
            address,
            secret: browser.secret,
        };
        handler(visit).await
    };
    let mut response = match answer.await {
        Ok(response) => response,
        Err(PageError { status, sentence }) => {
            let frame = Frame::without_form(&api, &sign_on, words);
            render(status, &MessagePage { frame, title: words.sorry, text: sentence(words), back: None })
        }
    };
    if let Some(cookie) = cookie
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    guard(&mut response);
    response
}

/// A form that was sent from a page of ours, in this browser.
async fn own_form(
    browser: &Browser,
    headers: &HeaderMap,
    body: axum::body::Body,
) -> Result<Fields, PageError> {
    let foreign = headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let form = Fields::read(headers, body).await?;
    if foreign || browser.is_new || !is_form_token(&browser.secret, form.get("form").unwrap_or_default()) {
        return Err(PageError::new(StatusCode::FORBIDDEN, |words| words.form_expired));
    }
    Ok(form)
}

/// The language that the app asks for, or the browser.
fn language(query: &Fields, headers: &HeaderMap, sign_on: &SignOn) -> Language {
    let locales = |query: &Fields| {
        query.get("ui_locales").and_then(|locales| locales.split(' ').take(16).find_map(Language::of_code))
    };
    let behind = |next: &str| Fields::parse(next.split_once('?').map_or("", |(_, query)| query).as_bytes());
    let by_app = locales(query).or_else(|| locales(&behind(query.get("next")?)));
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    by_app.or_else(|| Language::wanted(accepted)).unwrap_or(sign_on.default_language)
}

/// Nothing runs, nothing comes from elsewhere, no other page has this one inside, nothing is kept, and nobody is told
/// from where the reader comes.
fn guard(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response.extensions_mut().insert(SameOrigin);
}

/// The policy of a page whose form leads to an app.
pub(crate) fn form_policy(app: &Url) -> Option<HeaderValue> {
    let source = match app.scheme() {
        "http" | "https" => app.origin().ascii_serialization(),
        scheme => format!("{scheme}:"),
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {source}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
}

fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => MatrixError::internal(error).into_response(),
    }
}

/// Sends the browser elsewhere, with `GET` whatever it came with.
pub(crate) fn redirect(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => MatrixError::invalid_param("The address cannot be gone to.").into_response(),
    }
}

impl Visit {
    /// What is the same on all pages.
    pub(crate) fn frame(&self) -> Frame<'_> {
        let mut frame = Frame::without_form(&self.api, &self.sign_on, self.words);
        frame.form_token = &self.form_token;
        frame.user_id = self.session.as_ref().map(|session| session.user_id.as_str());
        frame
    }

    /// The same visit, with nobody signed in any more.
    pub(crate) fn signed_out(self) -> Self {
        Self { session: None, ..self }
    }

    /// Shows a page.
    pub(crate) fn show(&self, page: &impl Template) -> Response {
        render(StatusCode::OK, page)
    }

    /// Shows a page that says that something is wrong with what was filled in.
    pub(crate) fn show_again(&self, page: &impl Template) -> Response {
        render(StatusCode::BAD_REQUEST, page)
    }

    /// Says one thing.
    pub(crate) fn say(&self, title: &'static str, text: &'static str, back: Option<&str>) -> Response {
        self.show(&MessagePage { frame: self.frame(), title, text, back })
    }

    /// Goes to a page of ours.
    pub(crate) fn go(&self, path: &str) -> Response {
        redirect(&absolute(&self.api, path))
    }

    /// Goes to a page of ours, with somebody signed in.
    pub(crate) fn go_signed_in(&self, path: &str, sign_in: &BrowserSignIn) -> Response {
        let mut response = self.go(path);
        if let Some(cookie) = set_cookie(&self.api, &sign_in.secret) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Goes to the page for signing in, and comes back here.
    pub(crate) fn sign_in_first(&self, again: bool, hint: Option<&str>) -> Response {
        let here = self.uri.path_and_query().map_or("", |here| here.as_str());
        self.sign_in_and_go(here, again, hint)
    }

    /// Goes to the page for signing in, and from there to a page of ours.
    pub(crate) fn sign_in_and_go(&self, next: &str, again: bool, hint: Option<&str>) -> Response {
        let again = if again { "1" } else { "" };
        let query = [("next", next), ("again", again), ("hint", hint.unwrap_or_default())];
        self.go(&with_query(LOGIN, &query))
    }

    /// Counts an attempt of whoever comes from this address.
    pub(crate) fn count_address(&self) -> Result<(), PageError> {
        Ok(self.api.limits.login.count(RateLimitKey::Address(self.address))?)
    }
}
