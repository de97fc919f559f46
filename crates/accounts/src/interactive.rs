//! User-interactive authentication: proving again who one is before something grave is done
//! (<https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api>).
//!
//! A session of it is bound to the user, the operation and what the operation was asked to do. It lives in the
//! store, so that any node can go on with it. A session that is complete lets the same request through again
//! until it expires, for clients whose answer was lost.

use std::time::Duration;

use parvis_peers::DirectoryError;
use parvis_storage::{InteractiveAuth, StorageError, WriteSet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    accounts::{Accounts, plain},
    addresses::AddressError,
    login::LoginError,
    mails::AddressPurpose,
    names,
    password::HashError,
    registration_tokens::KnownToken,
    secret::{self, TokenHash},
    session::Session,
    settings::Terms,
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
    /// Accepting the organisation's terms.
    Terms,
    /// A mail address that was proved for this purpose.
    Email(AddressPurpose),
    /// Saying yes on the account page, in a browser.
    OAuth,
    /// The same, for apps that know it by its older name.
    OAuthByOlderName,
}

impl Stage {
    /// The specification's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::Dummy => "m.login.dummy",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Terms => "m.login.terms",
            Self::Email(_) => "m.login.email.identity",
            Self::OAuth => "m.oauth",
            Self::OAuthByOlderName => "org.matrix.cross_signing_reset",
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
    /// What the stages need to be known: for each, by its name.
    pub params: Map<String, Value>,
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
    /// The organisation's directory does not answer.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
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
    threepid_creds: Option<ProofNamed>,
    /// The same under an older name; some clients send both.
    #[serde(rename = "threepidCreds")]
    older_threepid_creds: Option<ProofNamed>,
}

/// A proof of an address, as clients name it.
#[derive(Deserialize)]
struct ProofNamed {
    sid: String,
    client_secret: String,
}

/// What the stages have brought that the operation uses up in the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// A token for registering whose uses are counted.
    pub(crate) token: Option<String>,
    /// The proof of an address: its name and the client's secret.
    pub(crate) proof: Option<(String, String)>,
    /// Whether terms were accepted.
    pub(crate) terms: bool,
}

/// What a session keeps.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(default)]
    pub(crate) claims: Claims,
    /// What the operation keeps until it is done, or to answer again.
    pub(crate) operation: Option<Value>,
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
    pub(crate) kept: Kept,
    params: Map<String, Value>,
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
            params: self.params,
        }))
    }
}

impl Accounts {
    /// Returns if this user has proved who they are for this operation, by their password.
    ///
    /// # Errors
    /// Any [`InteractiveError`]: mostly [`Incomplete`](InteractiveError::Incomplete), with what to do next.
    pub async fn confirm(&self, operation: Operation<'_>) -> Result<(), InteractiveError> {
        self.confirm_by(operation, vec![vec![Stage::Password]]).await.map(drop)
    }

    /// Returns if this user has said on the account page that their devices may put other keys for cross-signing in
    /// the place of theirs. For apps that have their session by OAuth 2.0
    /// (<https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication>).
    ///
    /// # Errors
    /// Any [`InteractiveError`]: mostly [`Incomplete`](InteractiveError::Incomplete), with the page to open.
    pub async fn confirm_reset(&self, operation: Operation<'_>) -> Result<(), InteractiveError> {
        let flows = vec![vec![Stage::OAuth], vec![Stage::OAuthByOlderName]];
        let mut progress = self.make_progress(operation, flows, false).await?;
        // The app does not say that the stage is done: it comes again with its session, once the user has been there.
        if let Some(session) = operation.session
            && progress.known
        {
            let until = self.store.cross_signing_reset(session.user).await?;
            if until.is_some_and(|until| until > self.now().millis()) {
                return Ok(());
            }
        }
        self.keep_progress(&mut progress).await?;
        Err(progress.challenge())
    }

    /// Returns, with what the stages have brought, if one of these flows is complete.
    pub(crate) async fn confirm_by(
        &self,
        operation: Operation<'_>,
        flows: Vec<Vec<Stage>>,
    ) -> Result<Claims, InteractiveError> {
        let mut progress = self.make_progress(operation, flows, false).await?;
        let complete = progress.is_complete();
        if progress.known || !complete {
            self.keep_progress(&mut progress).await?;
        }
        if complete { Ok(progress.kept.claims) } else { Err(progress.challenge()) }
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
        let params = self.params(&flows);
        Progress { name, flows, auth, kept: Kept::default(), params, known: false, problem: None }
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
        let kept =
            auth.saved.as_deref().and_then(|saved| serde_json::from_str(saved).ok()).unwrap_or_default();
        let params = self.params(&flows);
        Ok(Progress { name: name.to_owned(), flows, auth, kept, params, known: true, problem: None })
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
            Stage::RegistrationToken => self.has_token(&mut progress.kept.claims, auth).await?,
            Stage::Terms => {
                progress.kept.claims.terms = true;
                true
            }
            Stage::Email(purpose) => self.has_address(&mut progress.kept.claims, purpose, auth).await?,
            Stage::Password => self.is_password_of(session, auth).await?,
            // Nothing that the app says passes it.
            Stage::OAuth | Stage::OAuthByOlderName => return Ok(()),
        };
        if passed {
            progress.auth.completed.push(name.to_owned());
        } else {
            progress.problem = Some(match stage {
                Stage::RegistrationToken => "The registration token is not good.",
                Stage::Email(_) => "The mail address has not been confirmed yet.",
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
        let Some(own) = self.store.account(session.user).await? else { return Ok(false) };
        match self.has_password(own, password).await {
            Ok(right) => Ok(right),
            Err(LoginError::Directory(error)) => Err(error.into()),
            Err(LoginError::Hash(error)) => Err(error.into()),
            Err(LoginError::Storage(error)) => Err(error.into()),
            // Of all else nothing comes before somebody is let in.
            Err(_) => Ok(false),
        }
    }

    async fn has_token(&self, claims: &mut Claims, auth: &Auth) -> Result<bool, InteractiveError> {
        let Some(token) = &auth.token else { return Ok(false) };
        let known = self.known_token(token).await?;
        claims.token = matches!(known, Some(KnownToken::Given)).then(|| token.clone());
        Ok(known.is_some())
    }

    async fn has_address(
        &self,
        claims: &mut Claims,
        purpose: AddressPurpose,
        auth: &Auth,
    ) -> Result<bool, InteractiveError> {
        let named = auth.threepid_creds.as_ref().or(auth.older_threepid_creds.as_ref());
        let Some(named) = named else { return Ok(false) };
        match self.proof(purpose, &named.sid, &named.client_secret).await {
            Ok(_) => {
                claims.proof = Some((named.sid.clone(), named.client_secret.clone()));
                Ok(true)
            }
            Err(AddressError::Storage(error)) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// What clients must know for these stages.
    fn params(&self, flows: &[Vec<Stage>]) -> Map<String, Value> {
        let mut params = Map::new();
        if flows.iter().flatten().any(|stage| *stage == Stage::Terms) {
            params.insert(
                Stage::Terms.name().to_owned(),
                json!({ "policies": policies(&self.settings.terms) }),
            );
        }
        let url = self.settings.account_management_uri.as_deref();
        for stage in flows.iter().flatten() {
            if let (Stage::OAuth | Stage::OAuthByOlderName, Some(url)) = (stage, url) {
                let url = format!("{url}?action=org.matrix.cross_signing_reset");
                params.insert(stage.name().to_owned(), json!({ "url": url }));
            }
        }
        params
    }

    pub(crate) async fn keep_progress(&self, progress: &mut Progress) -> Result<(), StorageError> {
        let kept = serde_json::to_string(&progress.kept);
        let kept = kept.map_err(|error| StorageError::Corrupt(format!("an authentication: {error}")))?;
        progress.auth.saved = Some(kept);
        let mut set = WriteSet::new();
        if !progress.known {
            set.delete_old_interactive_auth(self.now().millis());
        }
        set.put_interactive_auth(&progress.key(), &progress.auth);
        self.store.commit(set).await.map(drop).map_err(plain)
    }
}

/// Terms in the form that clients show them
/// (<https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration>).
fn policies(terms: &[Terms]) -> Map<String, Value> {
    let policy = |terms: &Terms| {
        let mut policy = Map::from_iter([("version".to_owned(), Value::from(terms.version.as_str()))]);
        for (language, document) in &terms.documents {
            policy.insert(language.clone(), json!({ "name": document.title, "url": document.url }));
        }
        (terms.name.clone(), Value::Object(policy))
    };
    terms.iter().map(policy).collect()
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
