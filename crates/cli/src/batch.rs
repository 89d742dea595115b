//! `qwill batch`: many requests from a file.

use std::time::Duration;

use qwill_server::{BatchOptions, Options, Server};
use tokio::runtime::Runtime;

use crate::args::BatchArgs;
use crate::failure::Failure;
use crate::serve::sources;
use crate::terminal::progress_bar;

pub(crate) fn batch(args: &BatchArgs) -> Result<(), Failure> {
    let options = Options {
        max_requests: usize::MAX,
        max_body_bytes: usize::MAX,
        request_timeout: Duration::from_secs(24 * 60 * 60),
        ..Options::default()
    };
    let server = Server::new(sources(&args.model, &args.setup, qwill_server::LoadAt::FirstUse), options)?;
    let bar = progress_bar("{pos} answered {per_sec}");
    let options = BatchOptions { parallel: args.parallel };
    let told = |n_done: usize| bar.set_position(n_done as u64);
    let summary = Runtime::new()?.block_on(server.batch(&args.input, &args.output, options, told))?;
    bar.finish_and_clear();
    eprintln!(
        "{} answered, {} of them failed; {} were there",
        summary.n_answered, summary.n_failed, summary.n_before
    );
    Ok(())
}
