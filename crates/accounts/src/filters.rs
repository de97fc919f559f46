//! Filters that clients keep here to sync by.

use parvis_storage::{StorageError, UserSn};
use ruma::canonical_json::CanonicalJsonObject;

use crate::accounts::{Accounts, plain};

/// The largest filter, in bytes.
const LARGEST: usize = 65_536;

/// Why a filter is not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The user has no filter of that id.
    #[error("there is no such filter")]
    NotFound,
    /// The filter is too large.
    #[error("a filter has {LARGEST} bytes at most")]
    TooLarge,
    /// The filter is not JSON of the kind that Matrix has.
    #[error("the filter cannot be kept: {0}")]
    Invalid(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Keeps a filter and gives its id; for an equal filter, the same.
    ///
    /// # Errors
    /// Any [`FilterError`] but [`NotFound`](FilterError::NotFound).
    pub async fn add_filter(&self, user: UserSn, definition: &[u8]) -> Result<String, FilterError> {
        if definition.len() > LARGEST {
            return Err(FilterError::TooLarge);
        }
        let canonical: CanonicalJsonObject = serde_json::from_slice(definition)?;
        let canonical = serde_json::to_string(&canonical)?;
        let filter_id = self.store.add_filter(user, &canonical).await.map_err(plain)?;
        Ok(filter_id.to_string())
    }

    /// A user's filter, as JSON.
    ///
    /// # Errors
    /// [`FilterError::NotFound`], or if the store fails.
    pub async fn filter(&self, user: UserSn, filter_id: &str) -> Result<String, FilterError> {
        let filter_id = filter_id.parse().map_err(|_| FilterError::NotFound)?;
        self.store.filter(user, filter_id).await?.ok_or(FilterError::NotFound)
    }
}
