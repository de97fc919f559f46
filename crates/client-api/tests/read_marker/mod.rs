//! How far users have read, in one request.

mod set_read_marker;
