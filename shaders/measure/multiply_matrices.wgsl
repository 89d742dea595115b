// How many multiply-adds the device does a second with cooperative matrices.
//
//   C_i = A_i * B + C_i, LOOPS times for each of 4 square tiles, which a subgroup holds together
//
// Grid: any number of workgroups in a row.
// Bindings: x [5 tiles] = A_0 to A_3, B; y [n_subgroups tiles], the sum of the C_i of each, zeros before;
// width [1] u32, invocations in a subgroup.
// Needs: wgpu's experimental cooperative matrices of this size and these types; f16 for f16.
enable wgpu_cooperative_matrix;
//% if ab == "f16" or cr == "f16"
enable f16;
//% endif
override LOOPS: u32;

alias Left = coop_mat${ size }x${ size }<${ ab }, A>;
alias Right = coop_mat${ size }x${ size }<${ ab }, B>;
alias Sum = coop_mat${ size }x${ size }<${ cr }, C>;

const SIZE: u32 = ${ size }u;
const TILE: u32 = SIZE * SIZE;

@group(0) @binding(0) var<storage, read> x: array<${ ab }>;
@group(0) @binding(1) var<storage, read_write> y: array<${ cr }>;
@group(0) @binding(2) var<storage, read_write> width: array<u32>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) n_subgroups: u32,
    @builtin(subgroup_size) subgroup_size: u32,
) {
    let tile = (group.x * n_subgroups + subgroup) * TILE;
    let a0 = coopLoad<Left>(&x[0], SIZE);
    let a1 = coopLoad<Left>(&x[TILE], SIZE);
    let a2 = coopLoad<Left>(&x[2u * TILE], SIZE);
    let a3 = coopLoad<Left>(&x[3u * TILE], SIZE);
    let b = coopLoad<Right>(&x[4u * TILE], SIZE);
    var c0 = coopLoad<Sum>(&y[tile], SIZE);
    var c1 = c0;
    var c2 = c0;
    var c3 = c0;
    for (var i = 0u; i < LOOPS; i++) {
        c0 = coopMultiplyAdd(a0, b, c0);
        c1 = coopMultiplyAdd(a1, b, c1);
        c2 = coopMultiplyAdd(a2, b, c2);
        c3 = coopMultiplyAdd(a3, b, c3);
    }
    coopStore(c0 + c1 + c2 + c3, &y[tile], SIZE);
    width[0] = subgroup_size;
}
