//! Every permutation of every kernel, for the tools that compile them all.

use qwill_gpu::{Caps, KernelSource, SubgroupWidth};
use qwill_weights::Layout;

use crate::embed::Scaled;
use crate::gemv::Experts;
use crate::shapes::{GemmShape, GemvShape};
use crate::{
    Attend, DrawClass, EpilogueKind, KvType, RotaryRows, Rotate, Templates, TopKWeights, Tuning, UpTo,
    Visibility, attention, embed, experts, gemm, gemv, grouping, norm, report, routing, sample, silu_mul,
};

/// Layouts of low-rank adapters.
const ADAPTERS: [Layout; 3] = [Layout::F32, Layout::F16, Layout::BF16];

/// What a permutation of a projection has besides its layout and shape.
#[derive(Clone, Copy)]
struct Use {
    epilogue: EpilogueKind,
    norm: bool,
    bias: bool,
    experts: Experts,
}

/// Everything that projections of one row are used for with weights in a layout.
fn uses_of_one_row(layout: Layout) -> Vec<Use> {
    let mut uses = Vec::new();
    for epilogue in EpilogueKind::ALL {
        for (norm, bias) in [(false, false), (true, false), (false, true), (true, true)] {
            if (epilogue != EpilogueKind::StoreScaled || ADAPTERS.contains(&layout))
                && (!bias || epilogue.takes_bias())
            {
                uses.push(Use { epilogue, norm, bias, experts: Experts::None });
            }
        }
    }
    let mut by_experts = vec![
        (EpilogueKind::SiluMul, false, Experts::Spread),
        (EpilogueKind::SiluMul, true, Experts::Spread),
        (EpilogueKind::Store, true, Experts::Spread),
        (EpilogueKind::Add, false, Experts::Gather),
    ];
    if ADAPTERS.contains(&layout) {
        by_experts.extend([
            (EpilogueKind::StoreScaled, false, Experts::Spread),
            (EpilogueKind::StoreScaled, true, Experts::Spread),
            (EpilogueKind::Add, false, Experts::Spread),
            (EpilogueKind::Add, true, Experts::Spread),
        ]);
    }
    uses.extend(by_experts.into_iter().map(|(epilogue, norm, experts)| Use {
        epilogue,
        norm,
        bias: false,
        experts,
    }));
    uses
}

/// Everything that projections of many rows are used for: (epilogue, bias, by experts).
fn uses_of_many_rows(layout: Layout) -> Vec<(EpilogueKind, bool, bool)> {
    let mut uses: Vec<_> = uses_of_one_row(layout)
        .into_iter()
        .filter(|used| !used.norm && used.experts == Experts::None)
        .map(|used| (used.epilogue, used.bias, false))
        .collect();
    uses.extend([(EpilogueKind::SiluMul, false, true), (EpilogueKind::Store, false, true)]);
    if ADAPTERS.contains(&layout) {
        uses.extend([(EpilogueKind::StoreScaled, false, true), (EpilogueKind::Add, false, true)]);
    }
    uses
}

/// Shapes of a kernel: those that some device has by its facts alone, and those that it may have by a measurement.
struct Shapes<T> {
    chosen: Vec<T>,
    possible: Vec<T>,
}

impl<T: Copy + PartialEq> Shapes<T> {
    fn of<'t>(rules: impl IntoIterator<Item = &'t UpTo<T>>) -> Self
    where
        T: 't,
    {
        let mut shapes = Self { chosen: Vec::new(), possible: Vec::new() };
        for rule in rules {
            let [best, others @ ..] = rule.candidates.all() else { continue };
            shapes.chosen.push(*best);
            shapes.possible.extend(others);
        }
        shapes
    }

    /// Pairs of shapes and uses: what is chosen with every use; what is possible with one use for each layout, so that over all
    /// layouts every shape meets every use.
    fn with<U: Copy>(&self, uses: &[U], layout: usize) -> Vec<(T, U)> {
        let chosen = self.chosen.iter().flat_map(|&shape| uses.iter().map(move |&used| (shape, used)));
        let possible =
            self.possible.iter().enumerate().map(|(at, &shape)| (shape, uses[(at + layout) % uses.len()]));
        chosen.chain(possible).collect()
    }
}

/// Where permutations are compiled: a GPU with subgroups, one without, a CPU device.
fn devices(is_web: bool) -> [Caps; 3] {
    [(true, false), (false, false), (true, true)].map(|(subgroups, is_software)| Caps {
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
    })
}

/// Every permutation that a device may ask for: all layouts, uses and the shapes of all tuning tables, head shapes of every
/// released model and some odd ones. With `is_web` the sources are what a browser gets.
pub fn permutations(is_web: bool) -> Vec<KernelSource> {
    let templates = &Templates::default();
    let devices = devices(is_web);
    let tunings = devices.each_ref().map(Tuning::of);
    let mut all = Vec::new();
    projections(templates, &devices[0], &tunings, &mut all);
    all.push(silu_mul::source(templates));
    for (caps, tuning) in devices.iter().zip(&tunings) {
        for &shape in tuning.rows.all() {
            all.push(norm::source(templates, caps, shape));
            for weights in [TopKWeights::Softmax, TopKWeights::Renormalised] {
                all.push(routing::source(templates, caps, shape, weights));
            }
        }
        all.extend(tuning.group_workgroup.all().iter().map(|&wg| grouping::source(templates, wg)));
    }
    all.push(experts::combine_source(templates));
    for kv in [KvType::F32, KvType::F16, KvType::Q8] {
        for (head_dim, group) in [
            (16, 1),
            (24, 3),
            (32, 4),
            (64, 7),
            (80, 1),
            (128, 1),
            (128, 2),
            (128, 4),
            (128, 5),
            (128, 7),
            (128, 16),
            (256, 8),
        ] {
            for visibility in [Visibility::Causal, Visibility::DualChunks(64), Visibility::Bidirectional] {
                let attend = Attend { n_heads: group * 2, n_kv_heads: 2, head_dim, visibility, kv };
                if visibility != Visibility::Bidirectional {
                    all.push(attention::decode_source(templates, &attend));
                }
                all.push(attention::prefill_source(templates, &attend));
            }
            all.push(attention::merge_source(templates, head_dim));
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
    for class in DrawClass::ALL {
        all.push(sample::select_source(templates, class));
    }
    all.push(sample::sample_source(templates));
    all.push(report::source(templates));
    all.sort_by(|a, b| a.wgsl.cmp(&b.wgsl));
    all.dedup_by(|a, b| a.wgsl == b.wgsl);
    all
}

/// Embeddings and projections, in every layout.
fn projections(templates: &Templates, caps: &Caps, tunings: &[Tuning], all: &mut Vec<KernelSource>) {
    let gemv_shapes = Shapes::<GemvShape>::of(tunings.iter().flat_map(|tuning| &tuning.gemv));
    let gemm_shapes = Shapes::<GemmShape>::of(tunings.iter().flat_map(|tuning| &tuning.gemm));
    for (at, layout) in Layout::ALL.into_iter().enumerate() {
        all.push(embed::source(templates, layout, Scaled::No));
        if ADAPTERS.contains(&layout) {
            all.push(embed::source(templates, layout, Scaled::Yes));
        }
        for (shape, Use { epilogue, norm, bias, experts }) in gemv_shapes.with(&uses_of_one_row(layout), at) {
            let variant =
                gemv::Variant { layout, shape: shape.for_layout(layout), epilogue, norm, bias, experts };
            all.push(gemv::source(templates, caps, &variant));
        }
        for (shape, (epilogue, bias, experts)) in gemm_shapes.with(&uses_of_many_rows(layout), at) {
            all.push(gemm::source(templates, &gemm::Variant { layout, epilogue, bias, shape, experts }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A kernel that a device may ask for and that nobody compiled would fail there and nowhere else.
    #[test]
    fn every_shape_of_every_table_is_compiled() {
        let templates = &Templates::default();
        let names: HashSet<String> = permutations(true).into_iter().map(|kernel| kernel.name).collect();
        let is_there = |source: KernelSource| names.contains(&source.name);
        for caps in &devices(true) {
            let tuning = Tuning::of(caps);
            let candidates: Vec<_> = tuning.gemv.iter().flat_map(|rule| rule.candidates.all()).collect();
            for layout in Layout::ALL {
                let uses = uses_of_one_row(layout);
                let gemv = |shape, &Use { epilogue, norm, bias, experts }: &Use| {
                    is_there(gemv::source(
                        templates,
                        caps,
                        &gemv::Variant { layout, shape, epilogue, norm, bias, experts },
                    ))
                };
                // every length of rows that the table tells apart
                for shape in [32, 2048, 2049, 8192, 8193, 29_568].map(|k| tuning.gemv(layout, k)) {
                    assert!(
                        uses.iter().all(|used| gemv(shape, used)),
                        "{shape:?} of {layout:?} is not compiled"
                    );
                }
                for shape in candidates.iter().map(|shape| shape.for_layout(layout)) {
                    assert!(
                        uses.iter().any(|used| gemv(shape, used)),
                        "{shape:?} of {layout:?} is not compiled"
                    );
                }
                for shape in [1, 16, 17, 4096].map(|max_tokens| tuning.gemm(max_tokens)) {
                    for (epilogue, bias, experts) in uses_of_many_rows(layout) {
                        let variant = gemm::Variant { layout, epilogue, bias, shape, experts };
                        assert!(is_there(gemm::source(templates, &variant)), "{variant:?} is not compiled");
                    }
                }
            }
        }
    }
}
