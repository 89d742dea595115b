//! `qwill bench`: how fast it is, and what explains it.

mod profile;

use pollster::block_on;
use qwill::{BenchReport, BenchRequest, KvType, Model, ParallelRun, ProfileReport, ProfileRequest};

use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::terminal::say;

pub(crate) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    let request = BenchRequest {
        prompt_tokens: args.prompt_tokens,
        decode_tokens: args.decode_tokens,
        depths: args.depth.clone(),
        parallel: args.parallel.clone(),
        runs: args.runs,
    };
    let options = request.load_options(crate::model::options(&args.setup, KvType::F16));
    let model = match &args.random {
        Some(shape) => {
            if options.quantize.is_some() {
                let reason =
                    "--quantize is for models; the format of random weights is named after their shape";
                return Err(qwill::Error::Request(reason.into()).into());
            }
            let random = crate::random::model(shape, args.layers)?;
            let model = block_on(Model::random(random, &options))?;
            crate::model::add_adapters(&model, &args.setup.lora)?;
            model
        }
        None => crate::model::load_with(&args.model, &options, &args.setup.lora)?,
    };
    // before what takes longer: a device may have no timestamps
    let profile = if args.profile { profiles(&model, args)? } else { Vec::new() };
    let report = BenchReport { profile, ..block_on(model.bench(&request))? };
    if args.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

/// A profile for each depth.
fn profiles(model: &Model, args: &BenchArgs) -> Result<Vec<ProfileReport>, Failure> {
    let mut profiles = Vec::new();
    for &depth in &args.depth {
        let request = ProfileRequest { prompt_tokens: args.prompt_tokens, depth, runs: args.runs };
        profiles.push(block_on(model.profile(&request))?);
    }
    Ok(profiles)
}

fn print(report: &BenchReport) {
    say!("{} on {} ({})", report.model, report.gpu, report.backend);
    say!("  {}", report.capabilities);
    say!(
        "  loaded in {:.0} ms; {} dispatches a token ({:.1} a layer), {:.2} submits, {:.1} MB of weights",
        report.load_ms,
        report.dispatches_per_token,
        report.dispatches_per_layer,
        report.submits_per_token,
        report.weight_bytes_per_token as f64 / 1e6
    );
    say!(
        "  copying moves {:.1} GB/s; encoding and submitting takes {:.3} ms CPU a token",
        report.copy_gbps,
        report.cpu_ms_per_token
    );
    say!(
        "{:>8} {:>18} {:>12} {:>18} {:>10} {:>7}",
        "depth",
        "prefill t/s",
        "first ms",
        "decode t/s",
        "GB/s",
        "share"
    );
    for run in &report.results {
        say!(
            "{:>8} {:>18} {:>12.1} {:>18} {:>10.2} {:>6.0}%",
            run.depth,
            format!("{:.1} ({:.1}-{:.1})", run.prefill_tps.median, run.prefill_tps.min, run.prefill_tps.max),
            run.ttft_ms.median,
            format!("{:.1} ({:.1}-{:.1})", run.decode_tps.median, run.decode_tps.min, run.decode_tps.max),
            run.decode_gbps,
            run.bandwidth_share * 100.0
        );
    }
    if !report.parallel.is_empty() {
        say!("{:>8} {:>24} {:>12} {:>12}", "at once", "decode t/s of all", "first ms", "95 % ms");
    }
    for ParallelRun { n_texts, decode_tps: tps, ttft_ms } in &report.parallel {
        let tps = format!("{:.1} ({:.1}-{:.1})", tps.median, tps.min, tps.max);
        say!("{n_texts:>8} {tps:>24} {:>12.1} {:>12.1}", ttft_ms.median, ttft_ms.p95);
    }
    report.profile.iter().for_each(profile::print);
}
