//! A decision and its reason.

use std::fmt;

/// What was decided, by which rule, and which setting of the organisation brought the rule about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<O> {
    /// What to do.
    pub outcome: O,
    /// The rule, as a sentence for people.
    pub rule: &'static str,
    /// The setting behind the rule, as it stands in the configuration: `encryption.private = "off"`.
    pub setting: String,
}

impl<O> Decision<O> {
    pub(crate) fn new(outcome: O, rule: &'static str, setting: impl Into<String>) -> Self {
        Self { outcome, rule, setting: setting.into() }
    }
}

impl<O: fmt::Debug> fmt::Display for Decision<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {} ({})", self.outcome, self.rule, self.setting)
    }
}
