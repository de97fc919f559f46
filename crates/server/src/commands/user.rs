//! `parvis user`

use std::error::Error;

use parvis_accounts::{Account, Accounts};
use parvis_ambient::Ambient;
use parvis_server::{config::Config, open_accounts};
use tokio::runtime::Runtime;

use super::{Outcome, password::new_password, say};
use crate::cli::UserCommand;

/// How many accounts are listed at a time.
const PAGE: u32 = 500;

pub(crate) fn user(command: UserCommand, config: Config) -> Outcome {
    Runtime::new()?.block_on(async {
        let organisation = config.organisations.first().ok_or("there is no organisation")?;
        let (accounts, store) = open_accounts(organisation, Ambient::system()).await?;
        let outcome = act(&accounts, command, organisation.server_name.as_str()).await;
        drop(accounts);
        store.close().await;
        outcome
    })
}

async fn act(accounts: &Accounts, command: UserCommand, server_name: &str) -> Outcome {
    match command {
        UserCommand::Create { name, admin, password } => {
            let localpart = localpart(&name, server_name)?;
            accounts.is_available(localpart).await?;
            let account = accounts.create(localpart, Some(&new_password(password)?), admin).await?;
            tell(&account, "has an account now");
        }
        UserCommand::List => list(accounts).await?,
        UserCommand::Lock { name } => tell(&accounts.set_locked(&name, true).await?, "is locked"),
        UserCommand::Unlock { name } => tell(&accounts.set_locked(&name, false).await?, "is not locked"),
        UserCommand::ResetPassword { name, keep_sessions, password } => {
            let password = new_password(password)?;
            let account = accounts.reset_password(&name, &password, keep_sessions).await?;
            tell(&account, "has a new password");
        }
        UserCommand::Promote { name, revoke: false } => {
            tell(&accounts.set_admin(&name, true).await?, "is an administrator");
        }
        UserCommand::Promote { name, revoke: true } => {
            tell(&accounts.set_admin(&name, false).await?, "is no administrator");
        }
    }
    Ok(())
}

/// The localpart of `alice` or `@alice:example.org`.
fn localpart<'a>(name: &'a str, server_name: &str) -> Result<&'a str, Box<dyn Error>> {
    match name.strip_prefix('@').map(|rest| rest.split_once(':')) {
        None => Ok(name),
        Some(Some((localpart, host))) if host == server_name => Ok(localpart),
        Some(_) => Err(format!("{name} is no name here; it would end in :{server_name}").into()),
    }
}

fn tell(account: &Account, what: &str) {
    say(format_args!("{} {what}.", account.user_id));
}

async fn list(accounts: &Accounts) -> Outcome {
    let mut after = String::new();
    loop {
        let page = accounts.list(&after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.user_id.to_string();
        page.iter().for_each(|account| say(describe(account)));
    }
}

/// A line for a list: the name, and what is special.
fn describe(account: &Account) -> String {
    let special = [
        (account.is_admin, "administrator"),
        (account.locked, "locked"),
        (account.deactivated, "deactivated"),
        (account.password_hash.is_none(), "no password"),
    ];
    let special: Vec<&str> = special.into_iter().filter_map(|(holds, what)| holds.then_some(what)).collect();
    if special.is_empty() {
        account.user_id.to_string()
    } else {
        format!("{}  ({})", account.user_id, special.join(", "))
    }
}
