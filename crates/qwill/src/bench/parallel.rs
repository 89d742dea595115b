//! How fast many texts at once are.

use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use qwill_scheduler::What;
use serde::Serialize;
use web_time::Instant;

use super::BenchRequest;
use crate::requests::Generation;
use crate::{Error, Model, Percentiles, Spread};

/// Speeds of texts that run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ParallelRun {
    /// Texts at once.
    pub n_texts: usize,
    /// Tokens that all of them together decode a second, while as many of them decode as ever do at a time.
    pub decode_tps: Spread,
    /// Milliseconds to the first token of a text, when all prompts arrive together and none is in the cache.
    pub ttft_ms: Percentiles,
}

impl Model {
    /// Measures `n_texts` texts with prompts of their own.
    pub(super) async fn bench_parallel(
        &self,
        request: &BenchRequest,
        n_texts: usize,
    ) -> Result<ParallelRun, Error> {
        let n_vocab = self.facts().plan.dims.vocab_size;
        // no two begin alike, so that none finds another's tokens in the cache
        let token = |text: usize, at: usize| ((at * 7919 + text) % n_vocab) as u32;
        let prompts: Vec<Vec<u32>> =
            (0..n_texts).map(|text| (0..request.prompt_tokens).map(|at| token(text, at)).collect()).collect();
        let (mut decode, mut first) = (Vec::new(), Vec::new());
        for _ in 0..request.runs {
            self.reset().await?;
            // Prompts by themselves, then the same again out of the cache: decoding does not wait for anybody's prompt.
            let read = self.token_times(&prompts, 1).await?;
            first.extend(read.into_iter().flatten());
            if request.decode_tokens > 1 {
                decode.push(rate_together(&self.token_times(&prompts, request.decode_tokens).await?));
            }
        }
        Ok(ParallelRun { n_texts, decode_tps: Spread::of(decode), ttft_ms: Percentiles::of(first) })
    }

    /// Continues all prompts at once: when each text's tokens are there, in milliseconds.
    async fn token_times(&self, prompts: &[Vec<u32>], max_tokens: usize) -> Result<Vec<Vec<f64>>, Error> {
        let n_vocab = self.facts().plan.dims.vocab_size;
        let adapters = self.resolve_adapters(None)?;
        let started = Instant::now();
        let mut running = SelectAll::new();
        for (text, prompt) in prompts.iter().enumerate() {
            let signals =
                self.generate(Generation::greedy(prompt.clone(), adapters.clone(), n_vocab, max_tokens))?;
            running.push(signals.map(move |signal| (text, signal)));
        }
        let mut times = vec![Vec::new(); prompts.len()];
        while let Some((text, signal)) = running.next().await {
            if let What::Token(_) = signal? {
                times[text].push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(times)
    }
}

/// Tokens a second of all texts together, while most of them run: between the first token and the last one of so many texts
/// as ever were at a time. 0 if that is no time at all.
fn rate_together(times: &[Vec<f64>]) -> f64 {
    let ends: Vec<(f64, f64)> =
        times.iter().filter_map(|text| Some((*text.first()?, *text.last()?))).collect();
    let mut marks: Vec<f64> = ends.iter().flat_map(|&(first, last)| [first, last]).collect();
    marks.sort_by(f64::total_cmp);
    let running =
        |from: f64, to: f64| ends.iter().filter(|&&(first, last)| first <= from && to <= last).count();
    let between = || marks.windows(2).map(|mark| (mark[0], mark[1])).filter(|(from, to)| from < to);
    let most = between().map(|(from, to)| running(from, to)).max().unwrap_or(0);
    let (mut n_tokens, mut ms) = (0, 0.0);
    for (from, to) in between().filter(|&(from, to)| most > 0 && running(from, to) == most) {
        n_tokens += times.iter().flatten().filter(|&&at| from < at && at <= to).count();
        ms += to - from;
    }
    if ms > 0.0 { n_tokens as f64 / ms * 1e3 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_together_count_while_most_of_them_run() {
        let times = [vec![10.0, 20.0, 110.0, 210.0], vec![110.0, 210.0, 310.0]];
        assert_eq!(rate_together(&times), 2.0 / 0.1);
        // the third begins when the first has ended
        let times = [vec![0.0, 10.0], vec![0.0, 10.0, 20.0, 30.0], vec![20.0, 30.0]];
        assert_eq!(rate_together(&times), 4.0 / 0.02);
        assert_eq!(rate_together(&[vec![10.0], vec![20.0]]), 0.0);
        assert_eq!(rate_together(&[]), 0.0);
    }
}
