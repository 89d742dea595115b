//! What is known of a device's kernels, and what a self-test adds to it.

use std::cell::{Ref, RefCell};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use qwill_gpu::KernelSource;
use serde::{Deserialize, Serialize};

use crate::WrongKernel;

/// What the self-tests of a device have found, to be stored until its driver or this library changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Hashes of the texts of kernels that compute what they should.
    right: BTreeSet<u64>,
    /// Those that do not.
    pub wrong: Vec<WrongKernel>,
}

impl Findings {
    /// How many kernels are known to be right.
    pub fn n_right(&self) -> usize {
        self.right.len()
    }

    /// Adds what somebody else found on the same device.
    pub fn add(&mut self, other: Self) {
        self.right.extend(other.right);
        let new: Vec<_> = other.wrong.into_iter().filter(|wrong| !self.wrong.contains(wrong)).collect();
        self.wrong.extend(new);
    }

    fn is_right(&self, source: &KernelSource) -> bool {
        self.right.contains(&hash(source))
    }

    fn add_right(&mut self, source: &KernelSource) {
        self.right.insert(hash(source));
    }
}

/// A hash that differs between versions of the compiler does no harm: kernels are then tried again.
fn hash(source: &KernelSource) -> u64 {
    let mut hasher = DefaultHasher::new();
    source.wgsl.hash(&mut hasher);
    for (name, value) in &source.constants {
        name.hash(&mut hasher);
        value.to_bits().hash(&mut hasher);
    }
    // numbers in JSON are exact up to 53 bits
    hasher.finish() >> 11
}

/// A self-test under way: what launchers try kernels with. Clones share what they find.
#[derive(Debug, Clone)]
pub struct SelfTest(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    findings: Findings,
    /// Time that may still be spent. What is not tried now is tried at the next load.
    left: Duration,
}

impl SelfTest {
    /// Goes on from what is known, for at most so long; the time that compilers take for kernels that are bound anyway
    /// does not count.
    pub fn new(findings: Findings, budget: Duration) -> Self {
        Self(Rc::new(RefCell::new(State { findings, left: budget })))
    }

    /// What is known by now.
    pub fn findings(&self) -> Ref<'_, Findings> {
        Ref::map(self.0.borrow(), |state| &state.findings)
    }

    pub(crate) fn wants(&self, source: &KernelSource) -> bool {
        let state = self.0.borrow();
        !state.left.is_zero() && !state.findings.is_right(source)
    }

    /// Notes what was found out about a kernel in how much time.
    pub(crate) fn note(&self, source: &KernelSource, wrong: Option<&WrongKernel>, spent: Duration) {
        let mut state = self.0.borrow_mut();
        state.left = state.left.saturating_sub(spent);
        match wrong {
            None => state.findings.add_right(source),
            // one that nothing can replace is tried, and wrong, at every load
            Some(wrong) => state.findings.add(Findings { wrong: vec![wrong.clone()], ..Findings::default() }),
        }
    }
}
