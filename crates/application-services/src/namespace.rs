//! Namespaces: which names an application service cares for, and which of them it keeps for itself.

use regex::{RegexSet, RegexSetBuilder};
use serde::Deserialize;

/// The largest set of patterns, compiled, in bytes. Far more than any bridge needs.
const MOST_COMPILED_BYTES: usize = 8 << 20;

/// One entry of a namespace in a registration file.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    /// Nobody else may make names like these.
    pub(crate) exclusive: bool,
    /// What such names look like.
    pub(crate) regex: String,
}

/// Names that an application service cares for. A pattern must fit from the first letter of a name on, and need not
/// reach to its end. Matching takes time in proportion to the name, whatever the patterns.
#[derive(Clone, Debug)]
pub struct Namespace {
    all: RegexSet,
    exclusive: RegexSet,
}

impl Namespace {
    /// The names that fit one of these patterns.
    ///
    /// # Errors
    /// Which pattern cannot be one, and why, in words.
    pub(crate) fn new(entries: &[Entry]) -> Result<Self, String> {
        // One by one first, for an error that names the pattern.
        for entry in entries {
            compile([entry.regex.as_str()]).map_err(|error| format!("`{}`: {error}", entry.regex))?;
        }
        let exclusive = entries.iter().filter(|entry| entry.exclusive);
        Ok(Self {
            all: compile(entries.iter().map(|entry| entry.regex.as_str()))?,
            exclusive: compile(exclusive.map(|entry| entry.regex.as_str()))?,
        })
    }

    /// Whether a name is in it.
    pub fn contains(&self, name: &str) -> bool {
        self.all.is_match(name)
    }

    /// Whether a name is in it, and nobody else may have it.
    pub fn claims(&self, name: &str) -> bool {
        self.exclusive.is_match(name)
    }

    /// Whether no name is in it.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

fn compile<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<RegexSet, String> {
    let anchored = patterns.into_iter().map(|pattern| format!("^(?:{pattern})"));
    let set = RegexSetBuilder::new(anchored).size_limit(MOST_COMPILED_BYTES).build();
    set.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        // The last line says what is wrong, those before it show where.
        error => {
            error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(entries: &[(bool, &str)]) -> Result<Namespace, String> {
        let entry =
            |(exclusive, regex): &(bool, &str)| Entry { exclusive: *exclusive, regex: (*regex).into() };
        Namespace::new(&entries.iter().map(entry).collect::<Vec<_>>())
    }

    #[test]
    fn pattern_fits_from_the_first_letter_on() {
        let irc = namespace(&[(true, "@irc_.*:parvis\\.test")]).unwrap();
        assert!(irc.contains("@irc_alice:parvis.test") && irc.claims("@irc_alice:parvis.test"));
        assert!(!irc.contains("@not_@irc_alice:parvis.test") && !irc.contains("@irc_alice:parvisXtest"));
        let either = namespace(&[(false, "@a|@b")]).unwrap();
        assert!(
            either.contains("@bob") && !either.contains("x@bob"),
            "the anchor holds for all alternatives"
        );
    }

    #[test]
    fn only_exclusive_patterns_claim() {
        let all = namespace(&[(false, ".*"), (true, "#irc_.*")]).unwrap();
        assert!(all.contains("#coffee:parvis.test") && !all.claims("#coffee:parvis.test"));
        assert!(all.claims("#irc_coffee:parvis.test"));
        assert!(!namespace(&[]).unwrap().contains("#coffee:parvis.test"), "nothing is in no namespace");
    }

    #[test]
    fn impossible_pattern_is_named_with_what_is_wrong() {
        let problem = namespace(&[(true, "@a.*"), (true, "@(irc_.*")]).unwrap_err();
        assert!(problem.starts_with("`@(irc_.*`: ") && problem.contains("unclosed group"), "{problem}");
        assert!(namespace(&[(true, "@(?!admin).*")]).unwrap_err().contains("look-around"));
    }
}
