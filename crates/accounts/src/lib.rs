//! Accounts: who belongs to the organisation, how they prove it, and what they keep here.
//!
//! Users, passwords, sessions and devices, user-interactive authentication, profiles, account data, push rules,
//! filters. This crate knows nothing of rooms, and nothing of HTTP: which failure is which status is the
//! API's table.

mod account_data;
mod accounts;
mod addresses;
mod administration;
mod authentication;
mod cache;
mod closing;
mod devices;
mod filters;
mod id_token;
mod interactive;
mod known_providers;
mod login;
mod logout_token;
mod mails;
mod names;
mod oauth;
mod openid;
mod opening;
mod password;
mod people;
mod profiles;
mod push_rules;
mod pushers;
mod refresh;
mod registration;
mod registration_tokens;
mod rendezvous;
mod secret;
mod services;
mod session;
mod settings;

pub use account_data::{AccountDataError, TagInfo};
pub use accounts::Accounts;
pub use addresses::{AddressError, MailTokenRequest};
pub use administration::AdministrationError;
pub use authentication::AuthError;
pub use closing::PasswordError;
pub use devices::DeviceError;
pub use filters::FilterError;
pub use interactive::{Challenge, InteractiveError, Operation, Stage};
pub use login::LoginError;
pub use mails::{AddressPurpose, PageKind};
pub use names::NameError;
pub use oauth::{
    Authorization, AuthorizationError, AuthorizationRequest, BrowserSession, BrowserSignIn, ClientMetadata,
    ClientProblem, DeviceRequest, IssueError, IssuedTokens, PageRegisterError, PageRegistration,
    ProviderAnswer, ProviderError, ProviderSignIn, RegisteredClient, ReturnAddress, TokenRequest,
    UserCodeState, form_token, is_form_token,
};
pub use parvis_peers::Language;
pub use parvis_storage::{
    Account, Device, DeviceSn, Findable, GivenToken, Profile, RoomSn, StorageError, UserAddress, UserSn,
};
pub use password::{HashError, WeakPassword};
pub use profiles::{FoundUser, ProfileError};
pub use push_rules::PushRuleError;
pub use pushers::{PushWay, PusherError, STOP, WantedPusher};
pub use refresh::RefreshError;
pub use registration::{CreateError, RegisterError, Registered, RegistrationRequest};
pub use registration_tokens::{NewToken, TokenError};
pub use rendezvous::{LARGEST_RENDEZVOUS_MESSAGE, RendezvousError, RendezvousMessage};
pub use services::{ActError, ServiceRegisterError};
pub use session::{NewDevice, OpenedSession, Session};
pub use settings::{
    AccountsSettings, AddressAtRegistration, BackChannelLogout, ClientSecret, ExistingAccounts,
    IdentityProvider, MailSettings, PasswordCost, PasswordRules, Registration, RegistrationToken, Terms,
    TermsDocument, UsersChange,
};
