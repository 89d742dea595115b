//! Embedding, norm, GEMV and GEMM against their CPU twins.
//!
//! Errors are relative to the magnitude of what is summed, `sum |w x|`, because that is what f32 rounding scales
//! with. Worst seen on llvmpipe: embed_rows exact, norm_rms 2.2e-7, gemv 8.5e-8, gemm 9.1e-8.

use std::rc::Rc;

use qwill_kernels::cpu::{self, Finish};
use qwill_kernels::{
    DeviceMatrix, Epilogue, FusedNorm, NormRows, Project, RowOrder, SlotWeight, StepShape, StepState,
    align_row, embed_rows, gemm, gemv, norm_rms, silu_mul,
};
use qwill_testkit::{
    Depth, HostMatrix, Report, Rig, Rng, block_on, padded_rows, under_every_mask, whole_blocks,
};
use qwill_weights::Layout;

/// These meet every epilogue; the others differ in `load_w8` only, and meet one each.
const EVERY_EPILOGUE: [Layout; 5] = [Layout::F32, Layout::F16, Layout::BF16, Layout::Q8, Layout::Q4];
const TOLERANCE: f64 = 2e-6;
/// Fills what a kernel must leave alone.
const UNTOUCHED: f32 = -7.5;
const EPS: f32 = 1e-6;
/// Slots of the routes, and the one whose weight scales a product.
const N_SLOTS: usize = 3;
const SLOT: usize = 2;

under_every_mask!(embeddings);
under_every_mask!(norms);
under_every_mask!(vectors);
under_every_mask!(matrices);
under_every_mask!(activations);

fn shape(n_tokens: usize) -> StepShape {
    StepShape { n_tokens: n_tokens as u32, n_kv: n_tokens as u32, n_outputs: 1 }
}

fn abs(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.abs()).collect()
}

/// Prints the worst error of a suite, for those who run it with `--nocapture`.
fn record(suite: &str, rig: &Rig, worst: f64) {
    println!("{suite}: worst error {worst:.2e} ({})", rig.caps());
}

fn embeddings(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(1);
    // (rows, columns, bytes of a binding)
    let mut cases = vec![(37, 40, 512), (5, 24, 1 << 20)];
    if depth == Depth::Full {
        cases.extend([(130, 600, 16 << 10), (3, 96, 1 << 20)]);
    }
    for (n_rows, k, max_binding) in cases {
        for layout in Layout::ALL {
            let k = whole_blocks(layout, k);
            let host = HostMatrix::random(&mut rng, layout, n_rows, k);
            let table = host.upload(rig, RowOrder::Plain, max_binding);
            // first and last row, a row twice, any others
            let mut tokens = vec![0, n_rows as u32 - 1, 1, 1];
            tokens.extend((0..7).map(|_| rng.below(n_rows) as u32));
            let y = rig.upload("y", &vec![UNTOUCHED; tokens.len() * align_row(k)]);
            let tokens_buffer = rig.upload("tokens", &tokens);
            let scale = rng.floats(k, 2.0);
            let scale_buffer = rig.upload("scale", &padded_rows(&scale, k));
            for scale in [None, Some(&scale[..])] {
                let buffer = scale.map(|_| &scale_buffer);
                let launches =
                    block_on(embed_rows(&mut rig.kernels, &table, &tokens_buffer, &y, buffer)).unwrap();
                assert_eq!(launches.len(), table.shards.len());
                rig.run(&launches, shape(tokens.len()));
                let found: Vec<f32> = rig.read(&y);
                let wanted: Vec<f32> =
                    cpu::embed_rows(&host.values, k, &tokens, scale).iter().map(|&v| v as f32).collect();
                assert_eq!(
                    found,
                    padded_rows(&wanted, k),
                    "{layout:?} {n_rows}x{k} in {} shards, scaled {}",
                    table.shards.len(),
                    scale.is_some()
                );
            }
        }
    }
}

fn norms(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(2);
    let mut worst: f64 = 0.0;
    // (rows, columns, first output row, size of the numbers)
    let mut cases = vec![(3, 40, 1, 1.0), (2, 130, 1, 1e-3)];
    if depth == Depth::Full {
        cases.extend([(1, 24, 0, 1e4), (70, 96, 69, 1.0), (5, 2050, 4, 30.0), (4, 4096, 0, 1e-6)]);
    }
    for (n_rows, k, output_row, size) in cases {
        let what = format!("{n_rows} rows of {k} numbers below {size}");
        let x = rng.floats(n_rows * k, size);
        let weight = rng.floats(k, 2.0);
        let wanted = cpu::norm_rms(&x, &weight, f64::from(EPS));
        let state = rig.state(StepState { output_row, n_tokens: n_rows as u32, ..Default::default() });
        let x_buffer = rig.upload("x", &padded_rows(&x, k));
        let norm = FusedNorm { gain: rig.upload("gain", &padded_rows(&weight, k)), eps: EPS };
        for rows in [NormRows::All, NormRows::Outputs] {
            let (first, n) = match rows {
                NormRows::All => (0, n_rows),
                NormRows::Outputs => (output_row as usize, n_rows - output_row as usize),
            };
            let y = rig.empty("y", n * align_row(k) * 4);
            let launch = block_on(norm_rms(&mut rig.kernels, &state, &x_buffer, &norm, k, rows, &y)).unwrap();
            rig.run([&launch], StepShape { n_outputs: n as u32, ..shape(n_rows) });
            let found: Vec<f32> = rig.read(&y);
            let found: Vec<f32> =
                found.chunks_exact(align_row(k)).flat_map(|row| &row[..k]).copied().collect();
            let wanted = &wanted[first * k..];
            let report = Report::new(&found, wanted, |i| wanted[i].abs());
            worst = worst.max(report.expect(&format!("{what}, {rows:?}"), TOLERANCE));
        }
    }
    record("norm_rms", rig, worst);
}

/// What a projection is tried with.
#[derive(Debug, Clone, Copy)]
struct Case {
    layout: Layout,
    epilogue: Epilogue,
    has_bias: bool,
    has_norm: bool,
    /// Outputs, before the padding of gate and up.
    n: usize,
    k: usize,
    first_output: usize,
    max_binding: u64,
}

/// A case with random contents.
struct Inputs {
    case: Case,
    /// Outputs with padding.
    n: usize,
    y_stride: usize,
    host: HostMatrix,
    matrix: Rc<DeviceMatrix>,
    bias: Option<Vec<f32>>,
    /// (expert, weight) of every row and slot.
    routes: Vec<(u32, f32)>,
    /// The factor of each output.
    factors: Vec<f32>,
    gain: Vec<f32>,
}

impl Inputs {
    fn new(rig: &Rig, rng: &mut Rng, case: Case, m: usize) -> Self {
        let (order, n_rows) = match case.epilogue {
            Epilogue::SiluMul => (RowOrder::GateUp, case.n.next_multiple_of(16) * 2),
            _ => (RowOrder::Plain, case.n),
        };
        let mut host = HostMatrix::random(rng, case.layout, n_rows, case.k);
        if case.epilogue == Epilogue::SiluMul {
            for (row, source) in cpu::interleave_gate_up(case.n).into_iter().enumerate() {
                if source.is_none() {
                    host.clear_row(row);
                }
            }
        }
        let n = if order == RowOrder::GateUp { n_rows / 2 } else { n_rows };
        let y_stride = case.first_output + n + 5;
        Self {
            case,
            n,
            y_stride,
            matrix: Rc::new(host.upload(rig, order, case.max_binding)),
            host,
            bias: case.has_bias.then(|| rng.floats(y_stride, 1.0)),
            routes: rng.floats(m * N_SLOTS, 1.0).into_iter().map(|weight| (7, weight)).collect(),
            factors: rng.floats(y_stride, 2.0),
            gain: rng.floats(case.k, 2.0),
        }
    }

    fn project(&self, rig: &Rig, x: &[f32], y: &[f32]) -> Project {
        Project {
            matrix: self.matrix.clone(),
            x: rig.upload("x", x),
            y: rig.upload("y", y),
            y_stride: self.y_stride,
            first_output: self.case.first_output,
            bias: self.bias.as_ref().map(|bias| rig.upload("bias", bias)),
            epilogue: self.case.epilogue,
            slot_weight: (self.case.epilogue == Epilogue::AddScaled).then(|| {
                let routes: Vec<[u32; 2]> =
                    self.routes.iter().map(|&(expert, weight)| [expert, weight.to_bits()]).collect();
                SlotWeight { routes: rig.upload("routes", &routes), slot: SLOT, n_slots: N_SLOTS }
            }),
            scale: (self.case.epilogue == Epilogue::StoreScaled)
                .then(|| rig.upload("factors", &self.factors)),
        }
    }

    /// The outputs of row `m` from its sums, in `y_before` as it was before.
    fn finish(&self, m: usize, sums: &[f64], y_before: &[f32]) -> Vec<f64> {
        let from = self.case.first_output;
        let bias = self.bias.as_ref().map(|bias| &bias[from..]);
        let how = match self.case.epilogue {
            Epilogue::Store => Finish::Store(bias),
            Epilogue::Relu => Finish::Relu(bias),
            Epilogue::Add => Finish::Add(&y_before[from..]),
            Epilogue::AddScaled => Finish::AddScaled(&y_before[from..], self.routes[m * N_SLOTS + SLOT].1),
            Epilogue::StoreScaled => Finish::StoreScaled(&self.factors[from..]),
            Epilogue::SiluMul => Finish::SiluMul,
        };
        let mut row: Vec<f64> = y_before.iter().map(|&y| y.into()).collect();
        row[from..][..self.n].copy_from_slice(&cpu::finish(sums, how));
        row
    }

    /// How far each output moves when its sums move by their magnitudes.
    fn scale(&self, sums: &[f64], magnitudes: &[f64], wanted: &[f64]) -> Vec<f64> {
        let mut scale = vec![0.0; self.y_stride];
        for (i, scale) in scale[self.case.first_output..][..self.n].iter_mut().enumerate() {
            *scale = match self.case.epilogue {
                Epilogue::SiluMul => {
                    let (gate, up) = (i / 16 * 32 + i % 16, i / 16 * 32 + i % 16 + 16);
                    // 1.1 bounds the slope of silu
                    1.1 * magnitudes[gate] * sums[up].abs() + sums[gate].abs() * magnitudes[up]
                }
                Epilogue::StoreScaled => {
                    magnitudes[i] * f64::from(self.factors[self.case.first_output + i].abs())
                }
                _ => magnitudes[i] + wanted[self.case.first_output + i].abs(),
            };
        }
        scale
    }

    fn describe(&self) -> String {
        format!("{:?} in {} shards", self.case, self.matrix.shards.len())
    }
}

/// Runs a GEMV; returns the worst error.
fn try_gemv(rig: &mut Rig, rng: &mut Rng, case: Case) -> f64 {
    let inputs = Inputs::new(rig, rng, case, 1);
    let x = rng.floats(case.k, 2.0);
    let y = match case.epilogue {
        Epilogue::Add | Epilogue::AddScaled => rng.floats(inputs.y_stride, 1.0),
        _ => vec![UNTOUCHED; inputs.y_stride],
    };
    let project = inputs.project(rig, &padded_rows(&x, case.k), &y);
    let norm = case
        .has_norm
        .then(|| FusedNorm { gain: rig.upload("gain", &padded_rows(&inputs.gain, case.k)), eps: EPS });
    let launches = block_on(gemv(&mut rig.kernels, &project, norm.as_ref())).unwrap();
    assert_eq!(launches.len(), inputs.matrix.shards.len());
    assert_eq!(launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(), inputs.matrix.bytes());
    rig.run(&launches, shape(1));
    let gain = abs(&inputs.gain);
    let sums = cpu::gemv(&inputs.host.values, &x, case.has_norm.then_some((&inputs.gain, f64::from(EPS))));
    let magnitudes =
        cpu::gemv(&abs(&inputs.host.values), &abs(&x), case.has_norm.then_some((&gain, f64::from(EPS))));
    let wanted = inputs.finish(0, &sums, &y);
    let scale = inputs.scale(&sums, &magnitudes, &wanted);
    Report::new(&rig.read(&project.y), &wanted, |i| scale[i]).expect(&inputs.describe(), TOLERANCE)
}

/// Runs a GEMM over `m` rows; returns the worst error.
fn try_gemm(rig: &mut Rig, rng: &mut Rng, case: Case, m: usize, rows: NormRows) -> f64 {
    let inputs = Inputs::new(rig, rng, case, m);
    let (k, stride) = (case.k, inputs.y_stride);
    let padded = m.next_multiple_of(qwill_kernels::GEMM_MAX_TILE_M as usize);
    let x = rng.floats(m * k, 2.0);
    let mut x_padded = padded_rows(&x, k);
    x_padded.resize(padded * align_row(k), 1e3);
    let y = match case.epilogue {
        Epilogue::Add | Epilogue::AddScaled => rng.floats(padded * stride, 1.0),
        _ => vec![UNTOUCHED; padded * stride],
    };
    let project = inputs.project(rig, &x_padded, &y);
    let launches = block_on(gemm(&mut rig.kernels, &project, rows, m)).unwrap();
    assert_eq!(launches.iter().map(|launch| launch.weight_bytes).sum::<u64>(), inputs.matrix.bytes());
    let step = match rows {
        NormRows::All => StepShape { n_outputs: 0, ..shape(m) },
        NormRows::Outputs => StepShape { n_outputs: m as u32, ..shape(0) },
    };
    rig.run(&launches, step);
    let found: Vec<f32> = rig.read(&project.y);
    let sums = cpu::gemm(&inputs.host.values, &x, k);
    let magnitudes = cpu::gemm(&abs(&inputs.host.values), &abs(&x), k);
    let (mut wanted, mut scale) = (Vec::new(), Vec::new());
    for row in 0..m {
        let sums = &sums[row * inputs.host.n_rows..][..inputs.host.n_rows];
        let row_wanted = inputs.finish(row, sums, &y[row * stride..][..stride]);
        scale.extend(inputs.scale(sums, &magnitudes[row * inputs.host.n_rows..], &row_wanted));
        wanted.extend(row_wanted);
    }
    let what = format!("{m} rows, {}", inputs.describe());
    Report::new(&found[..m * stride], &wanted, |i| scale[i]).expect(&what, TOLERANCE)
}

/// Every layout with every epilogue: (layout, epilogue, bias).
fn variants(depth: Depth) -> Vec<(Layout, Epilogue, bool)> {
    let epilogues = [
        (Epilogue::Store, false),
        (Epilogue::Relu, false),
        (Epilogue::Store, true),
        (Epilogue::Relu, true),
        (Epilogue::Add, false),
        (Epilogue::AddScaled, false),
        (Epilogue::SiluMul, false),
        (Epilogue::StoreScaled, false),
    ];
    let all = Layout::ALL.into_iter().enumerate().flat_map(|(i, layout)| {
        epilogues.into_iter().enumerate().map(move |(j, (epilogue, bias))| (i + j, layout, epilogue, bias))
    });
    // the slice has every layout and every epilogue, not each with each
    let is_full = |layout| depth == Depth::Full && EVERY_EPILOGUE.contains(&layout);
    all.filter(|(diagonal, layout, ..)| is_full(*layout) || diagonal % 8 == 7)
        .map(|(_, layout, epilogue, bias)| (layout, epilogue, bias))
        .collect()
}

fn vectors(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(3);
    let mut worst: f64 = 0.0;
    // (outputs, columns, bytes of a binding); the last two for the workgroups of 128 and 256
    let shapes = [
        (37, 40, 1 << 20),
        (21, 24, 1 << 20),
        (45, 130, 2048),
        (70, 96, 4096),
        (5, 2080, 1 << 20),
        (3, 8224, 1 << 20),
    ];
    for (at, (layout, epilogue, has_bias)) in variants(depth).into_iter().enumerate() {
        for has_norm in [false, true] {
            // two shapes for each variant, so that every shape meets every layout
            for (n, k, max_binding) in [shapes[at % 4], shapes[2 + (at + usize::from(has_norm)) % 4]] {
                let first_output = [0, 3][at % 2];
                let k = whole_blocks(layout, k);
                let case = Case { layout, epilogue, has_bias, has_norm, n, k, first_output, max_binding };
                worst = worst.max(try_gemv(rig, &mut rng, case));
            }
        }
    }
    if depth == Depth::Full && !rig.caps().is_software {
        // more workgroups than one dimension of a grid holds
        let n = 4 * 65_535 + 9;
        let case = Case {
            layout: Layout::Q4,
            epilogue: Epilogue::Store,
            has_bias: false,
            has_norm: false,
            n,
            k: 32,
            first_output: 0,
            max_binding: 128 << 20,
        };
        worst = worst.max(try_gemv(rig, &mut rng, case));
    }
    record("gemv", rig, worst);
}

fn matrices(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(4);
    let mut worst: f64 = 0.0;
    // (rows, outputs, columns, bytes of a binding): tiles of 16 and 64 rows, whole, short, and more than one
    let shapes = [
        (3, 37, 40, 1 << 20),
        (17, 70, 24, 1 << 20),
        (64, 45, 96, 2048),
        (65, 130, 130, 8192),
        (16, 64, 224, 1 << 20),
    ];
    for (at, (layout, epilogue, has_bias)) in variants(depth).into_iter().enumerate() {
        let tried = if depth == Depth::Full { 2 } else { 1 };
        for (m, n, k, max_binding) in (0..tried).map(|i| shapes[(at + at / 5 + i) % shapes.len()]) {
            let first_output = [0, 3][at % 2];
            let k = whole_blocks(layout, k);
            let rows = [NormRows::All, NormRows::Outputs][at / 2 % 2];
            let case = Case { layout, epilogue, has_bias, has_norm: false, n, k, first_output, max_binding };
            worst = worst.max(try_gemm(rig, &mut rng, case, m, rows));
        }
    }
    record("gemm", rig, worst);
}

/// Gate and up stored as they are and then combined give the bits of the fused epilogue.
fn activations(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(5);
    let mut worst: f64 = 0.0;
    // (rows, outputs before the padding of gate and up, columns, rows of a token)
    let mut cases: Vec<(usize, usize, usize, usize)> = vec![(3, 37, 40, 1), (6, 16, 130, 2)];
    if depth == Depth::Full {
        cases.extend([(1, 5, 24, 1), (17, 150, 64, 1), (21, 29, 72, 3)]);
    }
    for (m, n, k, rows_per_token) in cases {
        let n_rows = n.next_multiple_of(16) * 2;
        let (x_stride, y_stride) = (align_row(n_rows), n_rows / 2 + 3);
        let matrix = Rc::new(HostMatrix::random(&mut rng, Layout::BF16, n_rows, k).upload(
            rig,
            RowOrder::GateUp,
            1 << 20,
        ));
        let padded = m.next_multiple_of(qwill_kernels::GEMM_MAX_TILE_M as usize);
        let mut x = padded_rows(&rng.floats(m * k, 2.0), k);
        x.resize(padded * align_row(k), 0.0);
        let x = rig.upload("x", &x);
        let wide = rig.empty("gate and up", padded * x_stride * 4);
        let project = |epilogue, y: &qwill_gpu::Buffer, y_stride| Project {
            matrix: matrix.clone(),
            x: x.clone(),
            y: y.clone(),
            y_stride,
            first_output: 0,
            bias: None,
            epilogue,
            slot_weight: None,
            scale: None,
        };
        let untouched = vec![UNTOUCHED; padded * y_stride];
        let (fused, apart) = (rig.upload("fused", &untouched), rig.upload("apart", &untouched));
        let step = shape(m / rows_per_token);
        let kernels = &mut rig.kernels;
        let fuse = project(Epilogue::SiluMul, &fused, y_stride);
        let store = project(Epilogue::Store, &wide, x_stride);
        let fuse = block_on(gemm(kernels, &fuse, NormRows::All, m)).unwrap();
        let store = block_on(gemm(kernels, &store, NormRows::All, m)).unwrap();
        let combine = block_on(silu_mul(kernels, &wide, n_rows, rows_per_token, &apart, y_stride)).unwrap();
        rig.run(fuse.iter().chain(&store), shape(m));
        rig.run([&combine], step);
        let (fused, found): (Vec<f32>, Vec<f32>) = (rig.read(&fused), rig.read(&apart));
        assert_eq!(found[..m * y_stride], fused[..m * y_stride], "{m} rows, {n} outputs of {k}");
        let wide: Vec<f32> = rig.read(&wide);
        let stored: Vec<f32> =
            wide.chunks_exact(x_stride).take(m).flat_map(|row| &row[..n_rows]).copied().collect();
        let wanted = cpu::silu_mul(&stored, n_rows);
        let found: Vec<f32> =
            found.chunks_exact(y_stride).take(m).flat_map(|row| &row[..n_rows / 2]).copied().collect();
        let report = Report::new(&found, &wanted, |i| wanted[i].abs() + 1e-30);
        worst = worst.max(report.expect(&format!("{m} rows, {n} outputs"), TOLERANCE));
    }
    record("silu_mul", rig, worst);
}
