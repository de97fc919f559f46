//! `GET /_matrix/client/v3/login/sso/redirect`: the same pages for clients that do not know OAuth 2.0
//! (<https://spec.matrix.org/v1.19/client-server-api/#client-login-via-sso>).
//!
//! The client gets a login token, which is good once and for two minutes. Since a client can name any address, people
//! are always asked, and shown the host (<https://spec.matrix.org/v1.19/client-server-api/#security-considerations-5>).

use axum::response::Response;
use http::header;
use parvis_accounts::BrowserSession;
use url::Url;

use crate::pages::{CHARTER, PROVIDER, PageError, SsoPage, Visit, form_policy, redirect, with_query};

/// The longest address to which a client is sent back, in bytes.
const LONGEST: usize = 4_096;

/// Asks whoever is signed in.
pub(super) async fn ask(visit: Visit) -> Result<Response, PageError> {
    let to = destination(&visit)?;
    let Some(session) = &visit.session else { return Ok(sign_in_first(&visit)) };
    if !visit.api.accounts.terms_to_accept(session.user).await?.is_empty() {
        return Ok(charter_first(&visit));
    }
    Ok(show(&visit, session, &to))
}

/// Does what was answered.
pub(super) async fn answer(visit: Visit) -> Result<Response, PageError> {
    let mut to = destination(&visit)?;
    let Some(session) = &visit.session else { return Ok(sign_in_first(&visit)) };
    match visit.form.get("answer") {
        Some("other") => Ok(visit.sign_in_first(true, None)),
        Some("allow") if !visit.api.accounts.terms_to_accept(session.user).await?.is_empty() => {
            Ok(charter_first(&visit))
        }
        Some("allow") => {
            let token = visit.api.accounts.login_token_of(session).await?;
            to.query_pairs_mut().append_pair("loginToken", &token);
            Ok(redirect(to.as_str()))
        }
        _ => Ok(visit.say(visit.words.done, visit.words.link_denied, None)),
    }
}

/// Where the client wants to be sent: over HTTPS, to this machine, or to an app's own scheme.
fn destination(visit: &Visit) -> Result<Url, PageError> {
    let wanted = visit.query.get("redirectUrl").unwrap_or_default();
    let url =
        Url::parse(wanted).ok().filter(|_| wanted.len() <= LONGEST).ok_or_else(PageError::bad_request)?;
    let runs = ["javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss"];
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let good = match url.scheme() {
        "https" => url.username().is_empty() && url.password().is_none(),
        "http" => local,
        scheme => !runs.contains(&scheme),
    };
    if good { Ok(url) } else { Err(PageError::bad_request()) }
}

/// To the page for signing in; or, where the client names a provider, straight there.
fn sign_in_first(visit: &Visit) -> Response {
    let here = visit.uri.path_and_query().map_or("", |here| here.as_str());
    let named = visit.uri.path().rsplit('/').next().unwrap_or_default();
    if visit.api.accounts.providers().any(|(id, _)| id == named) {
        return visit.go(&with_query(PROVIDER, &[("provider", named), ("next", here)]));
    }
    visit.sign_in_first(false, None)
}

fn charter_first(visit: &Visit) -> Response {
    let here = visit.uri.path_and_query().map_or("", |here| here.as_str());
    visit.go(&with_query(CHARTER, &[("next", here)]))
}

fn show(visit: &Visit, session: &BrowserSession, to: &Url) -> Response {
    let place = to.host_str().map_or_else(|| format!("{}:", to.scheme()), str::to_owned);
    let page = SsoPage {
        frame: visit.frame(),
        action: visit.uri.path_and_query().map_or("", |here| here.as_str()),
        user_id: session.user_id.as_str(),
        destination: &place,
    };
    let mut response = visit.show(&page);
    if let Some(policy) = form_policy(to) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
