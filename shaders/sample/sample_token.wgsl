// Draws the next token of each output of a class from its candidates and makes it the input of its slot's next step.
//
//   top-k: keep s >= the k-th largest;  top-p: keep s while the probability of everything larger is < p;
//   min-p: keep s with exp(s - max) >= min_p;  then draw from the softmax of what is kept
//
// Both thresholds are found by bisecting on the ordered bits of the values, so no list is ever sorted.
// The uniform number is a hash of (seed, index of the token): the same seed gives the same text.
// Grid: x = output of the class, one workgroup each.
// Bindings: step; samplers [n_slots]; candidates [n_outputs, candidate_stride] of (value bits, id); next [n_slots]; drawn
// [n_outputs]; counts [n_slots, n_vocab].
// Needs: nothing.
//% include "shared/step.wgsl"
//% include "shared/ordered.wgsl"
//% include "shared/sampler.wgsl"

struct Params {
    n_candidates: u32,
    // elements in a row of candidates and of counts
    candidate_stride: u32,
    n_vocab: u32,
    class_of_draws: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> samplers: array<Sampler>;
@group(0) @binding(3) var<storage, read> candidates: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> next: array<u32>;
@group(0) @binding(5) var<storage, read_write> drawn: array<u32>;
@group(0) @binding(6) var<storage, read_write> counts: array<u32>;

var<workgroup> values: array<f32, 256>;
var<workgroup> ids: array<u32, 256>;
var<workgroup> chosen: u32;

//% include "shared/total.wgsl"

// PCG output function over a seed and a counter, in [0, 1)
fn uniform_number(seed: u32, counter: u32) -> f32 {
    var h = (seed ^ (counter * 0x9e3779b9u)) * 747796405u + 2891336453u;
    h = ((h >> ((h >> 28u) + 4u)) ^ h) * 277803737u;
    h = (h >> 22u) ^ h;
    h = (h + counter) * 747796405u + 2891336453u;
    h = ((h >> ((h >> 28u) + 4u)) ^ h) * 277803737u;
    h = (h >> 22u) ^ h;
    return f32(h >> 8u) * 5.9604644775390625e-8;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = params.n_candidates;
    let output = step[1][params.class_of_draws] + group.x;
    // token, slot, seed, index
    let draw = step[step[0].z + output];
    let sampler = samplers[draw.y];
    let row = output * params.candidate_stride;

    // the best candidate, lowest id among equals
    var best = LOWEST;
    var best_id = 0xffffffffu;
    for (var i = lane; i < n; i += 256u) {
        let value = bitcast<f32>(candidates[row + i].x);
        let id = candidates[row + i].y;
        if (value > best || (value == best && id < best_id)) {
            best = value;
            best_id = id;
        }
    }
    values[lane] = best;
    ids[lane] = best_id;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half >>= 1u) {
        if (lane < half) {
            let value = values[lane + half];
            let id = ids[lane + half];
            if (value > values[lane] || (value == values[lane] && id < ids[lane])) {
                values[lane] = value;
                ids[lane] = id;
            }
        }
        workgroupBarrier();
    }
    let top = values[0];
    let top_id = ids[0];
    workgroupBarrier();
    if (lane == 0u) {
        chosen = top_id;
    }

    if (sampler.temperature > 0.0 && sampler.top_k != 1u) {
        var threshold = 0u;
        if (sampler.top_k > 0u && sampler.top_k < n) {
            // largest threshold that at least k candidates reach
            for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
                var reached = 0.0;
                for (var i = lane; i < n; i += 256u) {
                    reached += select(0.0, 1.0, ordered(candidates[row + i].x) >= (threshold | bit));
                }
                if (total(reached, lane) >= f32(sampler.top_k)) {
                    threshold |= bit;
                }
            }
        }
        if (sampler.top_p < 1.0) {
            var kept = 0.0;
            for (var i = lane; i < n; i += 256u) {
                if (ordered(candidates[row + i].x) >= threshold) {
                    kept += exp(bitcast<f32>(candidates[row + i].x) - top);
                }
            }
            let wanted = sampler.top_p * total(kept, lane);
            // largest value above which at least p lies: it and everything below it is dropped
            var dropped = 0u;
            for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
                var above = 0.0;
                for (var i = lane; i < n; i += 256u) {
                    let value = ordered(candidates[row + i].x);
                    if (value >= threshold && value > (dropped | bit)) {
                        above += exp(bitcast<f32>(candidates[row + i].x) - top);
                    }
                }
                if (total(above, lane) >= wanted) {
                    dropped |= bit;
                }
            }
            // below the largest, which stays even when top_p is 0 (and everything would be dropped)
            threshold = max(threshold, min(dropped, ordered(bitcast<u32>(top)) - 1u) + 1u);
        }
        // each invocation owns a run of candidates, so that the drawn order does not depend on the device
        let run = (n + 255u) / 256u;
        let first = min(lane * run, n);
        let end = min(first + run, n);
        var mass = 0.0;
        for (var i = first; i < end; i++) {
            let e = exp(bitcast<f32>(candidates[row + i].x) - top);
            if (ordered(candidates[row + i].x) >= threshold && e >= sampler.min_p) {
                mass += e;
            }
        }
        values[lane] = mass;
        workgroupBarrier();
        var before = 0.0;
        var whole = 0.0;
        for (var i = 0u; i < 256u; i++) {
            if (i == lane) {
                before = whole;
            }
            whole += values[i];
        }
        let target_mass = uniform_number(draw.z, draw.w) * whole;
        if (mass > 0.0 && target_mass >= before && target_mass < before + mass) {
            var reached = before;
            var last = top_id;
            for (var i = first; i < end; i++) {
                let e = exp(bitcast<f32>(candidates[row + i].x) - top);
                // rounding may leave `reached` short of the target to the end: what has no mass must not be last
                if (ordered(candidates[row + i].x) >= threshold && e >= sampler.min_p && e > 0.0 && reached <= target_mass) {
                    reached += e;
                    last = candidates[row + i].y;
                }
            }
            chosen = last;
        }
    }
    workgroupBarrier();
    if (lane == 0u) {
        next[draw.y] = chosen;
        drawn[output] = chosen;
        counts[draw.y * params.n_vocab + chosen] += 1u;
    }
}
