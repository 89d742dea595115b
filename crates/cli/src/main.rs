//! The `qwill` command. Thin: it parses arguments, calls the library and prints.

mod args;
mod batch;
mod bench;
mod chat;
mod completions;
mod decide;
mod devices;
mod eval;
mod examples;
mod failure;
mod format;
mod inspect;
mod list;
mod man;
mod markdown;
mod model;
mod pull;
mod quantize;
mod random;
mod reply_view;
mod rm;
mod run;
mod serve;
mod terminal;
mod tokenize;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = if cli.verbose { tracing::Level::DEBUG } else { tracing::Level::ERROR };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let result = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Chat(args) => chat::chat(args),
        Command::Decide(args) => decide::decide(args),
        Command::Eval(args) => eval::eval(args),
        Command::Bench(args) => bench::bench(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Quantize(args) => quantize::quantize(args),
        Command::Pull(args) => pull::pull(args),
        Command::List(args) => list::list(args),
        Command::Rm(args) => rm::rm(args),
        Command::Random(args) => random::random(args),
        Command::Batch(args) => batch::batch(args),
        Command::Serve(args) => serve::serve(args),
        Command::Tokenize(args) => tokenize::tokenize(args),
        Command::Devices(args) => devices::devices(args),
        Command::Completions(args) => completions::completions(args),
        Command::Man(args) => man::man(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(cli.verbose);
            ExitCode::FAILURE
        }
    }
}
