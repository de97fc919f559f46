//! Where the users come from: a file of access tokens or passwords, or registration on the server itself.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    connection::{Call, Connection, Failure, Server},
    matrix::{Account, serialised},
};

/// Registrations at the same time. Password hashing is meant to be slow; this is not what is measured.
const REGISTRATIONS_AT_ONCE: usize = 4;
/// Rounds of user-interactive authentication before a registration is given up.
const STAGES_LIMIT: usize = 4;
const PASSWORD: &str = "a passphrase for load only";

/// How accounts are made.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Ready accounts; when they are used up there are no more.
    Given(Vec<Arc<Account>>),
    /// `POST /register` with `m.login.dummy`, and with this token where the server asks for one.
    Registered {
        /// For `m.login.registration_token`.
        token: Option<String>,
        /// Sets this run's user names apart from those of others.
        run: String,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Token { user_id: String, access_token: String },
    Password { user: String, password: String },
}

/// The users of a run. The *crowd* is shared by the scenarios; a user *apart* belongs to one scenario.
#[derive(Debug)]
pub(crate) struct Accounts {
    server: Arc<Server>,
    source: Source,
    crowd: Vec<Arc<Account>>,
    registered: usize,
}

impl Accounts {
    /// No network yet.
    pub(crate) fn new(server: &Arc<Server>, source: Source) -> Self {
        Self { server: Arc::clone(server), source, crowd: Vec::new(), registered: 0 }
    }

    /// The first `count` users of the crowd, made as far as they are missing.
    pub(crate) async fn crowd(&mut self, count: usize) -> Result<Vec<Arc<Account>>, Failure> {
        let missing = count.saturating_sub(self.crowd.len());
        let more = self.more(missing).await?;
        self.crowd.extend(more);
        Ok(self.crowd.iter().take(count).cloned().collect())
    }

    /// A user that no other scenario gets.
    pub(crate) async fn apart(&mut self) -> Result<Arc<Account>, Failure> {
        self.more(1).await?.pop().ok_or_else(|| Failure::Unexpected("no account was made".to_owned()))
    }

    async fn more(&mut self, count: usize) -> Result<Vec<Arc<Account>>, Failure> {
        match &mut self.source {
            Source::Given(left) if left.len() < count => {
                let short = count - left.len();
                Err(Failure::Unexpected(format!("--users has too few accounts: {short} more are needed")))
            }
            Source::Given(left) => Ok(left.drain(..count).collect()),
            Source::Registered { token, run } => {
                let first = self.registered;
                self.registered += count;
                let register = |n| register(&self.server, format!("{run}-{n}"), token.as_deref());
                stream::iter(first..first + count)
                    .map(register)
                    .buffered(REGISTRATIONS_AT_ONCE)
                    .try_collect()
                    .await
            }
        }
    }
}

/// Reads `[{"user_id", "access_token"} | {"user", "password"}, …]`; the latter are logged in now.
pub(crate) async fn from_file(server: &Arc<Server>, path: &Path) -> Result<Source, Failure> {
    let unreadable = |e: String| Failure::Unexpected(format!("{}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
    let accounts = stream::iter(entries)
        .map(|entry| async {
            match entry {
                Entry::Token { user_id, access_token } => Account::new(user_id, &access_token).map(Arc::new),
                Entry::Password { user, password } => log_in(server, &user, &password).await,
            }
        })
        .buffered(REGISTRATIONS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(Source::Given(accounts))
}

async fn log_in(server: &Arc<Server>, user: &str, password: &str) -> Result<Arc<Account>, Failure> {
    let mut connection = Connection::new(Arc::clone(server));
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
    });
    let answer = connection.call(post("/_matrix/client/v3/login", serialised(&body))).await?;
    account(&answer.success("login")?)
}

/// User-interactive registration: ask, see which stages are wanted, take the next one, until it is done.
async fn register(server: &Arc<Server>, name: String, token: Option<&str>) -> Result<Arc<Account>, Failure> {
    let mut connection = Connection::new(Arc::clone(server));
    let mut body = json!({ "username": name, "password": PASSWORD });
    for _ in 0..STAGES_LIMIT {
        let answer = connection.call(post("/_matrix/client/v3/register", serialised(&body))).await?;
        if answer.status != 401 {
            return account(&answer.success("register")?);
        }
        let challenge: Value = parsed(&answer.body)?;
        let Some(auth) = next_stage(&challenge, token) else {
            return Err(Failure::Unexpected(format!(
                "registration asks for what we do not have: {challenge}"
            )));
        };
        if let Some(body) = body.as_object_mut() {
            body.insert("auth".to_owned(), auth);
        }
    }
    Err(Failure::Unexpected(format!("registration did not end in {STAGES_LIMIT} rounds")))
}

/// The next stage of the first flow that needs only what we have.
fn next_stage(challenge: &Value, token: Option<&str>) -> Option<Value> {
    let stages = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|s| s.as_str().map(str::to_owned)).collect()
    };
    let able = |stage: &String| {
        stage == "m.login.dummy" || (stage == "m.login.registration_token" && token.is_some())
    };
    let done = challenge.get("completed").map(stages).unwrap_or_default();
    let flows = challenge.get("flows")?.as_array()?;
    let flow = flows.iter().filter_map(|flow| flow.get("stages").map(stages)).find(|f| f.iter().all(able))?;
    let stage = flow.into_iter().find(|stage| !done.contains(stage))?;
    let mut auth = json!({ "type": stage, "session": challenge.get("session")? });
    if stage == "m.login.registration_token" {
        auth.as_object_mut()?.insert("token".to_owned(), token?.into());
    }
    Some(auth)
}

fn account(body: &Bytes) -> Result<Arc<Account>, Failure> {
    #[derive(Deserialize)]
    struct LoggedIn {
        user_id: String,
        access_token: String,
    }
    let LoggedIn { user_id, access_token } = parsed(body)?;
    Account::new(user_id, &access_token).map(Arc::new)
}

fn parsed<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|e| Failure::Unexpected(format!("an answer that is not as specified: {e}")))
}

fn post(path: &str, body: Bytes) -> Call<'_> {
    Call { method: Method::POST, path, bearer: None, body }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::next_stage;

    #[test]
    fn flow_with_stages_we_lack_is_passed_over() {
        let challenge = json!({
            "session": "x",
            "flows": [{ "stages": ["m.login.recaptcha"] }, { "stages": ["m.login.dummy"] }],
        });
        assert_eq!(next_stage(&challenge, None), Some(json!({ "type": "m.login.dummy", "session": "x" })));
    }

    #[test]
    fn completed_stage_is_not_repeated() {
        let challenge = json!({
            "session": "x",
            "completed": ["m.login.registration_token"],
            "flows": [{ "stages": ["m.login.registration_token", "m.login.dummy"] }],
        });
        let auth = next_stage(&challenge, Some("t"));
        assert_eq!(auth, Some(json!({ "type": "m.login.dummy", "session": "x" })));
        assert_eq!(next_stage(&challenge, None), None);
    }
}
