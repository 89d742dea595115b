// Log probabilities after an output, of the logits as the model gave them: that of one token, and the largest with their ids.
//
//   logprob(i) = s_i - max - log(sum_j exp(s_j - max));  the largest in falling order, ties by rising id
//
// Nothing is sorted: each invocation knows the best of its slice of the vocabulary (every 256th id), the best of these is
// the next of the list, and all invocations together look for what comes next in the slice that it is from.
// Grid: x = report, one workgroup each.
// Bindings: step; logits [n_outputs, stride] f32; drawn [n_outputs] of tokens, and behind them the reports: bits of the
// token's log probability, then (id, bits of its log probability) of the largest.
// Needs: nothing.
//% include "shared/step.wgsl"
//% include "shared/sampler.wgsl"

struct Params {
    // elements in a row of logits
    logits_stride: u32,
    n_vocab: u32,
    // words before the reports, and of each
    first_report: u32,
    report_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> drawn: array<u32>;

const NO_TOKEN: u32 = 0xffffffffu;

var<workgroup> values: array<f32, 256>;
var<workgroup> ids: array<u32, 256>;

struct Logit {
    value: f32,
    id: u32,
}

fn precedes(a: Logit, b: Logit) -> bool {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
}

// The first of what the invocations have.
fn first_of(own: Logit, lane: u32) -> Logit {
    values[lane] = own.value;
    ids[lane] = own.id;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half >>= 1u) {
        if (lane < half && precedes(Logit(values[lane + half], ids[lane + half]), Logit(values[lane], ids[lane]))) {
            values[lane] = values[lane + half];
            ids[lane] = ids[lane + half];
        }
        workgroupBarrier();
    }
    let found = Logit(values[0], ids[0]);
    workgroupBarrier();
    return found;
}

//% include "shared/total.wgsl"

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // output, token or NEXT for what was drawn, how many of the largest
    let report = step[step[1].w + group.x];
    let row = report.x * params.logits_stride;
    let target_word = params.first_report + group.x * params.report_stride;

    // the first of the own slice that was not listed yet
    var own = Logit(LOWEST, NO_TOKEN);
    for (var id = lane; id < params.n_vocab; id += 256u) {
        let other = Logit(logits[row + id], id);
        if (precedes(other, own)) {
            own = other;
        }
    }
    var listed = first_of(own, lane);
    let top = listed.value;
    var mass = 0.0;
    for (var id = lane; id < params.n_vocab; id += 256u) {
        mass += exp(logits[row + id] - top);
    }
    let log_mass = log(total(mass, lane));
    if (lane == 0u) {
        let token = select(report.y, drawn[report.x], report.y == NEXT);
        drawn[target_word] = bitcast<u32>(logits[row + token] - top - log_mass);
    }
    for (var rank = 0u; rank < report.z; rank++) {
        if (lane == 0u) {
            drawn[target_word + 1u + 2u * rank] = listed.id;
            drawn[target_word + 2u + 2u * rank] = bitcast<u32>(listed.value - top - log_mass);
        }
        let slice = listed.id % 256u;
        var after = Logit(LOWEST, NO_TOKEN);
        for (var id = slice + lane * 256u; id < params.n_vocab; id += 65536u) {
            let other = Logit(logits[row + id], id);
            if (precedes(listed, other) && precedes(other, after)) {
                after = other;
            }
        }
        let next = first_of(after, lane);
        if (lane == slice) {
            own = next;
        }
        listed = first_of(own, lane);
    }
}
