//! Pages for people: how they look, in which language they speak, and what guards them.
//!
//! A page is made here on the server, runs nothing, and fetches nothing from elsewhere. Knows nothing of what the pages
//! are for.

mod browser;
mod error;
mod form;
mod paths;
mod templates;
mod visit;
mod words;

pub(crate) use error::PageError;
pub(crate) use form::{Fields, encode};
pub(crate) use paths::{
    ACCOUNT, AUTHORIZE, CALLBACK, CHARTER, LINK, LOGIN, LOGO, LOGOUT, PROVIDER, REGISTER, SSO, STYLE,
    absolute, issuer, safe_next, with_query,
};
pub(crate) use templates::{
    AccountPage, CharterPage, ConsentPage, DeactivatePage, DevicePage, DeviceRow, LinkPage, LoginPage,
    MessagePage, RegisterPage, ResetPage, SsoPage, TermsRow,
};
pub(crate) use visit::{Visit, form_policy, page, redirect};
pub(crate) use words::Words;
