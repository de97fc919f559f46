//! Profiles: what users say about themselves to everybody, and how they are found
//! (<https://spec.matrix.org/v1.19/client-server-api/#profiles>).
//!
//! Knows nothing of rooms, where a changed profile becomes a new membership event.

use parvis_storage::{Profile, StorageError, UserSn, WriteSet};
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use crate::accounts::{Accounts, plain};

/// The field with the name that people see.
pub(crate) const DISPLAYNAME: &str = "displayname";
/// The field with the picture's `mxc://` URI.
const AVATAR_URL: &str = "avatar_url";
/// The longest display name, in characters. It goes into an event in each room.
pub(crate) const LONGEST_DISPLAYNAME: usize = 256;
/// The longest avatar URI, in bytes.
const LONGEST_AVATAR_URL: usize = 1_000;
/// The longest name of a field, in bytes.
const LONGEST_FIELD_NAME: usize = 255;
/// The largest profile, in bytes of JSON.
const LARGEST_PROFILE: usize = 65_536;
/// The most users that one search finds.
const MOST_FOUND: u32 = 50;

/// Why a profile is not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no such user here.
    #[error("there is no such user")]
    NoUser,
    /// The field is not set.
    #[error("the profile has no such field")]
    NoField,
    /// The name of the field is too long.
    #[error("the name of a field has {LONGEST_FIELD_NAME} bytes at most")]
    NameTooLong,
    /// The name cannot be a field's, or the value not this field's: a sentence for people.
    #[error("{0}")]
    Invalid(&'static str),
    /// The organisation writes this field itself.
    #[error("this field is managed by the organisation")]
    Managed,
    /// With this field the profile would be too large.
    #[error("a profile has {LARGEST_PROFILE} bytes at most")]
    TooLarge,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A user who was found.
#[derive(Clone, Debug)]
pub struct FoundUser {
    /// Who.
    pub user_id: OwnedUserId,
    /// Their profile.
    pub profile: Profile,
}

impl Accounts {
    /// A local user's profile.
    ///
    /// # Errors
    /// [`ProfileError::NoUser`], or if the store fails.
    pub async fn profile(&self, user_id: &UserId) -> Result<Profile, ProfileError> {
        let user = self.store.find_user(user_id).await?.ok_or(ProfileError::NoUser)?;
        let account = self.store.account(user).await?;
        account.filter(|account| !account.deactivated).ok_or(ProfileError::NoUser)?;
        Ok(self.store.profile(user).await?)
    }

    /// A field of a local user's profile.
    ///
    /// # Errors
    /// [`ProfileError::NoUser`], [`ProfileError::NoField`], or if the store fails.
    pub async fn profile_field(&self, user_id: &UserId, field: &str) -> Result<Value, ProfileError> {
        self.profile(user_id).await?.fields.remove(field).ok_or(ProfileError::NoField)
    }

    /// Sets a field of a user's profile. A display name or avatar that is null or empty is taken out.
    ///
    /// # Errors
    /// Any [`ProfileError`].
    pub async fn set_profile_field(
        &self,
        user: UserSn,
        user_id: &UserId,
        field: &str,
        value: Value,
    ) -> Result<(), ProfileError> {
        self.check_users_change(field)?;
        check_field(field, &value)?;
        let is_basic = field == DISPLAYNAME || field == AVATAR_URL;
        if is_basic && (value.is_null() || value == "") {
            return self.delete_profile_field(user, user_id, field).await;
        }
        let mut profile = self.store.profile(user).await?;
        profile.fields.insert(field.to_owned(), value.clone());
        let size: usize =
            profile.fields.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        if size > LARGEST_PROFILE {
            return Err(ProfileError::TooLarge);
        }
        let mut set = WriteSet::new();
        set.put_profile_field(user, field, &value);
        if field == DISPLAYNAME {
            set.put_in_directory(user, user_id.localpart(), value.as_str());
        }
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// The fields of their profiles that users cannot change by themselves.
    pub fn managed_profile_fields(&self) -> Vec<&'static str> {
        let change = self.settings.users_change;
        let fields = [(DISPLAYNAME, change.displayname), (AVATAR_URL, change.avatar_url)];
        fields.into_iter().filter(|(_, may_change)| !may_change).map(|(field, _)| field).collect()
    }

    fn check_users_change(&self, field: &str) -> Result<(), ProfileError> {
        if self.managed_profile_fields().contains(&field) { Err(ProfileError::Managed) } else { Ok(()) }
    }

    /// Takes a field out of a user's profile. It does not matter whether it was there.
    ///
    /// # Errors
    /// [`ProfileError::Managed`], or if the store fails.
    pub async fn delete_profile_field(
        &self,
        user: UserSn,
        user_id: &UserId,
        field: &str,
    ) -> Result<(), ProfileError> {
        self.check_users_change(field)?;
        let mut set = WriteSet::new();
        set.delete_profile_field(user, field);
        if field == DISPLAYNAME {
            set.put_in_directory(user, user_id.localpart(), None);
        }
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// Local users that may be found whose localpart, display name or a word of it begins with `term`, and whether there are
    /// more than `limit` of them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn search_users(
        &self,
        seeker: UserSn,
        term: &str,
        limit: u32,
    ) -> Result<(Vec<FoundUser>, bool), StorageError> {
        let limit = limit.min(MOST_FOUND);
        let term = term.trim();
        let localpart = term.strip_prefix('@').unwrap_or(term).split(':').next().unwrap_or_default();
        if localpart.is_empty() {
            return Ok((Vec::new(), false));
        }
        let findable = self.settings.findable;
        let mut found = self.store.search_directory(findable, seeker, localpart, limit + 1).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let limited = found.len() > wanted;
        found.truncate(wanted);
        let mut users = Vec::with_capacity(found.len());
        for (user, user_id) in found {
            users.push(FoundUser { user_id, profile: self.store.profile(user).await? });
        }
        Ok((users, limited))
    }
}

fn check_field(field: &str, value: &Value) -> Result<(), ProfileError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    if field.len() > LONGEST_FIELD_NAME {
        return Err(ProfileError::NameTooLong);
    }
    if !field.starts_with(|first: char| first.is_ascii_lowercase()) || !field.bytes().all(allowed) {
        return Err(ProfileError::Invalid("The name of a field is made of a-z, 0-9 and _ - . alone."));
    }
    let text = value.as_str();
    match field {
        DISPLAYNAME | AVATAR_URL if text.is_none() && !value.is_null() => {
            Err(ProfileError::Invalid("This field must be a text."))
        }
        DISPLAYNAME if text.is_some_and(|name| name.chars().count() > LONGEST_DISPLAYNAME) => {
            Err(ProfileError::Invalid("The display name is too long."))
        }
        AVATAR_URL if text.is_some_and(|url| url.len() > LONGEST_AVATAR_URL) => {
            Err(ProfileError::Invalid("The URI of the avatar is too long."))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_fields_follow_the_grammar() {
        for name in ["displayname", "m.tz", "org.example.1-job_title"] {
            assert!(check_field(name, &json!("x")).is_ok(), "{name}");
        }
        for name in ["", "1st", "Upper", "a b", ".m"] {
            assert!(check_field(name, &json!("x")).is_err(), "{name}");
        }
        assert!(matches!(check_field(&"a".repeat(256), &json!(1)), Err(ProfileError::NameTooLong)));
    }

    #[test]
    fn display_name_is_a_text_and_not_too_long() {
        assert!(check_field("displayname", &json!(5)).is_err());
        assert!(check_field("displayname", &json!(null)).is_ok());
        assert!(check_field("displayname", &json!("é".repeat(256))).is_ok());
        assert!(check_field("displayname", &json!("é".repeat(257))).is_err());
        assert!(check_field("m.tz", &json!({ "any": "value" })).is_ok());
    }
}
