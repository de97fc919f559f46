//! What the organisation has set, and every change of it: who, when, from what, to what.
//!
//! Changes are numbered as they are written, so that what another process has written last counts as the newest.

use std::collections::BTreeMap;

use crate::{
    error::StorageError, statement::statements, store::Store, value::Row, value::Value, write_set::WriteSet,
};

statements! {
    ADD_POLICY_CHANGE =
        "INSERT INTO policy_changes (change_sn, changed_ts, author, setting, old_value, new_value)
         VALUES ((SELECT COALESCE(MAX(newest.change_sn), 0) + 1 FROM policy_changes newest), $1, $2, $3,
             (SELECT before.new_value FROM policy_changes before WHERE before.setting = $3
              ORDER BY before.change_sn DESC LIMIT 1), $4)";
    NEWEST_POLICY_CHANGE = "SELECT COALESCE(MAX(change_sn), 0) FROM policy_changes";
    POLICY_IN_FORCE =
        "SELECT change_sn, changed_ts, author, setting, old_value, new_value FROM policy_changes
         WHERE change_sn IN (SELECT MAX(change_sn) FROM policy_changes GROUP BY setting)";
    POLICY_HISTORY =
        "SELECT change_sn, changed_ts, author, setting, old_value, new_value FROM policy_changes
         WHERE change_sn < $1 ORDER BY change_sn DESC LIMIT $2";
}

/// One change of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    /// Its number; later changes have greater ones.
    pub change: i64,
    /// When, in milliseconds since the Unix epoch.
    pub changed_ts: i64,
    /// Who: a user id, or in words.
    pub author: String,
    /// The setting's name.
    pub setting: String,
    /// What held before, as JSON; none if nothing was set.
    pub old: Option<String>,
    /// What holds from then on, as JSON; none if the setting was taken back.
    pub new: Option<String>,
}

impl WriteSet {
    /// Sets a setting to a value in JSON, or takes it back; what held before is noted.
    pub fn add_policy_change(&mut self, setting: &str, new: Option<&str>, author: &str, changed_ts: i64) {
        let values = vec![changed_ts.into(), author.into(), setting.into(), Value::from(new)];
        self.write(&ADD_POLICY_CHANGE, values);
    }
}

impl Store {
    /// The number of the newest change of the policy; 0 before the first.
    pub async fn newest_policy_change(&self) -> Result<i64, StorageError> {
        let row = self.engine.fetch_one(&NEWEST_POLICY_CHANGE, Vec::new()).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// The change that is in force for each setting that ever changed, by name.
    pub async fn policy_in_force(&self) -> Result<BTreeMap<String, PolicyChange>, StorageError> {
        let rows = self.engine.fetch(&POLICY_IN_FORCE, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.text(3)?, change(row)?))).collect()
    }

    /// At most `limit` changes before a number, the newest first.
    pub async fn policy_history(&self, before: i64, limit: u32) -> Result<Vec<PolicyChange>, StorageError> {
        let rows = self.engine.fetch(&POLICY_HISTORY, vec![before.into(), i64::from(limit).into()]).await?;
        rows.iter().map(change).collect()
    }
}

fn change(row: &Row) -> Result<PolicyChange, StorageError> {
    Ok(PolicyChange {
        change: row.int(0)?,
        changed_ts: row.int(1)?,
        author: row.text(2)?,
        setting: row.text(3)?,
        old: row.opt_text(4)?,
        new: row.opt_text(5)?,
    })
}
