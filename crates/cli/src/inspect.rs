//! `qwill inspect`: what a model is, what it takes, and whether the GPU of this machine has it.

use pollster::block_on;
use qwill::{Inspection, KvType};

use crate::args::InspectArgs;
use crate::failure::Failure;
use crate::terminal::say;

pub(crate) fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let options = crate::model::options(&args.setup, KvType::F16);
    let inspection = match &args.shape {
        Some(shape) => block_on(Inspection::of_shape(shape, &options))?,
        None => block_on(Inspection::of_files(crate::model::headers(&args.model)?, &options))?,
    };
    if args.json {
        say!("{}", serde_json::to_string(&inspection)?);
        return Ok(());
    }
    say!("{} ({})", inspection.name, inspection.architecture);
    say!("  {:.3} billion weights in {} tensors", inspection.n_params as f64 / 1e9, inspection.tensors.len());
    say!(
        "  {} layers, {} wide, {} query and {} key heads of {}, feed-forward {}, vocabulary {}",
        inspection.n_layers,
        inspection.hidden_size,
        inspection.n_heads,
        inspection.n_kv_heads,
        inspection.head_dim,
        inspection.intermediate_size,
        inspection.vocab_size
    );
    if inspection.n_experts > 0 {
        say!(
            "  {} of {} experts a token: {:.3} billion weights",
            inspection.top_k,
            inspection.n_experts,
            inspection.n_active_params as f64 / 1e9
        );
    }
    say!("  made for {} tokens", inspection.model_context_length);
    let memory = &inspection.memory;
    say!("memory for {} tokens: {memory}", memory.context_length);
    match (&memory.device, memory.verdict()) {
        (Some(device), Some(verdict)) => say!("{}: {verdict}", device.gpu),
        _ => say!("there is no GPU here to compare that with"),
    }
    Ok(())
}
