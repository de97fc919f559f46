//! `parvis policy`

use std::time::{Duration, UNIX_EPOCH};

use parvis_ambient::Ambient;
use parvis_organisation::{Holding, Organisation, PolicyChange, Source};
use parvis_server::{
    config::{Config, OrganisationConfig},
    explain_encryption, open_policy,
};
use ruma::RoomId;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Outcome, say};
use crate::cli::PolicyCommand;

pub(crate) fn policy(command: PolicyCommand, config: Config) -> Outcome {
    Runtime::new()?.block_on(async {
        let organisation = config.organisations.first().ok_or("there is no organisation")?;
        match command {
            PolicyCommand::Explain { room } => return explain(organisation, &room).await,
            PolicyCommand::Show { .. }
            | PolicyCommand::Set { .. }
            | PolicyCommand::Reset { .. }
            | PolicyCommand::History { .. } => {}
        }
        let (policy, store) = open_policy(organisation, Ambient::system()).await?;
        let outcome = act(&policy, command).await;
        drop(policy);
        store.close().await;
        outcome
    })
}

async fn act(policy: &Organisation, command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Show { setting } => show(policy, setting.as_deref())?,
        PolicyCommand::Set { setting, value, by } => {
            // A bare word is a text; whatever else it is, is written as JSON.
            let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
            change(policy, setting, Some(value), &by).await?;
        }
        PolicyCommand::Reset { setting, by } => change(policy, setting, None, &by).await?,
        PolicyCommand::History { limit } => {
            for change in policy.history(None, limit).await?.iter().rev() {
                say(told(change));
            }
        }
        PolicyCommand::Explain { .. } => {}
    }
    Ok(())
}

fn show(policy: &Organisation, setting: Option<&str>) -> Outcome {
    let mut holdings = policy.holdings();
    if let Some(setting) = setting {
        holdings
            .retain(|holding| holding.name == setting || holding.name.starts_with(&format!("{setting}.")));
        if holdings.is_empty() {
            return Err(format!("there is no setting {setting}; `parvis policy show` lists them").into());
        }
    }
    holdings.iter().for_each(|holding| say(described(holding)));
    Ok(())
}

async fn change(policy: &Organisation, setting: String, value: Option<Value>, by: &str) -> Outcome {
    let author = format!("{by}, at the command line");
    let changed = policy.change(&author, &[(setting.clone(), value)]).await?;
    if changed.is_empty() {
        say(format_args!("{setting} is so already."));
    }
    changed.iter().for_each(|holding| say(described(holding)));
    Ok(())
}

/// Why a room is encrypted or plain.
async fn explain(organisation: &OrganisationConfig, room: &str) -> Outcome {
    let room_id =
        RoomId::parse(room).map_err(|_| format!("{room} is no room id such as !abc:example.org"))?;
    let (encryption, source) = explain_encryption(organisation, Ambient::system(), &room_id).await?;
    say(encryption.explanation());
    say(format_args!("The setting is {} ({}).", encryption.stance.setting, origin(&source)));
    Ok(())
}

/// A line for a list: the setting, its value, and where that comes from.
fn described(holding: &Holding) -> String {
    format!("{} = {}  # {}", holding.name, holding.value, origin(&holding.source))
}

fn origin(source: &Source) -> String {
    match source {
        Source::Default => "default".to_owned(),
        Source::Pinned => "pinned by the configuration".to_owned(),
        Source::Set { author, changed_ts } => format!("set by {author}, {}", date(*changed_ts)),
    }
}

fn told(change: &PolicyChange) -> String {
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| "the default".to_owned());
    let PolicyChange { changed_ts, author, setting, old, new, .. } = change;
    format!("{}: {author}: {setting} from {} to {}", date(*changed_ts), value(old), value(new))
}

fn date(ts: i64) -> String {
    let since = Duration::from_millis(u64::try_from(ts).unwrap_or(0));
    httpdate::fmt_http_date(UNIX_EPOCH + since)
}
