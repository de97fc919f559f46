//! Pushers: where users want to be told when they are not looking. They are kept here; `outbound` tells them.

use parvis_policy::push::Tell;
use parvis_storage::{MAIL_APP, NewPusher, PusherKey, StorageError, StoredPusher, UserSn, WriteSet};
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use crate::{
    accounts::{Accounts, plain},
    addresses::{EMAIL, canonical_address},
    session::Session,
};

/// In a pusher that is a mail address: with what whoever reads the mails has them stopped. Users are not shown it.
pub const STOP: &str = "org.parvis.stop";
/// Letters and digits in that: 238 bits.
const STOP_LENGTH: usize = 40;

/// The largest pusher, in bytes.
const LARGEST: usize = 16_384;
/// How many pushers a user may have.
const MOST: usize = 100;

/// A pusher that a client wishes to be kept.
#[derive(Clone, Copy, Debug)]
pub struct WantedPusher<'a> {
    /// The app.
    pub app_id: &'a str,
    /// The app's name for the receiver.
    pub pushkey: &'a str,
    /// Where its receiver is told.
    pub way: PushWay<'a>,
    /// All of it.
    pub pusher: &'a Map<String, Value>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Whether it is to be one among those of several users.
    pub among_others: bool,
}

/// How the receiver of a pusher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushWay<'a> {
    /// Through the push gateway at this URL.
    Gateway(&'a str),
    /// By mail, to the address that the app's name for the receiver is.
    Mail,
}

/// Why a pusher is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PusherError {
    /// The pusher is too large, or the user has too many.
    #[error("there are too many pushers, or this one is too large")]
    TooMuch,
    /// The organisation does not have phones told through this gateway: why, as a sentence for people.
    #[error("{0}")]
    Refused(&'static str),
    /// Nobody can be told at this URL: why, as a sentence for people.
    #[error("{0}")]
    NoGateway(&'static str),
    /// The address is none of the user's.
    #[error("mails of missed messages are sent to addresses of one's own account")]
    NotTheirs,
    /// Mail addresses and other receivers are of different apps.
    #[error("the app_id of a pusher is m.email if its kind is email, and only then")]
    WrongApp,
    /// The pusher cannot be written.
    #[error("a pusher cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// A user's pushers, the oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn pushers(&self, session: &Session) -> Result<Vec<StoredPusher>, StorageError> {
        self.store.pushers(session.user).await
    }

    /// Sets a pusher. Unless it is to be one among those of several users, the others lose theirs for this app and
    /// key.
    ///
    /// # Errors
    /// Any [`PusherError`].
    pub async fn set_pusher(&self, session: &Session, wanted: &WantedPusher<'_>) -> Result<(), PusherError> {
        let WantedPusher { app_id, pushkey, way, pusher, enabled, among_others } = *wanted;
        let known = self.store.pushers(session.user).await?;
        let find = |pushkey: &str| {
            known.iter().find(|known| known.key.app_id == app_id && known.key.pushkey == pushkey)
        };
        if (app_id == MAIL_APP) != (way == PushWay::Mail) {
            return Err(PusherError::WrongApp);
        }
        let mut pusher = pusher.clone();
        let mut pushkey = pushkey.to_owned();
        match way {
            PushWay::Gateway(url) => self.check_gateway(url)?,
            PushWay::Mail => {
                pushkey = self.own_address(session.user, &pushkey).await?;
                let stop = find(&pushkey).and_then(stop_of);
                let stop = stop.unwrap_or_else(|| {
                    format!("{}.{}", session.user.0, self.ambient.chance.text(STOP_LENGTH))
                });
                pusher.insert(STOP.to_owned(), stop.into());
                pusher.insert("pushkey".to_owned(), pushkey.as_str().into());
            }
        }
        let pushkey = pushkey.as_str();
        let pusher = to_raw_value(&pusher)?;
        let is_new = find(pushkey).is_none();
        if pusher.get().len() > LARGEST || (is_new && known.len() >= MOST) {
            return Err(PusherError::TooMuch);
        }
        let mut set = WriteSet::new();
        if !among_others {
            set.delete_pushers_of_others(session.user, app_id, pushkey);
        }
        set.put_pusher(&NewPusher {
            user: session.user,
            device: session.device,
            app_id,
            pushkey,
            pusher: pusher.get(),
            created_ts: self.now().millis(),
            enabled,
        });
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    fn check_gateway(&self, url: &str) -> Result<(), PusherError> {
        let decision = self.settings.push.may_tell(url);
        match decision.outcome {
            Tell::Yes => Ok(()),
            Tell::No => Err(PusherError::Refused(decision.rule)),
            Tell::NoGateway => Err(PusherError::NoGateway(decision.rule)),
        }
    }

    /// The one form of an address, if the user has it and mails may be sent there.
    async fn own_address(&self, user: UserSn, address: &str) -> Result<String, PusherError> {
        let decision = self.settings.push.may_mail();
        if decision.outcome != Tell::Yes {
            return Err(PusherError::Refused(decision.rule));
        }
        if self.settings.mail.is_none() {
            return Err(PusherError::Refused("this server sends no mail"));
        }
        let address = canonical_address(address).ok_or(PusherError::NotTheirs)?;
        let addresses = self.store.addresses_of(user).await?;
        let is_theirs = addresses.iter().any(|own| own.medium == EMAIL && own.address == address);
        if is_theirs { Ok(address) } else { Err(PusherError::NotTheirs) }
    }

    /// The pusher whose mails have this in the link by which their reader has them stopped.
    async fn pusher_to_stop(&self, stop: &str) -> Result<Option<PusherKey>, StorageError> {
        let user = stop.split_once('.').and_then(|(user, _)| user.parse().ok());
        let Some(user) = user.map(UserSn) else { return Ok(None) };
        let is_meant = |pusher: &StoredPusher| {
            let known = stop_of(pusher);
            pusher.key.is_mail()
                && known.is_some_and(|known| bool::from(known.as_bytes().ct_eq(stop.as_bytes())))
        };
        Ok(self.store.pushers(user).await?.into_iter().find(is_meant).map(|pusher| pusher.key))
    }

    /// Whether there are mails that can be stopped with this. For a page that asks before it does so.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn can_stop_mails(&self, stop: &str) -> Result<bool, StorageError> {
        Ok(self.pusher_to_stop(stop).await?.is_some())
    }

    /// Has no more mails sent of missed messages, as whoever reads them wishes. Gives whether there were any.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn stop_mails(&self, stop: &str) -> Result<bool, StorageError> {
        let Some(key) = self.pusher_to_stop(stop).await? else { return Ok(false) };
        let mut set = WriteSet::new();
        set.delete_pusher(key.user, &key.app_id, &key.pushkey);
        self.store.commit(set).await.map_err(plain)?;
        Ok(true)
    }

    /// Takes a pusher away. It does not matter whether it was there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete_pusher(
        &self,
        session: &Session,
        app_id: &str,
        pushkey: &str,
    ) -> Result<(), StorageError> {
        let address = canonical_address(pushkey).filter(|_| app_id == MAIL_APP);
        let mut set = WriteSet::new();
        set.delete_pusher(session.user, app_id, address.as_deref().unwrap_or(pushkey));
        self.store.commit(set).await.map(drop).map_err(plain)
    }
}

/// With what the mails to a pusher are stopped.
fn stop_of(pusher: &StoredPusher) -> Option<String> {
    let pusher: Map<String, Value> = serde_json::from_str(&pusher.pusher).ok()?;
    pusher.get(STOP)?.as_str().map(str::to_owned)
}
