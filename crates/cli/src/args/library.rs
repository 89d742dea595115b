//! Arguments of commands about models that are kept here, and of those for packagers.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// A hub id (OWNER/NAME[:TAG][@REVISION]), or the address of a model's page or file
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// A hub id, as qwill list shows it; without a tag or revision, all that there is of the repository
    #[arg(value_name = "MODEL", required = true)]
    pub(crate) models: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Whose completions
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages go: qwill.1, qwill-run.1 and so on; the folder is made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
