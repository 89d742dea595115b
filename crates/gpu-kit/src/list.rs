//! What the kit is made of, for those who pack it and look at its results.

use clap::ValueEnum;
use qwill_testkit::golden::{FLOATS, QUANTISED, expected_files};

use crate::parts::PARTS;

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Names of the parts, in order.
    Parts,
    /// Files and folders below `tests/golden`.
    Goldens,
}

/// Prints one a line.
pub(crate) fn print(what: What) {
    match what {
        What::Parts => PARTS.iter().for_each(|part| println!("{}", part.name)),
        What::Goldens => FLOATS.iter().chain(&QUANTISED).for_each(|checkpoint| {
            println!("{checkpoint}");
            // a folder has them in it
            if checkpoint.ends_with(".gguf") {
                expected_files(checkpoint).iter().for_each(|file| println!("{file}"));
            }
        }),
    }
}
