//! How fast models are.

use super::super::records::{Run, Shown, Spread};
use super::figures::{bytes, figure, percent};
use super::markdown::Table;
use std::collections::BTreeSet;

/// The table of README.md with the plot, and what it is of.
pub(super) fn overview(shown: &Shown) -> String {
    let runs = sorted(shown.runs().iter().copied());
    let (words, alt) = match shown {
        _ if runs.is_empty() => return "Nothing has been measured yet.\n".into(),
        Shown::Gpus(_) => {
            ("", "Decoding's share of the copy bandwidth, and prompt speed, of GPUs over the size of models")
        }
        Shown::Software(_) => (
            "No real GPU has been measured yet: these are software devices, on a processor's cores, and say nothing \
             about GPUs.\n\n",
            "Decoding's share of the copy bandwidth, and prompt speed, of software devices over the size of models",
        ),
    };
    let depths: BTreeSet<usize> =
        runs.iter().flat_map(|run| run.bench.results.iter().map(|result| result.depth)).collect();
    let mut head: Vec<String> =
        ["model", "weights read a token", "device", "prompt tokens/s"].map(String::from).to_vec();
    head.extend(depths.iter().map(|depth| match depth {
        0 => "decoded tokens/s".to_owned(),
        _ => format!("{depth} tokens deep"),
    }));
    head.push("share of copy bandwidth".into());
    let mut table = Table::new(head);
    for run in runs {
        let first = run.shallowest();
        let mut row = vec![
            run.bench.model.clone(),
            bytes(run.bench.weight_bytes_per_token),
            run.device.clone(),
            figure(first.prefill_tps.median),
        ];
        row.extend(depths.iter().map(|depth| {
            let result = run.bench.results.iter().find(|result| result.depth == *depth);
            result.map(|result| figure(result.decode_tps.median)).unwrap_or_default()
        }));
        row.push(percent(first.bandwidth_share));
        table.row(row);
    }
    format!("{words}{table}\n![{alt}](tests/bench/speed.svg)\n")
}

/// Every run at every depth, with what explains it.
pub(super) fn details(runs: &[Run]) -> String {
    let mut table = Table::new([
        "record",
        "device",
        "model",
        "tokens",
        "depth",
        "prompt tokens/s",
        "decoded tokens/s",
        "decoding reads, of what copying moves (GB/s)",
        "weights a token",
        "dispatches, submits a token",
        "measured",
    ]);
    for run in sorted(runs) {
        let bench = &run.bench;
        let conditions =
            run.conditions.as_ref().map(|conditions| format!("; {conditions}")).unwrap_or_default();
        for result in &bench.results {
            table.row([
                format!("[{0}]({0}.json)", run.record),
                run.device.clone(),
                bench.model.clone(),
                format!("{} + {}, {}", bench.prompt_tokens, bench.decode_tokens, times(bench.runs)),
                result.depth.to_string(),
                spread(result.prefill_tps),
                spread(result.decode_tps),
                format!(
                    "{} of {} ({})",
                    figure(result.decode_gbps),
                    figure(bench.copy_gbps),
                    percent(result.bandwidth_share)
                ),
                bytes(bench.weight_bytes_per_token),
                format!("{}, {}", bench.dispatches_per_token, bench.submits_per_token),
                format!("{}{conditions}", run.stamp.shown()),
            ]);
        }
    }
    table.to_string()
}

/// Small models first, each on the devices in the order of their names.
fn sorted<'r>(runs: impl IntoIterator<Item = &'r Run>) -> Vec<&'r Run> {
    let mut runs: Vec<&Run> = runs.into_iter().collect();
    runs.sort_by_key(|run| (run.bench.weight_bytes_per_token, &run.bench.model, &run.device));
    runs
}

fn times(runs: usize) -> String {
    if runs == 1 { "once".into() } else { format!("{runs} times") }
}

fn spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        figure(median)
    } else {
        format!("{} ({} to {})", figure(median), figure(min), figure(max))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fabricated;
    use super::super::super::records::Records;
    use super::*;

    fn records() -> Records {
        Records::of(&[("h100-speed", &fabricated::speed())])
    }

    #[test]
    fn overview_has_a_column_for_each_depth() {
        let text = overview(&records().shown());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "| model | weights read a token | device | prompt tokens/s | decoded tokens/s | 4096 tokens deep \
             | share of copy bandwidth |"
        );
        assert_eq!(
            lines[2],
            "| random qwen3-8b:q4_0 | 4.3 GB | NVIDIA H100, Vulkan | 5120 | 310 | 280 | 75% |"
        );
        assert!(!text.contains("software"), "{text}");
    }

    #[test]
    fn software_devices_are_called_so() {
        let mut records = records();
        records.runs[0].bench.capabilities += ", software";
        assert!(overview(&records.shown()).starts_with("No real GPU has been measured yet"));
    }

    #[test]
    fn details_have_a_row_for_each_depth() {
        let text = details(&records().runs);
        assert_eq!(
            text.lines().nth(3),
            Some(
                "| [h100-speed](h100-speed.json) | NVIDIA H100, Vulkan | random qwen3-8b:q4_0 | 512 + 128, 5 times | 4096 \
                 | 4800 (4800 to 4800) | 280 (280 to 280) | 1500 of 2000 (70%) | 4.3 GB | 255, 1 | abcdef0, 2027-01-02 |"
            )
        );
    }
}
