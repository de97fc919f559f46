//! Putting the settings together from their sources, and finding what is unknown or of the wrong type.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile,
    error::{Actual, Kind},
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Value},
};
use serde_json::Value as Json;

use super::{
    check::{Config, check},
    problem::{ConfigError, Problem},
    settings::Settings,
};

const PREFIX: &str = "PARVIS_";

/// From where the settings come. Tests bring their own environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file, which must exist.
    pub file: Option<PathBuf>,
    /// The variables of the environment; those without the prefix `PARVIS_` do not matter.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// The process's own: its environment, and `given` or else `parvis.toml` here, if it exists.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process(given: Option<PathBuf>) -> Self {
        let here = PathBuf::from("parvis.toml");
        let file = given.or_else(|| here.exists().then_some(here));
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file, environment: std::env::vars_os().filter_map(text).collect() }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program's default.
    Default,
    /// This file.
    File(PathBuf),
    /// This variable of the environment.
    Environment(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => write!(formatter, "environment variable {name}"),
        }
    }
}

/// A configuration that can be used, and what it was made of.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the program uses.
    pub config: Config,
    /// What the operator wrote, with the defaults.
    pub settings: Settings,
    /// Where each key's value comes from.
    pub origins: BTreeMap<String, Origin>,
}

/// Reads, merges and judges the settings.
///
/// # Errors
/// All problems that were found, in words for the operator.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let figment = figment(sources)?;
    let known = known_keys();
    let unknown = unknown_keys(&figment, &known);
    if !unknown.is_empty() {
        return Err(ConfigError { problems: unknown });
    }
    let settings: Settings = figment.extract().map_err(|error| wrong_values(&figment, error))?;
    let origins: BTreeMap<_, _> =
        known.into_iter().map(|key| (key.clone(), origin_of(&figment, &key))).collect();
    let config = check(&settings, |key| origins.get(key).cloned().unwrap_or(Origin::Default).to_string())
        .map_err(|problems| ConfigError { problems })?;
    Ok(Loaded { config, settings, origins })
}

fn figment(sources: &Sources) -> Result<Figment, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(Settings::default()));
    if let Some(path) = &sources.file {
        figment = figment.merge(read_file(path)?);
    }
    Ok(figment.merge(Environment(&sources.environment)))
}

/// The file as a provider. Read here, since figment takes a missing file for an empty one.
fn read_file(path: &Path) -> Result<impl figment::Provider, ConfigError> {
    let problem = |reason: String| {
        let origin = path.display().to_string();
        ConfigError { problems: vec![Problem { key: String::new(), origin, reason, nearest: None }] }
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    toml::from_str::<toml::Table>(&text).map_err(|error| problem(format!("is not TOML: {error}")))?;
    Ok(Toml::file_exact(path))
}

/// The environment as a provider: `PARVIS_LISTENERS__CLIENT` is `listeners.client`.
struct Environment<'a>(&'a [(String, String)]);

const ENVIRONMENT: &str = "environment";

impl figment::Provider for Environment<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut dict = Dict::new();
        for (name, value) in self.0 {
            if let Some(name) = name.strip_prefix(PREFIX).filter(|name| is_setting(name)) {
                let path: Vec<String> = name.split("__").map(str::to_ascii_lowercase).collect();
                insert(&mut dict, &path, parse(value));
            }
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// `PARVIS_CONFIG` is for the command line, and `PARVIS_TEST_…` for the test suites.
fn is_setting(name: &str) -> bool {
    name != "CONFIG" && !name.starts_with("TEST_")
}

/// A variable's value as TOML where it is a value of TOML, and as text otherwise.
fn parse(text: &str) -> Value {
    let as_toml = toml::from_str::<BTreeMap<String, Value>>(&format!("value = {text}")).ok();
    as_toml.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::from(text))
}

fn insert(dict: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            dict.insert(key.clone(), value);
        }
        [section, rest @ ..] => {
            let inner = dict.entry(section.clone()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn origin_of(figment: &Figment, key: &str) -> Origin {
    match figment.find_metadata(key) {
        Some(metadata) if metadata.name == ENVIRONMENT => Origin::Environment(variable(key)),
        // Inside a list, what counts is from where the list is.
        None if key.contains('.') => origin_of(figment, key.rsplit_once('.').map_or("", |(list, _)| list)),
        metadata => {
            let file = metadata.and_then(|metadata| metadata.source.as_ref()?.file_path());
            file.map_or(Origin::Default, |path| Origin::File(path.to_owned()))
        }
    }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// Every key there is, dotted, from the defaults.
fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    if let Ok(defaults) = serde_json::to_value(Settings::default()) {
        collect_keys("", &defaults, &mut keys);
    }
    keys
}

fn collect_keys(path: &str, value: &Json, keys: &mut Vec<String>) {
    match value {
        Json::Object(section) => {
            section.iter().for_each(|(key, value)| collect_keys(&join(path, key), value, keys));
        }
        _ => keys.push(path.to_owned()),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown_keys(figment: &Figment, known: &[String]) -> Vec<Problem> {
    let Ok(merged) = figment.extract::<Dict>() else { return Vec::new() };
    let mut found = Vec::new();
    let mut pending: Vec<(String, Value)> = merged.into_iter().collect();
    while let Some((path, value)) = pending.pop() {
        let section = format!("{path}.");
        let is_section = known.iter().any(|key| key.starts_with(&section));
        if known.contains(&path) {
            continue;
        }
        match value {
            Value::Dict(_, dict) if is_section => {
                pending.extend(dict.into_iter().map(|(key, value)| (join(&path, &key), value)));
            }
            // Let the types say what is wrong.
            _ if is_section => {}
            _ => found.push(unknown_key(figment, path, known)),
        }
    }
    found.sort_by(|left, right| left.key.cmp(&right.key));
    found
}

fn unknown_key(figment: &Figment, key: String, known: &[String]) -> Problem {
    let origin = origin_of(figment, &key).to_string();
    let nearest = nearest(&key, known);
    Problem { key, origin, reason: "there is no such key".to_owned(), nearest }
}

/// The known key or section that looks most like `key`, if any does: by its whole path, or, where the section
/// is wrong, by its last part.
fn nearest(key: &str, known: &[String]) -> Option<String> {
    const ALIKE: f64 = 0.8;
    const OTHER_SECTION: f64 = 0.95;
    let sections = known.iter().flat_map(|key| key.match_indices('.').map(|(end, _)| key[..end].to_owned()));
    let candidates = known.iter().cloned().chain(sections);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let flat = |path: &str| path.replace('.', "_");
    let likeness = |candidate: &str| {
        let whole = strsim::jaro_winkler(&flat(key), &flat(candidate));
        let by_last_part = strsim::jaro_winkler(&last(key), &last(candidate));
        whole.max(by_last_part * OTHER_SECTION)
    };
    let scored = candidates.map(|candidate| (likeness(&candidate), candidate));
    let (likeness, candidate) = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (likeness >= ALIKE).then_some(candidate)
}

fn wrong_values(figment: &Figment, error: figment::Error) -> ConfigError {
    let problem = |error: figment::Error| {
        // A place in a list is not a key.
        let is_key = |part: &&String| !part.bytes().all(|byte| byte.is_ascii_digit());
        let key = error.path.iter().filter(is_key).map(String::as_str).collect::<Vec<_>>().join(".");
        let origin = origin_of(figment, &key).to_string();
        let (reason, nearest) = reason(&error.kind);
        Problem { key, origin, reason, nearest }
    };
    ConfigError { problems: error.into_iter().map(problem).collect() }
}

fn reason(kind: &Kind) -> (String, Option<String>) {
    match kind {
        Kind::InvalidType(found, expected) => {
            let expected = if expected.starts_with("struct ") { "a section" } else { expected };
            (format!("expected {expected}, found {}", in_words(found)), None)
        }
        Kind::UnknownVariant(found, expected) => {
            (format!("`{found}` is none of {}", expected.join(", ")), nearest_of(found, expected))
        }
        Kind::UnknownField(found, expected) => {
            ("there is no such key".to_owned(), nearest_of(found, expected))
        }
        other => (other.to_string(), None),
    }
}

fn nearest_of(found: &str, expected: &[&str]) -> Option<String> {
    const ALIKE: f64 = 0.5;
    let scored = expected.iter().map(|candidate| (strsim::jaro_winkler(found, candidate), candidate));
    let nearest = scored.max_by(|left, right| left.0.total_cmp(&right.0));
    nearest.filter(|(likeness, _)| *likeness > ALIKE).map(|(_, nearest)| (*nearest).to_owned())
}

fn in_words(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => format!("`{value}`"),
        Actual::Unsigned(number) => format!("the number `{number}`"),
        Actual::Signed(number) => format!("the number `{number}`"),
        Actual::Float(number) => format!("the number `{number}`"),
        Actual::Char(_) | Actual::Str(_) => "text".to_owned(),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a section".to_owned(),
        other => other.to_string(),
    }
}
