//! `qwill devices`: the GPUs of this machine.

use pollster::block_on;
use qwill::gpu::{Gpu, GpuOptions};
use serde_json::json;

use crate::args::DevicesArgs;
use crate::failure::Failure;

pub(crate) fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    let adapters = block_on(Gpu::adapters());
    let chosen = block_on(Gpu::open(&GpuOptions::default()))?;
    if args.json {
        let list: Vec<_> = adapters
            .iter()
            .map(|a| json!({"name": a.name, "backend": format!("{:?}", a.backend), "type": format!("{:?}", a.device_type), "driver": a.driver_info}))
            .collect();
        println!(
            "{}",
            json!({"devices": list, "default": chosen.info().name, "capabilities": chosen.caps().to_string()})
        );
        return Ok(());
    }
    for adapter in &adapters {
        let mark = if adapter == chosen.info() { '*' } else { ' ' };
        println!(
            "{mark} {} ({:?}, {:?}) {}",
            adapter.name, adapter.backend, adapter.device_type, adapter.driver_info
        );
    }
    println!("* is used unless --adapter names another: {}", chosen.caps());
    Ok(())
}
