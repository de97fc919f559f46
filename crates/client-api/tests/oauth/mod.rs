//! OAuth 2.0: apps that are let in by people's browsers.

mod account;
mod authorize;
mod back_channel;
mod browser;
mod device_grant;
mod metadata;
mod pages;
mod provider;
mod register;
mod rendezvous;
mod reset;
mod token;
