// How many multiply-adds of bytes the device does a second with dot4I8Packed.
//
//   a = a + dot(bytes of a, bytes of w), 4 * LOOPS times for each of 16 chains
//
// Grid: any number of workgroups in a row.
// Bindings: x [1] u32 = w; y [n_invocations] u32.
// Needs: nothing; devices without the instruction do it in several.
override LOOPS: u32;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

fn next(a: i32, w: u32) -> i32 {
    return dot4I8Packed(bitcast<u32>(a), w) + a;
}

fn four(a: i32, w: u32) -> i32 {
    return next(next(next(next(a, w), w), w), w);
}

fn four_each(a: vec4<i32>, w: u32) -> vec4<i32> {
    return vec4(four(a.x, w), four(a.y, w), four(a.z, w), four(a.w, w));
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let w = x[0];
    // chains that start alike would be one chain
    var a0 = vec4<i32>(0, 1, 2, 3) + i32(invocation.x * 16u);
    var a1 = a0 + 4;
    var a2 = a0 + 8;
    var a3 = a0 + 12;
    for (var i = 0u; i < LOOPS; i++) {
        a0 = four_each(a0, w);
        a1 = four_each(a1, w);
        a2 = four_each(a2, w);
        a3 = four_each(a3, w);
    }
    let all = a0 ^ a1 ^ a2 ^ a3;
    y[invocation.x] = bitcast<u32>(all.x ^ all.y ^ all.z ^ all.w);
}
