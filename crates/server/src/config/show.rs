//! The effective configuration, for `parvis config show`: every key, its value, and where it comes from.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use super::load::{Loaded, Origin};

impl Loaded {
    /// Every key with its value and its origin, by section, in the form of TOML. Secrets are masked.
    pub fn show(&self) -> String {
        let mut text = String::new();
        if let Ok(settings) = serde_json::to_value(&self.settings) {
            show_section("", &settings, &self.origins, &mut text);
        }
        text
    }
}

fn show_section(path: &str, section: &Value, origins: &BTreeMap<String, Origin>, text: &mut String) {
    let Value::Object(entries) = section else { return };
    let (sections, values): (Vec<_>, Vec<_>) = entries.iter().partition(|(_, value)| value.is_object());
    let dotted = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
    if !values.is_empty() {
        let blank_line = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{blank_line}[{path}]");
    }
    for (key, value) in values {
        let origin = origins.get(&dotted(key)).unwrap_or(&Origin::Default);
        let _ = match value {
            Value::Null => writeln!(text, "# {key} is not set"),
            value => writeln!(text, "{key} = {}  # {origin}", toml_value(value)),
        };
    }
    for (key, value) in sections {
        show_section(&dotted(key), value, origins, text);
    }
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{key} = {}", toml_value(value));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        // JSON's text, numbers and truth values are TOML's.
        other => other.to_string(),
    }
}
