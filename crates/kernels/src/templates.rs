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
    "shared/state.wgsl",
    "shared/tile.wgsl",
    "quant/bf16.wgsl",
    "quant/f16.wgsl",
    "quant/f32.wgsl",
    "quant/q4.wgsl",
    "quant/q8.wgsl",
    "embed/embed_rows.wgsl",
    "norm/norm_rms.wgsl",
    "gemv/gemv.wgsl",
    "gemm/gemm.wgsl",
    "moe/combine_experts.wgsl",
    "moe/group_tokens.wgsl",
    "moe/route_experts.wgsl",
    "attention/rotate_heads.wgsl",
    "attention/attend_decode.wgsl",
    "attention/attend_merge.wgsl",
    "attention/attend_prefill.wgsl",
    "sample/select_candidates.wgsl",
    "sample/sample_token.wgsl",
];

/// The shader files, ready to render.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
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
        for (path, text) in FILES {
            environment.add_template(path, text).expect("shader files parse as templates");
        }
        Self { environment }
    }
}

impl Templates {
    /// Renders one file. Panics on a template error: the files and the values are both ours, and a test renders
    /// every permutation.
    pub fn render(&self, path: &str, values: Value) -> String {
        self.environment
            .get_template(path)
            .and_then(|template| template.render(values))
            .unwrap_or_else(|error| panic!("{path}: {error:#}"))
    }
}
