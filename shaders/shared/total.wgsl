// The sum of a number of each of 256 invocations, by way of `values` in workgroup memory; all of them must call it.
fn total(value: f32, lane: u32) -> f32 {
    values[lane] = value;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half >>= 1u) {
        if (lane < half) {
            values[lane] += values[lane + half];
        }
        workgroupBarrier();
    }
    let sum = values[0];
    workgroupBarrier();
    return sum;
}
