//! Addresses by which users are known besides their names: mail addresses, and proofs that somebody has one.
//!
//! Knows nothing of how an address is written or proved: it keeps hashes of the secrets, and times.

use crate::{
    UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

macro_rules! select_validation {
    ($rest:literal) => {
        concat!(
            "SELECT sid, secret_hash, medium, address, purpose, token_hash, send_attempt, next_link, expires_ts,
                 validated_ts FROM address_validations WHERE ",
            $rest
        )
    };
}

statements! {
    ADDRESSES_OF_USER = "SELECT medium, address, user_sn, validated_ts, added_ts FROM user_addresses
        WHERE user_sn = $1 ORDER BY added_ts, medium, address";
    OWNER_OF_ADDRESS = "SELECT user_sn FROM user_addresses WHERE medium = $1 AND address = $2";
    ADD_ADDRESS(rows of 5, key 2) =
        "INSERT INTO user_addresses (medium, address, user_sn, validated_ts, added_ts) VALUES {rows}";
    DELETE_ADDRESS = "DELETE FROM user_addresses WHERE user_sn = $1 AND medium = $2 AND address = $3";
    DELETE_ADDRESSES_OF_USER = "DELETE FROM user_addresses WHERE user_sn = $1";
    ADDRESS_VALIDATION = select_validation!("sid = $1");
    FIND_ADDRESS_VALIDATION =
        select_validation!("secret_hash = $1 AND medium = $2 AND address = $3 AND purpose = $4");
    PUT_ADDRESS_VALIDATION(rows of 10, key 1) =
        "INSERT INTO address_validations (sid, secret_hash, medium, address, purpose, token_hash, send_attempt,
             next_link, expires_ts, validated_ts)
         VALUES {rows}
         ON CONFLICT (sid) DO UPDATE SET token_hash = excluded.token_hash, send_attempt = excluded.send_attempt,
             next_link = excluded.next_link, expires_ts = excluded.expires_ts,
             validated_ts = excluded.validated_ts";
    VALIDATION_WAITS_FOR =
        "SELECT 1 FROM address_validations WHERE sid = $1 AND token_hash = $2 AND validated_ts IS NULL";
    VALIDATION_IS_DONE = "SELECT 1 FROM address_validations WHERE sid = $1 AND validated_ts IS NOT NULL";
    DELETE_VALIDATION = "DELETE FROM address_validations WHERE sid = $1";
    DELETE_OLD_VALIDATIONS = "DELETE FROM address_validations WHERE expires_ts <= $1";
}

/// The guard of [`WriteSet::add_address`]: somebody has the address.
pub const ADDRESS_IS_FREE: &str = "address_is_free";
/// The guard of [`WriteSet::validate_address`]: the token was used, or replaced by a newer one.
pub const ADDRESS_TOKEN_IS_UNUSED: &str = "address_token_is_unused";
/// The guard of [`WriteSet::use_address_validation`]: it was used already.
pub const ADDRESS_VALIDATION_IS_UNUSED: &str = "address_validation_is_unused";

/// An address by which a user is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAddress {
    /// What kind of address: `email`.
    pub medium: String,
    /// The address.
    pub address: String,
    /// Whose.
    pub user: UserSn,
    /// When the user proved that it is theirs, in milliseconds since the Unix epoch.
    pub validated_ts: i64,
    /// When the user added it, in milliseconds since the Unix epoch.
    pub added_ts: i64,
}

/// How far somebody has come in proving that an address is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressValidation {
    /// Its name.
    pub sid: String,
    /// What the client alone knows.
    pub secret_hash: Vec<u8>,
    /// What kind of address.
    pub medium: String,
    /// The address.
    pub address: String,
    /// What for.
    pub purpose: String,
    /// What was sent to the address last.
    pub token_hash: Vec<u8>,
    /// Which attempt of the client's that was.
    pub send_attempt: i64,
    /// Where to go on in the end.
    pub next_link: Option<String>,
    /// Until when it is good, in milliseconds since the Unix epoch.
    pub expires_ts: i64,
    /// When the address was proved, in milliseconds since the Unix epoch.
    pub validated_ts: Option<i64>,
}

impl WriteSet {
    /// Keeps how far somebody has come.
    pub fn put_address_validation(&mut self, validation: &AddressValidation) {
        self.write(
            &PUT_ADDRESS_VALIDATION,
            vec![
                validation.sid.as_str().into(),
                validation.secret_hash.as_slice().into(),
                validation.medium.as_str().into(),
                validation.address.as_str().into(),
                validation.purpose.as_str().into(),
                validation.token_hash.as_slice().into(),
                validation.send_attempt.into(),
                validation.next_link.as_deref().into(),
                validation.expires_ts.into(),
                validation.validated_ts.into(),
            ],
        );
    }

    /// Notes that an address was proved, and demands that its token was not used before. See
    /// [`ADDRESS_TOKEN_IS_UNUSED`].
    pub fn validate_address(&mut self, validation: &AddressValidation) {
        let values = vec![validation.sid.as_str().into(), validation.token_hash.as_slice().into()];
        self.demand_present(ADDRESS_TOKEN_IS_UNUSED, &VALIDATION_WAITS_FOR, values);
        self.put_address_validation(validation);
    }

    /// Uses up a proof, and demands that it is still there. See [`ADDRESS_VALIDATION_IS_UNUSED`].
    pub fn use_address_validation(&mut self, sid: &str) {
        let sid = Value::from(sid);
        self.demand_present(ADDRESS_VALIDATION_IS_UNUSED, &VALIDATION_IS_DONE, vec![sid.clone()]);
        self.write(&DELETE_VALIDATION, vec![sid]);
    }

    /// Forgets what was good until `now` at most.
    pub fn delete_old_address_validations(&mut self, now: i64) {
        self.write(&DELETE_OLD_VALIDATIONS, vec![now.into()]);
    }

    /// Gives a user an address, and demands that nobody has it. See [`ADDRESS_IS_FREE`].
    pub fn add_address(&mut self, address: &UserAddress) {
        let UserAddress { medium, address, user, validated_ts, added_ts } = address;
        let values = vec![medium.as_str().into(), address.as_str().into()];
        self.demand_absent(ADDRESS_IS_FREE, &OWNER_OF_ADDRESS, values);
        self.write(
            &ADD_ADDRESS,
            vec![
                medium.as_str().into(),
                address.as_str().into(),
                (*user).into(),
                (*validated_ts).into(),
                (*added_ts).into(),
            ],
        );
    }

    /// Takes an address from a user.
    pub fn delete_address(&mut self, user: UserSn, medium: &str, address: &str) {
        self.write(&DELETE_ADDRESS, vec![user.into(), medium.into(), address.into()]);
    }

    /// Takes all addresses from a user.
    pub fn delete_addresses(&mut self, user: UserSn) {
        self.write(&DELETE_ADDRESSES_OF_USER, vec![user.into()]);
    }
}

impl Store {
    /// A user's addresses, the oldest first.
    pub async fn addresses_of(&self, user: UserSn) -> Result<Vec<UserAddress>, StorageError> {
        let rows = self.engine.fetch(&ADDRESSES_OF_USER, vec![user.into()]).await?;
        let address = |row: &Row| {
            Ok(UserAddress {
                medium: row.text(0)?,
                address: row.text(1)?,
                user: UserSn(row.int(2)?),
                validated_ts: row.int(3)?,
                added_ts: row.int(4)?,
            })
        };
        rows.iter().map(address).collect()
    }

    /// Whose address this is.
    pub async fn owner_of_address(
        &self,
        medium: &str,
        address: &str,
    ) -> Result<Option<UserSn>, StorageError> {
        let row = self.engine.fetch_one(&OWNER_OF_ADDRESS, vec![medium.into(), address.into()]).await?;
        row.map(|row| Ok(UserSn(row.int(0)?))).transpose()
    }

    /// How far somebody has come in proving an address, good or not.
    pub async fn address_validation(&self, sid: &str) -> Result<Option<AddressValidation>, StorageError> {
        let row = self.engine.fetch_one(&ADDRESS_VALIDATION, vec![sid.into()]).await?;
        row.map(|row| from_row(&row)).transpose()
    }

    /// How far a client has come that knows this secret, good or not.
    pub async fn find_address_validation(
        &self,
        secret_hash: &[u8; 32],
        medium: &str,
        address: &str,
        purpose: &str,
    ) -> Result<Option<AddressValidation>, StorageError> {
        let values = vec![secret_hash.as_slice().into(), medium.into(), address.into(), purpose.into()];
        let row = self.engine.fetch_one(&FIND_ADDRESS_VALIDATION, values).await?;
        row.map(|row| from_row(&row)).transpose()
    }
}

fn from_row(row: &Row) -> Result<AddressValidation, StorageError> {
    Ok(AddressValidation {
        sid: row.text(0)?,
        secret_hash: row.bytes(1)?,
        medium: row.text(2)?,
        address: row.text(3)?,
        purpose: row.text(4)?,
        token_hash: row.bytes(5)?,
        send_attempt: row.int(6)?,
        next_link: row.opt_text(7)?,
        expires_ts: row.int(8)?,
        validated_ts: row.opt_int(9)?,
    })
}
