//! Sessions: logging in, going on, logging out.

mod get_login_token;
mod locked;
mod login;
mod logout;
mod refresh_token;
