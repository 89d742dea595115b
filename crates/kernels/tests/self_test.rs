//! Kernels are tried before they are bound: what is right passes, what is wrong is found and can be replaced.

use std::time::Duration;

use qwill_gpu::KernelSource;
use qwill_kernels::self_test::{Findings, SelfTest};
use qwill_kernels::{
    Attend, AttendBuffers, Choice, DrawClass, Draws, Epilogue, Error, FusedNorm, GEMM_MAX_TILE_M, Grouping,
    Groups, Kernels, KvType, NormRows, Project, ReportBuffers, Reports, RotaryRows, Rotate, RotateBuffers,
    Routing, RowOrder, SampleBuffers, Scaling, TopKWeights, Tuning, Visibility, WrongKernel, align_row,
    combine_experts, embed_rows, gemm, gemv, group_tokens, norm_rms, report_logprobs, route_experts,
    sample_token, select_candidates, silu_mul,
};
use qwill_testkit::{HostMatrix, Rig, Rng, Upload, block_on, whole_blocks};
use qwill_weights::Layout;

const LONG: Duration = Duration::from_secs(600);

/// Kernels that are tried as long as there is time.
fn kernels(rig: &Rig, tuning: Tuning, self_test: &SelfTest) -> Kernels {
    block_on(Kernels::new(rig.gpu().clone(), tuning)).unwrap().with_self_test(self_test.clone())
}

fn project(rig: &Rig, layout: Layout, epilogue: Epilogue) -> Project {
    let order = if matches!(epilogue, Epilogue::SiluMul) { RowOrder::GateUp } else { RowOrder::Plain };
    let k = whole_blocks(layout, 64);
    let host = HostMatrix::random(&mut Rng::new(1), layout, 32, k);
    let rows = GEMM_MAX_TILE_M as usize;
    Project {
        matrix: host.upload(rig, order, u64::MAX).into(),
        x: rig.empty("x", rows * align_row(k) * 4),
        y: rig.empty("y", rows * 32 * 4),
        y_stride: 32,
        first_output: 0,
        epilogue,
    }
}

/// Binds what a dense model has of projections and norms.
fn bind(rig: &Rig, kernels: &mut Kernels, layout: Layout) -> Result<(), Error> {
    let bias = Some(rig.empty("bias", 128));
    let norm = FusedNorm { gain: rig.empty("gain", 4096), eps: 1e-6 };
    for epilogue in [Epilogue::Store(None), Epilogue::Store(bias), Epilogue::Add, Epilogue::SiluMul] {
        let project = project(rig, layout, epilogue);
        block_on(gemv(kernels, &project, None))?;
        block_on(gemv(kernels, &project, Some(&norm)))?;
        block_on(gemm(kernels, &project, NormRows::All, 16))?;
        block_on(gemm(kernels, &project, NormRows::All, 512))?;
    }
    let (step, x, y) = (rig.empty("step", 4096), rig.empty("x", 4096), rig.empty("y", 4096));
    block_on(norm_rms(kernels, &step, &x, &norm, 64, NormRows::All, &y))?;
    Ok(())
}

/// Binds attention of one shape.
fn bind_attention(rig: &Rig, kernels: &mut Kernels, shape: Attend, rows: RotaryRows) -> Result<(), Error> {
    let Attend { n_heads, n_kv_heads, head_dim, kv, .. } = shape;
    let rotary_dim = head_dim;
    let rotate = Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, rows, scale: 0.1, eps: 1e-6, kv };
    let buffer = rig.empty("of any size", 1 << 16);
    for qk_norm in [None, Some(&buffer)] {
        let buffers = RotateBuffers {
            step: &buffer,
            qkv: &buffer,
            q: &rig.empty("q", 1 << 16),
            k_cache: &rig.empty("k", 1 << 16),
            v_cache: &rig.empty("v", 1 << 16),
            qk_norm,
        };
        block_on(kernels.rotate_heads(&rotate, &buffers))?;
    }
    let buffers = AttendBuffers {
        step: &buffer,
        q: &buffer,
        k_cache: &buffer,
        v_cache: &buffer,
        y: &rig.empty("y", 1 << 16),
        partial: &rig.empty("partial", 1 << 16),
        stats: &rig.empty("stats", 1 << 16),
    };
    block_on(kernels.attend_decode(&shape, &buffers, 4))?;
    block_on(kernels.attend_prefill(&shape, &buffers))?;
    Ok(())
}

const ONE_QUERY: RotaryRows = RotaryRows { per_position: 1, first_query: 0, n_queries: 1 };

/// Attention in every cache format, with every kind of sight, in heads of usual and of odd sizes.
fn attentions() -> Vec<(Attend, RotaryRows)> {
    let kinds = [
        (Visibility::Causal, ONE_QUERY),
        (Visibility::Window(4096), ONE_QUERY),
        (Visibility::Bidirectional, RotaryRows { per_position: 2, first_query: 1, n_queries: 1 }),
        (Visibility::DualChunks(1024), RotaryRows { per_position: 3, first_query: 0, n_queries: 3 }),
    ];
    let heads = [(16, 8, 128), (14, 2, 64), (3, 1, 24), (4, 4, 256)];
    let formats = [KvType::F32, KvType::F16, KvType::Q8];
    let of_heads = |(at, (n_heads, n_kv_heads, head_dim)): (usize, (usize, usize, usize))| {
        formats.into_iter().enumerate().map(move |(i, kv)| {
            let (visibility, rows) = kinds[(at + i) % kinds.len()];
            (Attend { n_heads, n_kv_heads, head_dim, visibility, kv }, rows)
        })
    };
    heads.into_iter().enumerate().flat_map(of_heads).collect()
}

#[test]
fn attention_of_a_right_device_passes_and_what_is_wrong_is_found() {
    let rig = Rig::open("");
    let self_test = SelfTest::new(Findings::default(), LONG);
    for (shape, rows) in attentions() {
        let mut kernels = kernels(&rig, rig.kernels.tuning().clone(), &self_test);
        bind_attention(&rig, &mut kernels, shape, rows).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    }
    assert!(self_test.findings().n_right() > 3 * attentions().len());
    let faults: [(&str, Fault); 3] = [
        ("rotate_heads", |source| source.wgsl = source.wgsl.replace("params.scale", "1.5 * params.scale")),
        ("attend_decode", |source| {
            if source.name.starts_with("attend_decode") {
                source.wgsl = source.wgsl.replace("exp(", "exp2(");
            }
        }),
        ("attend_prefill", |source| {
            if source.name.starts_with("attend_prefill") {
                source.wgsl = source.wgsl.replace("exp(", "exp2(");
            }
        }),
    ];
    for (name, fault) in faults {
        for (shape, rows) in attentions().into_iter().step_by(4) {
            let self_test = SelfTest::new(Findings::default(), LONG);
            let mut tried = kernels(&rig, rig.kernels.tuning().clone(), &self_test).with_fault(fault);
            let error = bind_attention(&rig, &mut tried, shape, rows).expect_err(name);
            let Error::Wrong(WrongKernel { kernel, choice: None, .. }) = &error else { panic!("{error}") };
            assert!(kernel.starts_with(name), "{shape:?}: {error}");
        }
    }
}

/// Makes kernels of a name wrong.
fn alter(source: &mut KernelSource, name: &str, right: &str, wrong: &str) {
    if source.name.starts_with(name) {
        assert!(source.wgsl.contains(right), "{name} has no {right}");
        source.wgsl = source.wgsl.replace(right, wrong);
    }
}

/// Binds a kernel of everything that is neither a projection nor attention.
fn bind_rest(rig: &Rig, kernels: &mut Kernels, layout: Layout) -> Result<(), Error> {
    let buffer = rig.empty("of any size", 1 << 16);
    let [y, routes, tiles, counts] =
        ["y", "routes", "tiles", "counts"].map(|label| rig.empty(label, 1 << 16));
    let table = HostMatrix::random(&mut Rng::new(1), layout, 32, whole_blocks(layout, 64));
    let table = table.upload(rig, RowOrder::Plain, u64::MAX);
    let scaling = Scaling { outputs: buffer.clone(), rows: buffer.clone() };
    for scaling in [None, Some(&scaling)] {
        block_on(embed_rows(kernels, &table, &buffer, &buffer, &y, scaling))?;
    }
    block_on(silu_mul(kernels, &buffer, 64, 1, &y, 32))?;
    let routing = Routing { n_experts: 8, top_k: 2, weights: TopKWeights::Softmax, has_shared_expert: false };
    for weights in [TopKWeights::Softmax, TopKWeights::Renormalised] {
        block_on(route_experts(kernels, &Routing { weights, ..routing }, &buffer, &routes))?;
    }
    let grouping = Grouping { routing, max_tokens: 16, tile_m: 16 };
    let groups = Groups { grouping, assignments: y.clone(), tiles };
    block_on(group_tokens(kernels, &buffer, &routes, &groups))?;
    block_on(combine_experts(kernels, &grouping, &routes, &buffer, 64, &y))?;
    let buffers = SampleBuffers {
        step: &buffer,
        samplers: &buffer,
        logits: &buffer,
        counts: &counts,
        biases: &buffer,
        allowed: &buffer,
        candidates: &y,
        next: &routes,
        drawn: &groups.tiles,
    };
    for class in DrawClass::ALL {
        block_on(select_candidates(kernels, &buffers, Draws::new(class, 64, 1)))?;
        block_on(sample_token(kernels, &buffers, Draws::new(class, 64, 1)))?;
    }
    let reports = Reports { n_vocab: 64, first: 4, max_top: 5 };
    let buffers = ReportBuffers { step: &buffer, logits: &buffer, drawn: &y };
    block_on(report_logprobs(kernels, &buffers, reports))?;
    Ok(())
}

#[test]
fn the_rest_passes_on_a_right_device_and_what_is_wrong_is_found() {
    let rig = Rig::open("");
    let tuning = rig.kernels.tuning();
    let self_test = SelfTest::new(Findings::default(), LONG);
    for layout in Layout::ALL {
        bind_rest(&rig, &mut kernels(&rig, tuning.clone(), &self_test), layout)
            .unwrap_or_else(|error| panic!("{layout:?}: {error}"));
    }
    assert_eq!(self_test.findings().n_right(), 2 * Layout::ALL.len() + 10);
    let faults: [(&str, Fault); 9] = [
        ("embed_rows", |s| alter(s, "embed_rows", "params.first_row", "(params.first_row + 1u)")),
        ("silu_mul", |s| alter(s, "silu_mul", "exp(", "exp2(")),
        ("route_experts", |s| alter(s, "route_experts", "exp(", "exp2(")),
        ("group_tokens", |s| alter(s, "group_tokens", "params.tile_m", "(params.tile_m - 1u)")),
        ("combine_experts", |s| alter(s, "combine_experts", "slot < params", "slot + 1u < params")),
        ("select_candidates", |s| alter(s, "select_candidates", "presence_penalty +", "2.0 +")),
        ("select_candidates keep1", |s| {
            alter(s, "select_candidates keep1", "slot * params.bias_stride", "slot + params.bias_stride");
        }),
        ("sample_token", |s| alter(s, "sample_token", "uniform_number(draw.z, draw.w)", "0.999")),
        ("report_logprobs", |s| alter(s, "report_logprobs", "log(total", "log2(total")),
    ];
    for (name, fault) in faults {
        let self_test = SelfTest::new(Findings::default(), LONG);
        let mut tried = kernels(&rig, tuning.clone(), &self_test).with_fault(fault);
        let error = bind_rest(&rig, &mut tried, Layout::Q4).expect_err(name);
        let Error::Wrong(WrongKernel { kernel, .. }) = &error else { panic!("{name}: {error}") };
        assert!(kernel.starts_with(name), "{name}: {error}");
    }
}

/// Every candidate of a device in its turn, as far as there are any.
fn candidates(tuning: &Tuning) -> Vec<Tuning> {
    let mut all = vec![tuning.clone()];
    loop {
        let mut next = all[all.len() - 1].clone();
        let choices = [
            Choice::Gemv(next.gemv[0].candidates.best()),
            Choice::Gemm(next.gemm[0].candidates.best()),
            Choice::Rows(next.rows.best()),
        ];
        if !choices.map(|choice| next.strike(choice)).contains(&true) {
            return all;
        }
        all.push(next);
    }
}

#[test]
fn every_layout_and_candidate_of_a_right_device_passes() {
    // shapes for GPUs take a CPU device's compiler long
    let some = [Layout::Q4, Layout::Q6K, Layout::BF16];
    for (mask, layouts) in
        [("", &Layout::ALL[..]), ("no-software", &some), ("no-software,no-subgroups", &some[..1])]
    {
        let rig = Rig::open(mask);
        let self_test = SelfTest::new(Findings::default(), LONG);
        for &layout in layouts {
            let mut kernels = kernels(&rig, rig.kernels.tuning().clone(), &self_test);
            bind(&rig, &mut kernels, layout).unwrap_or_else(|error| panic!("{layout:?} [{mask}]: {error}"));
        }
        let tunings = candidates(rig.kernels.tuning());
        assert!(tunings.len() > 1, "[{mask}] has something else to choose");
        for tuning in tunings {
            let mut kernels = kernels(&rig, tuning, &self_test);
            bind(&rig, &mut kernels, Layout::Q4).unwrap_or_else(|error| panic!("[{mask}]: {error}"));
        }
        assert!(self_test.findings().wrong.is_empty() && self_test.findings().n_right() > layouts.len());
    }
}

/// Something is wrong with kernels of some names: what a compiler could do to them.
type Fault = fn(&mut KernelSource);

const FAULTS: [(&str, Fault); 4] = [
    ("gemv q4 serial store", |source| {
        if source.name.contains("gemv q4 serial") {
            source.wgsl = source.wgsl.replace("params.n_outputs", "(params.n_outputs / 2u)");
        }
    }),
    ("gemm", |source| {
        if source.name.contains("Serial") {
            source.wgsl = source.wgsl.replace("params.n_outputs", "(params.n_outputs - 1u)");
        }
    }),
    ("norm_rms wg32", |source| {
        if source.name.contains("norm_rms wg32") {
            source.wgsl = source.wgsl.replace("params.eps", "(params.eps + 1.0)");
        }
    }),
    ("gemv", |source| {
        if source.name.contains("gemv q4 serial") {
            source.wgsl.push_str("\nthis does not compile");
        }
    }),
];

#[test]
fn what_is_wrong_is_found_and_something_else_is_right() {
    let rig = Rig::open("");
    if !rig.caps().is_software {
        // the faults are made for what CPU devices choose
        return;
    }
    for (name, fault) in FAULTS {
        let self_test = SelfTest::new(Findings::default(), LONG);
        let mut tuning = rig.kernels.tuning().clone();
        let mut tried = kernels(&rig, tuning.clone(), &self_test).with_fault(fault);
        let error = bind(&rig, &mut tried, Layout::Q4).unwrap_err();
        let Error::Wrong(WrongKernel { kernel, choice: Some(choice), reason }) = &error else {
            panic!("{name}: {error}")
        };
        assert!(kernel.starts_with(name.split(' ').next().unwrap()) && !reason.is_empty(), "{name}: {error}");
        assert!(tuning.strike(*choice), "{name}: there is something else");
        let mut tried = kernels(&rig, tuning, &self_test).with_fault(fault);
        bind(&rig, &mut tried, Layout::Q4).unwrap();
        assert_eq!(self_test.findings().wrong.len(), 1, "{name}");
    }
}

#[test]
fn what_is_known_is_not_tried_again_and_what_there_is_no_time_for_is_not_tried() {
    let rig = Rig::open("");
    let tuning = rig.kernels.tuning();
    let self_test = SelfTest::new(Findings::default(), Duration::ZERO);
    bind(&rig, &mut kernels(&rig, tuning.clone(), &self_test), Layout::Q4).unwrap();
    assert_eq!(*self_test.findings(), Findings::default());

    let self_test = SelfTest::new(Findings::default(), LONG);
    bind(&rig, &mut kernels(&rig, tuning.clone(), &self_test), Layout::Q4).unwrap();
    let text = serde_json::to_string(&*self_test.findings()).unwrap();
    let findings: Findings = serde_json::from_str(&text).unwrap();
    assert_eq!(findings, *self_test.findings());
    assert!(findings.n_right() > 8, "{text}");
    // they would be found to be wrong now
    let again = SelfTest::new(findings, LONG);
    let fault: Fault =
        |source| source.wgsl = source.wgsl.replace("params.n_outputs", "(params.n_outputs / 2u)");
    let mut tried = kernels(&rig, tuning.clone(), &again).with_fault(fault);
    bind(&rig, &mut tried, Layout::Q4).unwrap();
    assert!(bind(&rig, &mut tried, Layout::Q8).is_err(), "of these nothing is known");
}
