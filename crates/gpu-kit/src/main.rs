//! Checks and measures qwill on a machine that has nothing but a GPU driver: `cargo xtask gpu-kit DIR` packs the folder,
//! `run.sh` in it starts this program.

mod bench;
mod caught;
mod child;
mod failure;
mod job;
mod kit;
mod list;
mod loading;
mod measure;
mod parts;
mod plan;
mod record;
mod run;
mod side_by_side;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use job::{Job, Size};
use kit::Kit;
use parts::PARTS;

const EXAMPLES: &str = "\
Examples:
  ./run.sh results                          everything, in at most 8 minutes
  ./run.sh --quick results                  every part with tiny sizes: does the kit work here?
  ./run.sh --minutes 4 --only device,limits,speed results

Every part writes OUT/PART.json when it is done, and what it has so far when it is stopped; OUT/summary.txt has a line for
each. The status is 0 if all of them passed.";

/// Checks and measures qwill on this machine's GPU.
#[derive(Debug, Parser)]
#[command(name = "qwill-gpu-kit", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the parts one after the other, each in a process of its own; what run.sh does
    #[command(after_help = EXAMPLES)]
    Run(RunArgs),
    /// Run one part in this process
    Part(PartArgs),
    /// List what the kit is made of: its parts, or the goldens that it reads (below tests/golden)
    List { what: list::What },
    /// Measure how a model's files become what lies on the device, beside a plain read of them
    Load {
        /// A GGUF file, or a Hugging Face directory
        model: PathBuf,
        /// Turns of everything
        #[arg(long, default_value_t = 5)]
        turns: usize,
    },
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Where results go; made if it is not there
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Stop before so many minutes are over
    #[arg(long, value_name = "N", default_value_t = 8.0, value_parser = minutes)]
    minutes: f64,
    /// Run only these parts, separated by commas
    #[arg(long, value_name = "PART,…", value_delimiter = ',', value_parser = part_names())]
    only: Vec<String>,
    /// Tiny sizes: under two minutes even on a CPU that pretends to be a GPU; the numbers mean nothing
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Args)]
struct PartArgs {
    /// Which one
    #[arg(value_parser = part_names())]
    name: String,
    /// The JSON file to write; what other parts wrote is looked for beside it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Stop with what is there after so many seconds
    #[arg(long, value_name = "S", default_value_t = 600.0)]
    seconds: f64,
    /// Tiny sizes
    #[arg(long)]
    quick: bool,
}

fn part_names() -> PossibleValuesParser {
    PossibleValuesParser::new(PARTS.iter().map(|part| part.name))
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(n) if (0.1..=600.0).contains(&n) => Ok(n),
        _ => Err("a number of minutes from 0.1 to 600 is needed".into()),
    }
}

fn main() -> ExitCode {
    let size = |quick| if quick { Size::Quick } else { Size::Full };
    let ended = match Cli::parse().command {
        Command::Run(args) => {
            let limit = Duration::from_secs_f64(args.minutes * 60.0);
            Kit::find().and_then(|kit| run::run(&kit, &args.out, limit, &args.only, size(args.quick)))
        }
        Command::Part(args) => Kit::find().and_then(|kit| {
            let limit = Duration::from_secs_f64(args.seconds.max(0.0));
            let part = PARTS.iter().find(|part| part.name == args.name).ok_or("there is no such part")?;
            Ok(Job::new(kit, part.name, args.out, limit, size(args.quick)).run(part.run))
        }),
        Command::List { what } => {
            list::print(what);
            Ok(ExitCode::SUCCESS)
        }
        Command::Load { model, turns } => {
            loading::measure(&model, &loading::Turns::exactly(turns), |_| Ok(())).map(|found| {
                println!("{found}");
                ExitCode::SUCCESS
            })
        }
    };
    ended.unwrap_or_else(|error| {
        eprintln!("qwill-gpu-kit: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["kit", "run", "--only", "device,limits", "out"]).is_ok());
        for wrong in [["run", "--only", "nothing", "out"], ["run", "--minutes", "0", "out"]] {
            assert!(Cli::try_parse_from([&["kit"], &wrong[..]].concat()).is_err(), "{wrong:?}");
        }
    }
}
