// How fast the device reads memory in a straight line, with loads of 4, 8 or 16 bytes.
//
//   y[i] = xor of x[i + j * n_invocations] over all j
//
// Grid: any number of workgroups in a row. An invocation has four loads on their way at a time, and neighbours read
// neighbouring words.
// Bindings: x words of 1, 2 or 4 u32, a multiple of 4 * n_invocations; y [n_invocations] u32.
// Needs: nothing.
@group(0) @binding(0) var<storage, read> x: array<${ word }>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let n_invocations = groups.x * 256u;
    let n = arrayLength(&x);
    var all = ${ word }(0u);
    for (var i = invocation.x; i < n; i += 4u * n_invocations) {
        all ^= x[i] ^ x[i + n_invocations] ^ x[i + 2u * n_invocations] ^ x[i + 3u * n_invocations];
    }
//% if word == "u32"
    y[invocation.x] = all;
//% elif word == "vec2<u32>"
    y[invocation.x] = all.x ^ all.y;
//% else
    y[invocation.x] = all.x ^ all.y ^ all.z ^ all.w;
//% endif
}
