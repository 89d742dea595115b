// Matrix times one vector, with everything around it that a decode step needs.
//
//   a[n]  = rms * sum_k W[n, k] * x[k] * g[k]   (rms = 1/sqrt(mean(x^2) + eps) and g only with the norm fused in)
//   store: y[n] = a[n] + bias[n];         relu: y[n] = max(a[n] + bias[n], 0);
//   add: y[n] += a[n];                    add_scaled: y[n] += routes[slot].weight * a[n];
//   store_scaled: y[n] = scale[n] * row_scale[0] * a[n];
//   silu_mul: y[i] = silu(a[gate row of i]) * a[up row of i]
//
// With experts, the rows of all of them are stacked in W and those of a slot's expert count:
//   spread: y[slot, n] = one of these, with x for all slots or x[slot];
//   gather: y[n] += sum_slot routes[slot].weight * a[n] with x[slot]
//
// The norm needs no pass of its own: its scalar factors out of the sum, so sum(x^2) rides along.
// Gate and up rows take turns of `run` rows: output i has its gate in row (i / run) * 2 run + i % run, its up `run` below.
// Grid: workgroups folded into x, y; each handles ROWS rows of W (serial: ROWS rows an invocation, so that they share
// the loads of x, which a CPU device makes one lane at a time). z = slot, where experts are spread. An invocation takes
// SPAN units of 8 columns at once: wider loads of W, and one scale for all of them.
// Bindings: x [K] or [slots, K] f32; y [n_rows] or [slots, n_rows] f32; W in any layout; g [K] f32; bias [n_rows] f32;
// routes [slots] of (expert, weight bits); scale [n_rows] f32, of all experts; row_scale [1 or more] f32. K is padded to 32
// with zeros.
// Needs: nothing; subgroups shorten the sums. "serial" has no barrier at all, which CPU devices reward.
//% if enable_subgroups
enable subgroups;
//% endif
struct Params {
    // units of 8 columns in a row of W
    units: u32,
    // columns that count for the norm's mean
    n_cols: u32,
    // outputs of this shard, or of one expert, and where they start in y
    n_outputs: u32,
    first_output: u32,
    eps: f32,
    // the slot of the routes whose weight scales the product
    slot: u32,
    // slots that go to experts, and f32 columns in a slot's row of y
    n_slots: u32,
    y_stride: u32,
    // experts in this shard, and rows of W that each has
    first_expert: u32,
    n_experts: u32,
    rows_per_expert: u32,
    // vec4 columns from a slot's row of x to the next, 0 where all have the same
    x_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
//% include "quant/" ~ quant ~ ".wgsl"
//% if norm
@group(0) @binding(${ norm_binding }) var<storage, read> gain: array<vec4<f32>>;
//% endif
//% if bias
@group(0) @binding(${ bias_binding }) var<storage, read> bias: array<f32>;
//% endif
//% if experts or epilogue == "add_scaled"
@group(0) @binding(${ routes_binding }) var<storage, read> routes: array<vec2<u32>>;
//% endif
//% if epilogue == "store_scaled"
@group(0) @binding(${ scale_binding }) var<storage, read> scale_of: array<f32>;
@group(0) @binding(${ scale_binding + 1 }) var<storage, read> row_scale_of: array<f32>;
//% endif

//% if epilogue == "silu_mul"
const OUTPUTS: u32 = ${ rows // 2 }u;
fn weight_row(output: u32, part: u32) -> u32 {
    return (output / ${ run }u) * ${ run * 2 }u + output % ${ run }u + part * ${ run }u;
}
//% else
const OUTPUTS: u32 = ${ rows }u;
//% endif

//% set sum = "a + bias[i]" if bias else "a"
fn finish(output: u32, slot: u32, a: f32, b: f32) {
    let i = params.first_output + output + slot * params.y_stride;
//% if epilogue == "silu_mul"
    y[i] = a / (1.0 + exp(-a)) * b;
//% elif epilogue == "add"
    y[i] += a;
//% elif epilogue == "add_scaled"
    y[i] += bitcast<f32>(routes[params.slot].y) * a;
//% elif epilogue == "store_scaled"
    y[i] = scale_of[${ "routes[slot].x * params.rows_per_expert + output" if experts else "i" }] * row_scale_of[0] * a;
//% elif epilogue == "relu"
    y[i] = max(${ sum }, 0.0);
//% else
    y[i] = ${ sum };
//% endif
}

fn row_of(first: u32, r: u32) -> u32 {
    // Rows past the end repeat the last one, so that every load stays inside W; their sums are dropped.
//% if epilogue == "silu_mul"
    return weight_row(min(first + r / 2u, params.n_outputs - 1u), r % 2u);
//% else
    return min(first + r, params.n_outputs - 1u);
//% endif
}

//% if reduction != "serial"
// Partial sums of the ROWS rows, and of x^2 in the last place.
var<workgroup> sums: array<array<f32, ${ rows + 1 }>, ${ wg }>;
//% endif

@compute @workgroup_size(${ wg })
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
//% if subgroups
    @builtin(subgroup_invocation_id) lane_in_subgroup: u32,
    @builtin(subgroup_size) width: u32,
//% endif
) {
//% if reduction == "serial"
    let first = ((group.x + group.y * groups.x) * ${ wg }u + lane) * OUTPUTS;
    if (first >= params.n_outputs) {
        return;
    }
    let first_unit = 0u;
    let step = ${ span }u;
//% else
    let first = (group.x + group.y * groups.x) * OUTPUTS;
    let first_unit = lane * ${ span }u;
    let step = ${ wg * span }u;
//% endif
    var acc: array<f32, ${ rows + 1 }>;
//% if experts and not gather
    {
        let slot = group.z;
//% elif experts
    for (var slot = 0u; slot < params.n_slots; slot++) {
//% else
    {
//% endif
//% if experts
        // experts before this shard's wrap around to large numbers
        let expert = routes[slot].x - params.first_expert;
        if (expert >= params.n_experts) {
            ${ "continue" if gather else "return" };
        }
        let first_row = expert * params.rows_per_expert;
//% endif
//% if gather
        let weight = bitcast<f32>(routes[slot].y);
//% endif
        let src = ${ "slot * params.x_stride" if experts else "0u" };
        for (var unit = first_unit; unit < params.units; unit += step) {
//% for s in range(span)
            var lo${ s } = x[src + unit * 2u + ${ 2 * s }u];
            var hi${ s } = x[src + unit * 2u + ${ 2 * s + 1 }u];
//% if norm
            acc[${ rows }] += dot(lo${ s }, lo${ s }) + dot(hi${ s }, hi${ s });
            lo${ s } *= gain[unit * 2u + ${ 2 * s }u];
            hi${ s } *= gain[unit * 2u + ${ 2 * s + 1 }u];
//% endif
//% if gather
            lo${ s } *= weight;
            hi${ s } *= weight;
//% endif
//% endfor
            for (var r = 0u; r < ${ rows }u; r++) {
                let row = ${ "first_row + " if experts }row_of(first, r);
//% if span > 1
                let words = load_words(row, unit, params.units);
                let scale = load_scale(row, unit, params.units);
//% for s in range(span)
                let w${ s } = scaled(quants_of(words, ${ s }u), scale);
                acc[r] += dot(w${ s }.lo, lo${ s }) + dot(w${ s }.hi, hi${ s });
//% endfor
//% else
                let w = load_w8(row, unit, params.units);
                acc[r] += dot(w.lo, lo0) + dot(w.hi, hi0);
//% endif
            }
        }
    }
//% if reduction == "serial"
    var scale = 1.0;
//% if norm
    scale = inverseSqrt(acc[${ rows }] / f32(params.n_cols) + params.eps);
//% endif
    for (var o = 0u; o < OUTPUTS; o++) {
        if (first + o < params.n_outputs) {
//% if epilogue == "silu_mul"
            finish(first + o, group.z, acc[2u * o] * scale, acc[2u * o + 1u] * scale);
//% else
            finish(first + o, group.z, acc[o] * scale, 0.0);
//% endif
        }
    }
//% else
//% if subgroups
    for (var r = 0u; r < ${ rows + 1 }u; r++) {
        acc[r] = subgroupAdd(acc[r]);
    }
    if (lane_in_subgroup == 0u) {
        sums[lane / width] = acc;
    }
    workgroupBarrier();
    let n_sums = (${ wg }u + width - 1u) / width;
//% else
    sums[lane] = acc;
    workgroupBarrier();
    for (var half = ${ wg // 2 }u; half > 1u; half >>= 1u) {
        if (lane < half) {
            for (var r = 0u; r < ${ rows + 1 }u; r++) {
                sums[lane][r] += sums[lane + half][r];
            }
        }
        workgroupBarrier();
    }
    let n_sums = 2u;
//% endif
    if (lane < OUTPUTS && first + lane < params.n_outputs) {
        var a = 0.0;
        var b = 0.0;
        var squares = 0.0;
        for (var i = 0u; i < n_sums; i++) {
//% if epilogue == "silu_mul"
            a += sums[i][lane * 2u];
            b += sums[i][lane * 2u + 1u];
//% else
            a += sums[i][lane];
//% endif
            squares += sums[i][${ rows }];
        }
//% if norm
        let scale = inverseSqrt(squares / f32(params.n_cols) + params.eps);
        a *= scale;
        b *= scale;
//% endif
        finish(first + lane, group.z, a, b);
    }
//% endif
}
