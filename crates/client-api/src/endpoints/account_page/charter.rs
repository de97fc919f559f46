//! The organisation's rules of use: read and accepted, and again when they change.

use axum::response::Response;

use super::rows;
use crate::pages::{CharterPage, PageError, Visit, safe_next};

/// Shows what there is to accept.
pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    let next = safe_next(visit.query.get("next"));
    let terms = visit.api.accounts.terms_to_accept(session.user).await?;
    if terms.is_empty() {
        return Ok(visit.go(&next));
    }
    let terms = rows(&terms, visit.words);
    Ok(visit.show(&CharterPage { frame: visit.frame(), next: &next, terms, problem: None }))
}

/// Notes what was accepted.
pub(super) async fn accept(visit: Visit) -> Result<Response, PageError> {
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    let next = safe_next(visit.form.get("next"));
    let accepted: Vec<_> = visit.form.all("accept").filter_map(|key| key.split_once(' ')).collect();
    visit.api.accounts.accept_terms(session.user, &accepted).await?;
    let left = visit.api.accounts.terms_to_accept(session.user).await?;
    if left.is_empty() {
        return Ok(visit.go(&next));
    }
    let (terms, problem) = (rows(&left, visit.words), Some(visit.words.charter_needed));
    Ok(visit.show_again(&CharterPage { frame: visit.frame(), next: &next, terms, problem }))
}
