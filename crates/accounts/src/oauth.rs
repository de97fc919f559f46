//! OAuth 2.0: the homeserver itself lets apps in, in people's browsers
//! (<https://spec.matrix.org/v1.19/client-server-api/#oauth-20-api>).
//!
//! Apps register themselves; somebody signs in in a browser, and grants an app a session on a device; the app fetches
//! it with a code. Knows nothing of HTTP and of pages.

mod authorization;
mod back_channel;
mod browser;
mod clients;
mod device_grant;
mod providers;
mod qr_codes;
mod redirects;
mod registration;
mod scope;
mod tokens;
mod upstream;

pub use authorization::{Authorization, AuthorizationError, AuthorizationRequest, ReturnAddress};
pub use browser::{BrowserSession, BrowserSignIn, form_token, is_form_token};
pub use clients::{ClientMetadata, ClientProblem, RegisteredClient};
pub use device_grant::{DeviceRequest, UserCodeState};
pub use registration::{PageRegisterError, PageRegistration};
pub use tokens::{IssueError, IssuedTokens, TokenRequest};
pub use upstream::{ProviderAnswer, ProviderError, ProviderSignIn};
