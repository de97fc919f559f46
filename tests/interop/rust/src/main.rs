//! A person at a client of matrix-sdk, for the stories of `tests/interop`.
//!
//! The first line of standard input is who logs in; each further line is a [`Command`]. Each line is answered by one
//! line of standard output, in order: `{"value": …}`, or `{"error": "…", "errcode": "M_…"}` with what the server
//! said. All lines are JSON. The client syncs from the login on; it ends when standard input does. It keeps nothing on
//! disk, and knows no story. Who comes by OAuth 2.0 begins otherwise: see [`oauth`].

mod command;
mod oauth;
mod person;
mod seen;
mod verification;
mod windows;

use std::error::Error;
use std::io::{self, Write};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::command::{Command, Credentials};
use crate::oauth::{App, Beginning};
use crate::person::Person;

/// What may go wrong is told to the story, which decides what it means.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

// One thread: the futures of matrix-sdk are large, and only the main thread's stack is large enough for them
// where nothing is optimised.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let Some(line) = lines.next_line().await? else { return Ok(()) };
    if let Ok(beginning) = serde_json::from_str::<Beginning>(&line) {
        let mut app = match App::begin(beginning).await {
            Ok(app) => app,
            Err(error) => return answer(Err(error)),
        };
        answer(Ok(Value::Null))?;
        while let Some(line) = lines.next_line().await? {
            answer(app.obey(&line).await)?;
        }
        return Ok(());
    }
    let person = match arrive(&line).await {
        Ok(person) => person,
        Err(error) => return answer(Err(error)),
    };
    answer(Ok(person.session()))?;
    while let Some(line) = lines.next_line().await? {
        answer(obey(&person, &line).await)?;
    }
    Ok(())
}

async fn arrive(line: &str) -> Outcome<Person> {
    let credentials: Credentials = serde_json::from_str(line)?;
    Person::arrive(credentials).await
}

async fn obey(person: &Person, line: &str) -> Outcome<Value> {
    let command: Command = serde_json::from_str(line)?;
    command.run(person).await
}

fn answer(outcome: Outcome<Value>) -> Outcome<()> {
    let answer = match outcome {
        Ok(value) => json!({ "value": value }),
        Err(error) => json!({ "error": error.to_string(), "errcode": errcode(error.as_ref()) }),
    };
    writeln!(io::stdout(), "{answer}")?;
    Ok(())
}

/// The server's `errcode`, where it was the server that refused.
fn errcode(error: &(dyn Error + 'static)) -> Option<String> {
    let kind = match error.downcast_ref::<matrix_sdk::Error>() {
        Some(error) => error.client_api_error_kind(),
        None => error.downcast_ref::<matrix_sdk::HttpError>()?.client_api_error_kind(),
    };
    kind.map(|kind| kind.errcode().to_string())
}
