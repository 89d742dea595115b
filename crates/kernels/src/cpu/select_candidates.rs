use crate::{LogitBias, SamplerSettings};

/// Logits that one workgroup looks through.
const CHUNK: usize = 1024;
/// Score of ids that are never sampled.
const LOWEST: f64 = -3.0e38;

/// A token that may be sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Logit after bias, penalties and temperature.
    pub value: f64,
    /// Token id.
    pub id: u32,
}

/// A logit after bias, penalties and temperature, in the order of Hugging Face's `generate` and of vLLM:
///
/// 1. `s += bias`;
/// 2. repetition: `s / rho` where `s > 0`, else `s * rho`, for ids seen in prompt or output;
/// 3. presence and frequency: `s -= presence + frequency * n` for ids made `n > 0` times in the output;
/// 4. `s / temperature`, unless that is 0.
///
/// `count` has bit 31 set for ids in the prompt; the rest is `n`.
pub fn adjusted(settings: &SamplerSettings, logit: f32, bias: f32, count: u32) -> f64 {
    let mut s = f64::from(logit) + f64::from(bias);
    let rho = f64::from(settings.repetition_penalty);
    if count != 0 {
        s = if s > 0.0 { s / rho } else { s * rho };
    }
    let made = count & 0x7fff_ffff;
    if made != 0 {
        s -= f64::from(settings.presence_penalty) + f64::from(settings.frequency_penalty) * f64::from(made);
    }
    if settings.temperature > 0.0 {
        s /= f64::from(settings.temperature);
    }
    s.max(LOWEST)
}

/// Whether a token may be drawn: all may, or those with a bit, the lowest first.
fn may_draw(allowed: Option<&[u32]>, id: usize) -> bool {
    allowed.is_none_or(|words| words[id / 32] >> (id % 32) & 1 == 1)
}

/// Adjusts the logits and keeps the best `keep` of every 1024, in falling order, equal values by rising id.
///
/// `logits` and `counts` have a place for each of `settings.n_vocab` ids, and perhaps padding; ids from there on,
/// those that fill the last chunk and those that are not `allowed` come last. The slot's `biases` are as many as `settings` says. Returns `[chunks, keep]`.
pub fn select_candidates(
    settings: &SamplerSettings,
    logits: &[f32],
    counts: &[u32],
    biases: &[LogitBias],
    allowed: Option<&[u32]>,
    keep: usize,
) -> Vec<Candidate> {
    let n_vocab = settings.n_vocab as usize;
    assert!(n_vocab <= logits.len(), "the kernel does not check either");
    let biases = &biases[..settings.n_biases as usize];
    let bias = |id: usize| biases.iter().find(|bias| bias.id as usize == id).map_or(0.0, |bias| bias.bias);
    let value = |id: usize| match id < n_vocab && may_draw(allowed, id) {
        true => adjusted(settings, logits[id], bias(id), counts[id]),
        false => LOWEST,
    };
    (0..logits.len())
        .step_by(CHUNK)
        .flat_map(|first| {
            let ids = first..first + CHUNK;
            let mut chunk: Vec<_> = ids.map(|id| Candidate { value: value(id), id: id as u32 }).collect();
            chunk.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.id.cmp(&b.id)));
            chunk.truncate(keep);
            chunk
        })
        .collect()
}
