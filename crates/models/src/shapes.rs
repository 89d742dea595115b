//! Published sizes, for planning and for benchmarks with random weights.

use serde_json::json;

use crate::Config;

/// A released model's size, without weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Short name, such as `qwen3-0.6b`.
    pub name: &'static str,
    /// Its configuration.
    pub config: Config,
}

/// `(name, family, layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, tied)`
type Row = (&'static str, &'static str, usize, usize, usize, usize, usize, usize, usize, bool);

const DENSE: &[Row] = &[
    ("qwen2.5-0.5b", "qwen2", 24, 896, 14, 2, 64, 4864, 151_936, true),
    ("qwen2.5-1.5b", "qwen2", 28, 1536, 12, 2, 128, 8960, 151_936, true),
    ("qwen2.5-3b", "qwen2", 36, 2048, 16, 2, 128, 11_008, 151_936, true),
    ("qwen2.5-7b", "qwen2", 28, 3584, 28, 4, 128, 18_944, 152_064, false),
    ("qwen2.5-14b", "qwen2", 48, 5120, 40, 8, 128, 13_824, 152_064, false),
    ("qwen2.5-32b", "qwen2", 64, 5120, 40, 8, 128, 27_648, 152_064, false),
    ("qwen2.5-72b", "qwen2", 80, 8192, 64, 8, 128, 29_568, 152_064, false),
    ("qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151_936, true),
    ("qwen3-1.7b", "qwen3", 28, 2048, 16, 8, 128, 6144, 151_936, true),
    ("qwen3-4b", "qwen3", 36, 2560, 32, 8, 128, 9728, 151_936, true),
    ("qwen3-8b", "qwen3", 36, 4096, 32, 8, 128, 12_288, 151_936, false),
    ("qwen3-14b", "qwen3", 40, 5120, 40, 8, 128, 17_408, 151_936, false),
    ("qwen3-32b", "qwen3", 64, 5120, 64, 8, 128, 25_600, 151_936, false),
];

/// Every published shape.
pub fn published_shapes() -> Vec<Shape> {
    DENSE
        .iter()
        .map(|&(name, family, layers, hidden, heads, kv_heads, head_dim, inner, vocab, tied)| Shape {
            name,
            config: Config::new(json!({
                "model_type": family,
                "num_hidden_layers": layers,
                "hidden_size": hidden,
                "num_attention_heads": heads,
                "num_key_value_heads": kv_heads,
                "head_dim": head_dim,
                "intermediate_size": inner,
                "vocab_size": vocab,
                "tie_word_embeddings": tied,
                "rms_norm_eps": 1e-6,
                "rope_theta": 1e6,
                "max_position_embeddings": 32_768,
            })),
        })
        .collect()
}

/// The shape of that name, whatever its case.
pub fn published_shape(name: &str) -> Option<Shape> {
    published_shapes().into_iter().find(|shape| shape.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts as the reference implementation's classes give them on the meta device.
    #[test]
    fn parameter_counts() {
        let count = |name: &str| crate::plan(&published_shape(name).unwrap().config).unwrap().n_params();
        assert_eq!(count("qwen3-0.6b"), 596_049_920);
        assert_eq!(count("qwen3-8b"), 8_190_735_360);
        assert_eq!(count("qwen2.5-0.5b"), 494_032_768);
        assert_eq!(count("qwen2.5-7b"), 7_615_616_512);
    }
}
