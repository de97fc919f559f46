//! Making an account on a page, as far as the organisation lets people do so
//! (<https://spec.matrix.org/v1.19/client-server-api/#user-registration>).

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::{CreateError, PageRegisterError, PageRegistration};

use super::rows;
use crate::{
    RateLimitKey,
    pages::{PageError, RegisterPage, Visit, safe_next},
};

/// Asks for what an account needs.
pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    if !visit.sign_on.registration {
        return Err(closed());
    }
    let next = safe_next(visit.query.get("next"));
    let name = visit.query.get("hint").unwrap_or_default();
    Ok(visit.show(&form(&visit, &next, name, None)))
}

/// Makes the account, and signs its owner in.
pub(super) async fn register(visit: Visit) -> Result<Response, PageError> {
    if !visit.sign_on.registration {
        return Err(closed());
    }
    let (api, words) = (&visit.api, visit.words);
    let next = safe_next(visit.form.get("next"));
    let field = |name| visit.form.get(name).unwrap_or_default();
    let name = field("name").trim();
    if field("password") != field("repeated") {
        return Ok(visit.show_again(&form(&visit, &next, name, Some(words.passwords_differ))));
    }
    api.limits.registration.count(RateLimitKey::Address(visit.address))?;
    let accepted: Vec<_> = visit.form.all("accept").filter_map(|key| key.split_once(' ')).collect();
    let wanted = PageRegistration {
        name,
        password: field("password"),
        token: visit.form.said("token"),
        accepted: &accepted,
    };
    let problem = match api.accounts.register_on_page(wanted).await {
        Ok(sign_in) => {
            api.accounts.sign_out(&visit.secret).await?;
            return Ok(visit.go_signed_in(&next, &sign_in));
        }
        Err(PageRegisterError::Closed) => return Err(closed()),
        Err(PageRegisterError::Token) => words.wrong_token,
        Err(PageRegisterError::Terms) => words.charter_needed,
        Err(PageRegisterError::Create(CreateError::Name(_))) => words.bad_name,
        Err(PageRegisterError::Create(CreateError::Taken | CreateError::Exclusive)) => words.name_taken,
        Err(PageRegisterError::Create(CreateError::Password(_))) => words.weak_password,
        Err(PageRegisterError::Create(CreateError::Token)) => words.wrong_token,
        Err(PageRegisterError::Create(error)) => return Err(crate::ApiError::from(error).into()),
        Err(PageRegisterError::Login(error)) => return Err(error.into()),
    };
    Ok(visit.show_again(&form(&visit, &next, name, Some(problem))))
}

fn closed() -> PageError {
    PageError::new(StatusCode::FORBIDDEN, |words| words.closed)
}

fn form<'a>(visit: &'a Visit, next: &'a str, name: &'a str, problem: Option<&'a str>) -> RegisterPage<'a> {
    RegisterPage {
        frame: visit.frame(),
        next,
        name,
        needs_token: visit.sign_on.registration_needs_token,
        terms: rows(visit.api.accounts.terms(), visit.words),
        problem,
    }
}
