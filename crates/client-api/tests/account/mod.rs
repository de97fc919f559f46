//! Accounts: making, changing and closing them.

mod change_password;
mod check_registration_token_validity;
mod deactivate;
mod get_3pids;
mod get_username_availability;
mod register;
mod request_openid_token;
