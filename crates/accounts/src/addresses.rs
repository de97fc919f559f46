//! Mail addresses: proving that one is theirs, adding it, taking it away, and what it is then good for
//! (<https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information>).
//!
//! A proof is bound to a secret of the client's and to what it is for: who proved an address to add it to an account
//! cannot give an account a new password with that. It is good for one use.

use std::time::Duration;

use parvis_peers::{Language, MailError};
use parvis_storage::{
    ADDRESS_IS_FREE, ADDRESS_TOKEN_IS_UNUSED, ADDRESS_VALIDATION_IS_UNUSED, AddressValidation, CommitError,
    MAIL_APP, StorageError, UserAddress, UserSn, WriteSet,
};
use subtle::ConstantTimeEq as _;

use crate::{
    accounts::{Accounts, plain},
    mails::{AddressPurpose, PageKind, mail_with_link, page},
    secret::{self, TokenKind, new_token},
    session::Session,
    settings::MailSettings,
};

/// The only kind of address that is known here.
pub(crate) const EMAIL: &str = "email";
/// How long a link in a mail is good.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);
/// How long a proof is good.
const PROOF_LIFETIME: Duration = Duration::from_secs(24 * 3_600);
/// Letters and digits in the name of a proof: 119 bits.
const SID_LENGTH: usize = 20;
/// The longest address, in bytes.
const LONGEST_ADDRESS: usize = 254;
/// The longest link, in bytes.
const LONGEST_LINK: usize = 2_048;

impl AddressPurpose {
    fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Add => "add",
            Self::ResetPassword => "reset_password",
        }
    }
}

/// Why an address is not proved, added or used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// This server sends no mail.
    #[error("this server sends no mail")]
    NoMail,
    /// This server sends nothing to phones.
    #[error("this server sends nothing to phones")]
    NoPhones,
    /// This server speaks with no identity servers.
    #[error("this server speaks with no identity servers")]
    NoIdentityServers,
    /// The organisation keeps the addresses of its people itself.
    #[error("addresses are managed by the organisation")]
    Managed,
    /// No mail can be sent to such an address.
    #[error("this is no mail address")]
    BadAddress,
    /// The link to go on by cannot be one.
    #[error("next_link must be an http or https URL of {LONGEST_LINK} bytes at most")]
    BadLink,
    /// Somebody has the address.
    #[error("the address belongs to an account here")]
    InUse,
    /// Nobody here has the address.
    #[error("nobody here has this address")]
    Unknown,
    /// The address was not proved, or that is too long ago, or it was for something else.
    #[error("the address has not been confirmed")]
    NotProved,
    /// The link in the mail was used, has expired, or was replaced by a newer one.
    #[error("the link was used already, has expired, or was replaced by a newer one")]
    WrongToken,
    /// The mail server did not take the mail.
    #[error("the mail could not be sent")]
    Mail(MailError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A client's wish that somebody is sent a link by which they prove that an address is theirs.
#[derive(Clone, Copy, Debug)]
pub struct MailTokenRequest<'a> {
    /// What for.
    pub purpose: AddressPurpose,
    /// What the client alone knows.
    pub client_secret: &'a str,
    /// The address.
    pub email: &'a str,
    /// The mail is sent again if this is greater than the last time.
    pub send_attempt: i64,
    /// Where the browser goes on in the end.
    pub next_link: Option<&'a str>,
    /// The languages that the client's user reads, as in `Accept-Language`.
    pub languages: Option<&'a str>,
}

impl Accounts {
    /// Sends a link to an address, unless this attempt was answered before. Gives the name of the proof to be.
    ///
    /// # Errors
    /// Any [`AddressError`].
    pub async fn send_mail_token(&self, request: MailTokenRequest<'_>) -> Result<String, AddressError> {
        let settings = self.settings.mail.as_ref().ok_or(AddressError::NoMail)?;
        let email = canonical_address(request.email).ok_or(AddressError::BadAddress)?;
        let next_link = request.next_link.map(|link| followed(link, settings)).transpose()?.flatten();
        self.check_owner(request.purpose, &email).await?;
        let secret_hash = secret::hash(request.client_secret);
        let purpose = request.purpose.name();
        let now = self.now();
        let known = self.store.find_address_validation(&secret_hash, EMAIL, &email, purpose).await?;
        let known = known.filter(|known| known.expires_ts > now.millis());
        if let Some(known) = &known
            && (request.send_attempt <= known.send_attempt || known.validated_ts.is_some())
        {
            return Ok(known.sid.clone());
        }
        let sid = known.map_or_else(|| self.ambient.chance.text(SID_LENGTH), |known| known.sid);
        let token = new_token(&*self.ambient.chance, TokenKind::Mail);
        let link = link(settings, &sid, request.client_secret, &token);
        let language = Language::wanted(request.languages).unwrap_or(settings.default_language);
        let mail = mail_with_link(request.purpose, language, settings, email.clone(), &link);
        // First the mail: an attempt counts once it has gone out.
        settings.mailer.send(mail).await.map_err(|error| match error {
            MailError::BadAddress => AddressError::BadAddress,
            failed => AddressError::Mail(failed),
        })?;
        let mut set = WriteSet::new();
        set.delete_old_address_validations(now.millis());
        set.put_address_validation(&AddressValidation {
            sid: sid.clone(),
            secret_hash: secret_hash.to_vec(),
            medium: EMAIL.to_owned(),
            address: email,
            purpose: purpose.to_owned(),
            token_hash: secret::hash(&token).to_vec(),
            send_attempt: request.send_attempt,
            next_link,
            expires_ts: now.plus(TOKEN_LIFETIME).millis(),
            validated_ts: None,
        });
        self.store.commit(set).await.map_err(plain)?;
        Ok(sid)
    }

    async fn check_owner(&self, purpose: AddressPurpose, email: &str) -> Result<(), AddressError> {
        let owner = self.store.owner_of_address(EMAIL, email).await?;
        let settings = &self.settings;
        match (purpose, owner) {
            (AddressPurpose::Add, _) if !settings.users_change.third_party_ids => Err(AddressError::Managed),
            (AddressPurpose::ResetPassword, _) if !settings.users_change.password => {
                Err(AddressError::Managed)
            }
            (AddressPurpose::ResetPassword, None) => Err(AddressError::Unknown),
            (AddressPurpose::ResetPassword, Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => Err(AddressError::InUse),
        }
    }

    /// Uses the token of a mail up: whoever has it has the address. Gives where the browser may go on.
    ///
    /// # Errors
    /// [`AddressError::WrongToken`], or if the store fails.
    pub async fn prove_address(
        &self,
        sid: &str,
        client_secret: &str,
        token: &str,
    ) -> Result<Option<String>, AddressError> {
        let now = self.now();
        let mut validation = self.waiting_validation(sid, client_secret, token).await?;
        validation.validated_ts = Some(now.millis());
        validation.expires_ts = now.plus(PROOF_LIFETIME).millis();
        let next_link = validation.next_link.clone();
        let mut set = WriteSet::new();
        set.validate_address(&validation);
        match self.store.commit(set).await {
            Ok(_) => Ok(next_link),
            Err(CommitError::Guard(ADDRESS_TOKEN_IS_UNUSED)) => Err(AddressError::WrongToken),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// Whether the token of a mail could be used. For a page that asks before it does so.
    ///
    /// # Errors
    /// As [`prove_address`](Self::prove_address).
    pub async fn check_mail_token(
        &self,
        sid: &str,
        client_secret: &str,
        token: &str,
    ) -> Result<(), AddressError> {
        self.waiting_validation(sid, client_secret, token).await.map(drop)
    }

    async fn waiting_validation(
        &self,
        sid: &str,
        client_secret: &str,
        token: &str,
    ) -> Result<AddressValidation, AddressError> {
        let found = self.store.address_validation(sid).await?.ok_or(AddressError::WrongToken)?;
        let same = found.secret_hash.ct_eq(&secret::hash(client_secret))
            & found.token_hash.ct_eq(&secret::hash(token));
        let waits = found.validated_ts.is_none() && found.expires_ts > self.now().millis();
        if bool::from(same) && waits { Ok(found) } else { Err(AddressError::WrongToken) }
    }

    /// The proof of this name, if it was given for this purpose and is good.
    pub(crate) async fn proof(
        &self,
        purpose: AddressPurpose,
        sid: &str,
        client_secret: &str,
    ) -> Result<AddressValidation, AddressError> {
        let found = self.store.address_validation(sid).await?.ok_or(AddressError::NotProved)?;
        let same = bool::from(found.secret_hash.ct_eq(&secret::hash(client_secret)));
        let good = found.validated_ts.is_some() && found.expires_ts > self.now().millis();
        if same && good && found.purpose == purpose.name() { Ok(found) } else { Err(AddressError::NotProved) }
    }

    /// A user's addresses, the oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn addresses(&self, user: UserSn) -> Result<Vec<UserAddress>, StorageError> {
        self.store.addresses_of(user).await
    }

    /// Adds an address that was proved to the user's account.
    ///
    /// # Errors
    /// Any [`AddressError`].
    pub async fn add_address(
        &self,
        session: &Session,
        sid: &str,
        client_secret: &str,
    ) -> Result<(), AddressError> {
        if !self.settings.users_change.third_party_ids {
            return Err(AddressError::Managed);
        }
        let proof = self.proof(AddressPurpose::Add, sid, client_secret).await?;
        let mut set = WriteSet::new();
        self.put_proved_address(&mut set, session.user, &proof);
        match self.store.commit(set).await {
            Ok(_) => Ok(()),
            Err(CommitError::Guard(ADDRESS_IS_FREE)) => Err(AddressError::InUse),
            Err(CommitError::Guard(ADDRESS_VALIDATION_IS_UNUSED)) => Err(AddressError::NotProved),
            Err(error) => Err(plain(error).into()),
        }
    }

    /// Gives a user the address of a proof, which is used up.
    pub(crate) fn put_proved_address(&self, set: &mut WriteSet, user: UserSn, proof: &AddressValidation) {
        set.use_address_validation(&proof.sid);
        let now = self.now().millis();
        set.add_address(&UserAddress {
            medium: proof.medium.clone(),
            address: proof.address.clone(),
            user,
            validated_ts: proof.validated_ts.unwrap_or(now),
            added_ts: now,
        });
    }

    /// Takes an address from a user, and with it the mails that are sent there. One that they do not have is gone
    /// already.
    ///
    /// # Errors
    /// [`AddressError::Managed`], or if the store fails.
    pub async fn delete_address(
        &self,
        session: &Session,
        medium: &str,
        address: &str,
    ) -> Result<(), AddressError> {
        if !self.settings.users_change.third_party_ids {
            return Err(AddressError::Managed);
        }
        let address = canonical_address(address).unwrap_or_else(|| address.to_owned());
        let mut set = WriteSet::new();
        set.delete_address(session.user, medium, &address);
        if medium == EMAIL {
            set.delete_pusher(session.user, MAIL_APP, &address);
        }
        self.store.commit(set).await.map(drop).map_err(|error| plain(error).into())
    }

    /// Whether users can add addresses to their accounts: mail is sent, and the organisation lets them.
    pub fn users_change_addresses(&self) -> bool {
        self.settings.mail.is_some() && self.settings.users_change.third_party_ids
    }

    /// Whether users can change their passwords.
    pub fn users_change_passwords(&self) -> bool {
        self.settings.users_change.password
    }

    /// Whether mail is sent.
    pub fn sends_mail(&self) -> bool {
        self.settings.mail.is_some()
    }

    /// A page, as HTML, for the browser of somebody who follows the link in a mail.
    pub fn page(&self, kind: PageKind, languages: Option<&str>) -> String {
        let mail = self.settings.mail.as_ref();
        let organisation = mail.map_or(self.settings.server_name.as_str(), |mail| &mail.organisation);
        let default = mail.map(|mail| mail.default_language).unwrap_or_default();
        page(kind, Language::wanted(languages).unwrap_or(default), organisation)
    }

    /// The name of whoever has an address.
    pub(crate) async fn owner_of(&self, email: &str) -> Result<Option<UserSn>, StorageError> {
        let Some(email) = canonical_address(email) else { return Ok(None) };
        self.store.owner_of_address(EMAIL, &email).await
    }
}

/// The link by which an address is proved.
fn link(settings: &MailSettings, sid: &str, client_secret: &str, token: &str) -> String {
    // None of these has letters that mean something in a URL: the API lets no other secrets through.
    format!("{}?sid={sid}&client_secret={client_secret}&token={token}", settings.link)
}

/// A link to go on by, if the browser is to be sent there: only hosts that the organisation knows are.
fn followed(link: &str, settings: &MailSettings) -> Result<Option<String>, AddressError> {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let rest = rest.filter(|_| link.len() <= LONGEST_LINK).ok_or(AddressError::BadLink)?;
    if link.chars().any(|letter| letter.is_control() || letter.is_whitespace() || "\\\"'<>".contains(letter))
    {
        return Err(AddressError::BadLink);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    let known = settings.next_link_hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
    // What stands before an `@` is no host.
    Ok((known && !authority.contains('@')).then(|| link.to_owned()))
}

/// One form of a mail address for all that mean the same, in small letters; `None` for what cannot be one.
pub(crate) fn canonical_address(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let strange =
        |letter: char| letter.is_control() || letter.is_whitespace() || "()<>[]:;@\\,\"".contains(letter);
    let host_letter = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '.';
    let fits = !local.is_empty()
        && !local.chars().any(strange)
        && domain.chars().all(host_letter)
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-'))
        && address.len() <= LONGEST_ADDRESS;
    fits.then(|| address.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::canonical_address;

    #[test]
    fn addresses_have_one_form_and_nothing_else_is_one() {
        for (address, expected) in [
            ("Alice@Example.ORG", Some("alice@example.org")),
            ("a.b+c@mail.example.org", Some("a.b+c@mail.example.org")),
            ("zoë@exämple.org", Some("zoë@exämple.org")),
            ("alice@localhost", Some("alice@localhost")),
            ("alice", None),
            ("@example.org", None),
            ("alice@", None),
            ("alice@example..org", None),
            ("alice@-example.org", None),
            ("alice@bob@example.org", None),
            ("alice@example.org\r\nBcc: eve@example.org", None),
            ("Alice <alice@example.org>", None),
            ("alice@[127.0.0.1]", None),
        ] {
            assert_eq!(canonical_address(address).as_deref(), expected, "{address}");
        }
        assert_eq!(canonical_address(&format!("{}@example.org", "a".repeat(250))), None);
    }
}
