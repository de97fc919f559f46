//! A client that is let in by OAuth 2.0, in place of a password: with a browser, or by a QR code of another client.
//!
//! The first line of standard input says `{"oauth": "fresh", "homeserver": "…"}`, or `{"oauth": "stored", …}` with what
//! [`Order::Session`] has told before; each further line is an [`Order`].

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use matrix_sdk::authentication::oauth::qrcode::{
    CheckCodeSender, GeneratedQrProgress, GrantLoginProgress, LoginProgress, QrCodeData, QrProgress,
};
use matrix_sdk::authentication::oauth::registration::{
    ApplicationType, ClientMetadata, Localized, OAuthGrantType,
};
use matrix_sdk::authentication::oauth::{ClientId, ClientRegistrationData, OAuthSession, UserSession};
use matrix_sdk::config::{RequestConfig, SyncSettings};
use matrix_sdk::reqwest::Url;
use matrix_sdk::ruma::api::client::room::create_room;
use matrix_sdk::ruma::events::room::message::RoomMessageEventContent;
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId};
use matrix_sdk::store::RoomLoadSettings;
use matrix_sdk::utils::UrlOrQuery;
use matrix_sdk::{Client, SessionChange};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::Outcome;

/// How long a client waits for what shall happen.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the server may hold a sync open.
const SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// How the client begins.
#[derive(Deserialize)]
#[serde(tag = "oauth", rename_all = "snake_case")]
pub(crate) enum Beginning {
    /// Nobody is logged in.
    Fresh { homeserver: String },
    /// Somebody was, before the client was started anew.
    Stored { homeserver: String, client_id: ClientId, user: UserSession },
}

/// One line of standard input, such as `{"do": "whoami"}`.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Order {
    /// Registers the client with one address, and asks to be answered at another. Tells where the browser goes.
    Ask {
        registered: Url,
        redirect: Url,
        login_hint: Option<OwnedUserId>,
    },
    /// Where the browser was sent at last. Tells who is logged in, on which device.
    Arrive {
        url: Url,
    },
    /// Ends the syncing.
    Rest,
    /// What is stored when the client ends.
    Session,
    Whoami,
    Refresh,
    /// Makes a room that is not encrypted. Tells its id.
    CreateRoom,
    /// Sends a text. Tells its event's id.
    Say {
        room: OwnedRoomId,
        body: String,
    },
    /// Publishes keys for cross-signing.
    CrossSign,
    /// Whether the own device is signed by its owner.
    IsSigned,
    /// Begins to sync. Whatever ends the session is seen from now on.
    Sync,
    /// Waits until the server has ended the session. Tells whether it may be logged in again.
    SeeEnd,
    /// Shows a QR code: to be let in, or, where somebody is logged in, to let another client in. Tells its bytes.
    ShowCode,
    /// Scans one. Tells the two digits that the person types at the other client.
    ScanCode {
        code: Vec<u8>,
    },
    /// The two digits, at the client that has shown the code.
    TypeDigits {
        digits: u8,
    },
    /// Waits until the other client wants to be let in. Tells where the browser goes.
    Link,
    /// Waits until all is done. Tells who is logged in.
    Linked,
}

/// What happens on the way of a QR code.
enum Step {
    Code(Vec<u8>),
    Scanned(CheckCodeSender),
    Digits(u8),
    Link(Url),
}

/// A QR code that was shown or scanned.
struct Linking {
    steps: mpsc::UnboundedReceiver<Step>,
    task: JoinHandle<Result<(), String>>,
}

/// A client.
pub(crate) struct App {
    client: Client,
    changes: broadcast::Receiver<SessionChange>,
    syncing: Option<JoinHandle<()>>,
    linking: Option<Linking>,
}

impl App {
    pub(crate) async fn begin(beginning: Beginning) -> Outcome<Self> {
        let homeserver = match &beginning {
            Beginning::Fresh { homeserver } | Beginning::Stored { homeserver, .. } => homeserver,
        };
        let client = Client::builder()
            .homeserver_url(homeserver)
            .respect_login_well_known(false)
            .handle_refresh_tokens()
            .request_config(RequestConfig::new().disable_retry())
            .build()
            .await?;
        let changes = client.subscribe_to_session_changes();
        if let Beginning::Stored { client_id, user, .. } = beginning {
            let session = OAuthSession { client_id, user };
            client.oauth().restore_session(session, RoomLoadSettings::default()).await?;
        }
        Ok(Self { client, changes, syncing: None, linking: None })
    }

    /// Does what a line says.
    pub(crate) async fn obey(&mut self, line: &str) -> Outcome<Value> {
        let oauth = self.client.oauth();
        Ok(match serde_json::from_str(line)? {
            Order::Ask { registered, redirect, login_hint } => {
                let mut ask = oauth.login(redirect, None, Some(registration(Some(registered))?), None);
                if let Some(user) = login_hint {
                    ask = ask.user_id_hint(&user);
                }
                json!(ask.build().await?.url)
            }
            Order::Arrive { url } => {
                oauth.finish_login(UrlOrQuery::Url(url)).await?;
                self.who()
            }
            Order::Session => {
                let session = oauth.full_session().ok_or("nobody is logged in")?;
                json!({ "client_id": session.client_id, "user": session.user })
            }
            Order::Whoami => json!(self.client.whoami().await?.user_id),
            Order::Refresh => {
                oauth.refresh_access_token().await?;
                Value::Null
            }
            Order::CreateRoom => {
                json!(self.client.create_room(create_room::v3::Request::new()).await?.room_id())
            }
            Order::Say { room, body } => {
                let room = self.client.get_room(&room).ok_or("the room is not known")?;
                let sent = room.send(RoomMessageEventContent::text_plain(body)).await?;
                json!(sent.response.event_id)
            }
            Order::CrossSign => {
                self.client.encryption().wait_for_e2ee_initialization_tasks().await;
                self.client.encryption().bootstrap_cross_signing_if_needed(None).await?;
                Value::Null
            }
            Order::IsSigned => {
                let device = self.client.encryption().get_own_device().await?;
                json!(device.is_some_and(|device| device.is_cross_signed_by_owner()))
            }
            Order::Sync => {
                self.client.sync_once(SyncSettings::new().timeout(Duration::ZERO)).await?;
                let client = self.client.clone();
                // It ends when the session does.
                self.syncing = Some(tokio::spawn(async move {
                    let settings = SyncSettings::new().timeout(SYNC_TIMEOUT);
                    while client.sync_once(settings.clone()).await.is_ok() {}
                }));
                Value::Null
            }
            Order::Rest => {
                if let Some(syncing) = self.syncing.take() {
                    syncing.abort();
                    // That it was ended is no fault.
                    let _ = syncing.await;
                }
                Value::Null
            }
            Order::SeeEnd => tokio::time::timeout(PATIENCE, self.see_end()).await??,
            Order::ShowCode => {
                self.linking = Some(self.show_code());
                json!(self.step(|step| if let Step::Code(code) = step { Some(code) } else { None }).await?)
            }
            Order::ScanCode { code } => {
                self.linking = Some(self.scan_code(QrCodeData::from_bytes(&code)?));
                json!(
                    self.step(|step| if let Step::Digits(digits) = step { Some(digits) } else { None })
                        .await?
                )
            }
            Order::TypeDigits { digits } => {
                let sender = self
                    .step(|step| if let Step::Scanned(sender) = step { Some(sender) } else { None })
                    .await?;
                sender.send(digits).await?;
                Value::Null
            }
            Order::Link => {
                json!(self.step(|step| if let Step::Link(url) = step { Some(url) } else { None }).await?)
            }
            Order::Linked => {
                let linking = self.linking.take().ok_or("there was no code")?;
                tokio::time::timeout(PATIENCE, linking.task).await???;
                self.who()
            }
        })
    }

    fn who(&self) -> Value {
        json!({ "user_id": self.client.user_id(), "device_id": self.client.device_id() })
    }

    async fn see_end(&mut self) -> Outcome<Value> {
        loop {
            match self.changes.recv().await {
                Ok(SessionChange::UnknownToken(told)) => {
                    return Ok(json!({ "soft_logout": told.soft_logout }));
                }
                // Tokens were refreshed; only the newest change is kept.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits for a step of this kind.
    async fn step<T>(&mut self, wanted: impl Fn(Step) -> Option<T>) -> Outcome<T> {
        let linking = self.linking.as_mut().ok_or("there was no code")?;
        let found = async {
            while let Some(step) = linking.steps.recv().await {
                if let Some(found) = wanted(step) {
                    return Some(found);
                }
            }
            None
        };
        if let Some(found) = tokio::time::timeout(PATIENCE, found).await? {
            return Ok(found);
        }
        let linking = self.linking.take().ok_or("there was no code")?;
        linking.task.await??;
        Err("the code led to nothing".into())
    }

    /// Shows a code: nobody is logged in, and is let in by it; or somebody is, and lets another client in.
    fn show_code(&self) -> Linking {
        let (client, (sender, steps)) = (self.client.clone(), mpsc::unbounded_channel());
        let task = tokio::spawn(async move {
            let oauth = client.oauth();
            if client.session_meta().is_some() {
                let grant = oauth.grant_login_with_qr_code().generate();
                tell(grant.subscribe_to_progress(), sender, |state| granting(state, shown));
                return grant.await.map_err(|error| error.to_string());
            }
            let data = registration(None).map_err(|error| error.to_string())?;
            let login = oauth.login_with_qr_code(Some(&data)).generate();
            tell(login.subscribe_to_progress(), sender, |state| entering(state, shown));
            login.await.map_err(|error| error.to_string())
        });
        Linking { steps, task }
    }

    /// Scans a code, likewise.
    fn scan_code(&self, code: QrCodeData) -> Linking {
        let (client, (sender, steps)) = (self.client.clone(), mpsc::unbounded_channel());
        let task = tokio::spawn(async move {
            let oauth = client.oauth();
            if client.session_meta().is_some() {
                let grant = oauth.grant_login_with_qr_code().scan(&code);
                tell(grant.subscribe_to_progress(), sender, |state| granting(state, scanned));
                return grant.await.map_err(|error| error.to_string());
            }
            let data = registration(None).map_err(|error| error.to_string())?;
            let login = oauth.login_with_qr_code(Some(&data)).scan(&code);
            tell(login.subscribe_to_progress(), sender, |state| entering(state, scanned));
            login.await.map_err(|error| error.to_string())
        });
        Linking { steps, task }
    }
}

/// What the client says of itself.
fn registration(redirect: Option<Url>) -> Outcome<ClientRegistrationData> {
    let mut ways = vec![OAuthGrantType::DeviceCode];
    ways.extend(redirect.map(|redirect| OAuthGrantType::AuthorizationCode { redirect_uris: vec![redirect] }));
    let page = Localized::new(Url::parse("https://sdk.example.org/")?, []);
    let mut metadata = ClientMetadata::new(ApplicationType::Native, ways, page);
    metadata.client_name = Some(Localized::new("A client of matrix-sdk".to_owned(), []));
    Ok(ClientRegistrationData::new(Raw::new(&metadata)?))
}

/// Passes on what happens, as long as somebody listens.
fn tell<S: Send + 'static>(
    progress: impl Stream<Item = S> + Send + 'static,
    to: mpsc::UnboundedSender<Step>,
    step: impl Fn(S) -> Option<Step> + Send + 'static,
) {
    tokio::spawn(async move {
        let mut progress = Box::pin(progress);
        while let Some(state) = progress.next().await {
            if step(state).is_some_and(|step| to.send(step).is_err()) {
                break;
            }
        }
    });
}

fn entering<Q>(state: LoginProgress<Q>, step: impl Fn(Q) -> Step) -> Option<Step> {
    match state {
        LoginProgress::EstablishingSecureChannel(progress) => Some(step(progress)),
        _ => None,
    }
}

fn granting<Q>(state: GrantLoginProgress<Q>, step: impl Fn(Q) -> Step) -> Option<Step> {
    match state {
        GrantLoginProgress::EstablishingSecureChannel(progress) => Some(step(progress)),
        GrantLoginProgress::WaitingForAuth { verification_uri } => Some(Step::Link(verification_uri)),
        _ => None,
    }
}

fn shown(progress: GeneratedQrProgress) -> Step {
    match progress {
        GeneratedQrProgress::QrReady(code) => Step::Code(code.to_bytes()),
        GeneratedQrProgress::QrScanned(sender) => Step::Scanned(sender),
    }
}

fn scanned(progress: QrProgress) -> Step {
    Step::Digits(progress.check_code.to_digit())
}
