//! The policy as settings with names, which can be written down, changed one by one, and read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::encryption::{EncryptionPolicy, WhoMayTurnOn};

/// Settings by their names: section and key, `encryption.private`.
pub type Settings = BTreeMap<String, Value>;

/// What the organisation wants, so far as it can be changed while the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Which rooms are end-to-end encrypted.
    pub encryption: EncryptionPolicy,
}

/// Why a setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// There is no setting of this name.
    Unknown(String),
    /// The setting has no such values.
    Value {
        /// The setting's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl std::fmt::Display for SettingError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(name) => write!(formatter, "there is no setting {name}"),
            Self::Value { name, reason } => write!(formatter, "{name}: {reason}"),
        }
    }
}

impl std::error::Error for SettingError {}

impl Policy {
    /// The policy that settings describe; what they do not name has its default.
    ///
    /// # Errors
    /// The first [`SettingError`] in the order of names.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let known = Self::default().settings();
        for (name, value) in settings {
            if !known.contains_key(name) {
                return Err(SettingError::Unknown(name.clone()));
            }
            // Alone, so that the error tells which one is wrong.
            Self::read([(name, value)])
                .map_err(|reason| SettingError::Value { name: name.clone(), reason })?;
        }
        let whole = |reason| SettingError::Value { name: "policy".to_owned(), reason };
        Self::read(settings).map_err(whole)
    }

    fn read<'a>(settings: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Result<Self, String> {
        let mut sections = Map::new();
        for (name, value) in settings {
            let (section, key) = name.split_once('.').unwrap_or((name, ""));
            let section = sections.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                section.insert(key.to_owned(), value.clone());
            }
        }
        serde_json::from_value(Value::Object(sections)).map_err(|error| error.to_string())
    }

    /// Every setting with its value.
    pub fn settings(&self) -> Settings {
        let Ok(Value::Object(sections)) = serde_json::to_value(self) else { return Settings::new() };
        let keys = sections.into_iter().flat_map(|(section, keys)| {
            let keys = if let Value::Object(keys) = keys { keys } else { Map::new() };
            keys.into_iter().map(move |(key, value)| (format!("{section}.{key}"), value))
        });
        keys.collect()
    }

    /// What does not fit together: each setting is possible, and yet something would never hold. For whoever
    /// changes a setting; a policy with such a fault can be used.
    pub fn contradiction(&self) -> Option<SettingError> {
        let encryption = &self.encryption;
        let fault = |key: &str, reason: String| {
            Some(SettingError::Value { name: format!("encryption.{key}"), reason })
        };
        if let WhoMayTurnOn::Roles(roles) = &encryption.who_may_turn_on
            && let Some(missing) =
                roles.iter().find(|name| !encryption.roles.iter().any(|role| role.name == **name))
        {
            return fault(
                "who_may_turn_on",
                format!("nobody has the role {missing:?}; see encryption.roles"),
            );
        }
        let people = encryption.roles.iter().flat_map(|role| &role.users);
        if let Some(user) = people.clone().find(|user| !is_user_id(user)) {
            return fault("roles", format!("{user:?} is no user id such as \"@alice:example.org\""));
        }
        if let Some(except) = encryption.exceptions.iter().find(|except| !is_user_id(&except.user)) {
            return fault(
                "exceptions",
                format!("{:?} is no user id such as \"@alice:example.org\"", except.user),
            );
        }
        None
    }
}

fn is_user_id(text: &str) -> bool {
    text.strip_prefix('@').and_then(|rest| rest.split_once(':')).is_some_and(|(_, server)| !server.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::encryption::Level;

    fn settings(entries: &[(&str, Value)]) -> Settings {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn policy_is_written_down_and_read_back() {
        let policy = Policy::from_settings(&settings(&[
            ("encryption.private", json!("required")),
            ("encryption.who_may_turn_on", json!(["lawyers"])),
            ("encryption.roles", json!([{ "name": "lawyers", "users": ["@ann:example.org"] }])),
        ]));
        let policy = policy.unwrap();
        assert_eq!((policy.encryption.private, policy.encryption.direct), (Level::Required, Level::Off));
        let written = policy.settings();
        assert_eq!(written["encryption.who_may_turn_on"], json!(["lawyers"]));
        assert_eq!(Policy::from_settings(&written).unwrap(), policy);
        assert_eq!(policy.contradiction(), None);
    }

    #[test]
    fn wrong_setting_is_named() {
        let unknown = Policy::from_settings(&settings(&[("encryption.privat", json!("off"))]));
        assert_eq!(unknown.unwrap_err().to_string(), "there is no setting encryption.privat");
        let wrong = |name, value| Policy::from_settings(&settings(&[(name, value)])).unwrap_err().to_string();
        let level = wrong("encryption.private", json!("sometimes"));
        assert!(level.starts_with("encryption.private: unknown variant `sometimes`"), "{level}");
        let who = wrong("encryption.who_may_turn_on", json!("me"));
        assert!(who.contains("a list of roles"), "{who}");
    }

    #[test]
    fn what_would_never_hold_is_a_contradiction() {
        for (entries, name) in [
            (settings(&[("encryption.who_may_turn_on", json!(["lawyers"]))]), "who_may_turn_on"),
            (settings(&[("encryption.roles", json!([{ "name": "lawyers", "users": ["ann"] }]))]), "roles"),
            (settings(&[("encryption.exceptions", json!([{ "user": "ann", "level": "on" }]))]), "exceptions"),
        ] {
            let fault = Policy::from_settings(&entries).unwrap().contradiction().unwrap();
            assert!(fault.to_string().starts_with(&format!("encryption.{name}: ")), "{fault}");
        }
    }
}
