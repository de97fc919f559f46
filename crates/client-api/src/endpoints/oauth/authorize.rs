//! The authorization endpoint: a page on which somebody lets an app in
//! (<https://spec.matrix.org/v1.19/client-server-api/#authorisation-code-flow>).
//!
//! Nothing is kept between its steps but who is signed in: each step reads and judges the whole request again. People
//! are always asked, since any app can say that it is another (RFC 8252, section 8.6).

use axum::response::Response;
use http::{StatusCode, header};
use parvis_accounts::{Authorization, AuthorizationError, AuthorizationRequest, BrowserSession};
use url::Url;

use crate::pages::{
    AUTHORIZE, CHARTER, ConsentPage, Fields, PageError, REGISTER, Visit, form_policy, issuer, redirect,
    with_query,
};

/// Asks whoever is signed in, after they have signed in.
pub(super) async fn ask(visit: Visit) -> Result<Response, PageError> {
    let authorization = match read(&visit).await? {
        Ok(authorization) => authorization,
        Err(response) => return Ok(response),
    };
    let issuer = issuer(&visit.api);
    let refused = |error| redirect(&authorization.back.with(&issuer, &[("error", error)]));
    if authorization.silent {
        return Ok(refused(if visit.session.is_some() { "consent_required" } else { "login_required" }));
    }
    let hint = authorization.login_hint.as_deref();
    // Once it is done, it is not asked for again.
    let without_prompt = format!("{AUTHORIZE}?{}", visit.query.without("prompt"));
    if authorization.create && visit.sign_on.registration {
        let query = [("next", without_prompt.as_str()), ("hint", hint.unwrap_or_default())];
        return Ok(visit.go(&with_query(REGISTER, &query)));
    }
    if authorization.sign_in_anew {
        return Ok(visit.sign_in_and_go(&without_prompt, true, hint));
    }
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, hint)) };
    if !visit.api.accounts.terms_to_accept(session.user).await?.is_empty() {
        return Ok(charter_first(&visit));
    }
    Ok(consent(&visit, &authorization, session))
}

/// Does what was answered.
pub(super) async fn answer(visit: Visit) -> Result<Response, PageError> {
    let authorization = match read(&visit).await? {
        Ok(authorization) => authorization,
        Err(response) => return Ok(response),
    };
    let issuer = issuer(&visit.api);
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    match visit.form.get("answer") {
        Some("other") => Ok(visit.sign_in_first(true, None)),
        Some("allow") if !visit.api.accounts.terms_to_accept(session.user).await?.is_empty() => {
            Ok(charter_first(&visit))
        }
        Some("allow") => match visit.api.accounts.grant(&authorization, session).await {
            Ok(code) => Ok(redirect(&authorization.back.with(&issuer, &[("code", &code)]))),
            Err(error) => refuse(&visit, error),
        },
        _ => Ok(redirect(&authorization.back.with(&issuer, &[("error", "access_denied")]))),
    }
}

/// The request, or how it is refused.
async fn read(visit: &Visit) -> Result<Result<Authorization, Response>, PageError> {
    let Some(request) = request(&visit.query) else { return Err(PageError::bad_request()) };
    match visit.api.accounts.check_authorization(request).await {
        Ok(authorization) => Ok(Ok(authorization)),
        Err(error) => refuse(visit, error).map(Err),
    }
}

/// What is asked for; `None` if something is said twice (RFC 6749, section 3.1).
fn request(query: &Fields) -> Option<AuthorizationRequest> {
    let field = |name: &str| {
        let mut all = query.all(name);
        let first = all.next().filter(|value| !value.is_empty()).map(str::to_owned);
        all.next().is_none().then_some(first)
    };
    Some(AuthorizationRequest {
        client_id: field("client_id")?,
        redirect_uri: field("redirect_uri")?,
        response_type: field("response_type")?,
        response_mode: field("response_mode")?,
        scope: field("scope")?,
        state: field("state")?,
        code_challenge: field("code_challenge")?,
        code_challenge_method: field("code_challenge_method")?,
        prompt: field("prompt")?,
        login_hint: field("login_hint")?,
        ui_locales: field("ui_locales")?,
        request: field("request")?,
        request_uri: field("request_uri")?,
    })
}

/// Tells the app what is wrong, where it is safe to send the browser there; or else tells the user.
fn refuse(visit: &Visit, error: AuthorizationError) -> Result<Response, PageError> {
    match error {
        AuthorizationError::Unsafe(_) => {
            Err(PageError::new(StatusCode::BAD_REQUEST, |words| words.unsafe_app))
        }
        AuthorizationError::Refused { back, error, description } => {
            let answer = [("error", error), ("error_description", description)];
            Ok(redirect(&back.with(&issuer(&visit.api), &answer)))
        }
        AuthorizationError::Storage(error) => Err(error.into()),
    }
}

fn charter_first(visit: &Visit) -> Response {
    let here = visit.uri.path_and_query().map_or("", |here| here.as_str());
    visit.go(&with_query(CHARTER, &[("next", here)]))
}

fn consent(visit: &Visit, authorization: &Authorization, session: &BrowserSession) -> Response {
    let metadata = &authorization.client.metadata;
    let destination = authorization.back.destination();
    let page = ConsentPage {
        frame: visit.frame(),
        action: visit.uri.path_and_query().map_or("", |here| here.as_str()),
        app: &authorization.client.name(),
        app_uri: &metadata.client_uri,
        policy_uri: metadata.policy_uri.as_deref(),
        tos_uri: metadata.tos_uri.as_deref(),
        user_id: session.user_id.as_str(),
        device_id: authorization.device_id().as_str(),
        destination: Some(&destination),
        user_code: None,
    };
    let mut response = visit.show(&page);
    // The form's answer sends the browser to the app, which browsers count as an action of the form.
    if let Some(policy) = Url::parse(&authorization.back.with("", &[])).ok().as_ref().and_then(form_policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
