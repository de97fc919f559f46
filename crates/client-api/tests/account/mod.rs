//! Accounts: making, changing and closing them.

mod register;
