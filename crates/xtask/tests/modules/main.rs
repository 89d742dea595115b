//! ARCHITECTURE.md says that modules import in no circle; this reads their files.

mod graph;
mod rust;
mod typescript;

use std::fs;
use std::path::{Path, PathBuf};

use graph::Graph;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn modules_of_a_crate_import_in_no_circle() {
    let mut n_imports = 0;
    let mut circles = String::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        for file in ["src/lib.rs", "src/main.rs"].map(|file| folder.join(file)) {
            if file.is_file() {
                let graph = rust::imports(&file);
                n_imports += graph.n_imports();
                if let Some(circle) = graph.circle() {
                    circles += &format!("{}:\n{circle}", folder.strip_prefix(root()).unwrap().display());
                }
            }
        }
    }
    assert!(circles.is_empty(), "circles of modules in\n{circles}");
    assert!(n_imports > 200, "only {n_imports} imports were found");
}

#[test]
fn files_of_typescript_import_in_no_circle() {
    for (folder, at_least) in [("npm/src", 100), ("web/src", 5)] {
        let graph = typescript::imports(&root().join(folder));
        if let Some(circle) = graph.circle() {
            panic!("a circle of files in {folder}:\n{circle}");
        }
        assert!(graph.n_imports() >= at_least, "only {} imports were found in {folder}", graph.n_imports());
    }
}

#[test]
fn the_shortest_circle_is_named() {
    let mut graph = Graph::default();
    for (module, other) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "c"), ("d", "e")] {
        graph.add(module, other, &format!("use {other}"));
    }
    let circle = graph.circle().unwrap();
    assert_eq!(circle.to_string(), "  c imports d: use d\n  d imports c: use c\n");
    let mut graph = Graph::default();
    graph.add("a", "b", "");
    graph.add("a", "c", "");
    graph.add("b", "c", "");
    assert_eq!(graph.circle(), None);
}

/// Writes files into a folder of their own and reads them as a crate.
fn imports_of(name: &str, files: &[(&str, &str)]) -> Graph {
    let folder = std::env::temp_dir().join(format!("xtask-modules-{name}-{}", std::process::id()));
    for (file, text) in files {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let graph = rust::imports(&folder.join("lib.rs"));
    fs::remove_dir_all(&folder).unwrap();
    graph
}

#[test]
fn names_that_are_passed_on_count_as_what_they_stand_for() {
    let graph = imports_of(
        "passed-on",
        &[
            ("lib.rs", "mod face; mod error; mod low; pub use face::Model; pub use error::Error;"),
            ("face.rs", "use crate::Error; use crate::low::f; pub struct Model;"),
            ("error.rs", "pub enum Error {}"),
            ("low.rs", "pub fn f() { let _ = crate::Model; }"),
        ],
    );
    let circle = graph.circle().unwrap().to_string();
    assert_eq!(
        circle,
        "  face imports low: crate::low::f in face.rs\n  low imports face: crate::Model in low.rs\n"
    );
}

#[test]
fn what_lies_below_a_module_belongs_to_it() {
    let graph = imports_of(
        "below",
        &[
            ("lib.rs", "mod engine; mod lora;"),
            ("engine.rs", "mod adapters; pub struct Engine; use self::adapters::Adapters;"),
            ("engine/adapters.rs", "use super::Engine; use crate::lora::factors::F; pub struct Adapters;"),
            ("lora.rs", "pub mod factors;"),
            ("lora/factors.rs", "pub struct F; fn f() { crate::engine::Engine; }"),
        ],
    );
    let circle = graph.circle().unwrap().to_string();
    assert!(
        circle.contains("engine imports lora: crate::lora::factors::F in engine/adapters.rs"),
        "{circle}"
    );
    assert_eq!(circle.lines().count(), 2, "{circle}");
}

#[test]
fn tests_may_know_everything() {
    let graph = imports_of(
        "tests",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "pub struct B; pub(super) struct C; #[cfg(test)] mod tests { use crate::a::A; }"),
        ],
    );
    assert_eq!((graph.circle(), graph.n_imports()), (None, 1));
}
