//! Imports between the files of a TypeScript folder, those of types among them.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::graph::Graph;

/// The files below a folder as a graph.
pub(crate) fn imports(folder: &Path) -> Graph {
    let mut graph = Graph::default();
    for file in files(folder) {
        let text = fs::read_to_string(folder.join(&file)).unwrap();
        for path in relative_imports(&text) {
            // what is built beside the folder imports nothing from it
            let Some(other) = inside(&file.parent().unwrap().join(path)) else { continue };
            assert!(folder.join(&other).is_file(), "{} imports {path}, which is no file", file.display());
            graph.add(&file.to_string_lossy(), &other.to_string_lossy(), path);
        }
    }
    graph
}

/// All `.ts` files below a folder, as paths from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ts" || extension == "tsx") {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

/// Paths behind `from`, `import` and `import(` that begin with a dot.
fn relative_imports(text: &str) -> Vec<&str> {
    let starts = text.match_indices("\".").map(|(at, _)| at);
    let of_import = starts.filter(|&at| {
        let before = text[..at].trim_end();
        let word = before.strip_suffix('(').unwrap_or(before);
        let is_whole = |rest: &str| !rest.ends_with(|c: char| c.is_alphanumeric() || "_.$".contains(c));
        ["from", "import"].iter().any(|import| word.strip_suffix(import).is_some_and(is_whole))
    });
    of_import.filter_map(|at| text[at + 1..].split('"').next()).collect()
}

/// A path without `.` and `..`; none where it leaves the folder that it begins in.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.iter().collect())
}

#[test]
fn every_kind_of_import_counts() {
    let text = r#"
import { a } from "./a.ts";
import type { B } from "./b.ts";
import {
  c,
  type D,
} from "../c.ts";
export * from "./e.ts";
import "./f.ts";
const g = await import("./g.ts");
import { h } from "preact/hooks";
new URL("./worker.js", import.meta.url);
const from = "./no.ts";
"#;
    assert_eq!(relative_imports(text), ["./a.ts", "./b.ts", "../c.ts", "./e.ts", "./f.ts", "./g.ts"]);
}
