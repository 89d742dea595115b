//! Paths between the modules of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemMod, ItemUse, UseTree};

use super::graph::Graph;

/// A file of a crate.
struct Module {
    /// As paths name it, without `crate`.
    name: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    found: Found,
}

/// What a file says of others.
#[derive(Default)]
struct Found {
    /// Files that it declares.
    children: Vec<String>,
    /// Names that it has from elsewhere, and their paths.
    names: BTreeMap<String, Vec<String>>,
    /// All paths of several parts, from the file's own level.
    paths: BTreeSet<Vec<String>>,
    /// Modules inside the file that are open at this point.
    depth: usize,
}

/// All files of a crate; the first is its root.
struct Crate {
    modules: Vec<Module>,
}

/// The modules below a crate's root file as a graph.
///
/// A module and those below it may know each other. What else one of them says of another counts between the two that lie
/// side by side: `engine::adapters` that names `lora::factors` makes `engine` import `lora`. A name that a module only passes
/// on counts as what it stands for. Tests inside the files may know everything.
pub(crate) fn imports(root: &Path) -> Graph {
    let mut all = Crate { modules: Vec::new() };
    let folder = root.parent().unwrap();
    all.add(root, folder, String::new(), None);
    let mut graph = Graph::default();
    for (index, module) in all.modules.iter().enumerate() {
        for path in &module.found.paths {
            let pair = all.resolve(index, path, 0).and_then(|target| all.side_by_side(index, target));
            if let Some((from, to)) = pair {
                let words = format!("{} in {}", path.join("::"), file_name(&module.name));
                graph.add(&all.modules[from].name, &all.modules[to].name, &words);
            }
        }
    }
    graph
}

fn file_name(module: &str) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.replace("::", "/") + ".rs" }
}

impl Crate {
    /// Reads a file and those that it declares, which lie in `folder`.
    fn add(&mut self, file: &Path, folder: &Path, name: String, parent: Option<usize>) -> usize {
        let text = fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut found = Found::default();
        found.visit_file(&parsed);
        let declared = std::mem::take(&mut found.children);
        let index = self.modules.len();
        self.modules.push(Module { name: name.clone(), parent, children: BTreeMap::new(), found });
        for child in declared {
            let below = folder.join(&child);
            let files: [PathBuf; 2] = [folder.join(format!("{child}.rs")), below.join("mod.rs")];
            let file = files.iter().find(|file| file.is_file());
            let file = file.unwrap_or_else(|| panic!("{} is not there", files[0].display()));
            let path = if name.is_empty() { child.clone() } else { format!("{name}::{child}") };
            let at = self.add(file, &below, path, Some(index));
            self.modules[index].children.insert(child, at);
        }
        index
    }

    /// The module that defines what a path means, if that is in this crate.
    fn resolve(&self, from: usize, path: &[String], n_followed: usize) -> Option<usize> {
        // a name may stand for itself, as in `use crate::x; x::y`
        if n_followed > 16 {
            return None;
        }
        let mut at = from;
        let mut rest = path;
        while let Some((first, tail)) = rest.split_first() {
            match &**first {
                "crate" => at = 0,
                "self" => {}
                "super" => at = self.modules[at].parent?,
                _ => break,
            }
            rest = tail;
        }
        let is_relative = rest.len() == path.len();
        while let Some((first, tail)) = rest.split_first() {
            let module = &self.modules[at];
            if let Some(&child) = module.children.get(first) {
                at = child;
            } else if let Some(path) = module.found.names.get(first) {
                return self.resolve(at, &[path, tail].concat(), n_followed + 1);
            } else if is_relative && rest.len() == path.len() {
                // another crate, or something of this file
                return None;
            } else {
                return Some(at);
            }
            rest = tail;
        }
        Some(at)
    }

    /// The two modules that two others are or lie below, and that have the same parent; none where one lies below the other.
    fn side_by_side(&self, a: usize, b: usize) -> Option<(usize, usize)> {
        let line = |mut at: usize| {
            let mut line = vec![at];
            while let Some(parent) = self.modules[at].parent {
                line.push(parent);
                at = parent;
            }
            line.reverse();
            line
        };
        line(a).into_iter().zip(line(b)).find(|(a, b)| a != b)
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

impl Found {
    /// Notes a path that stands in the file or in a module inside it.
    fn path(&mut self, mut path: Vec<String>) {
        let n_super = path.iter().take_while(|part| *part == "super").count();
        if self.depth > 0 && path.first().is_none_or(|first| first != "crate") {
            if n_super < self.depth {
                return;
            }
            path.splice(..self.depth, ["self".to_owned()]);
        }
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }

    fn use_tree(&mut self, tree: &UseTree, mut path: Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.use_tree(&part.tree, path);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, path.clone())),
            UseTree::Glob(_) => self.path(path),
            UseTree::Name(name) if name.ident == "self" => {
                let own = path.last().cloned().unwrap_or_default();
                self.name(own, path);
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.name(name.ident.to_string(), path);
            }
            UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.name(name.rename.to_string(), path);
            }
        }
    }

    fn name(&mut self, name: String, path: Vec<String>) {
        if self.depth == 0 {
            self.names.insert(name, path.clone());
        }
        self.path(path);
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if is_for_tests(&module.attrs) {
            return;
        }
        match &module.content {
            None => self.children.push(module.ident.to_string()),
            Some((_, items)) => {
                self.depth += 1;
                items.iter().for_each(|item| self.visit_item(item));
                self.depth -= 1;
            }
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.use_tree(&item.tree, Vec::new());
        }
    }

    /// `pub(super)` says nothing about what is used.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}
