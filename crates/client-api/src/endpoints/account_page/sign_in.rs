//! Signing in and out, in a browser.

use axum::response::Response;
use parvis_accounts::{BrowserSignIn, LoginError};

use crate::{
    RateLimitKey,
    pages::{LOGIN, LoginPage, PROVIDER, PageError, REGISTER, Visit, safe_next, with_query},
};

/// Asks for name and password, unless somebody is signed in.
pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let next = safe_next(visit.query.get("next"));
    let again = visit.query.said("again").is_some();
    if visit.session.is_some() && !again {
        return Ok(visit.go(&next));
    }
    let name = visit.query.get("hint").unwrap_or_default();
    Ok(visit.show(&form(&visit, &next, again, name, None)))
}

/// Signs somebody in.
pub(super) async fn sign_in(visit: Visit) -> Result<Response, PageError> {
    let next = safe_next(visit.form.get("next"));
    let again = visit.form.said("again").is_some();
    let name = visit.form.get("name").unwrap_or_default();
    let problem = match attempt(&visit, name).await? {
        Ok(sign_in) => {
            // What was signed in before in this browser is not left behind.
            visit.api.accounts.sign_out(&visit.secret).await?;
            return Ok(visit.go_signed_in(&next, &sign_in));
        }
        Err(problem) => problem,
    };
    Ok(visit.show_again(&form(&visit, &next, again, name, Some(problem))))
}

async fn attempt(visit: &Visit, name: &str) -> Result<Result<BrowserSignIn, &'static str>, PageError> {
    let (api, words) = (&visit.api, visit.words);
    visit.count_address()?;
    if !visit.sign_on.passwords_on_pages {
        return Err(PageError::bad_request());
    }
    let account = RateLimitKey::Account(api.accounts.canonical_name(name.trim()).to_lowercase());
    api.limits.login.peek(&account)?;
    let password = visit.form.get("password").unwrap_or_default();
    match api.accounts.sign_in_by_password(name, password).await {
        Ok(sign_in) => Ok(Ok(sign_in)),
        Err(LoginError::WrongPassword) => {
            api.limits.login.count(account)?;
            Ok(Err(words.wrong_password))
        }
        Err(LoginError::Locked) => Ok(Err(words.locked)),
        Err(LoginError::Deactivated) => Ok(Err(words.deactivated)),
        Err(error) => Err(error.into()),
    }
}

fn form<'a>(
    visit: &'a Visit,
    next: &'a str,
    again: bool,
    name: &'a str,
    problem: Option<&'a str>,
) -> LoginPage<'a> {
    let register = visit.sign_on.registration && !again;
    let link = |id: &str| with_query(PROVIDER, &[("provider", id), ("next", next)]);
    let providers = visit.api.accounts.providers().map(|(id, name)| (name.to_owned(), link(id)));
    LoginPage {
        frame: visit.frame(),
        next,
        again,
        name,
        problem,
        register: register.then(|| with_query(REGISTER, &[("next", next)])),
        by_password: visit.sign_on.passwords_on_pages,
        providers: providers.collect(),
    }
}

/// Signs the browser out.
pub(super) async fn sign_out(visit: Visit) -> Result<Response, PageError> {
    visit.api.accounts.sign_out(&visit.secret).await?;
    let words = visit.words;
    let visit = visit.signed_out();
    Ok(visit.say(words.sign_out, words.signed_out, Some(LOGIN)))
}
