//! The pages, as their templates want them.

use askama::Template;

use super::words::Words;
use crate::{ClientApi, sign_on::SignOn};

/// What is the same on all pages.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// What stands before the paths of ours.
    pub(crate) base: &'a str,
    /// What the organisation is called.
    pub(crate) organisation: &'a str,
    /// Whether it has a sign.
    pub(crate) has_logo: bool,
    /// What stands in each form.
    pub(crate) form_token: &'a str,
    /// Who is signed in.
    pub(crate) user_id: Option<&'a str>,
    /// The sentences.
    pub(crate) words: &'static Words,
}

impl<'a> Frame<'a> {
    pub(crate) fn without_form(api: &'a ClientApi, sign_on: &'a SignOn, words: &'static Words) -> Self {
        Self {
            base: &api.discovery.public_base_url,
            organisation: &sign_on.organisation,
            has_logo: sign_on.logo.is_some(),
            form_token: "",
            user_id: None,
            words,
        }
    }
}

/// One thing is said.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// Where to go from there.
    pub(crate) back: Option<&'a str>,
}

/// Signing in.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) next: &'a str,
    pub(crate) again: bool,
    pub(crate) name: &'a str,
    pub(crate) problem: Option<&'a str>,
    /// Where to make an account, if one may.
    pub(crate) register: Option<String>,
    /// Whether there is a password to be asked for.
    pub(crate) by_password: bool,
    /// Where else people can prove who they are: what it is called, and where it is.
    pub(crate) providers: Vec<(String, String)>,
}

/// Making an account.
#[derive(Template)]
#[template(path = "register.html")]
pub(crate) struct RegisterPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) next: &'a str,
    pub(crate) name: &'a str,
    pub(crate) needs_token: bool,
    pub(crate) terms: Vec<TermsRow>,
    pub(crate) problem: Option<&'a str>,
}

/// Rules of use, in the reader's language.
pub(crate) struct TermsRow {
    /// What the form says if they are accepted.
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) url: String,
    pub(crate) version: String,
}

/// Accepting the rules of use.
#[derive(Template)]
#[template(path = "charter.html")]
pub(crate) struct CharterPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) next: &'a str,
    pub(crate) terms: Vec<TermsRow>,
    pub(crate) problem: Option<&'a str>,
}

/// Letting an app in.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    pub(crate) frame: Frame<'a>,
    /// Where the answer goes.
    pub(crate) action: &'a str,
    pub(crate) app: &'a str,
    pub(crate) app_uri: &'a str,
    pub(crate) policy_uri: Option<&'a str>,
    pub(crate) tos_uri: Option<&'a str>,
    pub(crate) user_id: &'a str,
    pub(crate) device_id: &'a str,
    /// Where the browser goes then; nowhere, for an app on another machine.
    pub(crate) destination: Option<&'a str>,
    /// What the user has typed, for an app on another machine.
    pub(crate) user_code: Option<&'a str>,
}

/// Letting in a client that does not know OAuth.
#[derive(Template)]
#[template(path = "sso.html")]
pub(crate) struct SsoPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) action: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) destination: &'a str,
}

/// Typing the code that an app on another machine shows.
#[derive(Template)]
#[template(path = "link.html")]
pub(crate) struct LinkPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) code: &'a str,
    pub(crate) problem: Option<&'a str>,
}

/// A device.
pub(crate) struct DeviceRow {
    pub(crate) device_id: String,
    pub(crate) name: String,
    /// The query that leads to it.
    pub(crate) link: String,
    pub(crate) last_seen: Option<String>,
    pub(crate) last_address: Option<String>,
}

/// The user's account.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) user_id: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) may_rename: bool,
    pub(crate) addresses: Vec<String>,
    pub(crate) devices: Vec<DeviceRow>,
    pub(crate) done: Option<&'a str>,
    pub(crate) problem: Option<&'a str>,
}

/// One of the user's devices.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) device: DeviceRow,
    pub(crate) ending: bool,
}

/// Letting devices make new keys.
#[derive(Template)]
#[template(path = "reset.html")]
pub(crate) struct ResetPage<'a> {
    pub(crate) frame: Frame<'a>,
}

/// Closing the account.
#[derive(Template)]
#[template(path = "deactivate.html")]
pub(crate) struct DeactivatePage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) user_id: &'a str,
    pub(crate) problem: Option<&'a str>,
}
