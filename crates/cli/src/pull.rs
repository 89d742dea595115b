//! `qwill pull`: a model from the hub into the cache.

use indicatif::DecimalBytes;
use qwill::hub::{Hub, HubOptions};

use crate::args::PullArgs;
use crate::failure::Failure;
use crate::model::download_bar;
use crate::terminal::note;

pub(crate) fn pull(args: &PullArgs) -> Result<(), Failure> {
    let options = HubOptions::from_env();
    let id = options.id(&args.model)?;
    let hub = Hub::new(options);
    let mut n_bytes = 0;
    let mut bar = download_bar();
    hub.fetch(&id, &mut |progress| {
        n_bytes = progress.bytes_total;
        bar(progress)
    })?;
    drop(bar);
    let size = if n_bytes > 0 { format!(", {}", DecimalBytes(n_bytes)) } else { String::new() };
    note(&format!("{id} is here{size}: qwill chat -m {id}"));
    Ok(())
}
