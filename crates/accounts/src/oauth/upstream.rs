//! Company single sign-on: people prove who they are at an identity provider of the organisation's
//! (<https://openid.net/specs/openid-connect-core-1_0.html>), by the code flow with PKCE.
//!
//! A sign-in is bound to the browser in which it began, is used once, and holds for minutes. What the provider says of
//! somebody is believed only where it has signed it for us, for this very sign-in.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parvis_peers::PeerError;
use parvis_storage::{
    Account, CommitError, EXTERNAL_ID_IS_NEW, StorageError, UPSTREAM_LOGIN_IS_UNUSED, UpstreamLogin,
    UpstreamSession, WriteSet,
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::browser::BrowserSignIn;
use crate::{
    accounts::{Accounts, plain},
    id_token::{BadIdToken, Expected},
    known_providers::Known,
    login::LoginError,
    registration::{CreateError, NewAccount},
    secret,
    settings::{ExistingAccounts, IdentityProvider},
};

/// How long somebody has to sign in at a provider.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How many sign-ins may be under way.
const MOST_UNDER_WAY: i64 = 50_000;

/// What a provider's answer says, as it stands in the address to which the browser was sent back.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the parameters are those of RFC 6749 and RFC 9207")]
pub struct ProviderAnswer<'a> {
    pub state: Option<&'a str>,
    pub code: Option<&'a str>,
    pub error: Option<&'a str>,
    pub iss: Option<&'a str>,
}

/// Somebody has signed in at a provider.
#[derive(Debug)]
pub struct ProviderSignIn {
    /// They are signed in here too.
    pub sign_in: BrowserSignIn,
    /// Where the browser goes on to.
    pub next: String,
}

/// Why nobody is signed in by a provider.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// There is no such provider.
    #[error("there is no such provider")]
    Unknown,
    /// Nobody began this in this browser, or it took too long, or it was used.
    #[error("this sign-in was not begun in this browser, or has expired")]
    NotBegun,
    /// The provider says no.
    #[error("the provider did not let them in")]
    Denied,
    /// The provider cannot be asked, or answers with nonsense.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// What the provider says is not to be believed.
    #[error(transparent)]
    NotBelieved(#[from] BadIdToken),
    /// The provider does not say what the account is to be called.
    #[error("the provider does not say `{0}`")]
    NoName(String),
    /// The name or the mail address is somebody else's account, and is not to be theirs.
    #[error("there is an account of that name, which is not theirs")]
    Taken,
    /// They are in none of the groups that are let in.
    #[error("they are in none of the groups that are let in")]
    NotInGroup,
    /// They have no account, and none is made.
    #[error("there is no account for them")]
    NoAccount,
    /// The account is locked.
    #[error("the account is locked")]
    Locked,
    /// The account is closed.
    #[error("the account is deactivated")]
    Deactivated,
    /// Too many sign-ins are under way.
    #[error("too many sign-ins are under way")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<PeerError> for ProviderError {
    fn from(error: PeerError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<LoginError> for ProviderError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Locked => Self::Locked,
            LoginError::Storage(error) => Self::Storage(error),
            _ => Self::Deactivated,
        }
    }
}

/// Somebody, as a provider knows them.
struct Person {
    subject: String,
    localpart: Option<String>,
    display_name: Option<String>,
    /// Only one that the provider has checked.
    mail: Option<String>,
    /// What the provider calls their sign-in there.
    sid: Option<String>,
}

impl Accounts {
    /// The organisation's identity providers: names for programs and for people.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.providers.iter().map(|provider| (provider.id.as_str(), provider.name.as_str()))
    }

    pub(super) fn provider(&self, id: &str) -> Result<&IdentityProvider, ProviderError> {
        self.settings.providers.iter().find(|provider| provider.id == id).ok_or(ProviderError::Unknown)
    }

    /// Begins signing somebody in at a provider. Gives where to send the browser, which keeps `browser`.
    ///
    /// # Errors
    /// Any [`ProviderError`].
    pub async fn begin_at_provider(
        &self,
        id: &str,
        callback: &str,
        next: &str,
        browser: &str,
    ) -> Result<String, ProviderError> {
        let provider = self.provider(id)?;
        let known = self.known_provider(provider).await?;
        let chance = &self.ambient.chance;
        let (state, nonce, verifier) = (chance.text(43), chance.text(43), chance.text(64));
        let now = self.now();
        let login = UpstreamLogin {
            provider: id.to_owned(),
            nonce: nonce.clone(),
            verifier: verifier.clone(),
            browser: secret::hash(browser),
            next: next.to_owned(),
            expires_ts: now.plus(LIFETIME).millis(),
        };
        if self.store.count_upstream_logins().await? >= MOST_UNDER_WAY {
            return Err(ProviderError::Busy);
        }
        let mut set = WriteSet::new();
        set.delete_old_upstream_logins(now.millis());
        set.add_upstream_login(&secret::hash(&state), &login);
        self.store.commit(set).await.map_err(plain)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let pairs = [
            ("response_type", "code"),
            ("client_id", &provider.client_id),
            ("redirect_uri", callback),
            ("scope", &provider.scopes),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let separator = if known.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{separator}{query}", known.authorization_endpoint))
    }

    /// Ends it: signs somebody in who comes back from a provider.
    ///
    /// # Errors
    /// Any [`ProviderError`].
    pub async fn come_from_provider(
        &self,
        answer: ProviderAnswer<'_>,
        callback: &str,
        browser: &str,
    ) -> Result<ProviderSignIn, ProviderError> {
        let login = self.take_upstream_login(answer.state.unwrap_or_default(), browser).await?;
        let provider = self.provider(&login.provider)?;
        let known = self.known_provider(provider).await?;
        // One provider's answer is not taken for another's (RFC 9207).
        if answer.iss.is_some_and(|iss| iss != provider.issuer) || (known.says_iss && answer.iss.is_none()) {
            return Err(BadIdToken("another provider answers").into());
        }
        if answer.error.is_some() {
            return Err(ProviderError::Denied);
        }
        let code = answer.code.ok_or(ProviderError::Denied)?;
        let tokens = self.ask_for_tokens(provider, &known, code, &login.verifier, callback).await?;
        let claims = self.believed(provider, known, &login.nonce, &tokens).await?;
        if !is_let_in(provider, &claims) {
            return Err(ProviderError::NotInGroup);
        }
        let person = person(provider, &claims)?;
        let account = self.account_of(provider, &person).await?;
        self.carry_over(&account, &person).await?;
        let session = UpstreamSession {
            provider: provider.id.clone(),
            subject: person.subject,
            sid: person.sid,
            user: account.user,
            began_ts: self.now().millis(),
        };
        Ok(ProviderSignIn { sign_in: self.sign_in_by(&account, Some(&session)).await?, next: login.next })
    }

    async fn take_upstream_login(&self, state: &str, browser: &str) -> Result<UpstreamLogin, ProviderError> {
        let hash = secret::hash(state);
        let login = self.store.upstream_login(&hash).await?.ok_or(ProviderError::NotBegun)?;
        if login.expires_ts <= self.now().millis() || login.browser != secret::hash(browser) {
            return Err(ProviderError::NotBegun);
        }
        let mut set = WriteSet::new();
        set.use_upstream_login(&hash);
        match self.store.commit(set).await {
            Ok(_) => Ok(login),
            Err(CommitError::Guard(UPSTREAM_LOGIN_IS_UNUSED)) => Err(ProviderError::NotBegun),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// What the provider says of whoever signed in, all of it signed or fetched with what was.
    async fn believed(
        &self,
        provider: &IdentityProvider,
        mut known: std::sync::Arc<Known>,
        nonce: &str,
        tokens: &Value,
    ) -> Result<Map<String, Value>, ProviderError> {
        let token = tokens.get("id_token").and_then(Value::as_str);
        let token = token.ok_or(BadIdToken("there is no ID token"))?;
        if !known.has_key_of(token) {
            known = self.newer_keys(provider, known).await?;
        }
        let expected = Expected {
            issuer: &provider.issuer,
            client_id: &provider.client_id,
            nonce,
            now_seconds: self.now().millis() / 1_000,
        };
        let mut claims = known.read(token, &expected)?;
        let lacks = |name: &str| !claims.contains_key(name);
        let lacks_something = lacks(&provider.localpart_claim)
            || (!provider.required_groups.is_empty() && lacks(&provider.groups_claim));
        if let (true, Some(url), Some(access)) =
            (lacks_something, &known.userinfo_endpoint, tokens.get("access_token").and_then(Value::as_str))
        {
            let more = self.ask_for_person(url, access).await?;
            // Of somebody else it is not to be believed (OpenID Connect Core, section 5.3.2).
            if more.get("sub") != claims.get("sub") {
                return Err(BadIdToken("the provider speaks of somebody else").into());
            }
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(claims)
    }

    /// The account of somebody at a provider: the one that is theirs, or one that becomes theirs.
    async fn account_of(
        &self,
        provider: &IdentityProvider,
        person: &Person,
    ) -> Result<Account, ProviderError> {
        if let Some(user) = self.store.user_of_external_id(&provider.id, &person.subject).await? {
            let account = self.store.account(user).await?.ok_or(ProviderError::NoAccount)?;
            return if account.deactivated { Err(ProviderError::Deactivated) } else { Ok(account) };
        }
        let account = match self.existing_account(provider, person).await? {
            Some(account) => account,
            None => self.new_account_of(provider, person).await?,
        };
        let mut set = WriteSet::new();
        set.add_external_id(&provider.id, &person.subject, account.user, self.now().millis());
        match self.store.commit(set).await {
            Ok(_) => Ok(account),
            // The account is somebody else's there.
            Err(CommitError::Guard(EXTERNAL_ID_IS_NEW)) => Err(ProviderError::Taken),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// The account that there was before, if the organisation's rule makes it theirs.
    async fn existing_account(
        &self,
        provider: &IdentityProvider,
        person: &Person,
    ) -> Result<Option<Account>, ProviderError> {
        let named = match (provider.existing_accounts, &person.localpart, &person.mail) {
            (ExistingAccounts::ByMail, _, Some(mail)) => match self.owner_of(mail).await? {
                Some(owner) => self.store.account(owner).await?,
                None => None,
            },
            (ExistingAccounts::ByLocalpart, Some(localpart), _) => self.account_known_as(localpart).await?,
            _ => None,
        };
        match named {
            Some(account) if account.deactivated => Err(ProviderError::Deactivated),
            Some(account) if account.guest => Err(ProviderError::Taken),
            named => Ok(named),
        }
    }

    async fn new_account_of(
        &self,
        provider: &IdentityProvider,
        person: &Person,
    ) -> Result<Account, ProviderError> {
        if !provider.makes_accounts {
            return Err(ProviderError::NoAccount);
        }
        let missing = || ProviderError::NoName(provider.localpart_claim.clone());
        let localpart = person.localpart.as_deref().ok_or_else(missing)?;
        match self.create_account(NewAccount::named(localpart)).await {
            Ok(account) => Ok(account),
            Err(CreateError::Storage(error)) => Err(error.into()),
            Err(CreateError::Name(_)) => Err(missing()),
            Err(_) => Err(ProviderError::Taken),
        }
    }

    /// What the provider says of somebody's name and mail address is carried into the account, at each sign-in.
    async fn carry_over(&self, account: &Account, person: &Person) -> Result<(), StorageError> {
        let own = self.display_name(account.user).await?;
        let unset = own.is_none() || own.as_deref() == Some(account.user_id.localpart());
        // Where the organisation writes names itself, each sign-in does; or else only the first.
        let writes = unset || !self.settings.users_change.displayname;
        let mut set = WriteSet::new();
        if let Some(name) = person.display_name.as_ref().filter(|name| writes && own.as_ref() != Some(name)) {
            set.put_profile_field(account.user, crate::profiles::DISPLAYNAME, &name.as_str().into());
            set.put_in_directory(account.user, account.user_id.localpart(), Some(name));
        }
        if !set.is_empty() {
            self.store.commit(set).await.map_err(plain)?;
        }
        if let Some(mail) = &person.mail {
            self.keep_address_of_provider(account.user, mail).await?;
        }
        Ok(())
    }
}

/// Who somebody is, from what is believed.
fn person(provider: &IdentityProvider, claims: &Map<String, Value>) -> Result<Person, ProviderError> {
    const LONGEST: usize = 255;
    let text = |name: &str| {
        let text = claims.get(name).and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty() && text.len() <= LONGEST).map(str::to_owned)
    };
    let subject = text("sub").ok_or(BadIdToken("it does not say of whom it speaks"))?;
    let verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(verified)) => verified == "true",
        _ => provider.trusts_mail,
    };
    Ok(Person {
        subject,
        localpart: text(&provider.localpart_claim).and_then(|claim| localpart(&claim)),
        display_name: text(&provider.name_claim),
        mail: text(&provider.mail_claim).filter(|mail| verified && mail.contains('@')),
        sid: text("sid"),
    })
}

/// Whether somebody is in a group that is let in, where not all are. One group may stand without a list.
fn is_let_in(provider: &IdentityProvider, claims: &Map<String, Value>) -> bool {
    let required = &provider.required_groups;
    let is_required =
        |group: &Value| group.as_str().is_some_and(|group| required.iter().any(|one| one == group));
    required.is_empty()
        || match claims.get(&provider.groups_claim) {
            Some(Value::Array(groups)) => groups.iter().any(is_required),
            Some(group) => is_required(group),
            None => false,
        }
}

/// A claim as a localpart: what stands before an `@`, in small letters; letters that a localpart cannot have become
/// hyphens.
fn localpart(claim: &str) -> Option<String> {
    let name = claim.split('@').find(|part| !part.is_empty())?.to_lowercase();
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._=/+-".contains(letter);
    let name: String = name.chars().map(|letter| if fits(letter) { letter } else { '-' }).collect();
    name.contains(|letter: char| letter.is_ascii_alphanumeric()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::localpart;

    #[test]
    fn claims_become_localparts() {
        for (claim, expected) in [
            ("Alice", Some("alice")),
            ("alice@example.org", Some("alice")),
            ("Zoé Müller", Some("zo--m-ller")),
            ("@", None),
            ("???", None),
        ] {
            assert_eq!(localpart(claim).as_deref(), expected, "{claim}");
        }
    }
}
