//! Why an event is not allowed.

/// The rule by which an event is not allowed, in words for the developer of the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthError(String);

impl AuthError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The rule, as a phrase.
    pub fn reason(&self) -> &str {
        &self.0
    }
}
