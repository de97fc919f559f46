//! The organisation's directory by LDAP: who has this name and this password.
//!
//! First the directory is searched for the one entry that has the name, with an account that may search; then it is
//! asked, as that entry, whether the password is right (*search and bind*). The directory keeps the passwords and
//! decides; nothing of them is kept here. Each question has a connection of its own and little time.
//!
//! <https://www.rfc-editor.org/rfc/rfc4511>, <https://www.rfc-editor.org/rfc/rfc4513>

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, ldap_escape};
use parvis_peers::{DirectoryError, PeopleDirectory, Person};
use rustls::ClientConfig;

/// How long the directory may take for one step.
const PATIENCE: Duration = Duration::from_secs(10);
/// What stands for the name in a filter.
const NAME: &str = "{name}";
/// Longer names and passwords are nobody's.
const LONGEST: usize = 512;

/// What the directory answers when a password is wrong.
const INVALID_CREDENTIALS: u32 = 49;

/// Where the directory is, and how people stand in it.
#[derive(Clone)]
pub struct LdapSettings {
    /// `ldaps://host`, or `ldap://host`.
    pub url: String,
    /// Whether a way that begins open is made private first (StartTLS).
    pub starttls: bool,
    /// Whom to trust, for `ldaps` and StartTLS.
    pub tls: Arc<ClientConfig>,
    /// With which entry and password to search; without, as nobody.
    pub account: Option<(String, String)>,
    /// Below which entry people are.
    pub base: String,
    /// Which entry is somebody's, `{name}` being what they typed.
    pub filter: String,
    /// The attribute that becomes the localpart.
    pub localpart: String,
    /// The attribute with what they are called.
    pub display_name: String,
    /// The attribute with their mail address.
    pub address: String,
}

/// A directory that is asked by LDAP.
pub struct LdapDirectory {
    settings: LdapSettings,
}

impl std::fmt::Debug for LdapDirectory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LdapDirectory").field("url", &self.settings.url).finish_non_exhaustive()
    }
}

impl LdapDirectory {
    /// A directory. Nothing is asked of it before somebody logs in.
    pub fn new(settings: LdapSettings) -> Self {
        Self { settings }
    }

    async fn connect(&self) -> Result<Ldap, LdapError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(PATIENCE)
            .set_starttls(self.settings.starttls)
            .set_config(Arc::clone(&self.settings.tls));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.settings.url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "the connection to the directory has ended");
            }
        });
        Ok(ldap)
    }

    /// The one entry that has the name.
    async fn find(&self, ldap: &mut Ldap, name: &str) -> Result<Option<SearchEntry>, LdapError> {
        let Self { settings } = self;
        if let Some((entry, password)) = &settings.account {
            ldap.with_timeout(PATIENCE).simple_bind(entry, password).await?.success()?;
        }
        let filter = settings.filter.replace(NAME, &ldap_escape(name));
        let attributes = [&settings.localpart, &settings.display_name, &settings.address];
        let search = ldap.with_timeout(PATIENCE).search(&settings.base, Scope::Subtree, &filter, attributes);
        let (mut entries, _) = search.await?.success()?;
        match entries.len() {
            1 => Ok(entries.pop().map(SearchEntry::construct)),
            0 => Ok(None),
            several => {
                // Whose password would it be?
                tracing::warn!(several, "the filter for people finds more than one entry for a name");
                Ok(None)
            }
        }
    }

    async fn ask(&self, name: &str, password: &str) -> Result<Option<Person>, LdapError> {
        let mut ldap = self.connect().await?;
        let person = self.ask_over(&mut ldap, name, password).await;
        // The answer is known: a failure to say goodbye changes nothing.
        let _ = ldap.with_timeout(PATIENCE).unbind().await;
        person
    }

    async fn ask_over(
        &self,
        ldap: &mut Ldap,
        name: &str,
        password: &str,
    ) -> Result<Option<Person>, LdapError> {
        let Some(entry) = self.find(ldap, name).await? else { return Ok(None) };
        let answer = ldap.with_timeout(PATIENCE).simple_bind(&entry.dn, password).await?;
        if answer.rc == INVALID_CREDENTIALS {
            return Ok(None);
        }
        answer.success()?;
        Ok(self.person(&entry))
    }

    fn person(&self, entry: &SearchEntry) -> Option<Person> {
        let first = |name: &str| {
            let mut attributes = entry.attrs.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            attributes.find_map(|(_, values)| values.first()).cloned().filter(|value| !value.is_empty())
        };
        let localpart = first(&self.settings.localpart);
        if localpart.is_none() {
            tracing::warn!("an entry of the directory has no attribute for the user name");
        }
        Some(Person {
            localpart: localpart?,
            display_name: first(&self.settings.display_name),
            address: first(&self.settings.address),
        })
    }
}

#[async_trait]
impl PeopleDirectory for LdapDirectory {
    async fn check(&self, name: &str, password: &str) -> Result<Option<Person>, DirectoryError> {
        // Directories take an entry without a password for a wish to be nobody, and say that all is well:
        // <https://www.rfc-editor.org/rfc/rfc4513#section-5.1.2>.
        if name.is_empty() || password.is_empty() || name.len() > LONGEST || password.len() > LONGEST {
            return Ok(None);
        }
        self.ask(name, password).await.map_err(|error| {
            tracing::warn!(%error, "the organisation's directory does not answer");
            DirectoryError(error.to_string())
        })
    }
}
