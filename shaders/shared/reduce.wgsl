// Sum over a workgroup of WG invocations, returned to every invocation.
//% if subgroups
// Sums inside subgroups first, so the shared array needs one slot for each subgroup of the smallest width.
var<workgroup> reduce_slots: array<f32, ${ wg }>;

fn reduce_sum(value: f32, lane: u32, lane_in_subgroup: u32, width: u32) -> f32 {
    let subtotal = subgroupAdd(value);
    workgroupBarrier();
    if (lane_in_subgroup == 0u) {
        reduce_slots[lane / width] = subtotal;
    }
    workgroupBarrier();
    var total = 0.0;
    let n_subgroups = (${ wg }u + width - 1u) / width;
    for (var i = 0u; i < n_subgroups; i++) {
        total += reduce_slots[i];
    }
    return total;
}
//% else
var<workgroup> reduce_slots: array<f32, ${ wg }>;

fn reduce_sum(value: f32, lane: u32, lane_in_subgroup: u32, width: u32) -> f32 {
    workgroupBarrier();
    reduce_slots[lane] = value;
    workgroupBarrier();
    for (var half = ${ wg // 2 }u; half > 0u; half >>= 1u) {
        if (lane < half) {
            reduce_slots[lane] += reduce_slots[lane + half];
        }
        workgroupBarrier();
    }
    return reduce_slots[0];
}
//% endif
