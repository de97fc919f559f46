//! Making an account on a page, in one step.

use crate::{
    accounts::Accounts,
    login::LoginError,
    oauth::BrowserSignIn,
    registration::{CreateError, NewAccount},
    registration_tokens::KnownToken,
    settings::{Registration, Terms},
};

/// What somebody has filled in who wants an account.
#[derive(Clone, Copy)]
pub struct PageRegistration<'a> {
    /// The localpart.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
    /// What the organisation gave them to register with.
    pub token: Option<&'a str>,
    /// Names and versions of the terms that they accept.
    pub accepted: &'a [(&'a str, &'a str)],
}

/// Why an account is not made on a page.
#[derive(Debug, thiserror::Error)]
pub enum PageRegisterError {
    /// The organisation makes its accounts itself.
    #[error("registration is closed")]
    Closed,
    /// The token is not good.
    #[error("the registration token is not good")]
    Token,
    /// Not all terms were accepted.
    #[error("the terms were not accepted")]
    Terms,
    /// The account cannot be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The account is made, and signing in failed.
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl Accounts {
    /// Makes an account, as far as the organisation lets people do so, and signs its owner in.
    ///
    /// # Errors
    /// Any [`PageRegisterError`].
    pub async fn register_on_page(
        &self,
        wanted: PageRegistration<'_>,
    ) -> Result<BrowserSignIn, PageRegisterError> {
        let PageRegistration { name, password, token, accepted } = wanted;
        let given = match &self.settings.registration {
            Registration::Closed => return Err(PageRegisterError::Closed),
            Registration::Open => None,
            Registration::Token(_) => {
                let token = token.ok_or(PageRegisterError::Token)?;
                let known = self.known_token(token).await.map_err(CreateError::from)?;
                match known.ok_or(PageRegisterError::Token)? {
                    KnownToken::Given => Some(token),
                    KnownToken::Configured => None,
                }
            }
        };
        let is_accepted = |terms: &Terms| accepted.contains(&(terms.name.as_str(), terms.version.as_str()));
        if !self.settings.terms.iter().all(is_accepted) {
            return Err(PageRegisterError::Terms);
        }
        self.is_available(name).await?;
        self.settings.password_rules.check(password).map_err(CreateError::from)?;
        let hash = self.passwords.hash(password).await.map_err(CreateError::from)?;
        let account = self.create_account(NewAccount::on_page(name, hash, given)).await?;
        Ok(self.sign_in(&account).await?)
    }

    /// The organisation's terms.
    pub fn terms(&self) -> &[Terms] {
        &self.settings.terms
    }
}
