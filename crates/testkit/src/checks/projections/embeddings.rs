//! `embed_rows`.

use qwill_kernels::{RowOrder, TokenSource, align_row, cpu, embed_rows};
use qwill_weights::Layout;

use crate::checks::Outcome;
use crate::checks::released::{DISTINCT_ROWS, VOCABULARY, layouts};
use crate::checks::rows::{Factors, UNTOUCHED};
use crate::{
    Depth, HostMatrix, Report, Rig, Rng, TestSpan, TestStep, Upload, block_on, padded_rows, whole_blocks,
};

/// A table.
struct Case {
    layout: Layout,
    n_rows: usize,
    /// Rows that differ.
    n_distinct: usize,
    k: usize,
    /// Bytes of a binding.
    max_binding: u64,
}

fn cases(depth: Depth) -> Vec<Case> {
    let small =
        |(layout, (n_rows, k, max_binding))| Case { layout, n_rows, n_distinct: n_rows, k, max_binding };
    let released =
        |layout, n_rows, k| Case { layout, n_rows, n_distinct: DISTINCT_ROWS, k, max_binding: u64::MAX };
    match depth {
        Depth::Full | Depth::Slice => {
            // (rows, columns, bytes of a binding)
            let mut sizes = vec![(37, 40, 512), (5, 24, 1 << 20)];
            if depth == Depth::Full {
                sizes.extend([(130, 600, 16 << 10), (3, 96, 1 << 20)]);
            }
            let each = sizes.into_iter().flat_map(|size| Layout::ALL.map(|layout| (layout, size)));
            each.map(small).collect()
        }
        Depth::Quick => vec![released(Layout::Q4, VOCABULARY, 1024)],
        Depth::Real => {
            let mut cases: Vec<_> = layouts().map(|layout| released(layout, VOCABULARY, 1024)).collect();
            // the largest: of 7B as it is published, and of 72B in 4 bits
            cases.insert(4, released(Layout::BF16, 152_064, 3584));
            cases.insert(5, released(Layout::Q4K, 152_064, 8192));
            cases
        }
    }
}

/// Looks tokens up, with and without factors; every number must be exact.
fn try_table(rig: &mut Rig, rng: &mut Rng, case: &Case) -> f64 {
    let Case { layout, n_rows, n_distinct, max_binding, .. } = *case;
    let k = whole_blocks(layout, case.k);
    let host = HostMatrix::random(rng, layout, n_distinct, k).repeated(n_rows);
    let table = host.upload(rig, RowOrder::Plain, max_binding);
    // first and last row, a row twice, any others, and those where shards meet
    let mut tokens = vec![0, n_rows as u32 - 1, 1, 1];
    tokens.extend((0..7).map(|_| rng.below(n_rows) as u32));
    tokens.extend(table.shards[1..].iter().take(4).flat_map(|shard| {
        let first = shard.first_row as u32;
        [first - 1, first]
    }));
    let y = rig.upload("y", &vec![UNTOUCHED; tokens.len() * align_row(k)]);
    // every third is one that was sampled: of a slot that no other token has
    let next = rig.upload("sampled last", &tokens);
    let span = |slot: usize| {
        let id = if slot.is_multiple_of(3) { TokenSource::Next } else { TokenSource::Id(tokens[slot]) };
        TestSpan { slot: slot as u32, tokens: vec![id], ..TestSpan::without_cache(1) }
    };
    let (step, shape) = TestStep::of((0..tokens.len()).map(span).collect()).upload(rig);
    let columns = rng.floats(k, 2.0);
    // a product with a power of two is exact
    let rows: Vec<f32> = [0.5, 0.0, -2.0, 1.0].into_iter().cycle().take(tokens.len()).collect();
    let scaling = Factors { outputs: padded_rows(&columns, k), rows: rows.clone() }.upload(rig);
    let distinct: Vec<u32> = tokens.iter().map(|&token| token % n_distinct as u32).collect();
    for (scaling, factors) in [(None, None), (Some(&scaling), Some((&columns[..], &rows[..])))] {
        let launches = block_on(embed_rows(&mut rig.kernels, &table, &step, &next, &y, scaling)).unwrap();
        assert_eq!(launches.len(), table.shards.len());
        rig.run(&launches, shape.clone());
        let found: Vec<f32> = rig.read(&y);
        let wanted = cpu::embed_rows(&host.values, k, &distinct, factors);
        let wanted: Vec<f32> = wanted.into_iter().map(|value| value as f32).collect();
        let wanted: Vec<f64> = padded_rows(&wanted, k).into_iter().map(f64::from).collect();
        let what =
            format!("{layout:?} {n_rows}x{k} in {} shards, scaled {}", table.shards.len(), scaling.is_some());
        Report::new(&found, &wanted, |_| 1.0).expect(&what, 0.0);
    }
    0.0
}

pub(in crate::checks) fn embeddings(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(1);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        outcome.case(rig, |rig| try_table(rig, &mut rng, &case));
    }
    outcome
}
