// Sorts the assignments of tokens to experts by expert and cuts them into tiles for a grouped GEMM.
//
//   assignment = token * top_k + slot;  tiles: those of each expert in runs of at most tile_m, experts in order
//
// The order inside an expert is whatever the atomics make it: each assignment is computed on its own, so results do not
// depend on it. Tiles past the last one get a count of 0.
// Grid: one workgroup.
// Bindings: step; routes [n_tokens, n_slots] of (expert, weight bits); assignments [n_tokens * top_k]; tiles
// [max_tiles].
// Needs: nothing.
//% include "shared/step.wgsl"
//% include "shared/tile.wgsl"

struct Params {
    n_experts: u32,
    top_k: u32,
    // top_k, or more; the rest is not looked at
    n_slots: u32,
    tile_m: u32,
    max_tiles: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> routes: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> assignments: array<u32>;
@group(0) @binding(4) var<storage, read_write> tiles: array<Tile>;

// assignments of each expert, and where its next one goes
var<workgroup> counts: array<atomic<u32>, ${ max_experts }>;
var<workgroup> places: array<atomic<u32>, ${ max_experts }>;
var<workgroup> n_tiles: u32;

fn expert_of(assignment: u32) -> u32 {
    return routes[(assignment / params.top_k) * params.n_slots + assignment % params.top_k].x;
}

@compute @workgroup_size(${ wg })
fn main(@builtin(local_invocation_index) lane: u32) {
    let n = step[0].x * params.top_k;
    for (var e = lane; e < params.n_experts; e += ${ wg }u) {
        atomicStore(&counts[e], 0u);
    }
    workgroupBarrier();
    for (var i = lane; i < n; i += ${ wg }u) {
        atomicAdd(&counts[expert_of(i)], 1u);
    }
    workgroupBarrier();
    for (var e = lane; e < params.n_experts; e += ${ wg }u) {
        var place = 0u;
        var tile = 0u;
        for (var before = 0u; before < e; before++) {
            let count = atomicLoad(&counts[before]);
            place += count;
            tile += (count + params.tile_m - 1u) / params.tile_m;
        }
        atomicStore(&places[e], place);
        let count = atomicLoad(&counts[e]);
        for (var done = 0u; done < count; done += params.tile_m) {
            tiles[tile] = Tile(e, place + done, min(count - done, params.tile_m));
            tile++;
        }
        if (e == params.n_experts - 1u) {
            n_tiles = tile;
        }
    }
    workgroupBarrier();
    for (var tile = n_tiles + lane; tile < params.max_tiles; tile += ${ wg }u) {
        tiles[tile] = Tile(0u, 0u, 0u);
    }
    for (var i = lane; i < n; i += ${ wg }u) {
        assignments[atomicAdd(&places[expert_of(i)], 1u)] = i;
    }
}
