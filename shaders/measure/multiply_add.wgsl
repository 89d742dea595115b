// How many multiply-adds the device does a second, in f32 or f16.
//
//   a = a * m + b, 4 * LOOPS times for each of 32 lanes in 8 chains
//
// Grid: any number of workgroups in a row.
// Bindings: x [2] vec4<f32> = (m, b); y [n_invocations] f32.
// Needs: f16 for f16. With m below 1 the values stay small.
//% if scalar == "f16"
enable f16;
//% endif
override LOOPS: u32;

alias Lanes = vec4<${ scalar }>;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

fn four(a: Lanes, m: Lanes, b: Lanes) -> Lanes {
    return fma(fma(fma(fma(a, m, b), m, b), m, b), m, b);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let m = Lanes(x[0]);
    let b = Lanes(x[1]);
    // chains that start alike would be one chain
    var a0 = Lanes(${ scalar }(invocation.x & 7u));
    var a1 = a0 + b;
    var a2 = a1 + b;
    var a3 = a2 + b;
    var a4 = a3 + b;
    var a5 = a4 + b;
    var a6 = a5 + b;
    var a7 = a6 + b;
    for (var i = 0u; i < LOOPS; i++) {
        a0 = four(a0, m, b);
        a1 = four(a1, m, b);
        a2 = four(a2, m, b);
        a3 = four(a3, m, b);
        a4 = four(a4, m, b);
        a5 = four(a5, m, b);
        a6 = four(a6, m, b);
        a7 = four(a7, m, b);
    }
    y[invocation.x] = f32(dot(a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7, m));
}
