//! Records in the form that a kit for GPUs writes, with invented figures.

use serde_json::{Value, json};

fn kit(part: &str, result: Value) -> Value {
    json!({
        "part": part,
        "device": { "name": "NVIDIA H100", "backend": "Vulkan", "driver": "570.1", "memory": 80 },
        "commit": "abcdef0",
        "date": "2027-01-02",
        "result": result,
    })
}

/// A model at two depths, the deeper one first.
pub(super) fn speed() -> Value {
    let spread = |median: f64| json!({ "median": median, "min": median - 0.5, "max": median + 0.5 });
    let at = |depth: usize, prefill: f64, decode: f64, share: f64| {
        json!({
            "depth": depth, "prefill_tps": spread(prefill), "ttft_ms": spread(100.0), "decode_tps": spread(decode),
            "decode_gbps": 1500.0, "bandwidth_share": share,
        })
    };
    kit(
        "speed",
        json!([{ "model": "qwen3-8b:q4_0", "seconds": 9.5, "share_of_read": 0.5, "report": {
            "model": "random qwen3-8b:q4_0", "gpu": "NVIDIA H100", "backend": "Vulkan",
            "capabilities": "f16 yes, subgroups 32, dot4 yes, binding 2048 MiB, buffer 2048 MiB, workgroup memory 48 KiB",
            "prompt_tokens": 512, "decode_tokens": 128, "runs": 5, "load_ms": 900.0, "dispatches_per_token": 255,
            "dispatches_per_layer": 7.0, "submits_per_token": 1.0, "weight_bytes_per_token": 4_300_000_000_u64,
            "copy_gbps": 2000.0,
            "results": [at(4096, 4800.0, 280.0, 0.7), at(0, 5120.0, 310.0, 0.75)],
        } }, { "model": "qwen3-32b:q4_0", "seconds": 1.0, "error": "not enough GPU memory" }]),
    )
}

/// What the same device can do, without dot products of bytes.
pub(super) fn limits() -> Value {
    kit(
        "limits",
        json!({
            "read_gbps": { "4": 2000.0, "16": 2900.5 }, "copy_gbps": 2000.0, "f32_tflops": 48.25, "f16_tflops": 95.0,
            "dot4_tops": { "error": "none" }, "launch_us": { "waiting": 3.5, "free": 1.0 },
            "round_trip_us": { "submit": 21.0, "readback": 0.25 }, "something_new": [1, 2],
        }),
    )
}

/// A part that has no table.
pub(super) fn sweep() -> Value {
    kit("sweep", json!("anything"))
}
