//! `qwill-desktop`: a chat window.

use std::process::ExitCode;

use clap::Parser;
use qwill_desktop::args::Args;
use qwill_desktop::window;

fn main() -> ExitCode {
    match window::run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
