//! `qwill completions`: what lets a shell complete commands and options.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Failure;
use crate::terminal::print_bytes;

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    // in one piece: the generator panics where it cannot write
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "qwill", &mut script);
    print_bytes(&script);
    Ok(())
}
