//! `group_tokens`: tokens sorted by expert, and tiles of them.

use qwill_kernels::cpu::{self, Tile};
use qwill_kernels::{Grouping, Groups, group_tokens};

use super::{Batch, batches, chosen, random_routes};
use crate::checks::Outcome;
use crate::{Depth, Rig, Rng, TestSpan, TestStep, block_on};

/// Runs `group_tokens`, over what another step left.
pub(super) fn group(rig: &mut Rig, grouping: Grouping, n_tokens: usize, routes: &[[u32; 2]]) -> Groups {
    let stale = |bytes: usize| vec![3u32; bytes / 4];
    let groups = Groups {
        grouping,
        assignments: rig.upload("assignments", &stale(grouping.assignments_bytes())),
        tiles: rig.upload("tiles", &stale(grouping.tiles_bytes())),
    };
    let (step, shape) = TestStep::of(vec![TestSpan::without_cache(n_tokens)]).upload(rig);
    let routes = rig.upload("routes", routes);
    let launch = block_on(group_tokens(&mut rig.kernels, &step, &routes, &groups)).unwrap();
    rig.run([&launch], shape);
    groups
}

/// Groups a step's tokens; everything must be exact.
fn try_batch(rig: &mut Rig, rng: &mut Rng, Batch { grouping, n_tokens, n_used }: Batch) -> f64 {
    let what = format!("{grouping:?}, {n_tokens} tokens to {n_used} experts");
    let routes = random_routes(rng, &grouping.routing, n_tokens, n_used);
    let groups = group(rig, grouping, n_tokens, &routes);
    let (experts, _) = chosen(&grouping.routing, &routes);
    let (wanted, wanted_tiles) = cpu::group_tokens(&experts, grouping.tile_m as usize);
    assert!(wanted_tiles.len() <= grouping.max_tiles(n_tokens), "{what}: {} tiles", wanted_tiles.len());

    let found: Vec<[u32; 3]> = rig.read(&groups.tiles);
    let (used, unused) = found.split_at(wanted_tiles.len());
    let used = used.iter().map(|&[expert, first, count]| Tile { expert, first, count });
    for (at, (found, wanted)) in used.zip(wanted_tiles).enumerate() {
        assert_eq!(found, wanted, "tile {at}, {what}");
    }
    assert!(unused.iter().all(|tile| tile[2] == 0), "{what}: {unused:?}");

    let found: Vec<u32> = rig.read(&groups.assignments);
    let (mut found, beyond) = (found[..wanted.len()].to_vec(), &found[wanted.len()..]);
    // by expert already; inside an expert any order will do
    found.chunk_by_mut(|&a, &b| experts[a as usize] == experts[b as usize]).for_each(<[u32]>::sort_unstable);
    for (at, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
        assert_eq!(found, wanted, "assignment {at}, {what}");
    }
    assert!(beyond.iter().all(|&stale| stale == 3), "{what}: {beyond:?}");
    0.0
}

pub(in crate::checks) fn groups(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(3);
    let mut outcome = Outcome::default();
    let batches = batches(depth);
    for size in [16, 64] {
        assert!(batches.iter().any(|batch| batch.grouping.tile_m == size), "no tiles of {size}");
    }
    for batch in batches {
        outcome.case(rig, |rig| try_batch(rig, &mut rng, batch));
    }
    outcome
}
