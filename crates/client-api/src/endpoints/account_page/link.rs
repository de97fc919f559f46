//! Letting in an app on another machine, by the code that it shows
//! (<https://spec.matrix.org/v1.19/client-server-api/#device-authorisation-flow>).

use axum::response::Response;
use parvis_accounts::{BrowserSession, UserCodeState};

use crate::{
    RateLimitKey,
    pages::{CHARTER, ConsentPage, LINK, LinkPage, PageError, Visit, with_query},
};

/// Asks for the code; or, where the link has it, whether to let the app in.
pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    if !visit.api.accounts.terms_to_accept(session.user).await?.is_empty() {
        let here = visit.uri.path_and_query().map_or("", |here| here.as_str());
        return Ok(visit.go(&with_query(CHARTER, &[("next", here)])));
    }
    match visit.query.said("code") {
        Some(code) => ask(&visit, session, code).await,
        None => Ok(visit.show(&LinkPage { frame: visit.frame(), code: "", problem: None })),
    }
}

/// Looks the code up; or, where it was answered, does what was answered.
pub(super) async fn answer(visit: Visit) -> Result<Response, PageError> {
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    if !visit.api.accounts.terms_to_accept(session.user).await?.is_empty() {
        return Ok(visit.go(&with_query(CHARTER, &[("next", LINK)])));
    }
    let words = visit.words;
    let code = visit.form.get("code").unwrap_or_default();
    let granted = match visit.form.get("answer") {
        None => return ask(&visit, session, code).await,
        Some("other") => {
            return Ok(visit.sign_in_and_go(&with_query(LINK, &[("code", code)]), true, None));
        }
        Some(answer) => answer == "allow",
    };
    visit.api.limits.login.peek(&RateLimitKey::User(session.user.0))?;
    if !visit.api.accounts.answer_user_code(code, session, granted).await? {
        return wrong(&visit, session, code);
    }
    let text = if granted { words.link_done } else { words.link_denied };
    Ok(visit.say(words.done, text, None))
}

async fn ask(visit: &Visit, session: &BrowserSession, code: &str) -> Result<Response, PageError> {
    visit.api.limits.login.peek(&RateLimitKey::User(session.user.0))?;
    let Some(UserCodeState { user_code, client, device_id }) = visit.api.accounts.user_code(code).await?
    else {
        return wrong(visit, session, code);
    };
    let metadata = &client.metadata;
    let page = ConsentPage {
        frame: visit.frame(),
        action: LINK,
        app: &client.name(),
        app_uri: &metadata.client_uri,
        policy_uri: metadata.policy_uri.as_deref(),
        tos_uri: metadata.tos_uri.as_deref(),
        user_id: session.user_id.as_str(),
        device_id: device_id.as_str(),
        destination: None,
        user_code: Some(&user_code),
    };
    Ok(visit.show(&page))
}

/// Codes are not to be tried.
fn wrong(visit: &Visit, session: &BrowserSession, code: &str) -> Result<Response, PageError> {
    visit.api.limits.login.count(RateLimitKey::User(session.user.0))?;
    visit.count_address()?;
    let problem = Some(visit.words.link_wrong);
    Ok(visit.show_again(&LinkPage { frame: visit.frame(), code, problem }))
}
