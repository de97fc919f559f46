//! What is wrong with a configuration, so that a person can mend it.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, dotted: `registration.mode`. Empty where the problem is not with one key.
    pub key: String,
    /// Where the value stands: a file, a variable of the environment, the defaults.
    pub origin: String,
    /// What is wrong with it.
    pub reason: String,
    /// The nearest valid key, where the key is unknown.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, reason, nearest } = self;
        if key.is_empty() {
            write!(formatter, "{origin}: {reason}")?;
        } else {
            write!(formatter, "{origin}: `{key}`: {reason}")?;
        }
        match nearest {
            Some(nearest) => write!(formatter, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// Why the program does not start with this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// All that was found, at least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the configuration cannot be used:")?;
        self.problems.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}
