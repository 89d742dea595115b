// Looks up the embedding rows of the step's tokens.
//
//   y[t, k] = table[id of t, k], times scale[k] * row_scale[t] where given;  id = that of the step, or the one that was
//   sampled last for its slot
//
// Grid: x = columns in units of 8, 64 an invocation group; y = token. Tokens whose row lies in another shard of the
// table are left to that shard's dispatch.
// Bindings: step; next [n_slots] u32; y [n_tokens, stride] f32; table [rows of the shard, units * 8] in any layout; scale
// [stride] f32; row_scale [n_tokens] f32.
// Needs: nothing.
//% include "shared/step.wgsl"

struct Params {
    // units of 8 columns in a row of the table
    units: u32,
    // vec4 columns in a row of y
    y_stride: u32,
    // first row and row count of this shard
    first_row: u32,
    n_rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> next: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
//% include "quant/" ~ quant ~ ".wgsl"
//% if scale
@group(0) @binding(${ scale_binding }) var<storage, read> scale_of: array<vec4<f32>>;
@group(0) @binding(${ scale_binding + 1 }) var<storage, read> row_scale_of: array<f32>;
//% endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    let unit = gid.x;
    let token = gid.y;
    let source = step[FIRST_ROW + token];
    let id = select(source.x, next[source.y], source.x == NEXT);
    let row = id - params.first_row;
    if (unit >= params.units || row >= params.n_rows) {
        return;
    }
    let w = load_w8(row, unit, params.units);
    let i = token * params.y_stride + unit * 2u;
//% if scale
    let row_scale = row_scale_of[token];
    y[i] = w.lo * (scale_of[unit * 2u] * row_scale);
    y[i + 1u] = w.hi * (scale_of[unit * 2u + 1u] * row_scale);
//% else
    y[i] = w.lo;
    y[i + 1u] = w.hi;
//% endif
}
