//! Profiles, field by field, and the directory in which local users are found.

use std::collections::BTreeMap;

use ruma::{OwnedUserId, exports::serde_json};

use crate::{
    UserSn, error::StorageError, statement::statements, store::Store, value::Value, write_set::WriteSet,
};

statements! {
    PROFILE = "SELECT field, value FROM profile_fields WHERE user_sn = $1";
    PUT_PROFILE_FIELD(rows of 3, key 2) =
        "INSERT INTO profile_fields (user_sn, field, value) VALUES {rows}
         ON CONFLICT (user_sn, field) DO UPDATE SET value = excluded.value";
    DELETE_PROFILE_FIELD = "DELETE FROM profile_fields WHERE user_sn = $1 AND field = $2";
    DELETE_PROFILE = "DELETE FROM profile_fields WHERE user_sn = $1";
    PUT_IN_DIRECTORY(rows of 3, key 1) =
        "INSERT INTO user_directory (user_sn, localpart, displayname) VALUES {rows}
         ON CONFLICT (user_sn) DO UPDATE SET displayname = excluded.displayname";
    DELETE_FROM_DIRECTORY = "DELETE FROM user_directory WHERE user_sn = $1";
    SEARCH_DIRECTORY =
        "SELECT d.user_sn, u.user_id FROM user_directory d
         JOIN users u ON u.user_sn = d.user_sn JOIN accounts a ON a.user_sn = d.user_sn
         WHERE d.user_sn <> $1 AND NOT a.locked AND (d.localpart LIKE $2 ESCAPE '\\'
             OR d.displayname LIKE $2 ESCAPE '\\' OR d.displayname LIKE $3 ESCAPE '\\')
         ORDER BY u.user_id LIMIT $4";
    SEARCH_ACQUAINTANCES =
        "SELECT d.user_sn, u.user_id FROM user_directory d
         JOIN users u ON u.user_sn = d.user_sn JOIN accounts a ON a.user_sn = d.user_sn
         WHERE d.user_sn <> $1 AND NOT a.locked AND (d.localpart LIKE $2 ESCAPE '\\'
             OR d.displayname LIKE $2 ESCAPE '\\' OR d.displayname LIKE $3 ESCAPE '\\')
           AND EXISTS (SELECT 1 FROM members m WHERE m.user_sn = d.user_sn AND m.membership = 'join' AND
               (EXISTS (SELECT 1 FROM published_rooms p WHERE p.room_sn = m.room_sn) OR
                EXISTS (SELECT 1 FROM members s
                        WHERE s.user_sn = $1 AND s.room_sn = m.room_sn AND s.membership = 'join')))
         ORDER BY u.user_id LIMIT $4";
}

/// Who is found in the directory of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Findable {
    /// Everybody who has an account here.
    #[default]
    Everyone,
    /// Those with whom the seeker shares a room, and those in rooms that are listed publicly.
    Acquaintances,
}

/// The field with the name that people see.
const DISPLAYNAME: &str = "displayname";
/// The field with the picture's `mxc://` URI.
const AVATAR_URL: &str = "avatar_url";

/// What a user says about themselves to everybody: fields by name
/// (<https://spec.matrix.org/v1.19/client-server-api/#profiles>).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The fields that are set.
    pub fields: BTreeMap<String, serde_json::Value>,
}

impl Profile {
    /// The name that people see.
    pub fn displayname(&self) -> Option<&str> {
        self.fields.get(DISPLAYNAME)?.as_str()
    }

    /// The picture's `mxc://` URI.
    pub fn avatar_url(&self) -> Option<&str> {
        self.fields.get(AVATAR_URL)?.as_str()
    }
}

impl WriteSet {
    /// Sets a field of a user's profile.
    pub fn put_profile_field(&mut self, user: UserSn, field: &str, value: &serde_json::Value) {
        self.write(&PUT_PROFILE_FIELD, vec![user.into(), field.into(), value.to_string().into()]);
    }

    /// Takes a field out of a user's profile.
    pub fn delete_profile_field(&mut self, user: UserSn, field: &str) {
        self.write(&DELETE_PROFILE_FIELD, vec![user.into(), field.into()]);
    }

    /// Takes away a user's profile, and the user out of the directory.
    pub fn delete_profile(&mut self, user: UserSn) {
        self.write(&DELETE_PROFILE, vec![user.into()]);
        self.write(&DELETE_FROM_DIRECTORY, vec![user.into()]);
    }

    /// Lets a local user be found by the localpart and the display name.
    pub fn put_in_directory(&mut self, user: UserSn, localpart: &str, displayname: Option<&str>) {
        let names = [localpart, displayname.unwrap_or_default()].map(|name| Value::from(name.to_lowercase()));
        let [localpart, displayname] = names;
        self.write(&PUT_IN_DIRECTORY, vec![user.into(), localpart, displayname]);
    }
}

impl Store {
    /// A user's profile; empty if nothing is set.
    pub async fn profile(&self, user: UserSn) -> Result<Profile, StorageError> {
        let mut profile = Profile::default();
        for row in self.engine.fetch(&PROFILE, vec![user.into()]).await? {
            let value = serde_json::from_str(&row.text(1)?);
            let value = value.map_err(|_| StorageError::Corrupt("a profile field".to_owned()))?;
            profile.fields.insert(row.text(0)?, value);
        }
        Ok(profile)
    }

    /// Local users but `seeker` whose localpart, display name or a word of it begins with `term`, in order of
    /// user id, `limit` at most.
    pub async fn search_directory(
        &self,
        findable: Findable,
        seeker: UserSn,
        term: &str,
        limit: u32,
    ) -> Result<Vec<(UserSn, OwnedUserId)>, StorageError> {
        let escaped = escape_pattern(&term.to_lowercase());
        let (start, word) = (format!("{escaped}%"), format!("% {escaped}%"));
        let values = vec![seeker.into(), start.into(), word.into(), limit.into()];
        let statement = match findable {
            Findable::Everyone => &SEARCH_DIRECTORY,
            Findable::Acquaintances => &SEARCH_ACQUAINTANCES,
        };
        let rows = self.engine.fetch(statement, values).await?;
        let found = rows.iter().map(|row| {
            let user_id = OwnedUserId::try_from(row.text(1)?);
            let corrupt = |_| StorageError::Corrupt("a user id".to_owned());
            Ok((UserSn(row.int(0)?), user_id.map_err(corrupt)?))
        });
        found.collect()
    }
}

/// Takes the meaning from the signs that `LIKE` gives one.
fn escape_pattern(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_pattern_stand_for_themselves() {
        assert_eq!(escape_pattern(r"50%_\"), r"50\%\_\\");
    }
}
