//! `qwill devices`: the GPUs of this machine.

use pollster::block_on;
use qwill::gpu::{Gpu, GpuOptions};
use serde_json::json;

use crate::args::DevicesArgs;
use crate::failure::Failure;

pub(crate) fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    let gpus = block_on(Gpu::list());
    let chosen = block_on(Gpu::open(&GpuOptions::default()))?;
    if args.json {
        let list: Vec<_> = gpus
            .iter()
            .map(|a| json!({"name": a.name, "backend": format!("{:?}", a.backend), "type": format!("{:?}", a.device_type), "driver": a.driver_info}))
            .collect();
        println!(
            "{}",
            json!({"devices": list, "default": chosen.info().name, "capabilities": chosen.caps().to_string()})
        );
        return Ok(());
    }
    for gpu in &gpus {
        let mark = if gpu == chosen.info() { '*' } else { ' ' };
        println!("{mark} {} ({:?}, {:?}) {}", gpu.name, gpu.backend, gpu.device_type, gpu.driver_info);
    }
    println!("* is used unless --gpu names another: {}", chosen.caps());
    Ok(())
}
