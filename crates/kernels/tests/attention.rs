//! Rotation, cache writes and attention, under every mask.

use qwill_kernels::{Attend, AttendBuffers, KvType, StepState, Visibility, decode_split};
use qwill_testkit::{Rig, block_on, under_every_mask};

under_every_mask!(rotate_heads);
under_every_mask!(attend_decode);
under_every_mask!(attend_prefill);

#[test]
fn shapes_without_a_kernel_are_refused() {
    for (group, head_dim, split) in
        [(1, 64, Some(256)), (7, 64, Some(256)), (16, 128, Some(32)), (40, 128, None)]
    {
        assert_eq!(decode_split(group, head_dim).ok(), split, "{group} heads of {head_dim}");
    }
    let mut rig = Rig::open("");
    let state = rig.state(StepState::default());
    let buffers = AttendBuffers {
        state: &state,
        q: &state,
        block_table: &state,
        k_cache: &state,
        v_cache: &state,
        y: &state,
        partial: &state,
        stats: &state,
    };
    for head_dim in [4, 20, 264] {
        let shape =
            Attend { n_heads: 2, n_kv_heads: 1, head_dim, visibility: Visibility::Causal, kv: KvType::F32 };
        let error = block_on(rig.kernels.attend_prefill(&shape, &buffers)).err().expect("refused");
        assert!(error.to_string().contains(&format!("head_dim {head_dim}")), "{error}");
    }
}
