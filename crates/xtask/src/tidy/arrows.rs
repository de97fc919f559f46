//! The arrows between crates: what each manifest imports against the written list.
//!
//! Knows manifests, not sources: a crate that is not named in `Cargo.toml` cannot be imported at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Violation, read, relative};
use crate::shell::{Failure, Outcome};

/// Where the list stands in the workspace.
const LIST: &str = "crates/xtask/arrows.toml";
/// What our packages' names begin with.
const PREFIX: &str = "parvis-";

/// The written list of allowed arrows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arrows {
    development: Vec<String>,
    testkits: Vec<String>,
    crates: BTreeMap<String, Place>,
}

/// Where a crate stands and what it may import.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    floor: u32,
    imports: Vec<String>,
}

/// One import of one of our crates in a manifest.
struct Import {
    section: Section,
    name: String,
    line: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Normal,
    Build,
    Tests,
}

impl Section {
    fn of(key: &str) -> Option<Self> {
        match key {
            "dependencies" => Some(Self::Normal),
            "build-dependencies" => Some(Self::Build),
            "dev-dependencies" => Some(Self::Tests),
            _ => None,
        }
    }
}

/// Checks the list itself and then each crate's manifest against it.
pub(super) fn check(root: &Path, crates: &[PathBuf]) -> Outcome<Vec<Violation>> {
    let list = root.join(LIST);
    let text = read(&list)?;
    let arrows: Arrows =
        toml::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", list.display())))?;
    let mut violations = check_list(&arrows, &text);
    for folder in crates {
        violations.extend(check_manifest(&arrows, root, &folder.join("Cargo.toml"))?);
    }
    Ok(violations)
}

/// Imports in the list must lead to a floor below.
fn check_list(arrows: &Arrows, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, place) in &arrows.crates {
        let line = line_starting_with(text, name);
        for import in &place.imports {
            let wrong = match arrows.crates.get(import) {
                None => format!("`{name}` may import `{import}`, which is not in the list"),
                Some(below) if below.floor >= place.floor => format!(
                    "`{name}` on floor {} may not import `{import}` on floor {}: imports only go down",
                    place.floor, below.floor
                ),
                Some(_) => continue,
            };
            violations.push(Violation { file: LIST.into(), line, text: wrong });
        }
    }
    violations
}

fn check_manifest(arrows: &Arrows, root: &Path, path: &Path) -> Outcome<Vec<Violation>> {
    let text = read(path)?;
    let manifest: Table =
        toml::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let violation = |line: usize, text: String| Violation { file: relative(root, path), line, text };
    let package = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let Some(name) = package.and_then(|package| package.strip_prefix(PREFIX)) else {
        return Ok(vec![violation(1, format!("the package's name must begin with `{PREFIX}`"))]);
    };
    if arrows.development.iter().any(|development| development == name) {
        return Ok(Vec::new());
    }
    let Some(place) = arrows.crates.get(name) else {
        return Ok(vec![violation(
            1,
            format!("`{name}` has no place in {LIST}: say its floor and what it imports"),
        )]);
    };
    Ok(imports(&manifest, &text)
        .into_iter()
        .filter_map(|import| refuse(arrows, name, place, &import).map(|why| violation(import.line, why)))
        .collect())
}

/// Why this import is not allowed, if it is not.
fn refuse(arrows: &Arrows, name: &str, place: &Place, import: &Import) -> Option<String> {
    let imported = &import.name;
    if place.imports.contains(imported) {
        return None;
    }
    let is_below = || arrows.crates.get(imported).is_some_and(|below| below.floor < place.floor);
    if import.section == Section::Tests && (arrows.testkits.contains(imported) || is_below()) {
        return None;
    }
    Some(if arrows.development.contains(imported) {
        format!("`{name}` must not import `{imported}`, which is for development only")
    } else {
        format!("`{name}` must not import `{imported}`: {LIST} has no such arrow")
    })
}

/// Our crates in every table of dependencies, those of single platforms included.
fn imports(manifest: &Table, text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    collect(manifest, text, &mut found);
    if let Some(Value::Table(targets)) = manifest.get("target") {
        for target in targets.values().filter_map(Value::as_table) {
            collect(target, text, &mut found);
        }
    }
    found.sort_by_key(|import| import.line);
    found
}

fn collect(tables: &Table, text: &str, found: &mut Vec<Import>) {
    for (key, value) in tables {
        let (Some(section), Some(dependencies)) = (Section::of(key), value.as_table()) else { continue };
        for (dependency, details) in dependencies {
            let package = details.get("package").and_then(Value::as_str).unwrap_or(dependency);
            if let Some(name) = package.strip_prefix(PREFIX) {
                let line = line_in_section(text, key, dependency);
                found.push(Import { section, name: name.to_owned(), line });
            }
        }
    }
}

/// The line on which `dependency` stands under a header that ends with `section`, else line 1.
fn line_in_section(text: &str, section: &str, dependency: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            if header.ends_with(&format!("{section}.{dependency}")) {
                return index + 1;
            }
            inside = header == section || header.ends_with(&format!(".{section}"));
        } else if inside && is_key(line, dependency) {
            return index + 1;
        }
    }
    1
}

fn line_starting_with(text: &str, key: &str) -> usize {
    text.lines().position(|line| is_key(line.trim(), key)).map_or(1, |index| index + 1)
}

fn is_key(line: &str, key: &str) -> bool {
    let rest = line.strip_prefix(key).or_else(|| line.strip_prefix(&format!("\"{key}\"")));
    rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::tree;
    use super::{LIST, check};

    const ARROWS: &str = r#"
development = ["testkit", "xtask"]
testkits = ["testkit"]
[crates]
events = { floor = 1, imports = [] }
ambient = { floor = 1, imports = [] }
storage = { floor = 2, imports = ["events"] }
rooms = { floor = 3, imports = ["events", "storage"] }
sync = { floor = 3, imports = ["storage"] }
"#;

    /// The violations of a single manifest named `rooms`.
    fn violations_of(dependencies: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"parvis-rooms\"\n\n{dependencies}");
        let root = tree(&[(LIST, ARROWS), ("crates/rooms/Cargo.toml", &manifest)]);
        let crates = [root.path().join("crates/rooms")];
        check(root.path(), &crates).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_allowed_arrow_passes() {
        assert_eq!(violations_of("[dependencies]\nparvis-events.workspace = true\nserde = \"1\"\n"), [""; 0]);
    }

    #[test]
    fn an_engine_that_imports_an_engine_is_refused() {
        let found =
            violations_of("[dependencies]\nparvis-events.workspace = true\nparvis-sync.workspace = true\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("crates/rooms/Cargo.toml:6: `rooms` must not import `sync`"),
            "{found:?}"
        );
    }

    #[test]
    fn build_and_platform_dependencies_are_arrows_too() {
        let found = violations_of(
            "[build-dependencies]\nparvis-sync = { path = \"../sync\" }\n\n[target.'cfg(unix)'.dependencies]\nparvis-sync.workspace = true\n",
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/rooms/Cargo.toml:5: "), "{found:?}");
        assert!(found[1].starts_with("crates/rooms/Cargo.toml:8: "), "{found:?}");
    }

    #[test]
    fn a_renamed_dependency_does_not_hide_the_arrow() {
        let found =
            violations_of("[dependencies]\nother = { package = \"parvis-sync\", path = \"../sync\" }\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/rooms/Cargo.toml:5: "), "{found:?}");
    }

    #[test]
    fn only_tests_may_use_the_testkit() {
        assert_eq!(violations_of("[dev-dependencies]\nparvis-testkit.workspace = true\n"), [""; 0]);
        let found = violations_of("[dependencies]\nparvis-testkit.workspace = true\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("for development only"), "{found:?}");
    }

    #[test]
    fn tests_may_use_any_floor_below_and_nothing_beside() {
        assert_eq!(violations_of("[dev-dependencies]\nparvis-ambient.workspace = true\n"), [""; 0]);
        assert_eq!(violations_of("[dependencies]\nparvis-ambient.workspace = true\n").len(), 1);
        assert_eq!(violations_of("[dev-dependencies]\nparvis-sync.workspace = true\n").len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_in_the_list_is_refused() {
        let root = tree(&[(LIST, ARROWS), ("crates/shed/Cargo.toml", "[package]\nname = \"parvis-shed\"\n")]);
        let found = check(root.path(), &[root.path().join("crates/shed")]).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("has no place"), "{found:?}");
    }

    #[test]
    fn a_list_with_an_arrow_that_does_not_go_down_is_refused() {
        let upward = ARROWS
            .replace("events = { floor = 1, imports = [] }", "events = { floor = 1, imports = [\"rooms\"] }");
        let root = tree(&[(LIST, &upward)]);
        let found = check(root.path(), &[]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 5);
        assert!(found[0].text.contains("imports only go down"), "{found:?}");
    }
}
