//! Every kernel against its CPU twin, as checks that tests and programs run: on any device, under any mask, at any
//! [`Depth`]. A failure is a panic that names the case and the largest difference.

mod attention;
mod experts;
mod projections;
mod released;
mod rows;
mod sampling;

pub use experts::{chosen, random_routes};

use crate::{Depth, Mask, Rig};

/// A kernel's check, or that of a few which belong together.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Name of the kernel.
    pub name: &'static str,
    /// Runs all cases of a depth, or as many as the rig's deadline leaves time for.
    ///
    /// # Panics
    /// If a result is wrong, or the device reports an error.
    pub run: fn(&mut Rig, Depth) -> Outcome,
}

/// How a check went that found nothing wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// Worst error relative to its scale; 0 where results are exact.
    pub worst: f64,
    /// Cases that were run.
    pub cases: usize,
    /// Cases that the deadline left out.
    pub skipped: usize,
}

impl Outcome {
    /// Runs a case that returns its worst error, unless it is late.
    fn case(&mut self, rig: &mut Rig, run: impl FnOnce(&mut Rig) -> f64) {
        if rig.is_late() {
            self.skipped += 1;
            return;
        }
        self.worst = self.worst.max(run(rig));
        self.cases += 1;
    }
}

/// All checks: what a decode step needs first, then what prefill needs, then mixtures of experts.
pub const CHECKS: &[Check] = &[
    Check { name: "embed_rows", run: projections::embeddings },
    Check { name: "gemv", run: projections::vectors },
    Check { name: "rotate_heads", run: attention::rotations },
    Check { name: "attend_decode", run: attention::decodes },
    Check { name: "select_candidates", run: sampling::selections },
    Check { name: "sample_token", run: sampling::draws },
    Check { name: "report_logprobs", run: sampling::reports },
    Check { name: "sampling_reference", run: sampling::reference_vector },
    Check { name: "norm_rms", run: projections::norms },
    Check { name: "gemm", run: projections::matrices },
    Check { name: "attend_prefill", run: attention::prefills },
    Check { name: "silu_mul", run: projections::activations },
    Check { name: "route_experts", run: experts::routes },
    Check { name: "gemv_experts", run: experts::vectors },
    Check { name: "group_tokens", run: experts::groups },
    Check { name: "gemm_experts", run: experts::matrices },
    Check { name: "combine_experts", run: experts::sums },
    Check { name: "expert_layers", run: experts::layers },
    Check { name: "candidates", run: projections::candidates },
];

/// Runs all cases of the check called `name` under a mask, at its depth, and prints how exact they are.
///
/// # Panics
/// If there is no such check, or as [`Check::run`] does.
pub fn run_whole(name: &str, mask: Mask) {
    let check = CHECKS.iter().find(|check| check.name == name).expect("the name of a check");
    let mut rig = Rig::open(mask.text);
    let Outcome { worst, cases, skipped } = (check.run)(&mut rig, mask.depth);
    assert!(cases > 0 && skipped == 0, "{name}: {cases} cases run, {skipped} skipped");
    println!("{name}: {cases} cases, worst error {worst:.2e} ({})", rig.caps());
}
