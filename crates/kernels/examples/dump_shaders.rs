//! Writes every shader permutation as a browser gets it: JSON `[{"name", "wgsl", "bindings"}]` on stdout, with
//! `bindings` a list of "uniform" | "read" | "read_write" in binding order. `tests/browser/shaders.test.mjs` compiles
//! them all.

use std::io::Write;

use qwill_gpu::Binding;
use serde_json::json;

fn main() -> std::io::Result<()> {
    let kind = |binding: &Binding| match binding {
        Binding::Params(_) => "uniform",
        Binding::Read => "read",
        Binding::ReadWrite => "read_write",
    };
    let all: Vec<_> = qwill_kernels::permutations(true)
        .iter()
        .map(|kernel| {
            let bindings: Vec<_> = kernel.bindings.iter().map(kind).collect();
            json!({ "name": kernel.name, "wgsl": kernel.wgsl, "bindings": bindings })
        })
        .collect();
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &all)?;
    out.flush()
}
