//! `qwill devices`: the GPUs of this machine.

use pollster::block_on;
use qwill::{DeviceFindings, Gpus};

use crate::args::DevicesArgs;
use crate::failure::Failure;
use crate::terminal::say;

pub(crate) fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    let gpus = block_on(Gpus::list())?;
    if args.json {
        say!("{}", serde_json::to_string(&gpus)?);
        return Ok(());
    }
    for gpu in &gpus.devices {
        let mark = if gpu.is_default { '*' } else { ' ' };
        say!("{mark} {} ({}, {}) {}", gpu.name, gpu.backend, gpu.kind, gpu.driver);
    }
    say!("* is used unless --gpu names another: {}", gpus.capabilities);
    let DeviceFindings { right, wrong } = &gpus.self_test;
    match (right, &wrong[..]) {
        (0, []) => say!("  its kernels are tried when a model is loaded"),
        (right, []) => say!("  {right} kernels were tried and compute what they should"),
        (right, wrong) => {
            say!("  {right} kernels compute what they should; not used are those that do not:");
            wrong.iter().for_each(|wrong| say!("    {wrong}"));
        }
    }
    Ok(())
}
