//! Bound launches for steps of every size, and the sites among them where adapters add something.

use std::ops::Range;
use std::rc::Rc;

use qwill_gpu::Buffer;
use qwill_kernels::{ExpertProject, FusedNorm, Launch, NormRows, Project};
use qwill_models::{Arrangement, Weight};

/// How many rows a stage of a step has: tokens, or outputs. Each size has kernels of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// One.
    One,
    /// Up to [`super::FEW`].
    Few,
    /// Up to a chunk, or to [`super::MAX_OUTPUTS`].
    Many,
}

impl Size {
    /// That of so many rows.
    pub(super) fn of(n_rows: u32) -> Self {
        match n_rows as usize {
            1 => Self::One,
            n if n <= super::FEW => Self::Few,
            _ => Self::Many,
        }
    }
}

/// One of something for each size.
#[derive(Debug, Clone, Default)]
pub(super) struct BySize<T> {
    pub(super) one: T,
    pub(super) few: T,
    pub(super) many: T,
}

impl<T> BySize<T> {
    pub(super) fn get(&self, size: Size) -> &T {
        match size {
            Size::One => &self.one,
            Size::Few => &self.few,
            Size::Many => &self.many,
        }
    }

    pub(super) fn all_mut(&mut self) -> [&mut T; 3] {
        [&mut self.one, &mut self.few, &mut self.many]
    }

    /// Those of steps of more than one token.
    pub(super) fn of_many(&mut self) -> [&mut T; 2] {
        [&mut self.few, &mut self.many]
    }
}

impl<T> BySize<Vec<T>> {
    /// Puts what `other` has behind what there is, and returns where it lies.
    pub(super) fn append(&mut self, other: Self) -> BySize<Range<usize>> {
        let add = |all: &mut Vec<T>, new: Vec<T>| {
            let first = all.len();
            all.extend(new);
            first..all.len()
        };
        BySize {
            one: add(&mut self.one, other.one),
            few: add(&mut self.few, other.few),
            many: add(&mut self.many, other.many),
        }
    }
}

/// What a site computes.
#[derive(Clone)]
pub(super) enum Work {
    /// Embeds the tokens of the step.
    Embed {
        /// Where the rows go.
        output: Buffer,
    },
    /// Projections of one input, their outputs side by side; with a norm, of what was normalised last.
    Project {
        /// One a matrix.
        projects: Vec<Project>,
        /// Applied to the input first.
        norm: Option<Normed>,
        /// The rows that are projected.
        rows: NormRows,
    },
    /// A projection by the experts of a layer.
    Experts(Box<ExpertWork>),
}

/// A norm in front of projections.
#[derive(Clone)]
pub(super) struct Normed {
    /// What projections do in steps of one token.
    pub(super) fused: FusedNorm,
    /// What is projected in others: the normalised rows.
    pub(super) rows: Buffer,
}

/// A projection by experts as steps of each size do it.
#[derive(Clone)]
pub(super) struct ExpertWork {
    /// In steps of one token.
    pub(super) one: ExpertProject,
    /// In others.
    pub(super) many: ExpertProject,
    /// Applied to the input in steps of one token.
    pub(super) norm: Option<FusedNorm>,
}

/// A use of weights that adapters can change.
#[derive(Clone)]
pub(super) struct Target {
    /// The weight, or that of each expert.
    pub(super) weights: Rc<[Weight]>,
    /// What is computed with it.
    pub(super) work: Work,
}

impl Target {
    /// Whether an activation follows that needs all of gate and up.
    pub(super) fn is_gate_up(&self) -> bool {
        self.weights[0].arrangement == Arrangement::GateUp
    }
}

/// The launches of a use of weights.
pub(super) struct Site {
    pub(super) target: Target,
    /// Where they lie among those of the stage.
    pub(super) ranges: BySize<Range<usize>>,
    /// The same without the activation, for adapters that change gate or up.
    pub(super) apart: Option<Apart>,
}

/// Gate and up into a buffer of their own, and the activation from there.
pub(super) struct Apart {
    pub(super) gate_up: BySize<Vec<Launch>>,
    pub(super) activate: BySize<Vec<Launch>>,
}

/// What an adapter adds to the sites of a stage, in their order.
pub(super) type Additions = Vec<BySize<Vec<Launch>>>;

/// A part of a step.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) launches: BySize<Vec<Launch>>,
    pub(super) sites: Vec<Site>,
}

impl Stage {
    /// Adds the launches of a site.
    pub(super) fn push_site(&mut self, launches: BySize<Vec<Launch>>, target: Target) {
        let ranges = self.launches.append(launches);
        self.sites.push(Site { target, ranges, apart: None });
    }

    /// All launches in order, with what adapters add.
    pub(super) fn in_order<'a>(&'a self, size: Size, additions: &[&'a Additions]) -> Vec<&'a Launch> {
        let launches = self.launches.get(size);
        let mut all = Vec::with_capacity(launches.len());
        let mut done = 0;
        if !additions.is_empty() {
            for (index, site) in self.sites.iter().enumerate() {
                let mut added =
                    additions.iter().map(|sites| sites[index].get(size)).filter(|a| !a.is_empty()).peekable();
                if added.peek().is_none() {
                    continue;
                }
                let range = site.ranges.get(size);
                all.extend(&launches[done..range.start]);
                match &site.apart {
                    Some(apart) => all.extend(apart.gate_up.get(size)),
                    None => all.extend(&launches[range.clone()]),
                }
                added.for_each(|added| all.extend(added));
                if let Some(apart) = &site.apart {
                    all.extend(apart.activate.get(size));
                }
                done = range.end;
            }
        }
        all.extend(&launches[done..]);
        all
    }
}
