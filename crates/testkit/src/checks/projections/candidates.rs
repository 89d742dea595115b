//! Every shape that a tuning may prefer gives what the chosen ones give.

use qwill_kernels::{Candidates, EpilogueKind, NormRows, Tuning};
use qwill_weights::{Group, Layout};

use super::case::Case;
use super::{matrices::try_gemm, norms::try_norm, vectors::try_gemv};
use crate::checks::Outcome;
use crate::{Depth, Rig, Rng};

/// Those with wide loads, and one without.
const LAYOUTS: [Layout; 7] = [
    Layout::Q4,
    Layout::Q4K,
    Layout::Q8,
    Layout::Q4M,
    Layout::Z4(Group::Of64),
    Layout::Z8(Group::Of32),
    Layout::BF16,
];

/// Runs a case with each candidate of a choice in its turn.
fn each<T: Copy + PartialEq>(
    rig: &mut Rig,
    outcome: &mut Outcome,
    of: impl Fn(&mut Tuning) -> &mut Candidates<T>,
    mut run: impl FnMut(&mut Rig) -> f64,
) {
    let own = rig.kernels.tuning().clone();
    for &candidate in of(&mut own.clone()).all() {
        let mut tuning = own.clone();
        of(&mut tuning).prefer(candidate);
        rig.tune(tuning);
        outcome.case(rig, &mut run);
    }
    rig.tune(own);
}

pub(in crate::checks) fn candidates(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(6);
    let mut outcome = Outcome::default();
    let (layouts, n, k) = match depth {
        Depth::Full => (&LAYOUTS[..], 37, 1064),
        Depth::Slice | Depth::Quick => (&LAYOUTS[..1], 37, 40),
        Depth::Real => (&LAYOUTS[..3], 6144, 4096),
    };
    let gate_up = |layout| Case::released(layout, EpilogueKind::SiluMul, (n, k)).with_norm();
    let down = |layout| Case::released(layout, EpilogueKind::Add, (n, k + 64));
    for &layout in layouts {
        for case in [gate_up(layout), down(layout)] {
            let rules = rig.kernels.tuning().gemv.clone();
            let rule = rules.iter().position(|rule| rule.most.is_none_or(|most| case.k <= most)).unwrap_or(0);
            each(
                rig,
                &mut outcome,
                |tuning| &mut tuning.gemv[rule].candidates,
                |rig| try_gemv(rig, &mut rng, case),
            );
        }
    }
    for m in [17, 65] {
        let case = Case { has_norm: false, ..gate_up(Layout::Q4) };
        let last = rig.kernels.tuning().gemm.len() - 1;
        each(
            rig,
            &mut outcome,
            |tuning| &mut tuning.gemm[last].candidates,
            |rig| try_gemm(rig, &mut rng, (case, m, NormRows::All)),
        );
    }
    each(rig, &mut outcome, |tuning| &mut tuning.rows, |rig| try_norm(rig, &mut rng, (5, 2050, 4, 30.0)));
    outcome
}
