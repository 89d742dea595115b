use super::Candidate;
use crate::SamplerSettings;

/// A candidate that survived top-k, top-p and min-p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// Token id.
    pub id: u32,
    /// Mass of the kept candidates before it; a draw below it falls on one of those.
    pub before: f64,
    /// Mass up to it and with it.
    pub after: f64,
}

/// What [`sample_token`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The token.
    pub token: u32,
    /// Everything that could have been drawn, in the order of the candidates.
    pub kept: Vec<Kept>,
    /// Sum of `exp(s - max)` over what is kept.
    pub mass: f64,
    /// Where in `0..mass` the draw fell; 0 when greedy.
    pub target: f64,
}

impl Drawn {
    /// Probability of a token.
    pub fn probability(&self, id: u32) -> f64 {
        self.kept.iter().find(|kept| kept.id == id).map_or(0.0, |kept| (kept.after - kept.before) / self.mass)
    }

    /// Whether the draw falls on `id` when `target` may be off by the fraction `slack` of the mass.
    pub fn allows(&self, id: u32, slack: f64) -> bool {
        let slack = slack * self.mass;
        self.kept.iter().any(|kept| {
            kept.id == id && kept.before - slack <= self.target && self.target < kept.after + slack
        })
    }
}

/// Draws a token from the candidates, whose order decides which token a draw falls on.
///
/// 1. temperature 0 or `top_k = 1`: the largest, lowest id among equals;
/// 2. top-k: keep `s >=` the k-th largest;
/// 3. top-p: keep `s` while the probability of everything larger is `< p`, and the largest always;
/// 4. min-p: keep `s` with `exp(s - max) >= min_p`;
/// 5. walk along the kept candidates until their mass passes [`uniform_number`]` * mass`.
pub fn sample_token(
    settings: &SamplerSettings,
    candidates: &[Candidate],
    seed: u32,
    sample_index: u32,
) -> Drawn {
    let mut falling: Vec<&Candidate> = candidates.iter().collect();
    falling.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.id.cmp(&b.id)));
    let best = falling[0];
    if settings.temperature <= 0.0 || settings.top_k == 1 {
        let kept = vec![Kept { id: best.id, before: 0.0, after: 1.0 }];
        return Drawn { token: best.id, kept, mass: 1.0, target: 0.0 };
    }
    let weight = |value: f64| (value - best.value).exp();

    let mut threshold = f64::NEG_INFINITY;
    if let Some(kth) = (settings.top_k as usize).checked_sub(1).and_then(|k| falling.get(k)) {
        threshold = kth.value;
    }
    if settings.top_p < 1.0 {
        falling.retain(|c| c.value >= threshold);
        let wanted = f64::from(settings.top_p) * falling.iter().map(|c| weight(c.value)).sum::<f64>();
        let mut larger = 0.0;
        for equals in falling.chunk_by(|a, b| a.value == b.value) {
            if larger >= wanted && equals[0].value < best.value {
                break;
            }
            threshold = equals[0].value;
            larger += weight(threshold) * equals.len() as f64;
        }
    }

    let mut mass = 0.0;
    let mut kept = Vec::new();
    for &Candidate { value, id } in candidates {
        let e = weight(value);
        if value >= threshold && e >= f64::from(settings.min_p) && e > 0.0 {
            kept.push(Kept { id, before: mass, after: mass + e });
            mass += e;
        }
    }
    let target = uniform_number(seed, sample_index) * mass;
    let token = kept.iter().find(|kept| target < kept.after).map_or(best.id, |kept| kept.id);
    Drawn { token, kept, mass, target }
}

/// The random number of a generation's `counter`-th token, in `[0, 1)`: PCG's output function, twice, over the seed
/// and the counter, cut to the 24 bits that an f32 holds.
pub fn uniform_number(seed: u32, counter: u32) -> f64 {
    let scramble = |state: u32| {
        let h = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let h = ((h >> ((h >> 28) + 4)) ^ h).wrapping_mul(277_803_737);
        (h >> 22) ^ h
    };
    let h = scramble(seed ^ counter.wrapping_mul(0x9e37_79b9));
    let h = scramble(h.wrapping_add(counter));
    f64::from(h >> 8) / f64::from(1 << 24)
}
