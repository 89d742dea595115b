//! The commands of this repository: `cargo xtask demo`, `cargo xtask test` and what they are made of.
//!
//! A new command is one variant of [`Task`] and one file beside this one.
//! Every command first makes sure that what it needs is there (see [`setup`]).

use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

mod bench_report;
mod command;
mod demo;
mod difference;
mod error;
mod folder;
mod fuzz;
mod gpu_kit;
mod host;
mod lint;
mod npm;
mod remedy;
mod report;
mod setup;
mod step;
mod tail;
mod test;
mod toolchain;
mod tools;
mod wasm;
mod workspace;

use error::Result;
use setup::Consent;
use tools::Need;
use workspace::Workspace;

/// The commands of the qwill repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Args)]
struct ConsentArgs {
    /// Install what is missing without asking.
    #[arg(long, global = true)]
    yes: bool,
}

#[derive(Subcommand)]
enum Task {
    /// Build qwill and chat in the terminal with the model that ships with it.
    Demo(demo::Options),
    /// Set up everything the tests need and run all of them, or only the named parts.
    Test {
        /// What to run; everything when nothing is named.
        only: Vec<test::Group>,
    },
    /// Install what building and testing needs and this machine lacks.
    Setup,
    /// Check formatting, lints, spelling and dependencies.
    Lint,
    /// Write the tables and the plot of measurements anew from the records in `tests/bench/`.
    BenchReport(bench_report::Options),
    /// Build the wasm module into `npm/wasm`.
    Wasm,
    /// Pack a folder that checks and measures qwill on a Linux machine with a GPU and nothing else.
    GpuKit(gpu_kit::Options),
    /// Build the npm package: wasm module, demo model and TypeScript.
    Npm,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let consent = if cli.consent.yes || in_ci() { Consent::Given } else { Consent::Ask };
    match run(cli.task, consent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Continuous integration has nobody to ask.
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()))
}

fn run(task: Task, consent: Consent) -> Result<()> {
    let ws = Workspace::find()?;
    match task {
        Task::Demo(options) => demo::run(&ws, &options, consent),
        Task::Test { only } => test::run(&ws, &only, consent),
        Task::Setup => {
            setup::ensure(&ws, Need::ALL, consent)?;
            println!("Everything that building and testing needs is here.");
            Ok(())
        }
        Task::GpuKit(options) => gpu_kit::run(&ws, &options),
        Task::Lint => lint::run(&ws, consent),
        Task::BenchReport(options) => bench_report::run(&ws, &options),
        Task::Wasm => {
            setup::ensure(&ws, wasm::NEEDS, consent)?;
            wasm::build(&ws)
        }
        Task::Npm => {
            setup::ensure(&ws, npm::NEEDS, consent)?;
            npm::package(&ws)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn yes_is_accepted_before_and_after_the_command() {
        for line in [["xtask", "--yes", "setup"], ["xtask", "setup", "--yes"]] {
            let Ok(cli) = Cli::try_parse_from(line) else { panic!("{line:?} must parse") };
            assert!(cli.consent.yes);
        }
    }
}
