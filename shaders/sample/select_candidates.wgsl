// Applies biases, penalties and temperature to the logits and keeps the best KEEP of every 1024 that may be drawn.
//
//   s += bias;  s > 0: s / rho, else s * rho  for ids seen in prompt or output;  s -= presence * [n > 0] + frequency * n;  s / T
//
// Grid: x = chunk of 1024 logits, y = output of the class of KEEP. Candidates of a chunk are in falling order, ties by rising id.
// Bindings: step; samplers [n_slots]; logits [n_outputs, stride] f32; counts [n_slots, n_vocab] u32 (bit 31: in the
// prompt, rest: times in the output); candidates [n_outputs, chunks, KEEP] in rows of candidate_stride, of (value as bits,
// id); biases [n_slots, bias_stride], each slot's by rising id; allowed [n_slots, allowed_stride]: 0 where any token may be
// drawn, and behind that word a bit for each token that may.
// Needs: nothing.
//% include "shared/step.wgsl"
//% include "shared/sampler.wgsl"

struct Params {
    // elements in a row of logits, of counts and of candidates
    logits_stride: u32,
    n_vocab: u32,
    candidate_stride: u32,
    // most biases of a slot
    bias_stride: u32,
    // words of a slot
    allowed_stride: u32,
}

struct LogitBias {
    id: u32,
    bias: f32,
}

const KEEP: u32 = ${ keep }u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> samplers: array<Sampler>;
@group(0) @binding(3) var<storage, read> logits: array<f32>;
@group(0) @binding(4) var<storage, read> counts: array<u32>;
@group(0) @binding(5) var<storage, read_write> candidates: array<vec2<u32>>;
@group(0) @binding(6) var<storage, read> biases: array<LogitBias>;
@group(0) @binding(7) var<storage, read> allowed: array<u32>;

//% if keep == 1
var<workgroup> values: array<f32, 256>;
var<workgroup> ids: array<u32, 256>;
//% else
var<workgroup> values: array<f32, 1024>;
var<workgroup> ids: array<u32, 1024>;
//% endif

struct Source {
    sampler: Sampler,
    // first element of its logits, of its counts, of its biases, and of its allowed tokens
    logits: u32,
    counts: u32,
    biases: u32,
    allowed: u32,
    is_limited: bool,
}

fn bias_of(source: Source, id: u32) -> f32 {
    // the first that is not below the id
    var first = 0u;
    var end = source.sampler.n_biases;
    while (first < end) {
        let middle = (first + end) / 2u;
        if (biases[source.biases + middle].id < id) {
            first = middle + 1u;
        } else {
            end = middle;
        }
    }
    if (first < source.sampler.n_biases && biases[source.biases + first].id == id) {
        return biases[source.biases + first].bias;
    }
    return 0.0;
}

fn adjusted(source: Source, id: u32) -> f32 {
    let sampler = source.sampler;
    if (id >= sampler.n_vocab) {
        return LOWEST;
    }
    if (source.is_limited && ((allowed[source.allowed + 1u + id / 32u] >> (id % 32u)) & 1u) == 0u) {
        return LOWEST;
    }
    var s = logits[source.logits + id];
    if (sampler.n_biases > 0u) {
        s += bias_of(source, id);
    }
    let count = counts[source.counts + id];
    if (count != 0u) {
        s = select(s * sampler.repetition_penalty, s / sampler.repetition_penalty, s > 0.0);
    }
    let made = count & 0x7fffffffu;
    if (made != 0u) {
        s -= sampler.presence_penalty + sampler.frequency_penalty * f32(made);
    }
    if (sampler.temperature > 0.0) {
        s /= sampler.temperature;
    }
    return max(s, LOWEST);
}

fn precedes(value_a: f32, id_a: u32, value_b: f32, id_b: u32) -> bool {
    return value_a > value_b || (value_a == value_b && id_a < id_b);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = step[1][${ class }] + group.y;
    let slot = step[step[0].z + output].y;
    let first_allowed = slot * params.allowed_stride;
    let source = Source(
        samplers[slot],
        output * params.logits_stride,
        slot * params.n_vocab,
        slot * params.bias_stride,
        first_allowed,
        allowed[first_allowed] != 0u,
    );
    let first = group.x * 1024u;
//% if keep == 1
    var value = adjusted(source, first + lane);
    var id = first + lane;
    for (var i = 256u; i < 1024u; i += 256u) {
        let other = adjusted(source, first + lane + i);
        if (other > value) {
            value = other;
            id = first + lane + i;
        }
    }
    values[lane] = value;
    ids[lane] = id;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half >>= 1u) {
        if (lane < half && precedes(values[lane + half], ids[lane + half], values[lane], ids[lane])) {
            values[lane] = values[lane + half];
            ids[lane] = ids[lane + half];
        }
        workgroupBarrier();
    }
//% else
    for (var i = lane; i < 1024u; i += 256u) {
        values[i] = adjusted(source, first + i);
        ids[i] = first + i;
    }
    workgroupBarrier();
    // bitonic sort
    for (var size = 2u; size <= 1024u; size <<= 1u) {
        for (var gap = size >> 1u; gap > 0u; gap >>= 1u) {
            for (var pair = lane; pair < 512u; pair += 256u) {
                let a = (pair / gap) * gap * 2u + pair % gap;
                let b = a + gap;
                let falling = (a & size) == 0u;
                if (precedes(values[b], ids[b], values[a], ids[a]) == falling) {
                    let value = values[a];
                    values[a] = values[b];
                    values[b] = value;
                    let id = ids[a];
                    ids[a] = ids[b];
                    ids[b] = id;
                }
            }
            workgroupBarrier();
        }
    }
//% endif
    for (var i = lane; i < KEEP; i += 256u) {
        candidates[output * params.candidate_stride + group.x * KEEP + i] = vec2(bitcast<u32>(values[i]), ids[i]);
    }
}
