//! The application services of one organisation.

use std::{collections::HashMap, fmt, sync::Arc};

use ruma::{OwnedUserId, RoomAliasId, RoomId, ServerName, UserId};
use subtle::ConstantTimeEq as _;

use crate::registration::Registration;

/// An application service of this homeserver.
pub struct ApplicationService {
    registration: Registration,
    sender: OwnedUserId,
    token_hash: TokenHash,
}

/// What a token is looked up under, so that no comparison of tokens takes a time that tells of them.
type TokenHash = [u8; 32];

/// Two registrations that cannot both hold, or one that fits no homeserver of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Two services have the same name.
    #[error("id: two services are called `{0}`")]
    Id(String),
    /// Two services have the same token.
    #[error("as_token: `{0}` and `{1}` have the same one")]
    Token(String, String),
    /// The service's own user cannot have that name.
    #[error("sender_localpart: `{0}` cannot be the name of a user")]
    Sender(String),
}

impl fmt::Debug for ApplicationService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ApplicationService").field(&self.registration.id).finish()
    }
}

impl PartialEq for ApplicationService {
    fn eq(&self, other: &Self) -> bool {
        self.registration.id == other.registration.id
    }
}

impl Eq for ApplicationService {}

impl ApplicationService {
    /// What its file says.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.registration.id
    }

    /// Its own user.
    pub fn sender(&self) -> &UserId {
        &self.sender
    }

    /// The id of one of its networks among all networks of this homeserver.
    pub fn instance_id(&self, network: &str) -> String {
        format!("{}|{network}", self.id())
    }

    /// Whether it may act as a user: its own, or one of this server in its namespace.
    pub fn may_act_as(&self, user: &UserId) -> bool {
        *user == self.sender
            || (user.server_name() == self.sender.server_name()
                && self.registration.users.contains(user.as_str()))
    }

    /// Whether a user is one of those it cares for, here or elsewhere.
    pub fn cares_for_user(&self, user: &UserId) -> bool {
        *user == self.sender || self.registration.users.contains(user.as_str())
    }

    /// Whether it cares for an alias.
    pub fn cares_for_alias(&self, alias: &RoomAliasId) -> bool {
        self.registration.aliases.contains(alias.as_str())
    }

    /// Whether it cares for a room, whoever is in it.
    pub fn cares_for_room(&self, room: &RoomId) -> bool {
        self.registration.rooms.contains(room.as_str())
    }

    /// Whether what one of its users does is bound by the limits for those who ask too often.
    pub fn is_limited(&self, user: &UserId) -> bool {
        self.registration.rate_limited && *user != self.sender
    }
}

/// The application services of one organisation. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ApplicationServices {
    services: Arc<[Arc<ApplicationService>]>,
    by_token: Arc<HashMap<TokenHash, Arc<ApplicationService>>>,
}

impl ApplicationServices {
    /// Those that are registered at the homeserver of this name.
    ///
    /// # Errors
    /// [`Conflict`].
    pub fn new(server_name: &ServerName, registrations: Vec<Registration>) -> Result<Self, Conflict> {
        let mut services: Vec<Arc<ApplicationService>> = Vec::new();
        let mut by_token: HashMap<TokenHash, Arc<ApplicationService>> = HashMap::new();
        for registration in registrations {
            let localpart = &registration.sender_localpart;
            let sender = UserId::parse_with_server_name(localpart.as_str(), server_name)
                .ok()
                .filter(|sender| sender.as_str().len() <= 255 && !localpart.starts_with('@'))
                .ok_or_else(|| Conflict::Sender(localpart.clone()))?;
            if services.iter().any(|other| other.id() == registration.id) {
                return Err(Conflict::Id(registration.id));
            }
            let token_hash = hash(registration.as_token.reveal());
            if let Some(other) = by_token.get(&token_hash) {
                return Err(Conflict::Token(other.id().to_owned(), registration.id));
            }
            let service = Arc::new(ApplicationService { registration, sender, token_hash });
            by_token.insert(token_hash, Arc::clone(&service));
            services.push(service);
        }
        Ok(Self { services: services.into(), by_token: Arc::new(by_token) })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ApplicationService>> {
        self.services.iter()
    }

    /// The service whose `as_token` this is.
    pub fn by_token(&self, token: &str) -> Option<&Arc<ApplicationService>> {
        if self.is_empty() {
            return None;
        }
        let hash = hash(token);
        self.by_token.get(&hash).filter(|service| service.token_hash.ct_eq(&hash).into())
    }

    /// The service of this name.
    pub fn by_id(&self, id: &str) -> Option<&Arc<ApplicationService>> {
        self.services.iter().find(|service| service.id() == id)
    }

    /// Whether only another one than the one that acts, if one does, may make this user.
    pub fn keep_user_from(&self, user: &UserId, acting: Option<&ApplicationService>) -> bool {
        self.others(acting)
            .any(|service| *user == service.sender || service.registration.users.claims(user.as_str()))
    }

    /// Whether only another one than the one that acts, if one does, may make this alias.
    pub fn keep_alias_from(&self, alias: &RoomAliasId, acting: Option<&ApplicationService>) -> bool {
        self.others(acting).any(|service| service.registration.aliases.claims(alias.as_str()))
    }

    fn others<'a>(
        &'a self,
        acting: Option<&'a ApplicationService>,
    ) -> impl Iterator<Item = &'a Arc<ApplicationService>> {
        self.services.iter().filter(move |service| acting != Some(&***service))
    }
}

fn hash(token: &str) -> TokenHash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use ruma::{room_alias_id, server_name, user_id};

    use super::*;

    fn registration(id: &str, token: &str, sender: &str, users: &str) -> Registration {
        let yaml = format!(
            "id: {id}\nurl: null\nas_token: {token}\nhs_token: h\nsender_localpart: '{sender}'\nnamespaces:\n  \
             users: [{{ exclusive: true, regex: '{users}' }}]\n  aliases: [{{ exclusive: true, regex: '#{id}_.*' }}]\n"
        );
        Registration::parse(&yaml).unwrap()
    }

    fn services(registrations: Vec<Registration>) -> Result<ApplicationServices, Conflict> {
        ApplicationServices::new(server_name!("parvis.test"), registrations)
    }

    fn two() -> ApplicationServices {
        let irc = registration("irc", "t1", "ircbot", "@irc_.*");
        services(vec![irc, registration("mail", "t2", "mailbot", "@mail_.*")]).unwrap()
    }

    #[test]
    fn service_is_found_by_its_token_and_its_name() {
        let services = two();
        assert_eq!(services.by_token("t2").unwrap().id(), "mail");
        assert!(services.by_token("t3").is_none() && services.by_token("h").is_none());
        assert_eq!(services.by_id("irc").unwrap().sender(), user_id!("@ircbot:parvis.test"));
        assert!(ApplicationServices::default().by_token("").is_none());
    }

    #[test]
    fn service_acts_as_its_own_users_of_this_server_alone() {
        let services = two();
        let irc = services.by_id("irc").unwrap();
        assert!(irc.may_act_as(user_id!("@irc_a:parvis.test")) && irc.may_act_as(irc.sender()));
        assert!(!irc.may_act_as(user_id!("@irc_a:elsewhere.test")));
        assert!(irc.cares_for_user(user_id!("@irc_a:elsewhere.test")));
        assert!(!irc.may_act_as(user_id!("@alice:parvis.test")));
        assert!(irc.is_limited(user_id!("@irc_a:parvis.test")) && !irc.is_limited(irc.sender()));
    }

    #[test]
    fn exclusive_names_are_kept_from_all_others() {
        let services = two();
        let (irc, mail) = (services.by_id("irc").unwrap(), services.by_id("mail").unwrap());
        let user = user_id!("@irc_a:parvis.test");
        assert!(services.keep_user_from(user, None) && services.keep_user_from(user, Some(mail)));
        assert!(!services.keep_user_from(user, Some(irc)));
        assert!(services.keep_user_from(irc.sender(), None), "a service's own user is its own");
        assert!(!services.keep_user_from(user_id!("@alice:parvis.test"), None));
        let alias = room_alias_id!("#mail_a:parvis.test");
        assert!(services.keep_alias_from(alias, Some(irc)) && !services.keep_alias_from(alias, Some(mail)));
    }

    #[test]
    fn services_that_cannot_be_told_apart_are_refused() {
        let irc = || registration("irc", "t1", "ircbot", "@irc_.*");
        let same_id = services(vec![irc(), registration("irc", "t2", "b", "@b")]).unwrap_err();
        assert_eq!(same_id, Conflict::Id("irc".to_owned()));
        let same_token = services(vec![irc(), registration("mail", "t1", "b", "@b")]).unwrap_err();
        assert_eq!(same_token, Conflict::Token("irc".to_owned(), "mail".to_owned()));
        let bad_sender = services(vec![registration("irc", "t1", "@bot:parvis.test", "@b")]).unwrap_err();
        assert!(matches!(bad_sender, Conflict::Sender(_)), "{bad_sender}");
    }
}
