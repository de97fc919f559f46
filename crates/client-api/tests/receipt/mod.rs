//! How far users have read.

mod create_receipt;
