//! Choosing candidates and drawing from them, against the CPU twins and the vector T-32 of the specification.
//!
//! Biases, penalties and temperature: at most 7.7e-8 off on llvmpipe, relative to the value and what was
//! taken from it. Draws: a token is right when its share of the mass holds the random number, give or take 1e-5.

mod draws;
mod reference_vector;
mod reports;
mod selections;

pub(super) use draws::draws;
pub(super) use reference_vector::reference_vector;
pub(super) use reports::reports;
pub(super) use selections::selections;

use qwill_kernels::{DrawClass, SamplerSettings, StepOutput};

use crate::{TestSpan, TestStep};

/// Marks an id that is in the prompt.
const IN_PROMPT: u32 = 1 << 31;

const OFF: SamplerSettings = SamplerSettings::OFF;

/// A step of one token for each (slot, seed, index of the random number), from which a token is drawn.
fn step_of(class: DrawClass, draws: &[(u32, u32, u32)]) -> TestStep {
    let outputs = draws.iter().zip(0..).map(|(&(slot, seed, index), token)| StepOutput {
        token,
        slot,
        seed,
        index,
        draw: Some(class),
        report: None,
    });
    let spans = draws.iter().map(|&(slot, ..)| TestSpan { slot, ..TestSpan::without_cache(1) });
    TestStep { outputs: outputs.collect(), ..TestStep::of(spans.collect()) }
}
