// What it costs to launch a kernel: it does next to nothing.
//
//   y[0] += 1, or nothing at all
//
// Grid: one workgroup.
// Bindings: y [1] u32 where one dispatch waits for the one before; else none.
// Needs: nothing.
//% if waits
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
//% endif

@compute @workgroup_size(1)
fn main() {
//% if waits
    y[0] += 1u;
//% endif
}
