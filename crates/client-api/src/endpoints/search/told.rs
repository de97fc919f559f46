//! How what was found is told: as JSON, with what surrounds each result, and what it has in common with others.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use parvis_rooms::Actor;
use parvis_search::{Candidate, Weight};
use parvis_sync::{Reader, ShownEvent};
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    asked::{Asked, Group, GroupBy, Neighbours},
    found::{Found, GroupFound},
};
use crate::{ApiError, ClientApi, reply};

/// Writes the answer.
pub(super) async fn tell(
    api: &ClientApi,
    actor: &Actor,
    reader: Reader,
    asked: &Asked,
    found: Found,
) -> Result<Response, ApiError> {
    let events: Vec<_> = found.results.iter().map(|(candidate, _)| candidate.event.clone()).collect();
    let shown = api.view.show(reader, &events).await?;
    let mut body = br#"{"search_categories":{"room_events":{"results":["#.to_vec();
    let mut separator: &[u8] = b"";
    for (candidate, weight) in &found.results {
        // Redacted or left a moment ago: then it is not told.
        let Some(event) = shown.iter().find(|shown| shown.event.sn == candidate.event.sn) else { continue };
        body.extend_from_slice(separator);
        separator = b",";
        tell_result(api, reader, asked.neighbours.as_ref(), event, weight, &mut body).await?;
    }
    body.push(b']');
    let highlights: BTreeSet<&String> =
        found.results.iter().flat_map(|(_, weight)| &weight.highlights).collect();
    field(&mut body, "count", &json!(found.count));
    field(&mut body, "highlights", &json!(highlights));
    if let Some(next) = &found.next {
        field(&mut body, "next_batch", &json!(next.to_string()));
    }
    if !asked.group_by.is_empty() {
        field(&mut body, "groups", &groups(&asked.group_by, &found));
    }
    if asked.with_state {
        tell_state(api, actor, reader, &found.results, &mut body).await?;
    }
    body.extend_from_slice(b"}}}");
    Ok(reply::json(body))
}

fn field(body: &mut Vec<u8>, name: &str, value: &Value) {
    body.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
}

fn field_of_events(body: &mut Vec<u8>, name: &str, events: &[ShownEvent]) {
    body.extend_from_slice(format!(",\"{name}\":").as_bytes());
    write_events(body, events);
}

fn write_events(body: &mut Vec<u8>, events: &[ShownEvent]) {
    body.push(b'[');
    for (number, event) in events.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        event.write(body, true);
    }
    body.push(b']');
}

async fn tell_result(
    api: &ClientApi,
    reader: Reader,
    neighbours: Option<&Neighbours>,
    event: &ShownEvent,
    weight: &Weight,
    body: &mut Vec<u8>,
) -> Result<(), ApiError> {
    body.extend_from_slice(format!("{{\"rank\":{},\"result\":", json!(weight.rank)).as_bytes());
    event.write(body, true);
    if let Some(neighbours) = neighbours {
        tell_context(api, reader, neighbours, event, body).await?;
    }
    body.push(b'}');
    Ok(())
}

async fn tell_context(
    api: &ClientApi,
    reader: Reader,
    neighbours: &Neighbours,
    event: &ShownEvent,
    body: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let context = api.rooms.context_of(event.event.clone(), neighbours.before, neighbours.after).await?;
    let before = api.view.show(reader, &context.before).await?;
    let after = api.view.show(reader, &context.after).await?;
    let (start, end) = (json!(context.start.to_string()), json!(context.end.to_string()));
    body.extend_from_slice(format!(",\"context\":{{\"start\":{start},\"end\":{end}").as_bytes());
    field_of_events(body, "events_before", &before);
    field_of_events(body, "events_after", &after);
    if neighbours.with_profiles {
        let senders: BTreeSet<OwnedUserId> = before
            .iter()
            .chain([event])
            .chain(&after)
            .map(|shown| shown.event.pdu.owned_sender().clone())
            .collect();
        let members = api.rooms.member_events(context.room, context.state_root, &senders).await?;
        let profiles = members.iter().filter_map(|member| {
            let profile = member.pdu.content_as::<MemberProfile>().ok()?;
            Some((member.pdu.state_key()?.to_owned(), profile.told()))
        });
        field(body, "profile_info", &Value::Object(profiles.collect()));
    }
    body.push(b'}');
    Ok(())
}

/// How somebody was called in a room.
#[derive(Deserialize)]
struct MemberProfile {
    displayname: Option<String>,
    avatar_url: Option<String>,
}

impl MemberProfile {
    fn told(self) -> Value {
        let mut profile = Map::new();
        profile.extend(self.displayname.map(|name| ("displayname".to_owned(), Value::from(name))));
        profile.extend(self.avatar_url.map(|url| ("avatar_url".to_owned(), Value::from(url))));
        Value::Object(profile)
    }
}

/// The groups, in the order in which their first results stand.
fn groups(group_by: &[GroupBy], found: &Found) -> Value {
    let is_by = |by: GroupBy, group: &Group| match group {
        Group::Room(_) => by == GroupBy::Room,
        Group::Sender(_) => by == GroupBy::Sender,
    };
    let of = |by: GroupBy| -> Map<String, Value> {
        let groups = found.groups.iter().filter(|(group, _)| is_by(by, group));
        groups.map(|(group, in_it)| (group.name().to_owned(), group_told(in_it, found))).collect()
    };
    Value::Object(group_by.iter().map(|by| (by.name().to_owned(), Value::Object(of(*by)))).collect())
}

fn group_told(group: &GroupFound, found: &Found) -> Value {
    let results = group.results.iter().filter_map(|number| found.results.get(*number));
    let results: Vec<&str> = results.map(|(candidate, _)| candidate.event.pdu.event_id().as_str()).collect();
    let mut told = json!({ "order": group.results.first(), "results": results });
    if let Some(next) = &group.next {
        told["next_batch"] = json!(next.to_string());
    }
    told
}

/// The state of the results' rooms, as the user may read it.
async fn tell_state(
    api: &ClientApi,
    actor: &Actor,
    reader: Reader,
    results: &[(Candidate, Weight)],
    body: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let rooms: BTreeMap<_, _> =
        results.iter().map(|(candidate, _)| (candidate.event.pdu.owned_room_id(), ())).collect();
    body.extend_from_slice(b",\"state\":{");
    for (number, room_id) in rooms.keys().enumerate() {
        let state = api.rooms.state(actor, room_id).await?;
        let separator = if number > 0 { "," } else { "" };
        body.extend_from_slice(format!("{separator}{}:", json!(room_id)).as_bytes());
        write_events(body, &api.view.show_state(reader, &state));
    }
    body.push(b'}');
    Ok(())
}
