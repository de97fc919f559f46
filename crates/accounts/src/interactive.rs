//! User-interactive authentication: proving again who one is before something grave is done
//! (<https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api>).
//!
//! A session of it is bound to the user, the operation and what the operation was asked to do. It lives in the
//! store, so that any node can go on with it. A session that is complete lets the same request through again
//! until it expires, for clients whose answer was lost.

use std::time::Duration;

use parvis_storage::{InteractiveAuth, StorageError, WriteSet};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    accounts::{Accounts, plain},
    names,
    password::HashError,
    secret::{self, TokenHash},
    session::Session,
    settings::Registration,
};

/// How long a session of user-interactive authentication is good.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Letters and digits in the name of a session: 142 bits.
const SESSION_LENGTH: usize = 24;

/// A step of proving who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The user's password.
    Password,
    /// Nothing at all.
    Dummy,
    /// A token that the organisation gave out for registering.
    RegistrationToken,
}

impl Stage {
    /// The specification's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::Dummy => "m.login.dummy",
            Self::RegistrationToken => "m.login.registration_token",
        }
    }
}

/// What somebody wants to do who must prove who they are.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Who; `None` for somebody without an account.
    pub session: Option<&'a Session>,
    /// What: the method and the path of the request.
    pub name: &'a str,
    /// With what: the body of the request, with its `auth`.
    pub body: &'a Map<String, Value>,
}

/// What the client must still do.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The ways to go; each a list of stages in order.
    pub flows: Vec<Vec<Stage>>,
    /// The stages that are done.
    pub completed: Vec<String>,
    /// The session to go on with.
    pub session: String,
    /// What was wrong with this attempt: a sentence for people.
    pub problem: Option<&'static str>,
}

/// Why an operation is not done.
#[derive(Debug, thiserror::Error)]
pub enum InteractiveError {
    /// More must be proved.
    #[error("authentication is not complete")]
    Incomplete(Box<Challenge>),
    /// The session belongs to somebody else, or to something else.
    #[error("the authentication session belongs to another request")]
    OtherRequest,
    /// Somebody else would authenticate than who asks.
    #[error("the user to authenticate is not the one who is logged in")]
    OtherUser,
    /// The `auth` object cannot be read.
    #[error("the auth object is not as it should be: {0}")]
    BadAuth(serde_json::Error),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The `auth` of a request.
#[derive(Deserialize)]
struct Auth {
    #[serde(rename = "type")]
    stage: Option<String>,
    session: Option<String>,
    identifier: Option<Identifier>,
    /// The identifier of old.
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    #[serde(rename = "type")]
    kind: String,
    user: Option<String>,
}

/// A session of user-interactive authentication at work.
pub(crate) struct Progress {
    name: String,
    flows: Vec<Vec<Stage>>,
    pub(crate) auth: InteractiveAuth,
    /// Whether it is in the store, so that the client knows it by name.
    pub(crate) known: bool,
    problem: Option<&'static str>,
}

impl Progress {
    /// Whether all stages of a flow are done.
    pub(crate) fn is_complete(&self) -> bool {
        self.flows.iter().any(|flow| flow.len() == self.auth.completed.len() && self.follows(flow))
    }

    fn follows(&self, flow: &[Stage]) -> bool {
        self.auth.completed.len() <= flow.len()
            && self.auth.completed.iter().zip(flow).all(|(done, stage)| done == stage.name())
    }

    /// The stage of this name, if it comes next in some flow.
    fn next_stage(&self, name: &str) -> Option<Stage> {
        let next = self.flows.iter().filter(|flow| self.follows(flow));
        next.filter_map(|flow| flow.get(self.auth.completed.len()))
            .find(|stage| stage.name() == name)
            .copied()
    }

    fn key(&self) -> TokenHash {
        secret::hash(&self.name)
    }

    /// What the client must still do.
    pub(crate) fn challenge(self) -> InteractiveError {
        InteractiveError::Incomplete(Box::new(Challenge {
            flows: self.flows,
            completed: self.auth.completed,
            session: self.name,
            problem: self.problem,
        }))
    }
}

impl Accounts {
    /// Returns if this user has proved who they are for this operation, by their password.
    ///
    /// # Errors
    /// Any [`InteractiveError`]: mostly [`Incomplete`](InteractiveError::Incomplete), with what to do next.
    pub async fn confirm(&self, operation: Operation<'_>) -> Result<(), InteractiveError> {
        let progress = self.make_progress(operation, vec![vec![Stage::Password]], false).await?;
        let complete = progress.is_complete();
        if progress.known || !complete {
            self.keep_progress(&progress).await?;
        }
        if complete { Ok(()) } else { Err(progress.challenge()) }
    }

    /// Takes the session up or begins one, and goes through the stage that the request brings. The caller
    /// keeps it. If `resumable`, a request may leave out what an earlier one of the same session said.
    pub(crate) async fn make_progress(
        &self,
        operation: Operation<'_>,
        flows: Vec<Vec<Stage>>,
        resumable: bool,
    ) -> Result<Progress, InteractiveError> {
        let auth = match operation.body.get("auth") {
            None | Some(Value::Null) => None,
            Some(auth) => Some(Auth::deserialize(auth).map_err(InteractiveError::BadAuth)?),
        };
        let named = auth.as_ref().and_then(|auth| auth.session.as_deref());
        let mut progress = match named {
            Some(name) => self.resume(name, operation, flows, resumable).await?,
            None => self.begin(operation, flows),
        };
        if let Some(auth) = auth
            && let Some(stage) = &auth.stage
            && !progress.is_complete()
            && progress.problem.is_none()
        {
            self.pass_stage(&mut progress, stage, &auth, operation.session).await?;
        }
        Ok(progress)
    }

    fn begin(&self, operation: Operation<'_>, flows: Vec<Vec<Stage>>) -> Progress {
        let name = self.ambient.chance.text(SESSION_LENGTH);
        let auth = InteractiveAuth {
            user: operation.session.map(|session| session.user),
            endpoint: operation.name.to_owned(),
            body_hash: body_hash(&name, operation.body),
            completed: Vec::new(),
            saved: None,
            expires_ts: self.now().plus(LIFETIME).millis(),
        };
        Progress { name, flows, auth, known: false, problem: None }
    }

    async fn resume(
        &self,
        name: &str,
        operation: Operation<'_>,
        flows: Vec<Vec<Stage>>,
        resumable: bool,
    ) -> Result<Progress, InteractiveError> {
        let stored = self.store.interactive_auth(&secret::hash(name)).await?;
        let Some(mut auth) = stored.filter(|auth| auth.expires_ts > self.now().millis()) else {
            let mut progress = self.begin(operation, flows);
            progress.problem = Some("The session is not known or has expired. This is a new one.");
            return Ok(progress);
        };
        let user = operation.session.map(|session| session.user);
        let body = body_hash(name, operation.body);
        let says_nothing = operation.body.keys().all(|key| key == "auth");
        if auth.user != user || auth.endpoint != operation.name {
            return Err(InteractiveError::OtherRequest);
        }
        if auth.body_hash != body && !(resumable && says_nothing) {
            let said_nothing = auth.body_hash == body_hash(name, &Map::new());
            if !said_nothing || !auth.completed.is_empty() {
                return Err(InteractiveError::OtherRequest);
            }
            // Asked first only for the ways to go: now the session is bound.
            auth.body_hash = body;
        }
        Ok(Progress { name: name.to_owned(), flows, auth, known: true, problem: None })
    }

    async fn pass_stage(
        &self,
        progress: &mut Progress,
        name: &str,
        auth: &Auth,
        session: Option<&Session>,
    ) -> Result<(), InteractiveError> {
        if progress.auth.completed.iter().any(|done| done == name) {
            return Ok(());
        }
        let Some(stage) = progress.next_stage(name) else {
            progress.problem = Some("This stage is not one that comes next.");
            return Ok(());
        };
        let passed = match stage {
            Stage::Dummy => true,
            Stage::RegistrationToken => {
                auth.token.as_deref().is_some_and(|token| self.may_register_with(token))
            }
            Stage::Password => self.is_password_of(session, auth).await?,
        };
        if passed {
            progress.auth.completed.push(name.to_owned());
        } else {
            progress.problem = Some(match stage {
                Stage::RegistrationToken => "The registration token is not good.",
                _ => "The user name or the password is wrong.",
            });
        }
        Ok(())
    }

    /// Whether this is the password of the user who is logged in; anybody else's will not do.
    async fn is_password_of(&self, session: Option<&Session>, auth: &Auth) -> Result<bool, InteractiveError> {
        let (Some(session), Some(password)) = (session, &auth.password) else { return Ok(false) };
        let named = match &auth.identifier {
            Some(identifier) if identifier.kind == "m.id.user" => identifier.user.as_deref(),
            Some(_) => return Ok(false),
            None => auth.user.as_deref(),
        };
        let server = &self.settings.server_name;
        if named.is_some_and(|name| names::known_as(name, server).is_none_or(|id| id != session.user_id)) {
            return Err(InteractiveError::OtherUser);
        }
        let hash = self.store.account(session.user).await?.and_then(|own| own.password_hash);
        Ok(self.passwords.verify(password, hash).await?)
    }

    /// Whether a token lets its holder register.
    pub fn may_register_with(&self, token: &str) -> bool {
        let Registration::Token(tokens) = &self.settings.registration else { return false };
        // All are compared, so that the time does not tell which came close.
        tokens.iter().filter(|known| secret::same(&known.0, token)).count() > 0
    }

    pub(crate) async fn keep_progress(&self, progress: &Progress) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        if !progress.known {
            set.delete_old_interactive_auth(self.now().millis());
        }
        set.put_interactive_auth(&progress.key(), &progress.auth);
        self.store.commit(set).await.map(drop).map_err(plain)
    }
}

/// What binds a session to what was asked. Keyed with the session's name, which is not stored: a body may hold
/// a password, and nobody who reads the database shall be able to try passwords on this.
fn body_hash(name: &str, body: &Map<String, Value>) -> Vec<u8> {
    let key = blake3::derive_key("parvis user-interactive authentication body", name.as_bytes());
    let mut hasher = blake3::Hasher::new_keyed(&key);
    let mut keys: Vec<&String> = body.keys().filter(|key| *key != "auth").collect();
    keys.sort();
    for key in keys {
        let value = body.get(key).map(Value::to_string).unwrap_or_default();
        for part in [key.as_str(), value.as_str()] {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().as_bytes().to_vec()
}
