//! `cargo xtask demo`: from a fresh clone to a conversation, in the terminal or in a browser.

use crate::command::Command;
use crate::error::Result;
use crate::npm;
use crate::setup::{self, Consent};
use crate::tools::Need;
use crate::workspace::{Project, Workspace};
use clap::Args;
use std::path::PathBuf;

/// What kind of demo.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the reply to this prompt and end, instead of opening a chat.
    #[arg(long, conflicts_with = "web")]
    prompt: Option<String>,
    /// Serve the chat page for a browser with WebGPU, instead of chatting in the terminal.
    #[arg(long)]
    web: bool,
}

/// Sets up, builds and starts the demo.
pub(crate) fn run(ws: &Workspace, options: &Options, consent: Consent) -> Result<()> {
    if options.web {
        return serve(ws, consent);
    }
    setup::ensure(ws, &[Need::Vulkan], consent)?;
    eprintln!("Building qwill (the first time takes some minutes):");
    Command::cargo(["build", "--release", "--package", "qwill-cli"]).in_dir(ws.root()).run()?;
    chat(ws, options.prompt.as_deref()).become_it()
}

/// The command that talks to the model that ships with the project.
fn chat(ws: &Workspace, prompt: Option<&str>) -> Command {
    let program: PathBuf =
        ws.target().join("release").join("qwill").with_extension(std::env::consts::EXE_EXTENSION);
    match prompt {
        Some(prompt) => Command::new(program, ["run", "-m", "demo", prompt]),
        None => Command::new(program, ["chat", "-m", "demo"]),
    }
}

fn serve(ws: &Workspace, consent: Consent) -> Result<()> {
    let mut needs = npm::NEEDS.to_vec();
    needs.push(Need::NpmPackages(Project::Web));
    setup::ensure(ws, &needs, consent)?;
    eprintln!("Building the npm package and the chat page (the first time takes some minutes):");
    npm::package(ws)?;
    Project::Web.script(ws, "build").run()?;
    println!("Open the address below in a browser with WebGPU; Ctrl-C ends the server.");
    Project::Web.script(ws, "preview").become_it()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_decides_between_a_reply_and_a_chat() {
        let Ok(ws) = Workspace::find() else { panic!("the test runs inside the repository") };
        let shown = |prompt| chat(&ws, prompt).to_string();
        assert!(shown(None).ends_with(" chat -m demo"));
        assert!(shown(Some("Hi there")).ends_with(" run -m demo 'Hi there'"));
    }
}
