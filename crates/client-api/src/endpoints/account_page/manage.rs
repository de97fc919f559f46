//! The account page: profile, devices, new keys, and closing the account
//! (<https://spec.matrix.org/v1.19/client-server-api/#account-management-url-actions>).

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use parvis_accounts::{BrowserSession, Device, ProfileError};
use parvis_policy::ClientKind;
use parvis_rooms::Actor;
use ruma::OwnedDeviceId;
use serde_json::Value;

use super::super::profile::tell_rooms;
use crate::{
    ApiError,
    completion::to_its_end,
    pages::{
        ACCOUNT, AccountPage, DeactivatePage, DevicePage, DeviceRow, PageError, ResetPage, Visit, encode,
        with_query,
    },
};

/// How long ago somebody may have proved who they are, for what is grave.
const FRESH: Duration = Duration::from_secs(10 * 60);
const DEACTIVATE: &str = "org.matrix.account_deactivate";
const RESET: &str = "org.matrix.cross_signing_reset";

/// Shows what the link asks for.
pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    match visit.query.get("action").unwrap_or_default() {
        // The second names are those of apps that were written before these were settled.
        "org.matrix.device_view" | "org.matrix.session_view" => device(&visit, session, false).await,
        "org.matrix.device_delete" | "org.matrix.session_end" => device(&visit, session, true).await,
        RESET if !is_fresh(&visit, session) => {
            Ok(visit.sign_in_first(true, Some(session.user_id.localpart())))
        }
        RESET => Ok(visit.show(&ResetPage { frame: visit.frame() })),
        DEACTIVATE if !is_fresh(&visit, session) => {
            Ok(visit.sign_in_first(true, Some(session.user_id.localpart())))
        }
        DEACTIVATE => Ok(visit.show(&deactivation(&visit, session, None))),
        _ => overview(&visit, session, None).await,
    }
}

/// Changes something.
pub(super) async fn change(visit: Visit) -> Result<Response, PageError> {
    let Some(session) = &visit.session else { return Ok(visit.sign_in_first(false, None)) };
    match visit.form.get("do") {
        Some("rename") => rename(&visit, session).await,
        Some("end_device") => end_device(&visit, session).await,
        Some("reset") => {
            if !is_fresh(&visit, session) {
                return Ok(prove_again(&visit, session, RESET));
            }
            visit.api.accounts.allow_cross_signing_reset(session.user).await?;
            Ok(visit.say(visit.words.done, visit.words.reset_done, Some(ACCOUNT)))
        }
        Some("deactivate") => {
            if !is_fresh(&visit, session) {
                return Ok(prove_again(&visit, session, DEACTIVATE));
            }
            deactivate(&visit, session).await
        }
        _ => Err(PageError::bad_request()),
    }
}

fn is_fresh(visit: &Visit, session: &BrowserSession) -> bool {
    visit.api.accounts.proved_within(session, FRESH)
}

fn prove_again(visit: &Visit, session: &BrowserSession, action: &str) -> Response {
    let next = with_query(ACCOUNT, &[("action", action)]);
    visit.sign_in_and_go(&next, true, Some(session.user_id.localpart()))
}

async fn overview(
    visit: &Visit,
    session: &BrowserSession,
    problem: Option<&str>,
) -> Result<Response, PageError> {
    let accounts = &visit.api.accounts;
    let devices = accounts.devices(session.user).await?;
    let display_name = accounts.display_name(session.user).await?.unwrap_or_default();
    let done = match visit.query.get("done") {
        Some("saved") => Some(visit.words.saved),
        Some("device") => Some(visit.words.device_ended),
        _ => None,
    };
    let page = AccountPage {
        frame: visit.frame(),
        user_id: session.user_id.as_str(),
        display_name: &display_name,
        may_rename: !accounts.managed_profile_fields().contains(&"displayname"),
        addresses: accounts.addresses(session.user).await?.into_iter().map(|own| own.address).collect(),
        // Those in use come first.
        devices: {
            let mut devices = devices;
            devices.sort_by_key(|device| std::cmp::Reverse(device.last_seen_ts));
            devices.iter().map(row).collect()
        },
        done: done.filter(|_| problem.is_none()),
        problem,
    };
    Ok(if problem.is_some() { visit.show_again(&page) } else { visit.show(&page) })
}

fn row(device: &Device) -> DeviceRow {
    let device_id = device.device_id.as_str();
    DeviceRow {
        device_id: device_id.to_owned(),
        name: device
            .display_name
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| device_id.to_owned()),
        link: format!("action=org.matrix.device_view&device_id={}", encode(device_id)),
        last_seen: device.last_seen_ts.and_then(day),
        last_address: device.last_seen_ip.clone(),
    }
}

/// The day and the minute of a time, in UTC, as all languages can read it.
fn day(millis: i64) -> Option<String> {
    let seconds = u64::try_from(millis / 1_000).ok()?;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The calendar of Howard Hinnant's `civil_from_days`, for days since 1970.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3_600, rest / 60 % 60))
}

async fn device(visit: &Visit, session: &BrowserSession, ending: bool) -> Result<Response, PageError> {
    let wanted = visit.query.get("device_id").unwrap_or_default();
    let devices = visit.api.accounts.devices(session.user).await?;
    match devices.iter().find(|device| device.device_id == wanted) {
        Some(device) => Ok(visit.show(&DevicePage { frame: visit.frame(), device: row(device), ending })),
        None if wanted.is_empty() => overview(visit, session, None).await,
        None => Err(PageError::new(StatusCode::NOT_FOUND, |words| words.no_such_device)),
    }
}

async fn end_device(visit: &Visit, session: &BrowserSession) -> Result<Response, PageError> {
    let device_id: OwnedDeviceId = visit.form.get("device_id").unwrap_or_default().into();
    visit.api.accounts.delete_devices(session.user, &[device_id]).await?;
    Ok(visit.go(&with_query(ACCOUNT, &[("done", "device")])))
}

async fn rename(visit: &Visit, session: &BrowserSession) -> Result<Response, PageError> {
    let name = visit.form.get("display_name").unwrap_or_default().trim().to_owned();
    let (api, actor) = (visit.api.clone(), actor(session));
    let renamed = to_its_end(async move {
        let name = Value::from(name);
        match api.accounts.set_profile_field(actor.user, &actor.user_id, "displayname", name).await {
            Ok(()) => tell_rooms(&api, &actor, "displayname").await.map(|()| true),
            Err(ProfileError::Storage(error)) => Err(ApiError::from(error)),
            Err(_) => Ok(false),
        }
    });
    if renamed.await? {
        return Ok(visit.go(&with_query(ACCOUNT, &[("done", "saved")])));
    }
    overview(visit, session, Some(visit.words.bad_display_name)).await
}

async fn deactivate(visit: &Visit, session: &BrowserSession) -> Result<Response, PageError> {
    if visit.form.get("user_id").unwrap_or_default().trim() != session.user_id.as_str() {
        let problem = Some(visit.words.deactivate_wrong);
        return Ok(visit.show_again(&deactivation(visit, session, problem)));
    }
    let erase = visit.form.said("erase").is_some();
    let (api, actor) = (visit.api.clone(), actor(session));
    to_its_end(async move {
        // The account last: as long as it is open, who had no answer can try again.
        api.rooms.leave_all(&actor).await?;
        Ok(api.accounts.deactivate(actor.user, erase).await?)
    })
    .await?;
    let mut frame = visit.frame();
    frame.user_id = None;
    let (title, text) = (visit.words.done, visit.words.deactivate_done);
    Ok(visit.show(&crate::pages::MessagePage { frame, title, text, back: None }))
}

fn deactivation<'a>(
    visit: &'a Visit,
    session: &'a BrowserSession,
    problem: Option<&'a str>,
) -> DeactivatePage<'a> {
    DeactivatePage { frame: visit.frame(), user_id: session.user_id.as_str(), problem }
}

/// Who acts: no device of the user's.
fn actor(session: &BrowserSession) -> Actor {
    Actor {
        user: session.user,
        user_id: session.user_id.clone(),
        device: None,
        client: ClientKind::of_user_agent(None),
        service: None,
        timestamp: None,
    }
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399_000, "2000-02-28 23:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_700_000_000_000, "2023-11-14 22:13 UTC"),
            (4_102_444_799_000, "2099-12-31 23:59 UTC"),
        ] {
            assert_eq!(day(millis).as_deref(), Some(expected));
        }
    }
}
