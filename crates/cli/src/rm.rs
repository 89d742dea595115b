//! `qwill rm`: takes models out of the hub's cache.

use std::io::{IsTerminal, Write};

use indicatif::DecimalBytes;
use qwill::hub::{Hub, HubOptions, Removal};

use crate::args::RmArgs;
use crate::failure::{Failure, wrong};
use crate::terminal::note;

pub(crate) fn rm(args: &RmArgs) -> Result<(), Failure> {
    let options = HubOptions::from_env();
    let ids = args.models.iter().map(|model| options.id(model)).collect::<Result<Vec<_>, _>>()?;
    let hub = Hub::new(options);
    for id in ids {
        let removal = hub.removal(&id)?;
        let names: Vec<String> = removal.models.iter().map(ToString::to_string).collect();
        let names = if names.is_empty() { format!("what there is of {id}") } else { names.join(", ") };
        let size = DecimalBytes(removal.bytes);
        if args.yes || is_wanted(&names, &removal)? {
            removal.run()?;
            note(&format!("Deleted {names}: {size} are free."));
        }
    }
    Ok(())
}

fn is_wanted(names: &str, removal: &Removal) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(wrong("there is nobody to ask; --yes deletes without asking"));
    }
    let mut out = std::io::stderr();
    write!(out, "Delete {names}, {}? [y/N] ", DecimalBytes(removal.bytes))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
