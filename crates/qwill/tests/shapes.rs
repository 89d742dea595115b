//! Every published configuration: its plan and its memory, without weights.

use pollster::block_on;
use qwill::{Inspection, LoadOptions};
use qwill_models::published_shapes;

#[test]
fn every_published_shape_is_planned_without_weights() {
    let options = LoadOptions { context_length: Some(2048), ..LoadOptions::default() };
    assert!(published_shapes().len() >= 80);
    for shape in published_shapes() {
        let found = block_on(Inspection::of_shape(shape.name, &options))
            .unwrap_or_else(|error| panic!("{}: {error}", shape.name));
        let memory = &found.memory;
        // bf16; embedding models have no logits, and what pads a row is little
        let bytes = 2 * found.n_params;
        assert!(
            (bytes..=bytes + bytes / 10).contains(&memory.weights_bytes),
            "{}: {} bytes for {} weights",
            shape.name,
            memory.weights_bytes,
            found.n_params
        );
        assert!(memory.cache_bytes > 0 && memory.total_bytes > memory.weights_bytes + memory.cache_bytes);
        assert!(found.n_active_params <= found.n_params);
        assert_eq!(found.n_active_params < found.n_params, found.n_experts > 0, "{}", shape.name);
    }
}

/// What the model cards call A2.7B, A14B, A3B, A22B and A35B.
#[test]
fn a_token_meets_the_experts_that_it_goes_to() {
    for (shape, n_experts, top_k, billions) in [
        ("qwen1.5-moe-a2.7b", 60, 4, 2.7),
        ("qwen2-57b-a14b", 64, 8, 14.0),
        ("qwen3-30b-a3b", 128, 8, 3.3),
        ("qwen3-235b-a22b", 128, 8, 22.0),
    ] {
        let found = block_on(Inspection::of_shape(shape, &LoadOptions::default())).unwrap();
        assert_eq!((found.n_experts, found.top_k), (n_experts, top_k), "{shape}");
        let active = found.n_active_params as f64 / 1e9;
        assert!((active / billions - 1.0).abs() < 0.05, "{shape}: {active} billion");
    }
}
