//! Circles between the first-level modules of one crate.
//!
//! A crate's root declares and re-exports its modules, so it is no node of the graph; a name that the root
//! re-exports counts as the module it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::scanner::{Source, scan};
use super::{Violation, read, relative};
use crate::shell::{Failure, Outcome};

/// Where one module first names another.
struct Edge {
    file: PathBuf,
    line: usize,
}

/// First-level module to the modules that it names.
type Graph = BTreeMap<String, BTreeMap<String, Edge>>;

/// One source file and the module that it holds, as a path from the crate's root.
struct File {
    path: PathBuf,
    module: Vec<String>,
    source: Source,
}

/// The circles of the crate in `folder`, each as one violation per import that is part of it.
pub(super) fn check(root: &Path, folder: &Path) -> Outcome<Vec<Violation>> {
    let graph = graph(root, &folder.join("src"))?;
    let mut violations = Vec::new();
    for circle in circles(&graph) {
        let members = circle.iter().map(|module| format!("`{module}`")).collect::<Vec<_>>().join(", ");
        for from in &circle {
            for (to, edge) in &graph[from] {
                if circle.contains(to) {
                    let text = format!("module `{from}` imports `{to}`: {members} form a circle");
                    violations.push(Violation { file: edge.file.clone(), line: edge.line, text });
                }
            }
        }
    }
    violations.sort();
    Ok(violations)
}

fn graph(root: &Path, sources: &Path) -> Outcome<Graph> {
    let files = files(sources)?;
    let modules: BTreeSet<&str> =
        files.iter().filter_map(|file| file.module.first()).map(String::as_str).collect();
    let exports = exports(&files, &modules);
    let mut graph: Graph = modules.iter().map(|module| ((*module).to_owned(), BTreeMap::new())).collect();
    for file in &files {
        let Some(from) = file.module.first() else { continue };
        for reference in &file.source.references {
            let Some(first) = reference.path.first() else { continue };
            let to = if modules.contains(first.as_str()) { Some(first) } else { exports.get(first) };
            let Some(to) = to.filter(|to| *to != from) else { continue };
            graph
                .entry(from.clone())
                .or_default()
                .entry(to.clone())
                .or_insert_with(|| Edge { file: relative(root, &file.path), line: reference.line });
        }
    }
    Ok(graph)
}

/// Names that the crate's root takes from its modules.
fn exports(files: &[File], modules: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for file in files.iter().filter(|file| file.module.is_empty()) {
        for import in &file.source.imports {
            if let Some(module) = import.path.first().filter(|first| modules.contains(first.as_str())) {
                exports.insert(import.name.clone(), module.clone());
            }
        }
    }
    exports
}

/// Every source file that is not only for tests, the outer ones first.
fn files(sources: &Path) -> Outcome<Vec<File>> {
    let mut found = Vec::new();
    let mut paths = Vec::new();
    walk(sources, &mut paths)?;
    paths.sort();
    for path in paths {
        let module = module_path(sources, &path);
        if module.first().is_some_and(|first| first == "bin") {
            continue;
        }
        let source = scan(&read(&path)?, &module);
        found.push(File { path, module, source });
    }
    let only_tests: Vec<Vec<String>> =
        found.iter().flat_map(|file| file.source.test_modules.iter().cloned()).collect();
    found.retain(|file| !only_tests.iter().any(|module| file.module.starts_with(module)));
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(Failure::at(folder))? {
        let path = entry.map_err(Failure::at(folder))?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// `a/b.rs` and `a/b/mod.rs` hold the module `a::b`; `lib.rs` and `main.rs` hold the root.
fn module_path(sources: &Path, file: &Path) -> Vec<String> {
    let inside = relative(sources, file).with_extension("");
    let mut module: Vec<String> =
        inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if module.len() == 1 && (module[0] == "lib" || module[0] == "main") {
        module.clear();
    }
    module
}

/// Groups of modules that reach each other, each with two members or more.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|module| (module, reach(graph, module))).collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (module, others) in &reached {
        if circles.iter().any(|circle| circle.contains(*module)) {
            continue;
        }
        let circle: BTreeSet<String> = others
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(module)))
            .map(|other| (*other).clone())
            .collect();
        if circle.len() > 1 {
            circles.push(circle);
        }
    }
    circles
}

/// Every module that `start` names, directly or through others.
fn reach<'graph>(graph: &'graph Graph, start: &'graph String) -> BTreeSet<&'graph String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for next in graph.get(module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::fixture::tree;
    use super::check;

    fn violations_of(files: &[(&str, &str)]) -> Vec<String> {
        let root = tree(files);
        check(root.path(), root.path()).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn modules_that_only_go_one_way_pass() {
        let found = violations_of(&[
            ("src/lib.rs", "mod a; mod b; mod c; use a::A; use c::C;"),
            ("src/a.rs", "use crate::{b::B, c};"),
            ("src/b.rs", "use super::c::C;"),
            ("src/c.rs", "pub struct C;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_circle_over_three_modules_is_found_with_each_of_its_imports() {
        let found = violations_of(&[
            ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
            ("src/a.rs", "use crate::b::B;\nuse crate::d::D;"),
            ("src/b/mod.rs", "mod inner;"),
            ("src/b/inner.rs", "\n\nuse super::super::c::C;"),
            ("src/c.rs", "fn f() {\n    crate::a::g();\n}"),
            ("src/d.rs", ""),
        ]);
        assert_eq!(
            found,
            [
                "src/a.rs:1: module `a` imports `b`: `a`, `b`, `c` form a circle",
                "src/b/inner.rs:3: module `b` imports `c`: `a`, `b`, `c` form a circle",
                "src/c.rs:2: module `c` imports `a`: `a`, `b`, `c` form a circle",
            ]
        );
    }

    #[test]
    fn a_circle_through_a_name_that_the_root_re_exports_is_found() {
        let found = violations_of(&[
            ("src/lib.rs", "mod a; mod b;\npub use a::{A as Alias, Other};\npub use self::b::B;"),
            ("src/a.rs", "use crate::B;"),
            ("src/b.rs", "use crate::Alias;"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn parents_and_children_of_one_module_are_no_circle() {
        let found = violations_of(&[
            ("src/lib.rs", "mod a;"),
            ("src/a.rs", "mod b; use self::b::B; use crate::a::b;"),
            ("src/a/b.rs", "use super::A; use crate::a::C;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn tests_comments_and_strings_draw_no_arrows() {
        let found = violations_of(&[
            ("src/lib.rs", "mod a; mod b; #[cfg(test)] mod world;"),
            ("src/a.rs", "use crate::b::B;"),
            (
                "src/b.rs",
                "// use crate::a::A;\n/* crate::a::A */ const S: &str = \"crate::a::A\";\n#[cfg(test)]\nmod tests { use crate::a::A; use crate::world::W; }",
            ),
            ("src/world.rs", "use crate::{a, b};"),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
