//! The browser's cookie: a secret, in which somebody is signed in or nobody is.

use http::{HeaderMap, HeaderValue, header};
use parvis_accounts::BrowserSession;

use crate::{ApiError, ClientApi};

/// The longest secret that is looked at, in bytes.
const LONGEST: usize = 128;

/// A browser, by its cookie.
#[derive(Debug)]
pub(crate) struct Browser {
    /// What it keeps.
    pub(crate) secret: String,
    /// Whether it was given that only now.
    pub(crate) is_new: bool,
    /// Who is signed in in it.
    pub(crate) session: Option<BrowserSession>,
}

impl Browser {
    pub(crate) async fn of(api: &ClientApi, headers: &HeaderMap) -> Result<Self, ApiError> {
        let name = cookie_name(api);
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let known =
            pairs.find(|(known, value)| *known == name && !value.is_empty() && value.len() <= LONGEST);
        match known {
            Some((_, secret)) => {
                let session = api.accounts.browser_session(secret).await?;
                Ok(Self { secret: secret.to_owned(), is_new: false, session })
            }
            None => Ok(Self { secret: api.accounts.new_browser_secret(), is_new: true, session: None }),
        }
    }
}

/// The name of the cookie. With this prefix browsers take it only from this very host, and over TLS.
fn cookie_name(api: &ClientApi) -> &'static str {
    if is_secure(api) { "__Host-parvis" } else { "parvis" }
}

fn is_secure(api: &ClientApi) -> bool {
    api.discovery.public_base_url.starts_with("https://")
}

/// The header that has a browser keep a secret. Scripts cannot read it, and requests that other sites make do not
/// carry it, but for links that somebody follows.
pub(crate) fn set_cookie(api: &ClientApi, secret: &str) -> Option<HeaderValue> {
    let secure = if is_secure(api) { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie_name(api)))
        .ok()
}
