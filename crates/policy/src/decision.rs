//! A decision and its reason.

use std::fmt;

use serde::Serialize;

/// What was decided, by which rule, and which setting of the organisation brought the rule about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<O> {
    /// What to do.
    pub outcome: O,
    /// The rule, as a sentence for people.
    pub rule: &'static str,
    /// The setting behind the rule.
    pub setting: Setting,
}

/// A setting of the organisation as it stands: `encryption.private = "off"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name: section and key.
    pub name: String,
    /// Its value as JSON.
    pub value: String,
}

impl Setting {
    pub(crate) fn new(name: impl Into<String>, value: &impl Serialize) -> Self {
        Self { name: name.into(), value: serde_json::to_string(value).unwrap_or_default() }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {}", self.name, self.value)
    }
}

impl<O> Decision<O> {
    pub(crate) fn new(outcome: O, rule: &'static str, setting: Setting) -> Self {
        Self { outcome, rule, setting }
    }
}

impl<O: fmt::Debug> fmt::Display for Decision<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {} ({})", self.outcome, self.rule, self.setting)
    }
}
