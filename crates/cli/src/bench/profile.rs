//! What `qwill bench --profile` adds: a table for each step.

use qwill::{ProfileReport, StepProfile};

use crate::terminal::say;

pub(super) fn print(report: &ProfileReport) {
    print_step("decode", &report.decode);
    print_step("prefill", &report.prefill);
}

fn print_step(name: &str, step: &StepProfile) {
    say!();
    say!(
        "{name} of {} behind {}: {:.2} ms a step, its kernels {:.2} ms ({:.0} %), {:.2} ms CPU",
        step.n_tokens,
        step.depth,
        step.step_us / 1e3,
        step.kernels_us / 1e3,
        step.kernels_share * 100.0,
        step.cpu_us / 1e3
    );
    let widest = step.kernels.iter().map(|kernel| kernel.detail.len()).max().unwrap_or(0).max(6);
    say!(
        "  {:<17} {:<widest$} {:>8} {:>10} {:>6} {:>9} {:>8} {:>9}",
        "kernel",
        "detail",
        "launches",
        "µs",
        "share",
        "MB",
        "GB/s",
        "GFLOP/s"
    );
    for kernel in &step.kernels {
        say!(
            "  {:<17} {:<widest$} {:>8} {:>10.0} {:>5.1}% {:>9.3} {:>8.2} {:>9.2}",
            kernel.kernel,
            kernel.detail,
            kernel.launches,
            kernel.us,
            kernel.share * 100.0,
            kernel.bytes as f64 / 1e6,
            kernel.gbps,
            kernel.gflops
        );
    }
}
