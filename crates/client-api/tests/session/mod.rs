//! Sessions: logging in, going on, logging out.

mod login;
mod logout;
