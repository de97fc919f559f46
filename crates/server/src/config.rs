//! The configuration: defaults, then a file, then the environment; judged as a whole before anything starts.
//!
//! [`Settings`] is what an operator writes, section by section. [`Config`] is what the program uses: it exists
//! only if the settings are complete and do not contradict each other. Every problem names where the value
//! stands, its key, what is wrong, and the nearest valid key.

mod application_services;
mod calls;
mod check;
mod directory;
mod human;
mod load;
mod people;
mod problem;
mod secret;
mod settings;
mod show;
mod sign_on;

pub use calls::CallSettings;
pub(crate) use check::ANY_HOST;
pub use check::{
    CertificateFiles, Config, FederationConfig, MediaConfig, OrganisationConfig, ProcessConfig, PushConfig,
    RegistrationConfig, RoomsConfig, StorageConfig,
};
pub use directory::DirectorySettings;
pub use human::{ByteSize, HumanDuration, Listen, Network};
pub use load::{Loaded, Origin, Sources, load};
pub use people::{
    AccountSettings, FindableUsers, MailAddressAtRegistration, MailConfig, MailSecurity, ManagedField,
    TermsSettings,
};
pub use problem::{ConfigError, Problem};
pub use secret::Secret;
pub use settings::{
    LimitSettings, LogFormat, LoggingSettings, PresenceMode, PushBadge, RateLimit, RateLimitSettings,
    Settings, SqliteSynchronous, SupportContact,
};
