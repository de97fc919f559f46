//! Accounts: the users who belong here, and whether they may come in.
//!
//! Knows nothing of how a password is hashed or what makes a good one.

use std::fmt;

use ruma::OwnedUserId;

use crate::{
    UserSn, error::StorageError, statement::statements, store::Store, value::Row, write_set::WriteSet,
};

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT a.user_sn, u.user_id, a.password_hash, a.is_admin, a.locked, a.deactivated, a.erased,
                 a.created_ts, a.suspended, a.guest FROM accounts a JOIN users u ON u.user_sn = a.user_sn ",
            $rest
        )
    };
}

statements! {
    ACCOUNT = select_account!("WHERE a.user_sn = $1");
    ACCOUNTS = select_account!("WHERE u.user_id > $1 ORDER BY u.user_id LIMIT $2");
    ACCOUNT_EXISTS = "SELECT 1 FROM accounts WHERE user_sn = $1";
    SET_ACCOUNT_LOCKED = "UPDATE accounts SET locked = $2 WHERE user_sn = $1";
    SET_ACCOUNT_SUSPENDED = "UPDATE accounts SET suspended = $2 WHERE user_sn = $1";
    SET_ACCOUNT_ADMIN = "UPDATE accounts SET is_admin = $2 WHERE user_sn = $1 AND NOT deactivated";
    SET_ACCOUNT_PASSWORD = "UPDATE accounts SET password_hash = $2 WHERE user_sn = $1 AND NOT deactivated";
    ACCOUNT_IS_OPEN = "SELECT 1 FROM accounts WHERE user_sn = $1 AND NOT deactivated AND NOT locked
        AND COALESCE(password_hash, '') = $2";
    ADD_ACCOUNT(rows of 9, key 1) =
        "INSERT INTO accounts (user_sn, password_hash, is_admin, locked, deactivated, erased, created_ts,
             suspended, guest)
         VALUES {rows}";
    CLOSE_ACCOUNT = "UPDATE accounts SET password_hash = NULL, is_admin = $2, deactivated = $3,
        erased = erased OR $4 WHERE user_sn = $1";
}

/// The guard of [`WriteSet::add_account`]: there is such an account already.
pub const ACCOUNT_IS_NEW: &str = "account_is_new";

/// The guard of [`WriteSet::demand_open_account`]: it was closed or locked, or has another password.
pub const ACCOUNT_IS_OPEN_AS_BEFORE: &str = "account_is_open_as_before";

/// A local user's account.
#[derive(Clone, PartialEq, Eq)]
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
    /// Whether the user may read and leave, and do little else, until an administrator lifts that.
    pub suspended: bool,
    /// Whether somebody only looks around, who registered without a name or a password.
    pub guest: bool,
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Account").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

impl WriteSet {
    /// Makes an account, and demands that the user has none. See [`ACCOUNT_IS_NEW`].
    pub fn add_account(&mut self, account: &Account) {
        self.demand_absent(ACCOUNT_IS_NEW, &ACCOUNT_EXISTS, vec![account.user.into()]);
        self.write(
            &ADD_ACCOUNT,
            vec![
                account.user.into(),
                account.password_hash.as_deref().into(),
                account.is_admin.into(),
                account.locked.into(),
                account.deactivated.into(),
                account.erased.into(),
                account.created_ts.into(),
                account.suspended.into(),
                account.guest.into(),
            ],
        );
    }

    /// Demands that an account is neither closed nor locked, and has the password that it had when it was
    /// read. See [`ACCOUNT_IS_OPEN_AS_BEFORE`].
    pub fn demand_open_account(&mut self, account: &Account) {
        let hash = account.password_hash.as_deref().unwrap_or_default();
        let values = vec![account.user.into(), hash.into()];
        self.demand_present(ACCOUNT_IS_OPEN_AS_BEFORE, &ACCOUNT_IS_OPEN, values);
    }

    /// Keeps a user out, or lets them in again.
    pub fn set_account_locked(&mut self, user: UserSn, locked: bool) {
        self.write(&SET_ACCOUNT_LOCKED, vec![user.into(), locked.into()]);
    }

    /// Lets a user do little more than read and leave, or everything again.
    pub fn set_account_suspended(&mut self, user: UserSn, suspended: bool) {
        self.write(&SET_ACCOUNT_SUSPENDED, vec![user.into(), suspended.into()]);
    }

    /// Makes a user an administrator or one no more, unless the account is closed.
    pub fn set_account_admin(&mut self, user: UserSn, is_admin: bool) {
        self.write(&SET_ACCOUNT_ADMIN, vec![user.into(), is_admin.into()]);
    }

    /// Gives a user another password, unless the account is closed; and signs them out of all browsers.
    pub fn set_account_password(&mut self, user: UserSn, password_hash: &str) {
        self.delete_browser_sessions_of(user);
        self.write(&SET_ACCOUNT_PASSWORD, vec![user.into(), password_hash.into()]);
    }

    /// Closes an account for ever.
    pub fn close_account(&mut self, user: UserSn, erase: bool) {
        self.delete_browser_sessions_of(user);
        self.end_cross_signing_reset(user);
        self.delete_external_ids(user);
        self.delete_upstream_sessions_of(user);
        self.write(&CLOSE_ACCOUNT, vec![user.into(), false.into(), true.into(), erase.into()]);
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
        suspended: row.bool(8)?,
        guest: row.bool(9)?,
    })
}
