//! ARCHITECTURE.md's invariants, checked on the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Package → all packages that it depends on, however indirectly; tests and build scripts do not count.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["id"].as_str().unwrap(), p["name"].as_str().unwrap()))
        .collect();
    let mut direct: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let normal = node["deps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dep| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()));
        let deps = normal.map(|dep| names[dep["pkg"].as_str().unwrap()]).collect();
        direct.insert(names[node["id"].as_str().unwrap()], deps);
    }
    direct
        .keys()
        .map(|&package| {
            let mut all = BTreeSet::new();
            let mut open = vec![package];
            while let Some(next) = open.pop() {
                for &dep in direct.get(next).into_iter().flatten() {
                    if all.insert(dep.to_owned()) {
                        open.push(dep);
                    }
                }
            }
            (package.to_owned(), all)
        })
        .collect()
}

#[test]
fn crates_know_only_what_they_may() {
    let all = dependencies();
    let ours = |package: &str| -> Vec<&str> {
        all[package].iter().map(String::as_str).filter(|d| d.starts_with("qwill")).collect()
    };
    for package in ["qwill-weights", "qwill-text", "qwill-models", "qwill-scheduler", "qwill-grammar"] {
        assert!(!all[package].contains("wgpu"), "{package} depends on wgpu");
    }
    assert_eq!(ours("qwill-weights"), [""; 0]);
    assert_eq!(ours("qwill-text"), [""; 0]);
    assert_eq!(ours("qwill-models"), ["qwill-weights"]);
    assert_eq!(ours("qwill-scheduler"), ["qwill-models", "qwill-weights"]);
    assert_eq!(ours("qwill-engine"), ["qwill-gpu", "qwill-kernels", "qwill-models", "qwill-weights"]);
    assert_eq!(ours("qwill-gpu"), [""; 0]);
    assert_eq!(ours("qwill-grammar"), [""; 0]);
    assert_eq!(ours("qwill-grammar-wasm"), ["qwill-grammar"]);
    assert_eq!(ours("qwill-kernels"), ["qwill-gpu", "qwill-weights"]);
}

#[test]
fn wasm_and_server_are_only_surfaces() {
    for surface in ["crates/wasm", "crates/server"] {
        let manifest = std::fs::read_to_string(root().join(surface).join("Cargo.toml")).unwrap();
        for inner in ["qwill-engine", "qwill-kernels", "qwill-gpu", "qwill-models", "qwill-weights", "wgpu"] {
            assert!(!manifest.contains(inner), "{surface} depends on {inner}");
        }
    }
}

/// All files of a folder and of those in it, one after the other.
fn text_of(folder: &Path) -> String {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| if path.is_dir() { text_of(&path) } else { std::fs::read_to_string(path).unwrap() })
        .collect()
}

#[test]
fn every_shader_has_a_twin_and_a_check() {
    let kernels = root().join("crates/kernels");
    let checks = text_of(&root().join("crates/testkit/src/checks"));
    let mut shaders = 0;
    for folder in std::fs::read_dir(root().join("shaders")).unwrap() {
        let folder = folder.unwrap().path();
        if ["shared", "quant", "measure"].iter().any(|name| folder.ends_with(name)) {
            continue;
        }
        for shader in std::fs::read_dir(&folder).unwrap() {
            let shader = shader.unwrap().path();
            // the parts of a kernel
            if shader.is_dir() {
                continue;
            }
            let name = shader.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(kernels.join(format!("src/cpu/{name}.rs")).is_file(), "{name} has no CPU twin");
            assert!(checks.contains(&format!("cpu::{name}")), "no check compares {name} with its twin");
            shaders += 1;
        }
    }
    assert!(shaders >= 10, "{shaders} shaders");
}

/// `unsafe` stays where the lint is lifted with a reason.
#[test]
fn unsafe_code_is_only_in_gpu() {
    let mut found = Vec::new();
    let mut open = vec![root().join("crates")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            if !path.ends_with("target") {
                open.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            }
        } else if path.extension().is_some_and(|e| e == "rs")
            && std::fs::read_to_string(&path).unwrap().contains("#[allow(unsafe_code")
        {
            found.push(path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
    found.retain(|path| !path.starts_with("crates/gpu/") && !path.starts_with("crates/xtask/"));
    assert!(found.is_empty(), "{found:?}");
}
