//! What small cases are made of.

use std::rc::Rc;

use bytemuck::NoUninit;
use qwill_gpu::{Buffer, Gpu, Usage};
use qwill_weights::Layout;

use super::{HostMatrix, Rng, Worst, padded_rows, whole_blocks};
use crate::cpu::{self, Finish};
use crate::{
    DeviceMatrix, Epilogue, EpilogueKind, Error, FusedNorm, Launch, RowOrder, Scaling, Shard, SlotWeight,
    StepParts, StepShape, StepSpan, TokenSource,
};

/// Slots of the routes, and the one whose weight scales a product.
const N_SLOTS: usize = 2;
const SLOT: usize = 1;
const EPS: f32 = 1e-6;
/// Outputs before padding: no multiple of what workgroups and invocations take.
const N_OUTPUTS: usize = 21;

/// A buffer with these numbers.
pub(super) async fn upload<T: NoUninit>(gpu: &Gpu, data: &[T]) -> Result<Buffer, Error> {
    let buffer = gpu.buffer("self-test", size_of_val(data) as u64, Usage::Storage).await?;
    gpu.write(&buffer, 0, bytemuck::cast_slice(data));
    Ok(buffer)
}

/// A matrix whose rows lie in this order already.
pub(super) async fn upload_matrix(
    gpu: &Gpu,
    host: &HostMatrix,
    order: RowOrder,
) -> Result<DeviceMatrix, Error> {
    let HostMatrix { layout, n_rows, k, .. } = *host;
    let mut streams = Vec::new();
    for stream in &host.streams {
        streams.push(upload(gpu, stream).await?);
    }
    Ok(DeviceMatrix { layout, order, n_rows, k, shards: vec![Shard { first_row: 0, n_rows, streams }] })
}

/// Runs launches and reads what they left in a buffer.
pub(super) async fn run<T: bytemuck::AnyBitPattern + NoUninit>(
    gpu: &Gpu,
    launches: &[Launch],
    shape: &StepShape,
    y: &Buffer,
) -> Result<Vec<T>, Error> {
    let staging = gpu.buffer("self-test", y.size(), Usage::Readback).await?;
    let mut step = gpu.step();
    for launch in launches {
        step.run(&launch.dispatch, launch.grid(shape));
    }
    let bytes = step.submit_and_read(y, 0, &staging, y.size()).wait(gpu).await?;
    Ok(bytemuck::pod_collect_to_vec(&bytes))
}

/// The largest error relative to its scale; what is no number is infinitely wrong.
pub(super) fn worst(found: impl IntoIterator<Item = f32>, wanted: &[Scaled]) -> f64 {
    let mut worst: f64 = 0.0;
    for (found, wanted) in found.into_iter().zip(wanted) {
        let error = (f64::from(found) - wanted.value).abs() / wanted.scale;
        worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
    }
    worst
}

fn length<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    values.iter().map(|&value| value.into().powi(2)).sum::<f64>().sqrt()
}

/// A number, and what its error is measured by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaled {
    pub(super) value: f64,
    pub(super) scale: f64,
}

/// A matrix with what surrounds a projection: all of it random, none of it large.
pub(super) struct Case {
    rng: Rng,
    host: HostMatrix,
    epilogue: EpilogueKind,
    rows_per_expert: usize,
    pub(super) k: usize,
    pub(super) y_stride: usize,
    bias: Option<Vec<f32>>,
    gain: Vec<f32>,
    /// Factors of outputs and of rows.
    factors: (Vec<f32>, Vec<f32>),
    /// Weights of rows.
    weights: Vec<f32>,
}

impl Case {
    /// For `m` rows that go through `n_experts` matrices of one shape.
    pub(super) fn new(
        layout: Layout,
        epilogue: EpilogueKind,
        has_bias: bool,
        n_experts: usize,
        m: usize,
        k: usize,
    ) -> Self {
        let mut rng = Rng::new(1);
        let k = whole_blocks(layout, k);
        let rows_per_expert = match epilogue {
            EpilogueKind::SiluMul => RowOrder::GateUp.rows_on_device([N_OUTPUTS; 2]),
            _ => N_OUTPUTS,
        };
        let host = HostMatrix::random(&mut rng, layout, n_experts * rows_per_expert, k);
        let n = epilogue.outputs(rows_per_expert);
        Self {
            host,
            epilogue,
            rows_per_expert,
            k,
            y_stride: n + 3,
            bias: has_bias.then(|| rng.floats(n, 1.0)),
            gain: rng.floats(k, 2.0),
            factors: (rng.floats(n_experts * n, 2.0), rng.floats(m, 2.0)),
            weights: rng.floats(m, 1.0),
            rng,
        }
    }

    /// Rows of input.
    pub(super) fn input(&mut self, m: usize) -> Vec<f32> {
        self.rng.floats(m * self.k, 2.0)
    }

    /// Rows of output as they were before.
    pub(super) fn output(&mut self, m: usize) -> Vec<f32> {
        self.rng.floats(m * self.y_stride, 1.0)
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.epilogue.outputs(self.rows_per_expert)
    }

    pub(super) async fn matrix(&self, gpu: &Gpu) -> Result<Rc<DeviceMatrix>, Error> {
        let order = match self.epilogue {
            EpilogueKind::SiluMul => RowOrder::GateUp,
            _ => RowOrder::Plain,
        };
        Ok(Rc::new(upload_matrix(gpu, &self.host, order).await?))
    }

    pub(super) async fn norm(&self, gpu: &Gpu) -> Result<FusedNorm, Error> {
        Ok(FusedNorm { gain: upload(gpu, &padded_rows(&self.gain, self.k)).await?, eps: EPS })
    }

    pub(super) async fn epilogue(&self, gpu: &Gpu) -> Result<Epilogue, Error> {
        let bias = match &self.bias {
            Some(bias) => Some(upload(gpu, bias).await?),
            None => None,
        };
        Ok(match self.epilogue {
            EpilogueKind::Store => Epilogue::Store(bias),
            EpilogueKind::Relu => Epilogue::Relu(bias),
            EpilogueKind::Add => Epilogue::Add,
            EpilogueKind::AddScaled => {
                let routes = self.weights.iter().flat_map(|weight| [[0, 0], [0, weight.to_bits()]]);
                let routes = upload(gpu, &routes.collect::<Vec<[u32; 2]>>()).await?;
                Epilogue::AddScaled(SlotWeight { routes, slot: SLOT, n_slots: N_SLOTS })
            }
            EpilogueKind::StoreScaled => Epilogue::StoreScaled(Scaling {
                outputs: upload(gpu, &self.factors.0).await?,
                rows: upload(gpu, &self.factors.1).await?,
            }),
            EpilogueKind::SiluMul => Epilogue::SiluMul,
        })
    }

    /// Products of an expert's rows with a row of input.
    pub(super) fn products(&self, expert: usize, x: &[f32], has_norm: bool) -> Vec<Scaled> {
        let w = &self.host.values[expert * self.rows_per_expert * self.k..][..self.rows_per_expert * self.k];
        let norm = has_norm.then_some((&self.gain[..], f64::from(EPS)));
        let x_length = match norm {
            Some((gain, eps)) => length(&cpu::norm_rms(x, gain, eps)),
            None => length(x),
        };
        let sums = cpu::gemv(w, x, norm).into_iter().zip(w.chunks_exact(self.k));
        // rows of zeros are exact, but for what they are added to
        sums.map(|(value, row)| Scaled { value, scale: length(row) * x_length + 1e-30 }).collect()
    }

    /// What becomes of products in a row of output that was `y`. `row` is that of the factors and weights.
    pub(super) fn finish(&self, products: &[Scaled], expert: usize, row: usize, y: &[f32]) -> Vec<Scaled> {
        let n = self.n_outputs();
        let of_outputs = &self.factors.0[expert * n..][..n];
        let (of_row, weight) = (self.factors.1[row], self.weights[row]);
        let sums: Vec<f64> = products.iter().map(|product| product.value).collect();
        let finished = cpu::finish(
            &sums,
            match self.epilogue {
                EpilogueKind::Store => Finish::Store(self.bias.as_deref()),
                EpilogueKind::Relu => Finish::Relu(self.bias.as_deref()),
                EpilogueKind::Add => Finish::Add(y),
                EpilogueKind::AddScaled => Finish::AddScaled(y, weight),
                EpilogueKind::StoreScaled => Finish::StoreScaled(of_outputs, of_row),
                EpilogueKind::SiluMul => Finish::SiluMul,
            },
        );
        let scale = |output: usize| match self.epilogue {
            EpilogueKind::SiluMul => {
                let place = |part| products[RowOrder::GateUp.place([n; 2], part, output)].scale;
                place(0) * place(1) + 1e-30
            }
            EpilogueKind::StoreScaled => {
                products[output].scale * f64::from((of_outputs[output] * of_row).abs()) + 1e-30
            }
            _ => products[output].scale + 1.0,
        };
        finished.into_iter().enumerate().map(|(at, value)| Scaled { value, scale: scale(at) }).collect()
    }

    /// The worst error of rows of output against what is wanted of each.
    pub(super) fn compare(&self, found: &[f32], wanted: &[Vec<Scaled>]) -> Worst {
        let rows = found.chunks_exact(self.y_stride).zip(wanted);
        Ok(rows.map(|(found, wanted)| worst(found.iter().copied(), wanted)).fold(0.0, f64::max))
    }
}

/// Physical pages of the text, in the order of its positions.
pub(super) const PAGES: [u32; 3] = [2, 0, 3];

/// A step of tokens of the text from a position on, as kernels read it.
pub(super) async fn step(
    gpu: &Gpu,
    position: usize,
    n_tokens: usize,
    tile_rows: usize,
    angles: &[f32],
) -> Result<(Buffer, StepShape), Error> {
    let tokens = vec![TokenSource::Id(0); n_tokens];
    let span = StepSpan { tokens: &tokens, slot: 0, position: position as u32, pages: &PAGES, angles };
    let (words, shape) = StepParts { spans: &[span], outputs: &[], tile_rows }.encode();
    Ok((upload(gpu, &words).await?, shape))
}
