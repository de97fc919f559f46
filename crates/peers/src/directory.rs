//! The organisation's directory of its people, which knows their passwords.

use std::fmt;

use async_trait::async_trait;

/// Somebody of whom the directory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The localpart of their user id here.
    pub localpart: String,
    /// What they are called.
    pub display_name: Option<String>,
    /// Their mail address.
    pub address: Option<String>,
}

/// Why the directory did not say whether a password is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the organisation's directory does not answer: {0}")]
pub struct DirectoryError(pub String);

/// Knows the people of the organisation and their passwords.
#[async_trait]
pub trait PeopleDirectory: Send + Sync + fmt::Debug {
    /// Who has this name and this password; `None` if nobody. The name is what somebody typed.
    ///
    /// # Errors
    /// [`DirectoryError`] where that cannot be known now.
    async fn check(&self, name: &str, password: &str) -> Result<Option<Person>, DirectoryError>;
}
