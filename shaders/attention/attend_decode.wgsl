// Attention of one new token of each sequence over a split of its cache, first of two passes (flash decoding).
//
//   s[h, t] = q[h] . k[t];  m[h] = max_t s;  p = exp(s - m);  l[h] = sum_t p;  o[h] = sum_t p * v[t]
//
// A split is taken in blocks of tokens with a running m: what was summed before is scaled by exp(old m - new m).
// With dual chunk attention there are three q for each head; which one meets a key says how many chunks of STRIDE tokens
// lie between them: none, one, or more.
// Grid: x = split, y = HEADS query heads of one KV head, which share each load of K and V, z = token. In each block invocations score
// tokens first (one token each), then sum values (one vec4 of the head each, in SLICES of tokens).
// Loops over heads are unrolled here, so that no compiler keeps an array of them in memory; loads stand side by side, so
// that none waits for the one before. q is read where it is: all invocations want the same element at the same time,
// which costs neither registers nor workgroup memory, and both limit how many workgroups a GPU holds.
// Bindings: step; q [n_tokens, n_heads, head_dim] ([n_tokens, 3, n_heads, head_dim] with dual chunks), already scaled;
// partial [n_tokens, n_heads, max_splits, head_dim]; stats [n_tokens, n_heads, max_splits] = (m, l); k_cache, v_cache.
// Needs: nothing.
//% set quads = (heads + 3) // 4
//% set xyzw = ["x", "y", "z", "w"]
//% set d_step = 4 if head_dim % 16 == 0 else 2
//% set t_step = [page // slices, 4] | min
//% include "shared/step.wgsl"
//% include "shared/kv.wgsl"
//% include "shared/splits.wgsl"

const HEADS: u32 = ${ heads }u;
// vec4s that hold one number for each head
const QUADS: u32 = ${ quads }u;
const SLICES: u32 = ${ slices }u;

struct Params {
    n_kv_heads: u32,
    max_splits: u32,
    // keys further back than this are not seen; 0: all are
    window: u32,
    // tokens of a chunk
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partial_out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2<f32>>;

// [QUADS, BLOCK]: scores and probabilities of tokens; in the end, sums of invocations
var<workgroup> p: array<vec4<f32>, ${ quads * block }>;
// [QUADS, 8]: maxima or sums of every eighth number in p
var<workgroup> eighths: array<vec4<f32>, ${ quads * 8 }>;

//% if dual_chunks
fn chunks_apart(newest: u32, key: u32) -> u32 {
    return min(newest / params.stride - key / params.stride, 2u);
}

//% endif
@compute @workgroup_size(${ block })
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let kv_head = group.y / (groups.y / params.n_kv_heads);
    let place = step[FIRST_ROW + group.z];
    let newest = place.z;
    let splits = share_blocks(newest, params.window, params.max_splits);
    if (group.x >= splits.n_splits) {
        return;
    }
    let first_block = splits.first_block + group.x * splits.n_blocks / splits.n_splits;
    let end_block = splits.first_block + (group.x + 1u) * splits.n_blocks / splits.n_splits;
    let d = lane % D4;
    let slice = lane / D4;

    var top: array<vec4<f32>, QUADS>;
    // of the tokens that this invocation scores
    var mass: array<vec4<f32>, QUADS>;
    var acc: array<vec4<f32>, HEADS>;
//% for quad in range(quads)
    top[${ quad }] = vec4(MASKED);
//% endfor
    for (var block = first_block; block < end_block; block++) {
        let position = block * BLOCK + lane;
        let key = min(position, newest);
        let k_base = (page_of(place.w, key / PAGE) * params.n_kv_heads + kv_head) * UNITS * PAGE + key % PAGE;
        var s = array<vec4<f32>, QUADS>();
//% if dual_chunks
        let apart = chunks_apart(newest, key);
        let least_apart = chunks_apart(newest, min(block * BLOCK + BLOCK - 1u, newest));
        let most_apart = chunks_apart(newest, block * BLOCK);
        // hardly ever more than one
        for (var each = least_apart; each <= most_apart; each++) {
            if (each != apart) {
                continue;
            }
            let q_base = ((group.z * 3u + each) * groups.y + group.y) * HEADS * D4;
//% else
        let q_base = (group.z * groups.y + group.y) * HEADS * D4;
//% endif
        for (var i = 0u; i < D4; i += ${ d_step }u) {
//% for j in range(d_step)
            let k${ j } = load_k(k_base, i + ${ j }u);
//% endfor
//% for h in range(heads)
//% for j in range(d_step)
            s[${ h // 4 }].${ xyzw[h % 4] } += dot(q[q_base + ${ h }u * D4 + i + ${ j }u], k${ j });
//% endfor
//% endfor
        }
//% if dual_chunks
        }
//% endif
        let is_seen = position <= newest && (params.window == 0u || position + params.window > newest);
//% for quad in range(quads)
        s[${ quad }] = select(vec4(MASKED), s[${ quad }], is_seen);
        p[${ quad }u * BLOCK + lane] = s[${ quad }];
//% endfor
        workgroupBarrier();
        if (lane < QUADS * 8u) {
            let first = lane / 8u * BLOCK + lane % 8u;
            var eighth = p[first];
            for (var i = 8u; i < BLOCK; i += 8u) {
                eighth = max(eighth, p[first + i]);
            }
            eighths[lane] = eighth;
        }
        workgroupBarrier();
//% for quad in range(quads)
        var new_top${ quad } = top[${ quad }];
        for (var i = 0u; i < 8u; i++) {
            new_top${ quad } = max(new_top${ quad }, eighths[${ quad * 8 }u + i]);
        }
        let decay${ quad } = exp(top[${ quad }] - new_top${ quad });
        top[${ quad }] = new_top${ quad };
        let p${ quad } = exp(s[${ quad }] - new_top${ quad });
        p[${ quad }u * BLOCK + lane] = p${ quad };
        mass[${ quad }] = mass[${ quad }] * decay${ quad } + p${ quad };
//% endfor
//% for h in range(heads)
        acc[${ h }] *= decay${ h // 4 }.${ xyzw[h % 4] };
//% endfor
        workgroupBarrier();
        if (slice < SLICES) {
            let first_page = block * BLOCK / PAGE;
            let end_page = min(first_page + BLOCK / PAGE, newest / PAGE + 1u);
            for (var page = first_page; page < end_page; page++) {
                let v_base = (page_of(place.w, page) * params.n_kv_heads + kv_head) * PAGE;
                let p_base = (page - first_page) * PAGE;
                // the last slot with a value; p of those beyond is 0
                let last = newest - page * PAGE;
                for (var t = slice; t < PAGE; t += ${ t_step }u * SLICES) {
//% for j in range(t_step)
                    let v${ j } = load_v((v_base + min(t + ${ j }u * SLICES, last)) * UNITS, d);
//% endfor
//% for j in range(t_step)
//% for quad in range(quads)
                    let p${ quad }_${ j } = p[${ quad }u * BLOCK + p_base + t + ${ j }u * SLICES];
//% endfor
//% for h in range(heads)
                    acc[${ h }] += p${ h // 4 }_${ j }.${ xyzw[h % 4] } * v${ j };
//% endfor
//% endfor
                }
            }
        }
        workgroupBarrier();
    }

//% for quad in range(quads)
    p[${ quad }u * BLOCK + lane] = mass[${ quad }];
//% endfor
    workgroupBarrier();
    if (lane < QUADS * 8u) {
        let first = lane / 8u * BLOCK + lane % 8u;
        var eighth = p[first];
        for (var i = 8u; i < BLOCK; i += 8u) {
            eighth += p[first + i];
        }
        eighths[lane] = eighth;
    }
    workgroupBarrier();
    let dst = (group.z * groups.y + group.y) * HEADS * params.max_splits + group.x;
//% for quad in range(quads)
    if (lane == ${ quad }u) {
        var sum = eighths[${ quad * 8 }];
        for (var i = 1u; i < 8u; i++) {
            sum += eighths[${ quad * 8 }u + i];
        }
//% for h in range(quad * 4, [quad * 4 + 4, heads] | min)
        stats[dst + ${ h }u * params.max_splits] = vec2(top[${ quad }].${ xyzw[h % 4] }, sum.${ xyzw[h % 4] });
//% endfor
    }
//% endfor
//% for first in range(0, heads, quads)
//% set n = [quads, heads - first] | min
//% for h in range(n)
    p[${ h }u * BLOCK + lane] = acc[${ first + h }];
//% endfor
    workgroupBarrier();
    for (var i = lane; i < ${ n }u * D4; i += BLOCK) {
        let h = i / D4;
        var sum = p[h * BLOCK + i % D4];
        for (var j = 1u; j < SLICES; j++) {
            sum += p[h * BLOCK + i % D4 + j * D4];
        }
        partial_out[(dst + (${ first }u + h) * params.max_splits) * D4 + i % D4] = sum;
    }
    workgroupBarrier();
//% endfor
}
