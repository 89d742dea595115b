/// What [`report_logprobs`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// Log probability of the token.
    pub logprob: f64,
    /// The largest as (id, log probability), in falling order, ties by rising id.
    pub top: Vec<(u32, f64)>,
}

/// Log probability of `token` under the softmax of `logits` as they are, and the `n_top` largest, or all if there are fewer.
pub fn report_logprobs(logits: &[f32], token: u32, n_top: usize) -> Logprobs {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mass: f64 = logits.iter().map(|&s| (f64::from(s) - f64::from(max)).exp()).sum();
    let logprob = |id: u32| f64::from(logits[id as usize]) - f64::from(max) - mass.ln();
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    ids.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
    ids.truncate(n_top);
    Logprobs { logprob: logprob(token), top: ids.into_iter().map(|id| (id, logprob(id))).collect() }
}
