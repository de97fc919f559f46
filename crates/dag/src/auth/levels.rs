//! The rule for `m.room.power_levels`: nobody gives away or takes more power than they have.

use std::collections::{BTreeMap, BTreeSet};

use parvis_events::Pdu;

use super::require;
use crate::{
    error::AuthError,
    power::{LevelContent, LevelField, Power, PowerLevels},
};

pub(super) fn check(pdu: &Pdu, current: &PowerLevels) -> Result<(), AuthError> {
    let new = LevelContent::of(pdu);
    let new = new.as_ref().as_ref().map_err(Clone::clone)?;
    if pdu.version().creators_have_infinite_power()
        && let Some(creator) =
            current.create().creators.iter().find(|user| new.users.contains_key(user.as_str()))
    {
        return Err(AuthError::new(format!(
            "{creator} is a creator of the room, whom power levels must not name"
        )));
    }
    let Some(old) = current.content() else { return Ok(()) };

    let sender = pdu.sender();
    let power = current.of(sender);
    check_fields(old, new, power)?;
    check_map("events", &old.events, &new.events, power, |_, level| power.reaches(level))?;
    if pdu.version().limits_notification_levels() {
        let (old, new) = (&old.notifications, &new.notifications);
        check_map("notifications", old, new, power, |_, level| power.reaches(level))?;
    }
    // Who has as much power as the sender keeps it, except for the sender.
    check_map("users", &old.users, &new.users, power, |user, level| {
        user == sender.as_str() || power > Power::Level(level)
    })
}

/// A field that is added, changed or removed: neither what was there nor what comes, defaults included, may
/// be above the sender.
fn check_fields(old: &LevelContent, new: &LevelContent, power: Power) -> Result<(), AuthError> {
    for field in LevelField::ALL {
        let (before, after) = (old.field(field), new.field(field));
        if before == after {
            continue;
        }
        for level in [before, after].map(|level| level.unwrap_or_else(|| field.default())) {
            require(power.reaches(level), || change_denied(field.name(), level, power))?;
        }
    }
    Ok(())
}

/// Entries that are added, changed or removed: what comes may not be above the sender, and what was there
/// must be within reach.
fn check_map(
    name: &str,
    old: &BTreeMap<String, i64>,
    new: &BTreeMap<String, i64>,
    power: Power,
    within_reach: impl Fn(&str, i64) -> bool,
) -> Result<(), AuthError> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (before, after) = (old.get(key), new.get(key));
        if before == after {
            continue;
        }
        if let Some(level) = before {
            require(within_reach(key, *level), || change_denied(&format!("{name}.{key}"), *level, power))?;
        }
        if let Some(level) = after {
            require(power.reaches(*level), || change_denied(&format!("{name}.{key}"), *level, power))?;
        }
    }
    Ok(())
}

fn change_denied(what: &str, level: i64, power: Power) -> String {
    format!("the power level of `{what}`, {level}, is not within reach of a sender with {power}")
}
