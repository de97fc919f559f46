//! Who is there.

mod get_presence;
mod set_presence;
