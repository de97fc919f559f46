//! Passwords from the person at the terminal, unseen, or from a pipe.

use std::{
    error::Error,
    io::{self, BufRead},
};

use crate::cli::PasswordSource;

/// The longest line that is read for a password, in bytes.
const LONGEST_LINE: u64 = 4096;

/// A new password: asked for twice, or from standard input.
pub(crate) fn new_password(source: PasswordSource) -> Result<String, Box<dyn Error>> {
    if source.password_stdin {
        return from_standard_input();
    }
    let password = rpassword::prompt_password("Password: ")?;
    let again = rpassword::prompt_password("Once more: ")?;
    if password == again { Ok(password) } else { Err("the two passwords are not the same".into()) }
}

fn from_standard_input() -> Result<String, Box<dyn Error>> {
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), LONGEST_LINE).read_line(&mut line)?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err("there is no password on standard input".into());
    }
    Ok(password.to_owned())
}
