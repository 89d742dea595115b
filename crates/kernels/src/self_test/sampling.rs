//! Choosing and reporting tokens.

use qwill_gpu::{Buffer, KernelSource};

use super::case::{Scaled, run, upload, worst};
use super::{Rng, Worst, padded_rows};
use crate::cpu::{self, Candidate};
use crate::{
    DrawClass, Draws, Kernels, LogitBias, ReportBuffers, Reports, SampleBuffers, SamplerSettings, StepOutput,
    StepParts, StepReport, StepShape, StepSpan, TokenSource, report, sample,
};

/// A chunk and a part of one.
const N_VOCAB: usize = 1500;
/// Marks an id that is in the prompt.
const IN_PROMPT: u32 = 1 << 31;
const OFF: SamplerSettings = SamplerSettings { n_vocab: N_VOCAB as u32, ..SamplerSettings::OFF };

/// A step of one token in each slot, of which these are wanted.
fn step_of(outputs: &[StepOutput]) -> (Vec<u32>, StepShape) {
    let span = |slot| StepSpan { tokens: &[TokenSource::Id(0)], slot, position: 0, pages: &[0], angles: &[] };
    let spans: Vec<StepSpan<'_>> = (0..outputs.len() as u32).map(span).collect();
    StepParts { spans: &spans, outputs, tile_rows: 16 }.encode()
}

/// What is wanted of the slot `n` places before the last.
fn output(n_slots: u32, n: u32, draw: Option<DrawClass>, report: Option<StepReport>) -> StepOutput {
    StepOutput { token: n, slot: n_slots - 1 - n, seed: 7 + n, index: 3 * n, draw, report }
}

/// Buffers of which the kernel in question uses some.
fn buffers<'b>(
    step: &'b Buffer,
    samplers: &'b Buffer,
    counts: &'b Buffer,
    unused: [&'b Buffer; 2],
) -> SampleBuffers<'b> {
    let [read, written] = unused;
    SampleBuffers {
        step,
        samplers,
        logits: read,
        counts,
        biases: read,
        allowed: read,
        candidates: written,
        next: written,
        drawn: written,
    }
}

/// The values of one output, in order, and that every id comes once with its own.
pub(crate) async fn select_candidates(
    kernels: &mut Kernels,
    class: DrawClass,
    source: &KernelSource,
) -> Worst {
    let gpu = kernels.gpu.clone();
    let mut rng = Rng::new(1);
    let settings = SamplerSettings {
        temperature: 0.7,
        repetition_penalty: 1.3,
        presence_penalty: 0.4,
        frequency_penalty: 0.2,
        n_vocab: N_VOCAB as u32 - 20,
        n_biases: 2,
        ..OFF
    };
    let logits = rng.floats(N_VOCAB, 8.0);
    let counts: Vec<u32> =
        (0..N_VOCAB as u32).map(|id| if id % 3 == 0 { IN_PROMPT + id % 4 } else { 0 }).collect();
    let biases = [LogitBias { id: 3, bias: 20.0 }, LogitBias { id: 1200, bias: -5.0 }];
    let (words, shape) = step_of(&[output(1, 0, Some(class), None)]);
    let draws = Draws::new(class, N_VOCAB, biases.len());
    let step = upload(&gpu, &words).await?;
    let samplers = upload(&gpu, &[settings]).await?;
    let counts_buffer = upload(&gpu, &counts).await?;
    let logits_buffer = upload(&gpu, &padded_rows(&logits, N_VOCAB)).await?;
    let biases_buffer = upload(&gpu, &biases).await?;
    let candidates = upload(&gpu, &vec![[0u32; 2]; draws.candidate_stride]).await?;
    // five of every seven
    let may_draw = |id: usize| !matches!(id % 7, 2 | 5);
    let word = |first: usize| (0..32).map(|bit| u32::from(may_draw(first + bit)) << bit).sum();
    let allowed: Vec<u32> = (0..N_VOCAB).step_by(32).map(word).collect();
    let allowed_buffer = upload(&gpu, &[&[1], &allowed[..]].concat()).await?;
    let buffers = SampleBuffers {
        biases: &biases_buffer,
        allowed: &allowed_buffer,
        ..buffers(&step, &samplers, &counts_buffer, [&logits_buffer, &candidates])
    };
    let launch = sample::bind_select(kernels, &buffers, draws, source).await?;
    let found = run::<[u32; 2]>(&gpu, &[launch], &shape, &candidates).await?;
    let found = &found[..draws.n_candidates];
    let scaled = |value: f64| Scaled { value, scale: value.abs() + 10.0 };
    let wanted = cpu::select_candidates(&settings, &logits, &counts, &biases, Some(&allowed), class.keep());
    let wanted: Vec<Scaled> = wanted.into_iter().map(|candidate| scaled(candidate.value)).collect();
    // equal values may change places where they are only nearly equal
    let bias = |id: usize| biases.iter().find(|bias| bias.id as usize == id).map_or(0.0, |bias| bias.bias);
    let mut ids: Vec<usize> = found.iter().map(|&[_, id]| id as usize).collect();
    let real = found.iter().filter(|&&[_, id]| id < settings.n_vocab && may_draw(id as usize));
    let own: Vec<Scaled> = real
        .clone()
        .map(|&[_, id]| id as usize)
        .map(|id| scaled(cpu::adjusted(&settings, logits[id], bias(id), counts[id])))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < found.len() {
        return Ok(f64::INFINITY);
    }
    let value = |&[bits, _]: &[u32; 2]| f32::from_bits(bits);
    Ok(worst(found.iter().map(value), &wanted).max(worst(real.map(value), &own)))
}

/// Tokens that the twin may draw, give or take a little of the mass.
pub(crate) async fn sample_token(kernels: &mut Kernels, source: &KernelSource) -> Worst {
    const SLACK: f64 = 1e-4;
    const SETTINGS: [SamplerSettings; 5] = [
        SamplerSettings { temperature: 0.0, ..OFF },
        OFF,
        SamplerSettings { top_k: 20, ..OFF },
        SamplerSettings { top_p: 0.6, ..OFF },
        SamplerSettings { min_p: 0.05, ..OFF },
    ];
    let gpu = kernels.gpu.clone();
    let (class, n) = (DrawClass::All, SETTINGS.len());
    let draws = Draws { n_candidates: 700, candidate_stride: 703, ..Draws::new(class, N_VOCAB, 0) };
    let values = Rng::new(1).floats(draws.n_candidates, 4.0);
    // every id once, in some order
    let id = |i: usize| (i * 7 % N_VOCAB) as u32;
    let list: Vec<Candidate> =
        values.iter().enumerate().map(|(i, &value)| Candidate { value: value.into(), id: id(i) }).collect();
    let mut row: Vec<[u32; 2]> = list.iter().map(|c| [(c.value as f32).to_bits(), c.id]).collect();
    row.resize(draws.candidate_stride, [f32::MAX.to_bits(), 0]);
    let outputs: Vec<StepOutput> = (0..n as u32).map(|i| output(n as u32, i, Some(class), None)).collect();
    let (words, shape) = step_of(&outputs);
    let step = upload(&gpu, &words).await?;
    let samplers: Vec<SamplerSettings> = SETTINGS.into_iter().rev().collect();
    let samplers = upload(&gpu, &samplers).await?;
    let counts = upload(&gpu, &vec![0u32; n * N_VOCAB]).await?;
    let candidates = upload(&gpu, &row.repeat(n)).await?;
    let [next, drawn, unused] = [
        upload(&gpu, &vec![0u32; n]).await?,
        upload(&gpu, &vec![0u32; n]).await?,
        upload(&gpu, &[0u32]).await?,
    ];
    let buffers = SampleBuffers {
        candidates: &candidates,
        next: &next,
        ..buffers(&step, &samplers, &counts, [&unused, &drawn])
    };
    let launches = [sample::bind_sample(kernels, &buffers, draws, source).await?];
    let found = run::<u32>(&gpu, &launches, &shape, &drawn).await?;
    // the same again, and counted a second time
    let next = run::<u32>(&gpu, &launches, &shape, &next).await?;
    let counts = run::<u32>(&gpu, &launches, &shape, &counts).await?;
    let is_right = outputs.iter().zip(&SETTINGS).zip(&found).all(|((output, settings), &token)| {
        // a candidate on the very border of top-p or min-p may fall on either side
        let may_draw = [1.0, 0.999, 1.001].into_iter().any(|factor| {
            let SamplerSettings { top_p, min_p, .. } = *settings;
            let settings = SamplerSettings { top_p: top_p * factor, min_p: min_p * factor, ..*settings };
            cpu::sample_token(&settings, &list, output.seed, output.index).allows(token, SLACK)
        });
        let slot = output.slot as usize;
        let counted = counts.get(slot * N_VOCAB + token as usize);
        may_draw && next[slot] == token && counted == Some(&3)
    });
    let n_counted: u32 = counts.iter().sum();
    Ok(if is_right && n_counted as usize == 3 * n { 0.0 } else { f64::INFINITY })
}

pub(crate) async fn report_logprobs(kernels: &mut Kernels, source: &KernelSource) -> Worst {
    const TOKENS: [u32; 2] = [1234, 17];
    const N_TOP: usize = 5;
    let gpu = kernels.gpu.clone();
    let reports = Reports { n_vocab: N_VOCAB, first: TOKENS.len(), max_top: N_TOP };
    let logits = Rng::new(1).floats(TOKENS.len() * N_VOCAB, 8.0);
    let n_top = N_TOP as u32;
    let report = |token| Some(StepReport { token, n_top });
    let (words, shape) = step_of(&[
        output(2, 0, None, report(TokenSource::Id(TOKENS[0]))),
        output(2, 1, None, report(TokenSource::Next)),
    ]);
    let step = upload(&gpu, &words).await?;
    let logits_buffer = upload(&gpu, &padded_rows(&logits, N_VOCAB)).await?;
    let mut drawn = vec![0u32; reports.first + TOKENS.len() * reports.words()];
    drawn[1] = TOKENS[1];
    let drawn = upload(&gpu, &drawn).await?;
    let buffers = ReportBuffers { step: &step, logits: &logits_buffer, drawn: &drawn };
    let launch = report::bind(kernels, &buffers, reports, source).await?;
    let found = run::<u32>(&gpu, &[launch], &shape, &drawn).await?;
    let mut error: f64 = 0.0;
    let rows = found[reports.first..].chunks_exact(reports.words()).zip(logits.chunks_exact(N_VOCAB));
    for ((found, logits), token) in rows.zip(TOKENS) {
        let wanted = cpu::report_logprobs(logits, token, N_TOP);
        let ids = found[1..].iter().step_by(2);
        if !ids.eq(wanted.top.iter().map(|(id, _)| id)) {
            return Ok(f64::INFINITY);
        }
        let scaled = |value: f64| Scaled { value, scale: value.abs() + 1.0 };
        let all: Vec<Scaled> = [wanted.logprob]
            .into_iter()
            .chain(wanted.top.iter().map(|(_, value)| *value))
            .map(scaled)
            .collect();
        error = error.max(worst(found.iter().step_by(2).map(|&bits| f32::from_bits(bits)), &all));
    }
    Ok(error)
}
