//! `parvis registration-token`

use std::time::Duration;

use parvis_accounts::{Accounts, GivenToken, NewToken};
use parvis_ambient::{Ambient, Timestamp};
use parvis_server::{config::Config, open_accounts};
use tokio::runtime::Runtime;

use super::{Outcome, say};
use crate::cli::TokenCommand;

const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(crate) fn registration_token(command: TokenCommand, config: Config) -> Outcome {
    Runtime::new()?.block_on(async {
        let organisation = config.organisations.first().ok_or("there is no organisation")?;
        let ambient = Ambient::system();
        let now = ambient.now();
        let (accounts, store) = open_accounts(organisation, ambient).await?;
        let outcome = act(&accounts, command, now).await;
        drop(accounts);
        store.close().await;
        outcome
    })
}

async fn act(accounts: &Accounts, command: TokenCommand, now: Timestamp) -> Outcome {
    match command {
        TokenCommand::Create { token, uses, days, by } => {
            let wanted = NewToken {
                token,
                uses_allowed: uses.map(i64::from),
                expires_ts: days.map(|days| now.plus(DAY * days).millis()),
                created_by: by,
            };
            say(accounts.give_registration_token(wanted).await?.token);
        }
        TokenCommand::List => {
            accounts.registration_tokens().await?.iter().for_each(|given| say(describe(given, now)));
        }
        TokenCommand::Revoke { token } => {
            accounts.revoke_registration_token(&token).await?;
            say("The token is no good any more.");
        }
    }
    Ok(())
}

/// A line for a list: the token, how often it was used, and how long it is good.
fn describe(given: &GivenToken, now: Timestamp) -> String {
    let uses = match given.uses_allowed {
        Some(allowed) => format!("used {} of {allowed} times", given.uses),
        None => format!("used {} times", given.uses),
    };
    let left = given.expires_ts.map(|expires| expires - now.millis());
    let until = match left {
        None => String::new(),
        Some(left) if left <= 0 => ", expired".to_owned(),
        Some(left) => format!(", good for {} hours", left / 3_600_000),
    };
    format!("{}  ({uses}{until}, by {})", given.token, given.created_by)
}
