//! `qwill inspect`: what a model is and what it takes, without a GPU.

use pollster::block_on;
use qwill::Inspection;

use crate::args::InspectArgs;
use crate::failure::Failure;

pub(crate) fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let inspection = match &args.shape {
        Some(shape) => Inspection::of_shape(shape, args.context)?,
        None => block_on(Inspection::of_files(crate::model::files(&args.model)?, args.context))?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&inspection)?);
        return Ok(());
    }
    let gb = |bytes: u64| bytes as f64 / 1e9;
    println!("{} ({})", inspection.name, inspection.architecture);
    println!(
        "  {:.3} billion weights in {} tensors",
        inspection.n_params as f64 / 1e9,
        inspection.tensors.len()
    );
    println!(
        "  {} layers, {} wide, {} query and {} key heads of {}, feed-forward {}, vocabulary {}",
        inspection.n_layers,
        inspection.hidden_size,
        inspection.n_heads,
        inspection.n_kv_heads,
        inspection.head_dim,
        inspection.intermediate_size,
        inspection.vocab_size
    );
    println!("  made for {} tokens", inspection.model_context_length);
    println!(
        "memory for {} tokens: weights {:.3} GB + cache {:.3} GB (f16) + activations {:.3} GB = {:.3} GB",
        inspection.memory.context_length,
        gb(inspection.memory.weights_bytes),
        gb(inspection.memory.cache_bytes),
        gb(inspection.memory.activation_bytes),
        gb(inspection.memory.total_bytes)
    );
    Ok(())
}
