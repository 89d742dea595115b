//! `qwill man`: manual pages, one for each command.

use clap::CommandFactory;

use crate::args::{Cli, ManArgs};
use crate::failure::{Failure, about};

pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let written = std::fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.folder));
    written.map_err(|error| about(&args.folder, error))
}
