//! The pages on which people sign in and look after their accounts
//! (<https://spec.matrix.org/v1.19/client-server-api/#oauth-20-account-management>).

mod charter;
mod link;
mod look;
mod manage;
mod provider;
mod register;
mod sign_in;
mod sso_redirect;

use std::future::Future;

use axum::response::Response;
use http::Method;
use parvis_accounts::Terms;
use parvis_wire::{Endpoint, Endpoints};

use crate::{
    ClientApi,
    pages::{
        ACCOUNT, CALLBACK, CHARTER, LINK, LOGIN, LOGO, LOGOUT, PROVIDER, PageError, REGISTER, SSO, STYLE,
        TermsRow, Visit, Words, page,
    },
};

pub(super) fn endpoints() -> Endpoints<ClientApi> {
    Endpoints::new()
        .with(page(Method::GET, LOGIN, sign_in::show))
        .with(page(Method::POST, LOGIN, sign_in::sign_in))
        .with(page(Method::POST, LOGOUT, sign_in::sign_out))
        .with(page(Method::GET, PROVIDER, provider::begin))
        .with(page(Method::GET, CALLBACK, provider::end))
        .with(sso(Method::GET, sso_redirect::ask))
        .with(sso(Method::POST, sso_redirect::answer))
        .with(page(Method::GET, REGISTER, register::show))
        .with(page(Method::POST, REGISTER, register::register))
        .with(page(Method::GET, CHARTER, charter::show))
        .with(page(Method::POST, CHARTER, charter::accept))
        .with(page(Method::GET, LINK, link::show))
        .with(page(Method::POST, LINK, link::answer))
        .with(page(Method::GET, ACCOUNT, manage::show))
        .with(page(Method::POST, ACCOUNT, manage::change))
        .with(Endpoint::open(Method::GET, STYLE, look::style))
        .with(Endpoint::open(Method::GET, LOGO, look::logo))
}

/// Where clients come that do not know OAuth, with a provider or without one.
fn sso<F, A>(method: Method, handler: F) -> Endpoint<ClientApi>
where
    F: Fn(Visit) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response, PageError>> + Send + 'static,
{
    let older = SSO.replace("/v3/", "/r0/");
    page(method, SSO, handler)
        .also_at(&format!("{SSO}/{{provider}}"))
        .also_at(&older)
        .also_at(&format!("{older}/{{provider}}"))
}

/// Terms in the reader's language, or in the first in which there are any.
fn rows(terms: &[Terms], words: &Words) -> Vec<TermsRow> {
    let row = |terms: &Terms| {
        let own = terms.documents.iter().find(|(language, _)| {
            language.split(['-', '_']).next().is_some_and(|code| code.eq_ignore_ascii_case(words.code))
        });
        let (_, document) = own.or(terms.documents.first())?;
        Some(TermsRow {
            key: format!("{} {}", terms.name, terms.version),
            title: document.title.clone(),
            url: document.url.clone(),
            version: terms.version.clone(),
        })
    };
    terms.iter().filter_map(row).collect()
}
