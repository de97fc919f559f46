//! The shape in which a filter wants events: whole or only some fields, as clients or as servers write them
//! (<https://spec.matrix.org/v1.19/client-server-api/#filtering>).

use parvis_sync::{Filter, ShownEvent};
use serde_json::{Map, Value};

/// How events are written.
pub(super) struct EventShape {
    federation_format: bool,
    /// The paths of the fields that are wanted.
    fields: Option<Vec<Vec<String>>>,
}

impl EventShape {
    /// The shape that a filter asks for.
    pub(super) fn of(filter: &Filter) -> Self {
        let fields = filter.event_fields.as_ref();
        Self {
            federation_format: filter.federation_format,
            fields: fields.map(|fields| fields.iter().map(|field| path(field)).collect()),
        }
    }

    /// Appends an event, without its room.
    pub(super) fn write(&self, event: &ShownEvent, out: &mut Vec<u8>) {
        let start = out.len();
        if self.federation_format {
            out.extend_from_slice(event.event.pdu.json().as_bytes());
        } else {
            event.write(out, false);
        }
        if let Some(fields) = &self.fields
            && let Ok(Value::Object(whole)) = serde_json::from_slice(&out[start..])
        {
            out.truncate(start);
            out.extend_from_slice(Value::Object(chosen(&whole, fields)).to_string().as_bytes());
        }
    }
}

/// The steps of a path, which dots separate. A backslash takes its meaning from a dot or a backslash.
fn path(field: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut letters = field.chars().peekable();
    while let Some(letter) = letters.next() {
        let escaped = (letter == '\\').then(|| letters.next_if(|next| matches!(next, '.' | '\\'))).flatten();
        match (escaped, letter) {
            (None, '.') => steps.push(String::new()),
            (escaped, letter) => {
                if let Some(step) = steps.last_mut() {
                    step.push(escaped.unwrap_or(letter));
                }
            }
        }
    }
    steps
}

/// An object with only the fields at these paths.
fn chosen(whole: &Map<String, Value>, fields: &[Vec<String>]) -> Map<String, Value> {
    let mut result = Map::new();
    for field in fields {
        copy(whole, &mut result, field);
    }
    result
}

fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, path: &[String]) {
    let Some((step, rest)) = path.split_first() else { return };
    let Some(value) = from.get(step) else { return };
    match (rest.is_empty(), value) {
        (true, value) => drop(to.insert(step.clone(), value.clone())),
        (false, Value::Object(inner)) => {
            let place = to.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(place) = place {
                copy(inner, place, rest);
            }
        }
        (false, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_wanted_fields_are_copied() {
        let Value::Object(whole) = json!({
            "type": "t", "sender": "s", "content": { "body": "b", "x.y": 1, "deep": { "er": 2, "not": 3 } },
        }) else {
            panic!("an object");
        };
        let fields = ["type", "content.body", "content.x\\.y", "content.deep.er", "content.none", "type.x"];
        let fields: Vec<_> = fields.into_iter().map(path).collect();
        let expected = json!({ "type": "t", "content": { "body": "b", "x.y": 1, "deep": { "er": 2 } } });
        assert_eq!(Value::Object(chosen(&whole, &fields)), expected);
    }
}
