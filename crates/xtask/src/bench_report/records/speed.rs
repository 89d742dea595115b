//! Records of `qwill bench --json` and of `window.bench`.

use super::{Kit, Stamp};
use serde::Deserialize;
use serde::de::Error as _;

/// A benchmark of one model on one device.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The record's file, without its ending.
    pub(crate) record: String,
    /// The device, and through what it was used: a browser, or the native interface.
    pub(crate) device: String,
    pub(crate) stamp: Stamp,
    /// What else is to be known, if anything.
    pub(crate) conditions: Option<String>,
    pub(crate) bench: Bench,
}

/// What is read of a `qwill::BenchReport`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Bench {
    pub(crate) model: String,
    backend: String,
    pub(crate) capabilities: String,
    pub(crate) prompt_tokens: usize,
    pub(crate) decode_tokens: usize,
    /// Repetitions.
    pub(crate) runs: usize,
    pub(crate) dispatches_per_token: usize,
    pub(crate) submits_per_token: f64,
    pub(crate) weight_bytes_per_token: u64,
    /// Bytes read and written a second by copying, in 10^9.
    pub(crate) copy_gbps: f64,
    /// At least one, the least deep first.
    pub(crate) results: Vec<Depth>,
}

/// Speeds with so many tokens in the cache before.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Depth {
    pub(crate) depth: usize,
    pub(crate) prefill_tps: Spread,
    pub(crate) decode_tps: Spread,
    /// Bytes of weights and cache that decoding reads a second, in 10^9.
    pub(crate) decode_gbps: f64,
    /// That as a share of the copy bandwidth.
    pub(crate) bandwidth_share: f64,
}

/// Of some repetitions.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Run {
    /// Whether a processor played the GPU.
    pub(crate) fn is_software(&self) -> bool {
        self.bench.capabilities.split(", ").any(|capability| capability == "software")
    }

    /// The speeds at the least depth that was measured.
    pub(crate) fn shallowest(&self) -> &Depth {
        // `Bench::checked` let no run without one through.
        &self.bench.results[0]
    }
}

impl Bench {
    fn checked(mut self) -> serde_json::Result<Self> {
        if self.results.is_empty() {
            let reason = format!("`results` of {} has no depth", self.model);
            return Err(serde_json::Error::custom(reason));
        }
        self.results.sort_by_key(|result| result.depth);
        Ok(self)
    }
}

/// The object that a benchmark prints, with what a person added.
#[derive(Deserialize)]
pub(super) struct One {
    #[serde(flatten)]
    stamp: Stamp,
    /// Its name and, behind a comma or in brackets, more about the machine.
    device: String,
    conditions: Option<String>,
    browser: Option<String>,
    #[serde(flatten)]
    bench: Bench,
}

/// Reads a benchmark that is a record of its own.
pub(super) fn of_one(record: &str, one: One) -> serde_json::Result<Run> {
    let name = one.device.split([',', '(']).next().unwrap_or_default().trim();
    let through = one.browser.as_deref().map_or_else(|| one.bench.backend.clone(), capitalised);
    Ok(Run {
        record: record.to_owned(),
        device: format!("{name}, {through}"),
        stamp: one.stamp,
        conditions: one.conditions,
        bench: one.bench.checked()?,
    })
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A benchmark in the `result` of a kit's part; without a report if the device has no room or no time for the model.
#[derive(Deserialize)]
pub(super) struct Tried {
    report: Option<Bench>,
}

/// Reads the benchmarks of a kit.
pub(super) fn of_kit(record: &str, kit: Kit<Vec<Tried>>) -> serde_json::Result<Vec<Run>> {
    let device = kit.device.label();
    let run = |bench: Bench| {
        Ok(Run {
            record: record.to_owned(),
            device: device.clone(),
            stamp: kit.stamp.clone(),
            conditions: None,
            bench: bench.checked()?,
        })
    };
    kit.result.into_iter().filter_map(|tried| tried.report).map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn device_is_named_with_what_it_was_used_through() {
        let spread = json!({ "median": 1.0, "min": 1.0, "max": 1.0 });
        let mut record = json!({
            "date": "2026-11-21", "commit": "420b341", "device": "llvmpipe (LLVM 15.0.6), 2 cores", "model": "m",
            "backend": "Vulkan", "capabilities": "f16 no, software", "prompt_tokens": 1, "decode_tokens": 1, "runs": 1,
            "dispatches_per_token": 1, "submits_per_token": 1.0, "weight_bytes_per_token": 1, "copy_gbps": 1.0,
            "results": [{ "depth": 0, "prefill_tps": spread, "decode_tps": spread, "decode_gbps": 1.0, "bandwidth_share": 1.0 }],
        });
        let read = |record: &serde_json::Value| {
            of_one("r", serde_json::from_value(record.clone()).unwrap()).unwrap()
        };
        assert_eq!(read(&record).device, "llvmpipe, Vulkan");
        assert!(read(&record).is_software());
        record["browser"] = json!("firefox");
        assert_eq!(read(&record).device, "llvmpipe, Firefox");
        record["device"] = json!("SwiftShader, 2 cores");
        assert_eq!(read(&record).device, "SwiftShader, Firefox");
    }
}
