//! Who imports whom.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// Modules by name, each with what it imports and the words that say so.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    imports: BTreeMap<String, BTreeMap<String, String>>,
}

/// Modules that import each other: the first of every pair imports the next one's first, the last the first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circle(Vec<(String, String)>);

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (module, words)) in self.0.iter().enumerate() {
            let next = &self.0[(at + 1) % self.0.len()].0;
            writeln!(f, "  {module} imports {next}: {words}")?;
        }
        Ok(())
    }
}

impl Graph {
    /// Notes that `module` imports `other`; of several such `words` the first are kept.
    pub(crate) fn add(&mut self, module: &str, other: &str, words: &str) {
        let imports = self.imports.entry(module.to_owned()).or_default();
        imports.entry(other.to_owned()).or_insert_with(|| words.to_owned());
    }

    /// How many modules import another.
    pub(crate) fn n_imports(&self) -> usize {
        self.imports.values().map(BTreeMap::len).sum()
    }

    /// The shortest circle, if there is one.
    pub(crate) fn circle(&self) -> Option<Circle> {
        self.imports
            .keys()
            .filter_map(|module| self.circle_through(module))
            .min_by_key(|circle| circle.0.len())
    }

    fn circle_through(&self, start: &str) -> Option<Circle> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(module) = open.pop_front() {
            for next in self.imports.get(module).into_iter().flat_map(BTreeMap::keys) {
                if next == start {
                    let mut way = vec![module];
                    while way[way.len() - 1] != start {
                        way.push(came_from[way[way.len() - 1]]);
                    }
                    way.reverse();
                    let next = |at: usize| way[(at + 1) % way.len()];
                    let words = |at: usize| self.imports[way[at]][next(at)].clone();
                    return Some(Circle((0..way.len()).map(|at| (way[at].to_owned(), words(at))).collect()));
                }
                if !came_from.contains_key(&**next) {
                    came_from.insert(next, module);
                    open.push_back(next);
                }
            }
        }
        None
    }
}
