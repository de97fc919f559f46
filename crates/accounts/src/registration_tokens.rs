//! Tokens that let their holders register: those of the configuration, and those that administrators make
//! (<https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration>).

use parvis_storage::{
    CommitError, GivenToken, REGISTRATION_TOKEN_IS_NEW, REGISTRATION_TOKEN_IS_THERE, StorageError, WriteSet,
};

use crate::{
    accounts::{Accounts, plain},
    secret::{self, TokenKind, new_token},
    settings::Registration,
};

/// The longest token (<https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration>).
const LONGEST_TOKEN: usize = 64;
/// How many tokens are listed at most.
const MOST_LISTED: u32 = 10_000;

/// Why a token is not made or taken away.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No token can look like this.
    #[error("a token has 1 to {LONGEST_TOKEN} of the letters A-Z a-z 0-9 . _ ~ -")]
    Malformed,
    /// A token that can never be used makes no sense.
    #[error("a token is good for one use at least, and until a time in the future")]
    Useless,
    /// There is such a token.
    #[error("there is such a token already")]
    Taken,
    /// There is no such token.
    #[error("there is no such token")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A token that is wanted.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// The token; one is made up if nobody says.
    pub token: Option<String>,
    /// How many accounts may be made with it; `None` for any number.
    pub uses_allowed: Option<i64>,
    /// Until when it is good, in milliseconds since the Unix epoch; `None` for ever.
    pub expires_ts: Option<i64>,
    /// Who makes it: a user id, or in words.
    pub created_by: String,
}

/// What a token that lets its holder register is.
pub(crate) enum KnownToken {
    /// One of the configuration, which is good for any number of accounts.
    Configured,
    /// One whose uses are counted.
    Given,
}

impl Accounts {
    /// Whether a token lets its holder register now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn may_register_with(&self, token: &str) -> Result<bool, StorageError> {
        Ok(self.known_token(token).await?.is_some())
    }

    pub(crate) async fn known_token(&self, token: &str) -> Result<Option<KnownToken>, StorageError> {
        let Registration::Token(tokens) = &self.settings.registration else { return Ok(None) };
        // All are compared, so that the time does not tell which came close.
        if tokens.iter().filter(|known| secret::same(&known.0, token)).count() > 0 {
            return Ok(Some(KnownToken::Configured));
        }
        if !is_token(token) {
            return Ok(None);
        }
        let now = self.now().millis();
        let given = self.store.registration_token(token).await?.filter(|given| {
            given.uses_allowed.is_none_or(|allowed| given.uses < allowed)
                && given.expires_ts.is_none_or(|expires| expires > now)
        });
        Ok(given.map(|_| KnownToken::Given))
    }

    /// Makes a token that lets its holders register.
    ///
    /// # Errors
    /// Any [`TokenError`].
    pub async fn give_registration_token(&self, wanted: NewToken) -> Result<GivenToken, TokenError> {
        let now = self.now().millis();
        let NewToken { token, uses_allowed, expires_ts, created_by } = wanted;
        let token = token.unwrap_or_else(|| new_token(&*self.ambient.chance, TokenKind::Registration));
        if !is_token(&token) {
            return Err(TokenError::Malformed);
        }
        if uses_allowed.is_some_and(|uses| uses < 1) || expires_ts.is_some_and(|expires| expires <= now) {
            return Err(TokenError::Useless);
        }
        let given = GivenToken { token, uses_allowed, uses: 0, expires_ts, created_ts: now, created_by };
        let mut set = WriteSet::new();
        set.add_registration_token(&given);
        match self.store.commit(set).await {
            Ok(_) => Ok(given),
            Err(CommitError::Guard(REGISTRATION_TOKEN_IS_NEW)) => Err(TokenError::Taken),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// The tokens that administrators have made, the newest first; not those of the configuration.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn registration_tokens(&self) -> Result<Vec<GivenToken>, StorageError> {
        self.store.registration_tokens(MOST_LISTED).await
    }

    /// Takes a token away. Accounts that were made with it stay.
    ///
    /// # Errors
    /// [`TokenError::NotFound`], or if the store fails.
    pub async fn revoke_registration_token(&self, token: &str) -> Result<(), TokenError> {
        let mut set = WriteSet::new();
        set.delete_registration_token(token);
        match self.store.commit(set).await {
            Ok(_) => Ok(()),
            Err(CommitError::Guard(REGISTRATION_TOKEN_IS_THERE)) => Err(TokenError::NotFound),
            Err(error) => Err(plain(error).into()),
        }
    }
}

fn is_token(token: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=LONGEST_TOKEN).contains(&token.len()) && token.bytes().all(allowed)
}
