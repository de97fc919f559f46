//! Accounts: the users who belong here, and whether they may come in.
//!
//! Knows nothing of how a password is hashed or what makes a good one.

use ruma::OwnedUserId;

use crate::{
    UserSn, error::StorageError, statement::statements, store::Store, value::Row, write_set::WriteSet,
};

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT a.user_sn, u.user_id, a.password_hash, a.is_admin, a.locked, a.deactivated, a.erased,
                 a.created_ts FROM accounts a JOIN users u ON u.user_sn = a.user_sn ",
            $rest
        )
    };
}

statements! {
    ACCOUNT = select_account!("WHERE a.user_sn = $1");
    ACCOUNTS = select_account!("WHERE u.user_id > $1 ORDER BY u.user_id LIMIT $2");
    ACCOUNT_EXISTS = "SELECT 1 FROM accounts WHERE user_sn = $1";
    SET_ACCOUNT_LOCKED = "UPDATE accounts SET locked = $2 WHERE user_sn = $1";
    SET_ACCOUNT_ADMIN = "UPDATE accounts SET is_admin = $2 WHERE user_sn = $1";
    SET_ACCOUNT_PASSWORD = "UPDATE accounts SET password_hash = $2 WHERE user_sn = $1";
    PUT_ACCOUNT(rows of 7, key 1) =
        "INSERT INTO accounts (user_sn, password_hash, is_admin, locked, deactivated, erased, created_ts)
         VALUES {rows}
         ON CONFLICT (user_sn) DO UPDATE SET password_hash = excluded.password_hash,
             is_admin = excluded.is_admin, locked = excluded.locked, deactivated = excluded.deactivated,
             erased = excluded.erased";
}

/// The guard of [`WriteSet::add_account`]: there is such an account already.
pub const ACCOUNT_IS_NEW: &str = "account_is_new";

/// A local user's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: UserSn,
    /// The user's name.
    pub user_id: OwnedUserId,
    /// The password's hash, in the form of PHC strings; without one there is no login by password.
    pub password_hash: Option<String>,
    /// Whether the user administers this homeserver.
    pub is_admin: bool,
    /// Whether the user is kept out until unlocked. Their sessions stay.
    pub locked: bool,
    /// Whether the account is closed for ever. The name is never given again.
    pub deactivated: bool,
    /// Whether the user asked, when they left, that their messages be forgotten as far as possible.
    pub erased: bool,
    /// When the account was made, in milliseconds since the Unix epoch.
    pub created_ts: i64,
}

impl WriteSet {
    /// Makes an account, and demands that the user has none. See [`ACCOUNT_IS_NEW`].
    pub fn add_account(&mut self, account: &Account) {
        self.demand_absent(ACCOUNT_IS_NEW, &ACCOUNT_EXISTS, vec![account.user.into()]);
        self.put_account(account);
    }

    /// Keeps a user out, or lets them in again.
    pub fn set_account_locked(&mut self, user: UserSn, locked: bool) {
        self.write(&SET_ACCOUNT_LOCKED, vec![user.into(), locked.into()]);
    }

    /// Makes a user an administrator, or one no more.
    pub fn set_account_admin(&mut self, user: UserSn, is_admin: bool) {
        self.write(&SET_ACCOUNT_ADMIN, vec![user.into(), is_admin.into()]);
    }

    /// Gives a user another password.
    pub fn set_account_password(&mut self, user: UserSn, password_hash: &str) {
        self.write(&SET_ACCOUNT_PASSWORD, vec![user.into(), password_hash.into()]);
    }

    /// Writes an account as it is now.
    pub fn put_account(&mut self, account: &Account) {
        self.write(
            &PUT_ACCOUNT,
            vec![
                account.user.into(),
                account.password_hash.as_deref().into(),
                account.is_admin.into(),
                account.locked.into(),
                account.deactivated.into(),
                account.erased.into(),
                account.created_ts.into(),
            ],
        );
    }
}

impl Store {
    /// A user's account, if they have one here.
    pub async fn account(&self, user: UserSn) -> Result<Option<Account>, StorageError> {
        self.engine.fetch_one(&ACCOUNT, vec![user.into()]).await?.map(|row| from_row(&row)).transpose()
    }

    /// Accounts in order of user id, from behind `after` (empty for the first), `limit` at most.
    pub async fn accounts(&self, after: &str, limit: u32) -> Result<Vec<Account>, StorageError> {
        let rows = self.engine.fetch(&ACCOUNTS, vec![after.into(), limit.into()]).await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &Row) -> Result<Account, StorageError> {
    let user_id = OwnedUserId::try_from(row.text(1)?);
    Ok(Account {
        user: UserSn(row.int(0)?),
        user_id: user_id.map_err(|_| StorageError::Corrupt("a user id".to_owned()))?,
        password_hash: row.opt_text(2)?,
        is_admin: row.bool(3)?,
        locked: row.bool(4)?,
        deactivated: row.bool(5)?,
        erased: row.bool(6)?,
        created_ts: row.int(7)?,
    })
}
