//! The organisation's policy as it stands: kept in the store, changed while the server runs, with a history of who
//! changed what, when, and from what.
//!
//! What the configuration file says is pinned: it holds from the next start on, is written into the history, and
//! cannot be changed from elsewhere. This crate decides nothing by the policy; it hands out a [`Standing`] to those
//! who ask `policy`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use parvis_ambient::Ambient;
use parvis_policy::{Policy, SettingError, Settings, Standing};
use parvis_storage::{CommitError, StorageError, Store, WriteSet};
use serde_json::Value;

pub use parvis_storage::PolicyChange;

/// In place of a person, in the history: the configuration file.
pub const CONFIGURATION_FILE: &str = "the configuration file";

/// The policy of one organisation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Organisation {
    store: Store,
    ambient: Ambient,
    standing: Standing,
    pinned: Arc<Settings>,
    known: Arc<Mutex<Known>>,
    /// Held by whoever changes a setting.
    changing: Arc<tokio::sync::Mutex<()>>,
}

/// What was read of the store.
#[derive(Debug, Default)]
struct Known {
    newest: i64,
    in_force: BTreeMap<String, PolicyChange>,
}

/// Where a setting's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody has set it.
    Default,
    /// The configuration file pins it.
    Pinned,
    /// Somebody has set it.
    Set {
        /// Who: a user id, or in words.
        author: String,
        /// When, in milliseconds since the Unix epoch.
        changed_ts: i64,
    },
}

/// A setting as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The setting's name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Where the value comes from.
    pub source: Source,
}

/// Why a setting was not changed. Nothing was then written.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such setting, or it has no such value.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The configuration file pins it.
    #[error("{0} is pinned by the configuration file; change it there")]
    Pinned(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Organisation {
    /// Reads the policy of an organisation, of which the configuration file pins some settings.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open(store: Store, ambient: Ambient, pinned: Settings) -> Result<Self, StorageError> {
        let organisation = Self {
            store,
            ambient,
            standing: Standing::default(),
            pinned: Arc::new(pinned),
            known: Arc::default(),
            changing: Arc::default(),
        };
        organisation.read().await?;
        Ok(organisation)
    }

    /// The policy, for those who ask it.
    pub fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// Writes into the history what the configuration file pins anew.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn record_pinned(&self) -> Result<(), StorageError> {
        let _turn = self.changing.lock().await;
        let mut set = WriteSet::new();
        let mut changed = false;
        for (name, value) in self.pinned.iter() {
            let value = value.to_string();
            let as_recorded = self.known(|known| {
                known.in_force.get(name).is_some_and(|change| change.new.as_ref() == Some(&value))
            });
            if !as_recorded {
                set.add_policy_change(name, Some(&value), CONFIGURATION_FILE, self.ambient.now().millis());
                changed = true;
            }
        }
        if changed {
            self.store.commit(set).await.map_err(plain)?;
            self.read().await?;
        }
        Ok(())
    }

    /// Takes notice of what another process has changed. Says whether there was anything.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn refresh(&self) -> Result<bool, StorageError> {
        let newest = self.store.newest_policy_change().await?;
        if newest == self.known(|known| known.newest) {
            return Ok(false);
        }
        self.read().await?;
        Ok(true)
    }

    /// Changes settings, all or none; no value takes a setting back to its default. Gives the settings that had
    /// another value before.
    ///
    /// # Errors
    /// Any [`ChangeError`].
    pub async fn change(
        &self,
        author: &str,
        changes: &[(String, Option<Value>)],
    ) -> Result<Vec<Holding>, ChangeError> {
        let _turn = self.changing.lock().await;
        self.read().await?;
        let before = self.settings();
        let mut wanted = before.clone();
        for (name, value) in changes {
            if self.pinned.contains_key(name) {
                return Err(ChangeError::Pinned(name.clone()));
            }
            match value {
                Some(value) => wanted.insert(name.clone(), value.clone()),
                None if !Policy::default().settings().contains_key(name) => {
                    return Err(SettingError::Unknown(name.clone()).into());
                }
                None => wanted.remove(name),
            };
        }
        let policy = Policy::from_settings(&wanted)?;
        if let Some(contradiction) = policy.contradiction() {
            return Err(contradiction.into());
        }
        let mut set = WriteSet::new();
        let changed: Vec<_> =
            changes.iter().filter(|(name, value)| before.get(name) != value.as_ref()).collect();
        for (name, value) in &changed {
            let value = value.as_ref().map(Value::to_string);
            set.add_policy_change(name, value.as_deref(), author, self.ambient.now().millis());
        }
        if !changed.is_empty() {
            self.store.commit(set).await.map_err(plain)?;
            self.read().await?;
        }
        let names: Vec<_> = changed.iter().map(|(name, _)| name.as_str()).collect();
        Ok(self.holdings().into_iter().filter(|holding| names.contains(&holding.name.as_str())).collect())
    }

    /// Every setting as it stands.
    pub fn holdings(&self) -> Vec<Holding> {
        let settings = self.standing.now().settings();
        let holdings = settings.into_iter().map(|(name, value)| {
            let source = self.source(&name);
            Holding { name, value, source }
        });
        holdings.collect()
    }

    /// Where a setting's value comes from.
    pub fn source(&self, name: &str) -> Source {
        if self.pinned.contains_key(name) {
            return Source::Pinned;
        }
        self.known(|known| match known.in_force.get(name) {
            Some(PolicyChange { new: Some(_), author, changed_ts, .. }) => {
                Source::Set { author: author.clone(), changed_ts: *changed_ts }
            }
            _ => Source::Default,
        })
    }

    /// At most `limit` changes, the newest first; those before a change's number if one is given.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn history(&self, before: Option<i64>, limit: u32) -> Result<Vec<PolicyChange>, StorageError> {
        self.store.policy_history(before.unwrap_or(i64::MAX), limit).await
    }

    async fn read(&self) -> Result<(), StorageError> {
        let newest = self.store.newest_policy_change().await?;
        let in_force = self.store.policy_in_force().await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known { newest, in_force };
        self.standing.replace(Policy::from_settings(&self.settings()).unwrap_or_default());
        Ok(())
    }

    /// What is set in the store, and over it what is pinned. What this program does not understand is left out, as
    /// if it had never been set: a newer one may have written it.
    fn settings(&self) -> Settings {
        let set = self.known(|known| {
            let set = known.in_force.iter();
            let set = set.filter_map(|(name, change)| Some((name.clone(), change.new.clone()?)));
            set.collect::<Vec<_>>()
        });
        let mut settings = Settings::new();
        for (name, text) in set {
            let alone = serde_json::from_str(&text).map(|value| Settings::from([(name.clone(), value)]));
            match alone {
                Ok(alone) if Policy::from_settings(&alone).is_ok() => settings.extend(alone),
                _ => {
                    tracing::warn!(setting = %name, "a setting of the policy is not understood, and not used")
                }
            }
        }
        settings.extend(self.pinned.iter().map(|(name, value)| (name.clone(), value.clone())));
        settings
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// No guard is set here, so a failed commit is the store's failure.
fn plain(error: CommitError) -> StorageError {
    match error {
        CommitError::Storage(error) => error,
        other => StorageError::Corrupt(other.to_string()),
    }
}
