//! Rotation, cache writes and attention, under every mask.

use qwill_kernels::{Attend, AttendBuffers, KvType, Tuning, Visibility};
use qwill_testkit::{Rig, block_on, under_every_mask};

under_every_mask!(rotate_heads);
under_every_mask!(attend_decode);
under_every_mask!(attend_prefill);

#[test]
fn splits_fill_a_device_and_no_more() {
    let tuning = Tuning::default();
    for (n_heads, n_kv_heads, n_kv, splits) in [
        (14, 2, 1, 1),
        (14, 2, 65, 2),
        (14, 2, 1 << 20, 256),
        (28, 4, 1 << 20, 128),
        // two workgroups share a KV head of 16 query heads
        (64, 4, 1 << 20, 64),
        (40, 40, 1 << 20, 13),
    ] {
        let found = tuning.decode_splits(n_heads, n_kv_heads, n_kv);
        assert_eq!(found, splits, "{n_heads} heads, {n_kv_heads} KV heads, {n_kv} keys");
    }
}

#[test]
fn shapes_without_a_kernel_are_refused() {
    let mut rig = Rig::open("");
    let unused = rig.empty("unused", 16);
    let buffers = AttendBuffers {
        step: &unused,
        q: &unused,
        k_cache: &unused,
        v_cache: &unused,
        y: &unused,
        partial: &unused,
        stats: &unused,
    };
    for head_dim in [4, 20, 264] {
        let shape =
            Attend { n_heads: 2, n_kv_heads: 1, head_dim, visibility: Visibility::Causal, kv: KvType::F32 };
        let error = block_on(rig.kernels.attend_prefill(&shape, &buffers)).err().expect("refused");
        assert!(error.to_string().contains(&format!("head_dim {head_dim}")), "{error}");
    }
}
