//! Rendering of the shader files: template conditions only, the files stay WGSL.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

macro_rules! shader_files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../shaders/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = shader_files![
    "shared/half.wgsl",
    "shared/kv.wgsl",
    "shared/ordered.wgsl",
    "shared/reduce.wgsl",
    "shared/sampler.wgsl",
    "shared/splits.wgsl",
    "shared/step.wgsl",
    "shared/tile.wgsl",
    "shared/total.wgsl",
    "quant/bf16.wgsl",
    "quant/bytes.wgsl",
    "quant/f16.wgsl",
    "quant/f32.wgsl",
    "quant/f8.wgsl",
    "quant/iq4nl.wgsl",
    "quant/iq4xs.wgsl",
    "quant/levels.wgsl",
    "quant/load.wgsl",
    "quant/min256.wgsl",
    "quant/min32.wgsl",
    "quant/mxfp4.wgsl",
    "quant/planes.wgsl",
    "quant/q2k.wgsl",
    "quant/q3k.wgsl",
    "quant/q4.wgsl",
    "quant/q4k.wgsl",
    "quant/q4m.wgsl",
    "quant/q5.wgsl",
    "quant/q5k.wgsl",
    "quant/q5m.wgsl",
    "quant/q6k.wgsl",
    "quant/q8.wgsl",
    "quant/scale32.wgsl",
    "quant/z4_128.wgsl",
    "quant/z4_32.wgsl",
    "quant/z4_64.wgsl",
    "quant/z8_128.wgsl",
    "quant/z8_32.wgsl",
    "quant/z8_64.wgsl",
    "quant/zero.wgsl",
    "embed/embed_rows.wgsl",
    "norm/norm_rms.wgsl",
    "gated/silu_mul.wgsl",
    "gemv/gemv.wgsl",
    "gemm/gemm.wgsl",
    "gemm/shapes/serial.wgsl",
    "gemm/shapes/tiled.wgsl",
    "moe/combine_experts.wgsl",
    "moe/group_tokens.wgsl",
    "moe/route_experts.wgsl",
    "attention/rotate_heads.wgsl",
    "attention/attend_decode.wgsl",
    "attention/attend_merge.wgsl",
    "attention/attend_prefill.wgsl",
    "sample/select_candidates.wgsl",
    "sample/sample_token.wgsl",
    "sample/report_logprobs.wgsl",
];

/// The shader files, ready to render.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::of(FILES)
    }
}

impl Templates {
    /// Other files in the same syntax, as `(path, text)`.
    ///
    /// # Panics
    /// If one is no template: they are compiled in, as the library's own.
    pub fn of(files: &'static [(&'static str, &'static str)]) -> Self {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .line_statement_prefix("//%")
            .variable_delimiters("${", "}")
            .block_delimiters("/*%", "%*/")
            .comment_delimiters("/*#", "#*/")
            .build()
            .expect("the delimiters are distinct");
        environment.set_syntax(syntax);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (path, text) in files {
            environment.add_template(path, text).expect("shader files parse as templates");
        }
        Self { environment }
    }

    /// Renders one file. Panics on a template error: the files and the values are both ours, and a test renders
    /// every permutation.
    pub fn render(&self, path: &str, values: Value) -> String {
        self.environment
            .get_template(path)
            .and_then(|template| template.render(values))
            .unwrap_or_else(|error| panic!("{path}: {error:#}"))
    }
}
