//! Every permutation of every kernel, for the tools that compile them all.

use qwill_gpu::{Caps, KernelSource, SubgroupWidth};
use qwill_weights::Layout;

use crate::embed::Scaled;
use crate::gemv::Experts;
use crate::tuning::{GemmShape, GemvShape, Reduction};
use crate::{
    Attend, Epilogue, KvType, RotaryRows, Rotate, Templates, TopKWeights, Visibility, attention, embed,
    experts, gemm, gemv, grouping, norm, routing, sample, silu_mul,
};

/// Layouts of low-rank adapters.
const ADAPTERS: [Layout; 3] = [Layout::F32, Layout::F16, Layout::BF16];

const EPILOGUES: [Epilogue; 6] = [
    Epilogue::Store,
    Epilogue::Relu,
    Epilogue::Add,
    Epilogue::AddScaled,
    Epilogue::StoreScaled,
    Epilogue::SiluMul,
];

const GEMV_SHAPES: [GemvShape; 5] = [
    GemvShape { reduction: Reduction::Subgroup, workgroup: 64, rows: 4 },
    GemvShape { reduction: Reduction::Subgroup, workgroup: 256, rows: 4 },
    GemvShape { reduction: Reduction::Tree, workgroup: 64, rows: 4 },
    GemvShape { reduction: Reduction::Tree, workgroup: 256, rows: 4 },
    GemvShape { reduction: Reduction::Serial, workgroup: 16, rows: 4 },
];

const GEMM_SHAPES: [GemmShape; 3] =
    [GemmShape::Tiled { tile_m: 16 }, GemmShape::Tiled { tile_m: 64 }, GemmShape::Serial { workgroup: 16 }];

/// Where a permutation will be compiled.
fn caps(is_web: bool, subgroups: bool, is_software: bool) -> Caps {
    Caps {
        f16: true,
        subgroups: subgroups.then_some(SubgroupWidth { min: 4, max: 128 }),
        dot4: true,
        timestamps: false,
        max_binding: 128 << 20,
        max_buffer: 256 << 20,
        max_memory: None,
        max_workgroup_memory: 16 << 10,
        max_workgroup_size: 256,
        is_software,
        is_web,
    }
}

/// Every permutation that a device may ask for: all layouts, epilogues and reductions, head shapes of every released
/// model and some odd ones. With `is_web` the sources are what a browser gets.
pub fn permutations(is_web: bool) -> Vec<KernelSource> {
    let templates = &Templates::default();
    let mut all = Vec::new();
    for layout in Layout::ALL {
        all.push(embed::source(templates, layout, Scaled::No));
        for epilogue in EPILOGUES {
            if epilogue == Epilogue::StoreScaled && !ADAPTERS.contains(&layout) {
                continue;
            }
            for bias in [false, true] {
                if bias && !epilogue.takes_bias() {
                    continue;
                }
                for shape in GEMM_SHAPES {
                    all.push(gemm::source(
                        templates,
                        &gemm::Variant { layout, epilogue, bias, shape, experts: false },
                    ));
                }
                for norm in [false, true] {
                    for shape in GEMV_SHAPES {
                        let experts = Experts::None;
                        let variant = gemv::Variant { layout, shape, epilogue, norm, bias, experts };
                        all.push(gemv::source(templates, &caps(is_web, true, false), &variant));
                    }
                }
            }
        }
        for epilogue in [Epilogue::SiluMul, Epilogue::Store] {
            for shape in GEMM_SHAPES {
                let variant = gemm::Variant { layout, epilogue, bias: false, shape, experts: true };
                all.push(gemm::source(templates, &variant));
            }
        }
        for (epilogue, norm, experts) in [
            (Epilogue::SiluMul, false, Experts::Spread),
            (Epilogue::SiluMul, true, Experts::Spread),
            (Epilogue::Store, true, Experts::Spread),
            (Epilogue::Add, false, Experts::Gather),
        ] {
            for shape in GEMV_SHAPES {
                let variant = gemv::Variant { layout, shape, epilogue, norm, bias: false, experts };
                all.push(gemv::source(templates, &caps(is_web, true, false), &variant));
            }
        }
    }
    for layout in ADAPTERS {
        all.push(embed::source(templates, layout, Scaled::Yes));
        for epilogue in [Epilogue::StoreScaled, Epilogue::Add] {
            for shape in GEMM_SHAPES {
                let variant = gemm::Variant { layout, epilogue, bias: false, shape, experts: true };
                all.push(gemm::source(templates, &variant));
            }
            for norm in [false, true] {
                for shape in GEMV_SHAPES {
                    let experts = Experts::Spread;
                    let variant = gemv::Variant { layout, shape, epilogue, norm, bias: false, experts };
                    all.push(gemv::source(templates, &caps(is_web, true, false), &variant));
                }
            }
        }
    }
    all.push(silu_mul::source(templates));
    for (subgroups, is_software) in [(true, false), (false, false), (true, true)] {
        let caps = &caps(is_web, subgroups, is_software);
        all.push(norm::source(templates, caps));
        all.push(grouping::source(templates, caps));
        for weights in [TopKWeights::Softmax, TopKWeights::Renormalised] {
            all.push(routing::source(templates, caps, weights));
        }
    }
    all.push(experts::combine_source(templates));
    for kv in [KvType::F32, KvType::F16, KvType::Q8] {
        for (head_dim, group) in
            [(16, 1), (24, 3), (32, 4), (64, 7), (80, 1), (128, 2), (128, 5), (128, 16), (256, 8)]
        {
            let split = attention::decode_split(group, head_dim).expect("a supported shape");
            for visibility in [Visibility::Causal, Visibility::DualChunks(64), Visibility::Bidirectional] {
                let attend = Attend { n_heads: group * 2, n_kv_heads: 2, head_dim, visibility, kv };
                if visibility != Visibility::Bidirectional {
                    all.push(attention::decode_source(templates, &attend, split));
                }
                all.push(attention::prefill_source(templates, &attend));
            }
            all.push(attention::merge_source(templates, head_dim, split));
            for qk_norm in [false, true] {
                for rotary_dim in [head_dim, head_dim.next_multiple_of(32) / 4] {
                    for (per_position, first_query, n_queries) in [(1, 0, 1), (2, 1, 1), (3, 0, 3)] {
                        let rotate = Rotate {
                            n_heads: group * 2,
                            n_kv_heads: 2,
                            head_dim,
                            rotary_dim,
                            rows: RotaryRows { per_position, first_query, n_queries },
                            scale: 1.0,
                            eps: 1e-6,
                            kv,
                        };
                        all.push(attention::rotate_source(templates, &rotate, qk_norm));
                    }
                }
            }
        }
    }
    for keep in [1, 64, 1024] {
        all.push(sample::select_source(templates, keep));
    }
    all.push(sample::sample_source(templates));
    all.sort_by(|a, b| a.wgsl.cmp(&b.wgsl));
    all.dedup_by(|a, b| a.wgsl == b.wgsl);
    all
}
