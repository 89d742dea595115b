//! `qwill devices`: the GPUs of this machine.

use pollster::block_on;
use qwill::Gpus;

use crate::args::DevicesArgs;
use crate::failure::Failure;

pub(crate) fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    let gpus = block_on(Gpus::list())?;
    if args.json {
        println!("{}", serde_json::to_string(&gpus)?);
        return Ok(());
    }
    for gpu in &gpus.devices {
        let mark = if gpu.is_default { '*' } else { ' ' };
        println!("{mark} {} ({}, {}) {}", gpu.name, gpu.backend, gpu.kind, gpu.driver);
    }
    println!("* is used unless --gpu names another: {}", gpus.capabilities);
    Ok(())
}
